package postgres_test

import (
	"context"
	"io/fs"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/internal/postgres/pgtest"
)

// unmigrated is a pool on an empty database, as another process would open it.
func unmigrated(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := postgres.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func pending(t *testing.T, pool *pgxpool.Pool) int {
	t.Helper()
	n, err := postgres.Pending(t.Context(), pool)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestManyProcessesMigrateOnce(t *testing.T) {
	url := pgtest.Empty(t)
	var wg sync.WaitGroup
	for range 4 {
		pool := unmigrated(t, url)
		wg.Go(func() {
			if err := postgres.Migrate(t.Context(), pool); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	pool := unmigrated(t, url)
	if got := pending(t, pool); got != 0 {
		t.Fatalf("got %d pending, want none", got)
	}
	var twice, installations int
	if err := pool.QueryRow(t.Context(), `SELECT count(*) - count(DISTINCT version_id) FROM goose_db_version`).Scan(&twice); err != nil || twice != 0 {
		t.Fatalf("got %d applied twice, %v; want none", twice, err)
	}
	if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM postgres_installation`).Scan(&installations); err != nil || installations != 1 {
		t.Fatalf("got %d installations, %v; want one", installations, err)
	}
}

func TestPendingCountsWithoutTouchingTheDatabase(t *testing.T) {
	pool := unmigrated(t, pgtest.Empty(t))
	files, err := fs.ReadDir(postgres.Migrations(), ".")
	if err != nil {
		t.Fatal(err)
	}
	if got := pending(t, pool); got <= len(files) {
		t.Fatalf("got %d pending, want the %d files and those of the jobs", got, len(files))
	}
	var tables int
	if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_tables WHERE schemaname = 'public'`).Scan(&tables); err != nil || tables != 0 {
		t.Fatalf("got %d tables, %v; want none made by asking", tables, err)
	}
}

func TestAMissingEarlierMigrationIsApplied(t *testing.T) {
	pool := pgtest.Pool(t)
	for _, sql := range []string{`DROP TABLE postgres_installation`, `DELETE FROM goose_db_version WHERE version_id = 1`} {
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	if got := pending(t, pool); got != 1 {
		t.Fatalf("got %d pending, want one", got)
	}
	if err := postgres.Migrate(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	if got := pending(t, pool); got != 0 {
		t.Fatalf("got %d pending, want none", got)
	}
}

func TestASchemaAheadOfTheBinaryIsLeftAlone(t *testing.T) {
	pool := pgtest.Pool(t)
	if _, err := pool.Exec(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)`); err != nil {
		t.Fatal(err)
	}
	if err := postgres.Migrate(t.Context(), pool); err != nil {
		t.Fatalf("got %v, want the older binary to start beside the newer", err)
	}
	if got := pending(t, pool); got != 0 {
		t.Fatalf("got %d pending, want none", got)
	}
}

func TestAFailedMigrationLeavesTheSchemaUnlocked(t *testing.T) {
	pool := pgtest.Pool(t)
	if _, err := pool.Exec(t.Context(), `DELETE FROM goose_db_version WHERE version_id = 1`); err != nil {
		t.Fatal(err)
	}
	if err := postgres.Migrate(t.Context(), pool); err == nil {
		t.Fatal("got no error for a table that is there already, want one")
	}
	if got := pending(t, pool); got != 1 {
		t.Fatalf("got %d pending, want the failed one", got)
	}
	if _, err := pool.Exec(t.Context(), `DROP TABLE postgres_installation`); err != nil {
		t.Fatal(err)
	}
	if err := postgres.Migrate(t.Context(), pool); err != nil {
		t.Fatalf("got %v after the repair, want none", err)
	}
}

func TestMigrateWaitsForATableInUse(t *testing.T) {
	pool := pgtest.Pool(t)
	for _, sql := range []string{`DROP TABLE postgres_installation`, `DELETE FROM goose_db_version WHERE version_id = 1`} {
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	reader, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reader.Exec(t.Context(), `LOCK TABLE goose_db_version IN SHARE MODE`); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- postgres.Migrate(t.Context(), pool) }()
	for _, want := range []bool{true, false} { // it waits for the reader, then steps back
		for waiting := !want; waiting != want; {
			if err := pool.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)`).Scan(&waiting); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-done:
				t.Fatalf("got %v while the table was in use, want it to wait", err)
			default:
			}
		}
	}
	if err := reader.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil || pending(t, pool) != 0 {
		t.Fatalf("got %v and %d pending, want all done once the table was free", err, pending(t, pool))
	}
}

func TestMigrateEndsWithItsContext(t *testing.T) {
	pool := pgtest.Pool(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := postgres.Migrate(ctx, pool); err == nil {
		t.Fatal("got no error, want the cancelled context's")
	}
}

func TestMigrationsOnlyGoForward(t *testing.T) {
	numbers := map[string]string{}
	err := fs.WalkDir(postgres.Migrations(), ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		number, _, _ := strings.Cut(file, "_")
		if other := numbers[number]; other != "" {
			t.Errorf("%s and %s have the same number", other, file)
		}
		numbers[number] = file
		content, err := fs.ReadFile(postgres.Migrations(), file)
		if strings.Contains(string(content), "+goose Down") {
			t.Errorf("%s can be undone: a released schema only goes forward", file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
