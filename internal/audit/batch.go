package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
)

// maxBatch bounds how many entries one statement writes.
const maxBatch = 256

// Batch records entries that belong to no other change: of somebody who was only
// read about. Those that come while the last were being written are written
// together, so that many readers cost few commits. Like Append it returns when the
// entry is durable, and not before.
type Batch struct {
	pool *pgxpool.Pool

	mu      sync.Mutex
	waiting []waiting
	busy    bool
}

type waiting struct {
	entry   Entry
	details string
	done    chan error
}

// NewBatch makes a Batch.
func NewBatch(pool *pgxpool.Pool) *Batch { return &Batch{pool: pool} }

// Append records an entry.
func (b *Batch) Append(ctx context.Context, e Entry) error {
	if e.Actor == "" {
		e.Actor = "system"
	}
	w := waiting{entry: e, details: "{}", done: make(chan error, 1)}
	if len(e.Details) > 0 {
		details, err := json.Marshal(e.Details) // keys come out sorted
		if err != nil {
			return fmt.Errorf("recording %s: %w", e.Event, err)
		}
		w.details = string(details)
	}
	b.mu.Lock()
	b.waiting = append(b.waiting, w)
	lead := !b.busy
	b.busy = true
	b.mu.Unlock()
	if lead {
		go b.write(context.WithoutCancel(ctx))
	}
	return <-w.done
}

// write writes whatever waits until nothing does.
func (b *Batch) write(ctx context.Context) {
	for {
		b.mu.Lock()
		n := min(len(b.waiting), maxBatch)
		if n == 0 {
			b.busy = false
			b.mu.Unlock()
			return
		}
		now := b.waiting[:n:n]
		b.waiting = b.waiting[n:]
		b.mu.Unlock()
		err := insertAll(ctx, b.pool, now)
		if err != nil {
			err = fmt.Errorf("recording %d entries: %w", n, err)
		}
		for _, w := range now {
			w.done <- err
		}
	}
}

// person is NULL in the database for nobody.
func (w waiting) person() *uuid.UUID {
	if w.entry.Person == uuid.Nil {
		return nil
	}
	return &w.entry.Person
}
