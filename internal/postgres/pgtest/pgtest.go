// Package pgtest gives every test a migrated database of its own on a real Postgres.
package pgtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/internal/postgres/embedded"
)

// template is the migrated database that those of the tests are copies of.
const template = "plinth"

// server is started by the first test that asks, and ends with the test binary.
var server = sync.OnceValues(func() (*embedded.Server, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	sweep()
	dir, err := directory()
	if err != nil {
		return nil, err
	}
	cached := restore(dir)
	s, err := migrated(ctx, dir)
	if err != nil || cached {
		return s, err
	}
	// The copy must be of a server at rest.
	s.Stop()
	keep(dir)
	return migrated(ctx, dir)
})

var count atomic.Int64

// Pool returns a pool on a fresh database with every migration applied.
func Pool(t testing.TB) *pgxpool.Pool {
	t.Helper()
	pool, err := postgres.Open(context.Background(), URL(t))
	if err != nil {
		t.Fatalf("opening the test database: %v", err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// URL returns the address of a fresh database with every migration applied, for
// code that opens it itself.
func URL(t testing.TB) string {
	t.Helper()
	return create(t, " TEMPLATE "+template)
}

// Empty returns the address of a fresh database without any migration.
func Empty(t testing.TB) string {
	t.Helper()
	return create(t, "")
}

func create(t testing.TB, from string) string {
	t.Helper()
	s, err := server()
	if err != nil {
		t.Fatalf("starting the test Postgres: %v", err)
	}
	name := fmt.Sprintf("test_%d", count.Add(1))
	if err := execute(s, "CREATE DATABASE "+name+from); err != nil {
		t.Fatalf("making a test database: %v", err)
	}
	t.Cleanup(func() {
		if err := execute(s, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("dropping a test database: %v", err)
		}
	})
	return at(s, name)
}

func migrated(ctx context.Context, dir string) (*embedded.Server, error) {
	s, err := embedded.Start(ctx, embedded.Config{Dir: dir, Fast: true})
	if err != nil {
		return nil, err
	}
	pool, err := postgres.Open(ctx, s.URL())
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	pending, err := postgres.Pending(ctx, pool)
	if err != nil || pending == 0 {
		return s, err
	}
	return s, postgres.Migrate(ctx, pool)
}

func execute(s *embedded.Server, sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, at(s, "postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

// at is the server's URL with another database.
func at(s *embedded.Server, name string) string {
	u, err := url.Parse(s.URL())
	if err != nil {
		panic(err) // embedded made it
	}
	u.Path = "/" + name
	return strings.Replace(u.String(), "postgres:/"+name, "postgres:///"+name, 1)
}

// directory is where this binary's server lives.
func directory() (string, error) {
	dir, err := os.MkdirTemp("", prefix)
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o711) // the user that runs Postgres passes through
}
