package partner

import (
	"context"
	"sync"
	"time"

	"github.com/plinth-id/plinth/internal/postgres"
)

const (
	// cachedFor is how long another process may go on with what a client was: what
	// this one changes, it knows at once.
	cachedFor = time.Second
	maxCached = 10_000
)

// cache holds clients as they were read a moment ago. Every request of a client
// asks for it a few times.
type cache struct {
	mu   sync.RWMutex
	kept map[string]cached
}

type cached struct {
	client Client
	until  time.Time
}

// Known is Client, as it was within the last second. Whoever gets it must not change it.
func (d *Directory) Known(ctx context.Context, db postgres.DB, id string) (Client, error) {
	now := d.Now()
	d.recent.mu.RLock()
	kept, ok := d.recent.kept[id]
	d.recent.mu.RUnlock()
	if ok && now.Before(kept.until) {
		return kept.client, nil
	}
	c, err := d.Client(ctx, db, id)
	if err != nil {
		return c, err
	}
	d.recent.mu.Lock()
	defer d.recent.mu.Unlock()
	if d.recent.kept == nil || len(d.recent.kept) >= maxCached {
		d.recent.kept = make(map[string]cached)
	}
	d.recent.kept[id] = cached{c, now.Add(cachedFor)}
	return c, nil
}

// forget has the next request read a client anew.
func (d *Directory) forget(id string) {
	d.recent.mu.Lock()
	defer d.recent.mu.Unlock()
	delete(d.recent.kept, id)
}
