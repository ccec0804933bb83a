package status

import (
	"net/url"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/internal/postgres/pgtest"
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

func drawOne(t *testing.T, p *Publisher, issuance uuid.UUID) (e Entry) {
	t.Helper()
	err := postgres.InTx(t.Context(), p.Pool, func(tx pgx.Tx) (err error) {
		e, err = p.Draw(t.Context(), tx, issuance)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestPlacesAreDrawnOnceAndInNoOrder(t *testing.T) {
	p := publisher(t, pgtest.Pool(t))
	const n = 100
	drawn := make([]Entry, n)
	var all sync.WaitGroup
	for k := range n {
		all.Go(func() { drawn[k] = drawOne(t, p, uuid.New()) })
	}
	all.Wait()
	seen := map[int]bool{}
	rising := 0
	for k, e := range drawn {
		if seen[e.Index] || e.Index < 0 || e.Index >= Size {
			t.Errorf("got place %d again or out of range", e.Index)
		}
		seen[e.Index] = true
		if e.List != drawn[0].List || e.URL != drawn[0].URL {
			t.Errorf("got list %d, want all in list %d", e.List, drawn[0].List)
		}
		if k > 0 && e.Index > drawn[k-1].Index {
			rising++
		}
	}
	if rising == n-1 || rising == 0 {
		t.Error("got places in order, want them at random")
	}
}

func TestAFullListIsFollowedByTheNext(t *testing.T) {
	p := publisher(t, pgtest.Pool(t))
	first := drawOne(t, p, uuid.New())
	_, err := p.Pool.Exec(t.Context(), `INSERT INTO status_entry (list, idx, issuance)
		SELECT $1, n, gen_random_uuid() FROM generate_series(0, 131071) n ON CONFLICT DO NOTHING`, first.List)
	if err != nil {
		t.Fatal(err)
	}
	if next := drawOne(t, p, uuid.New()); next.List == first.List {
		t.Errorf("got a place in the full list %d, want one in a new list", next.List)
	}
}

func TestRevocationIsForGood(t *testing.T) {
	p := publisher(t, pgtest.Pool(t))
	issuance := uuid.New()
	drawOne(t, p, issuance)
	for range 2 {
		if err := postgres.InTx(t.Context(), p.Pool, func(tx pgx.Tx) error { return p.Revoke(t.Context(), tx, issuance) }); err != nil {
			t.Fatal(err)
		}
		if is, err := p.Revoked(t.Context(), p.Pool, issuance); err != nil || !is {
			t.Errorf("got %v, %v; want revoked", is, err)
		}
	}
	err := postgres.InTx(t.Context(), p.Pool, func(tx pgx.Tx) error { return p.Revoke(t.Context(), tx, uuid.New()) })
	if !fault.Is(err, fault.NotFound) {
		t.Errorf("got %v for an unknown issuance, want not found", err)
	}
}
