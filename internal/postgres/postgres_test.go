package postgres_test

import (
	"testing"

	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/internal/postgres/pgtest"
)

func TestNothingIsPendingAfterMigrate(t *testing.T) {
	pool := pgtest.Pool(t)
	pending, err := postgres.Pending(t.Context(), pool)
	if err != nil || pending != 0 {
		t.Fatalf("got %d, %v; want none pending", pending, err)
	}
}
