package audit

import (
	"fmt"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/internal/postgres/pgtest"
)

func TestABatchRecordsEveryEntryOnce(t *testing.T) {
	pool := pgtest.Pool(t)
	b := NewBatch(pool)
	person := uuid.New()
	var all sync.WaitGroup
	for i := range 1000 {
		all.Go(func() {
			if err := b.Append(t.Context(), Entry{Event: ClaimsReleased, Person: person, Subject: fmt.Sprint(i), Details: map[string]string{"claims": "name"}}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	var n int
	if err := pool.QueryRow(t.Context(), `SELECT count(DISTINCT subject) FROM audit_entry WHERE person = $1 AND actor = 'system'`, person).Scan(&n); err != nil || n != 1000 {
		t.Errorf("got %d entries, %v; want 1000", n, err)
	}
	pool.Close()
	if err := b.Append(t.Context(), Entry{Event: ClaimsReleased}); err == nil {
		t.Error("got nil without a database, want an error for whoever waits")
	}
}
