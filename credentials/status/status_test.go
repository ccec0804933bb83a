package status

import (
	"context"
	"crypto"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/plinth-id/plinth/credentials/vc/jws"
	"github.com/plinth-id/plinth/credentials/vc/statuslist"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/internal/postgres/pgtest"
	"github.com/plinth-id/plinth/internal/web"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// publisher is a Publisher at noon.
func publisher(t *testing.T, pool *pgxpool.Pool) *Publisher {
	t.Helper()
	root, err := keys.FileRoot(filepath.Join(t.TempDir(), "root.key"), "a passphrase for tests")
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keys.Open(t.Context(), pool, root)
	if err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse("https://id.example.org")
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(Config{Pool: pool, Ring: ring, Issuer: at, Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// beside is another process that shares the database and the keys.
func beside(t *testing.T, p *Publisher) *Publisher {
	t.Helper()
	other, err := New(p.Config)
	if err != nil {
		t.Fatal(err)
	}
	return other
}

func draw(t *testing.T, p *Publisher, n int) []Entry {
	t.Helper()
	drawn, err := p.Draw(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return drawn
}

func change1(t *testing.T, p *Publisher, e Entry, v Value) {
	t.Helper()
	if err := postgres.InTx(t.Context(), p.Pool, func(tx pgx.Tx) error { return p.Set(t.Context(), tx, []Entry{e}, v) }); err != nil {
		t.Fatal(err)
	}
}

func TestPlacesAreDrawnOnceAndInNoOrder(t *testing.T) {
	p := publisher(t, pgtest.Pool(t))
	processes := []*Publisher{p, beside(t, p), beside(t, p)}
	const callers, each = 12, 100
	drawn := make([][]Entry, callers)
	var all sync.WaitGroup
	for k := range callers {
		all.Go(func() { drawn[k] = draw(t, processes[k%len(processes)], each) })
	}
	all.Wait()
	seen := map[Entry]bool{}
	for _, entries := range drawn {
		if slices.IsSortedFunc(entries, func(a, b Entry) int { return a.Index - b.Index }) {
			t.Error("got places in order, want them mixed")
		}
		for _, e := range entries {
			if seen[e] || e.Index < 0 || e.Index >= Size || e.List != drawn[0][0].List {
				t.Fatalf("got %+v again, out of range or in another list", e)
			}
			seen[e] = true
		}
	}
}

func TestEveryPlaceOfAListIsUsedOnceAndThenTheNextIsOpened(t *testing.T) {
	p := publisher(t, pgtest.Pool(t))
	seen := make([]bool, Size)
	entries := draw(t, p, Size)
	for _, e := range entries {
		if e.List != entries[0].List || seen[e.Index] {
			t.Fatalf("got %+v, want each place of one list once", e)
		}
		seen[e.Index] = true
	}
	if next := draw(t, beside(t, p), 1)[0]; next.List == entries[0].List {
		t.Errorf("got a place in the full list %d, want one in a new list", next.List)
	}
}

func TestRevocationIsForGoodAndSuspensionIsNot(t *testing.T) {
	p := publisher(t, pgtest.Pool(t))
	e := draw(t, p, 2)
	for _, step := range []struct{ set, want Value }{{Suspended, Suspended}, {Valid, Valid}, {Suspended, Suspended}, {Revoked, Revoked}, {Revoked, Revoked}, {Suspended, Revoked}, {Valid, Revoked}} {
		change1(t, p, e[0], step.set)
		got, err := p.Values(t.Context(), p.Pool, []Entry{e[1], e[0]})
		if err != nil || got[1] != step.want || got[0] != Valid {
			t.Errorf("after %d: got %v, %v; want the neighbour valid and %d", step.set, got, err, step.want)
		}
	}
}

// Each edition is signed for what it holds, and never goes back.
func TestAListIsSignedAnewWhenSomethingChanged(t *testing.T) {
	p := publisher(t, pgtest.Pool(t))
	e := draw(t, p, 1)[0]
	edition := func(form string) Edition {
		t.Helper()
		got, err := p.List(t.Context(), e.List, form)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	first := edition(Revocations)
	if again := edition(Revocations); again.Tag != first.Tag {
		t.Error("got another edition though nothing changed")
	}
	change1(t, p, e, Suspended)
	suspended := edition(Suspensions)
	change1(t, p, e, Valid)
	lifted := edition(Suspensions)
	change1(t, p, e, Revoked)
	if revoked := edition(Revocations); revoked.Tag == first.Tag || suspended.Tag == lifted.Tag {
		t.Error("got the edition of before, want one with the change")
	}
	if _, err := p.List(t.Context(), e.List+1, Revocations); !fault.Is(err, fault.NotFound) {
		t.Errorf("got %v for an unknown list, want not found", err)
	}
}

// What is revoked and what is suspended stands in every form, at its place and nowhere else.
func TestEveryFormTellsTheSame(t *testing.T) {
	p := publisher(t, pgtest.Pool(t))
	e := draw(t, p, 3)
	change1(t, p, e[0], Revoked)
	change1(t, p, e[1], Suspended)
	signing, err := p.Signer()
	if err != nil {
		t.Fatal(err)
	}
	options := statuslist.Options{Trust: jws.Trust{Keys: func(context.Context, string, string) (crypto.PublicKey, error) { return signing.Key.Public(), nil }},
		Address: e[0].URL, Issuer: "https://id.example.org", Now: p.Now}
	for form, verify := range map[string]func(context.Context, []byte, statuslist.Options) (statuslist.Verified, error){
		TokenJWT: func(ctx context.Context, raw []byte, o statuslist.Options) (statuslist.Verified, error) {
			return statuslist.VerifyJWT(ctx, string(raw), o)
		},
		TokenCWT: statuslist.VerifyCWT,
	} {
		edition, err := p.List(t.Context(), e[0].List, form)
		if err != nil {
			t.Fatal(err)
		}
		list, err := verify(t.Context(), edition.Document, options)
		if err != nil {
			t.Fatalf("%s: %v", form, err)
		}
		for n, want := range []statuslist.Value{statuslist.Invalid, statuslist.Suspended, statuslist.Valid} {
			if got, err := list.List.At(int64(e[n].Index)); err != nil || got != want {
				t.Errorf("%s: got %d, %v at place %d, want %d", form, got, err, n, want)
			}
		}
	}
	for purpose, want := range map[string][]bool{Revocations: {true, false, false}, Suspensions: {false, true, false}} {
		edition, err := p.List(t.Context(), e[0].List, purpose)
		if err != nil {
			t.Fatal(err)
		}
		var c struct {
			Types   []string       `json:"type"`
			ID      string         `json:"id"`
			Subject map[string]any `json:"credentialSubject"`
		}
		if err := json.Unmarshal(edition.Document, &c); err != nil || c.ID != e[0].Purpose(purpose) {
			t.Fatalf("%s: got %q, %v", purpose, c.ID, err)
		}
		subject, err := statuslist.ReadSubject(c.Types, c.Subject)
		if err != nil {
			t.Fatal(err)
		}
		for n := range want {
			if got, err := subject.Set(purpose, int64(e[n].Index)); err != nil || got != want[n] {
				t.Errorf("%s: got %v, %v at place %d", purpose, got, err, n)
			}
		}
	}
}

func TestWhoHasAListGetsItOnce(t *testing.T) {
	p := publisher(t, pgtest.Pool(t))
	e := draw(t, p, 1)[0]
	r := web.New(web.Config{Public: p.Issuer, Log: slog.New(slog.DiscardHandler)})
	p.Routes(r)
	server := httptest.NewServer(r)
	defer server.Close()
	get := func(path, accept, tag string) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", accept)
		if tag != "" {
			req.Header.Set("If-None-Match", tag)
		}
		resp, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	for _, c := range []struct{ form, accept, want string }{
		{Revocations, "text/html, */*;q=0.8", "application/vc"}, {Suspensions, "application/statuslist+jwt", "application/vc"},
		{TokenJWT, "application/statuslist+jwt", "application/statuslist+jwt"}, {TokenCWT, "application/statuslist+cwt, application/statuslist+jwt;q=0.5", "application/statuslist+cwt"},
	} {
		at, err := url.Parse(e.Purpose(c.form))
		if err != nil {
			t.Fatal(err)
		}
		first := get(at.Path, c.accept, "")
		if first.StatusCode != http.StatusOK || first.Header.Get("Content-Type") != c.want || first.Header.Get("ETag") == "" {
			t.Fatalf("%s: got %d %v", c.form, first.StatusCode, first.Header)
		}
		if again := get(at.Path, c.accept, first.Header.Get("ETag")); again.StatusCode != http.StatusNotModified {
			t.Errorf("%s: got %d, want not modified", c.form, again.StatusCode)
		}
	}
	for _, path := range []string{"/status/x", "/status/999999", "/status/1/other"} {
		if got := get(path, "", ""); got.StatusCode != http.StatusNotFound {
			t.Errorf("%s: got %d, want not found", path, got.StatusCode)
		}
	}
}
