package partner

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres/pgtest"
)

func newDirectory(t *testing.T) *Directory {
	t.Helper()
	at := time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC)
	d, err := New(Config{Pool: pgtest.Pool(t), Now: func() time.Time { at = at.Add(time.Second); return at }})
	must(t, err)
	return d
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func add(t *testing.T, d *Directory, changes map[string]any) Client {
	t.Helper()
	c, err := d.Add(t.Context(), good(t, changes))
	must(t, err)
	return c.Client
}

func count(t *testing.T, d *Directory, sql string, args ...any) (n int) {
	t.Helper()
	must(t, d.Pool.QueryRow(t.Context(), sql, args...).Scan(&n))
	return n
}

// found reads a client as everybody else does.
func found(t *testing.T, d *Directory, id string) Client {
	t.Helper()
	c, err := d.Client(t.Context(), d.Pool, id)
	must(t, err)
	return c
}

func TestDirectoryNeedsAPool(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("got nil, want an error")
	}
	d, err := New(Config{Pool: pgtest.Pool(t)})
	must(t, err)
	if time.Since(d.Now()) > time.Minute {
		t.Errorf("got %v, want the time of day", d.Now())
	}
}

func TestClientIsFoundAsItWasAdded(t *testing.T) {
	d := newDirectory(t)
	b := add(t, d, map[string]any{"client_id": "b-portal", "client_name#fr": "Un portail", "policy_uri": "https://portal.example/privacy"})
	a := add(t, d, map[string]any{"client_id": "a-portal", "plinth_profile": "oidc", "token_endpoint_auth_method": "none", "claims": []string{"name"}})
	for _, want := range []Client{a, b} {
		got := found(t, d, want.ID)
		// jsonb orders the members of the keys in its own way.
		if (got.JWKS == nil) != (want.JWKS == nil) {
			t.Errorf("got %s, want %s", got.JWKS, want.JWKS)
		}
		got.JWKS, want.JWKS = nil, nil
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	if kept, err := publicKeys(found(t, d, "b-portal").JWKS); err != nil || string(kept) != string(b.JWKS) {
		t.Errorf("got %s, %v; want the same keys", kept, err)
	}
	all, err := d.List(t.Context())
	if err != nil || len(all) != 2 || all[0].ID != "b-portal" || all[1].ID != "a-portal" {
		t.Errorf("got %v, %v; want both, the oldest first", all, err)
	}
	if n := count(t, d, "SELECT count(*) FROM audit_entry WHERE event = 'client-added' AND subject = 'client:a-portal'"); n != 1 {
		t.Errorf("got %d entries, want 1", n)
	}
}

func TestClientIDIsTakenOnce(t *testing.T) {
	d := newDirectory(t)
	errs := make([]error, 10)
	var wg sync.WaitGroup
	for i := range errs {
		raw := good(t, map[string]any{"client_name": fmt.Sprint("Portal ", i)})
		d := &Directory{Config: Config{Pool: d.Pool, Now: time.Now}}
		wg.Go(func() { _, errs[i] = d.Add(t.Context(), raw) })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if !fault.Is(err, fault.Conflict) {
			t.Errorf("got %v, want a conflict", err)
		}
	}
	if n := count(t, d, "SELECT count(*) FROM audit_entry WHERE event = 'client-added'"); won != 1 || n != 1 {
		t.Errorf("got %d added and %d entries, want 1 of each", won, n)
	}
}

func TestNothingIsKeptOfAClientThatIsRefused(t *testing.T) {
	d := newDirectory(t)
	all, err := material()
	must(t, err)
	private := set(t, jose.JSONWebKey{Key: all["P-256"], KeyID: "one"})
	secret := strings.SplitN(strings.SplitN(string(private), `"d":"`, 2)[1], `"`, 2)[0]
	_, err = d.Add(t.Context(), good(t, map[string]any{"jwks": private}))
	if !fault.Is(err, fault.Invalid) || strings.Contains(err.Error(), secret) {
		t.Errorf("got %v, want it refused without the key in it", err)
	}
	add(t, d, nil)
	if err := d.Rotate(t.Context(), "a-portal", private); !fault.Is(err, fault.Invalid) || strings.Contains(err.Error(), secret) {
		t.Errorf("got %v, want it refused without the key in it", err)
	}
	rows, err := d.Pool.Query(t.Context(), "SELECT x::text FROM partner_client x UNION ALL SELECT x::text FROM audit_entry x")
	must(t, err)
	texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	must(t, err)
	if len(texts) != 2 || strings.Contains(strings.Join(texts, ""), secret) {
		t.Errorf("got %d rows, want the client and its entry without the private key", len(texts))
	}
	if printed := fmt.Sprintf("%+v", found(t, d, "a-portal")); strings.Contains(printed, secret) {
		t.Errorf("got %s, want no private key printed", printed)
	}
}

func TestUnknownClients(t *testing.T) {
	d := newDirectory(t)
	add(t, d, nil)
	for _, id := range []string{"", "b-portal", "A-PORTAL", "a-portal ", "a\x00b", "\xff\xfe", "' OR ''='", strings.Repeat("x", 10_000)} {
		_, read := d.Client(t.Context(), d.Pool, id)
		for what, err := range map[string]error{"Client": read, "Disable": d.Disable(t.Context(), id), "Rotate": d.Rotate(t.Context(), id, set(t, public(t, "P-256", "two")))} {
			if !fault.Is(err, fault.NotFound) || fault.Of(err).Code != "client-unknown" {
				t.Errorf("%s of %.20q: got %v, want it unknown", what, id, err)
			}
		}
	}
	if n := count(t, d, "SELECT count(*) FROM audit_entry"); n != 1 {
		t.Errorf("got %d entries, want only that of the client", n)
	}
}

func TestDisabledClientSaysSo(t *testing.T) {
	d := newDirectory(t)
	add(t, d, nil)
	add(t, d, map[string]any{"client_id": "b-portal"})
	must(t, d.Disable(t.Context(), "a-portal"))
	if c := found(t, d, "a-portal"); !c.Disabled || c.Name != "A portal" {
		t.Errorf("got %+v, want it disabled", c)
	}
	if c := found(t, d, "b-portal"); c.Disabled {
		t.Error("got the other one disabled too")
	}
	all, err := d.List(t.Context())
	if err != nil || !all[0].Disabled || all[1].Disabled {
		t.Errorf("got %v, %v; want the first one disabled", all, err)
	}
	// New keys are no way back.
	must(t, d.Rotate(t.Context(), "a-portal", set(t, public(t, "P-384", "two"))))
	if c := found(t, d, "a-portal"); !c.Disabled {
		t.Error("got it enabled by a rotation")
	}
	if _, err := d.Add(t.Context(), good(t, nil)); !fault.Is(err, fault.Conflict) {
		t.Errorf("got %v, want its id taken still", err)
	}
	if n := count(t, d, "SELECT count(*) FROM audit_entry WHERE event = 'client-disabled' AND subject = 'client:a-portal'"); n != 1 {
		t.Errorf("got %d entries, want 1", n)
	}
}

func TestRotatedKeysReplaceTheOldOnes(t *testing.T) {
	d := newDirectory(t)
	before := add(t, d, nil)
	fresh := set(t, public(t, "P-384", "two"), public(t, "Ed25519", "three"))
	must(t, d.Rotate(t.Context(), "a-portal", fresh))
	after := found(t, d, "a-portal")
	if kept, err := publicKeys(after.JWKS); err != nil || string(kept) != string(fresh) || strings.Contains(string(kept), `"one"`) {
		t.Errorf("got %s, %v; want the new keys alone", kept, err)
	}
	after.JWKS = before.JWKS
	if !reflect.DeepEqual(after, before) {
		t.Errorf("got %+v, want all else as it was: %+v", after, before)
	}
	for what, keys := range map[string][]byte{"nothing": nil, "no JSON": []byte("keys"), "none": set(t), "too short": set(t, public(t, "RSA-1024", "one"))} {
		if err := d.Rotate(t.Context(), "a-portal", keys); !fault.Is(err, fault.Invalid) || fault.Of(err).Fields[0].Name != "jwks" {
			t.Errorf("%s: got %v, want the keys refused", what, err)
		}
	}
	add(t, d, map[string]any{"client_id": "an-app", "plinth_profile": "oidc", "token_endpoint_auth_method": "none"})
	if err := d.Rotate(t.Context(), "an-app", fresh); !fault.Is(err, fault.Conflict) {
		t.Errorf("got %v, want a client without keys to stay without", err)
	}
	if n := count(t, d, "SELECT count(*) FROM audit_entry WHERE event = 'client-rotated'"); n != 1 {
		t.Errorf("got %d entries, want 1", n)
	}
}

// Whoever reads a client within a transaction reads it as that transaction sees it.
func TestClientIsReadInTheTransactionOfTheCaller(t *testing.T) {
	d := newDirectory(t)
	add(t, d, nil)
	tx, err := d.Pool.Begin(t.Context())
	must(t, err)
	defer func() { _ = tx.Rollback(t.Context()) }()
	_, err = tx.Exec(t.Context(), "DELETE FROM partner_client")
	must(t, err)
	if _, err := d.Client(t.Context(), tx, "a-portal"); !errors.Is(err, errUnknown) {
		t.Errorf("got %v, want it gone in there", err)
	}
	if c := found(t, d, "a-portal"); c.ID == "" {
		t.Error("want it there outside")
	}
}
