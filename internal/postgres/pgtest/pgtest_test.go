package pgtest_test

import (
	"testing"

	"github.com/plinth-id/plinth/internal/postgres/pgtest"
)

func TestEveryTestHasADatabaseOfItsOwn(t *testing.T) {
	one, other := pgtest.Pool(t), pgtest.Pool(t)
	if _, err := one.Exec(t.Context(), `CREATE TABLE mine ()`); err != nil {
		t.Fatal(err)
	}
	var seen, migrated bool
	if err := other.QueryRow(t.Context(), `SELECT to_regclass('mine') IS NOT NULL, to_regclass('river_job') IS NOT NULL`).Scan(&seen, &migrated); err != nil {
		t.Fatal(err)
	}
	if seen || !migrated {
		t.Fatalf("got the other's table: %v, the jobs' table: %v; want false, true", seen, migrated)
	}
}

func TestADatabaseIsGoneAfterItsTest(t *testing.T) {
	var url string
	t.Run("one test", func(t *testing.T) { url = pgtest.URL(t) })
	pool := pgtest.Pool(t)
	var left int
	if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_database WHERE datname LIKE 'test_%'`).Scan(&left); err != nil || left != 1 {
		t.Fatalf("got %d databases, %v; want only this test's own after %s was given back", left, err, url)
	}
}
