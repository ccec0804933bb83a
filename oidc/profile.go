package oidc

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/registry/partner"
)

// Lapse is a rule of the stricter profile that a client rehearses, and would break.
type Lapse struct {
	Rule  string    `json:"rule"`
	Times int64     `json:"times"` // at least: of many in one minute one is counted
	First time.Time `json:"first_at"`
	Last  time.Time `json:"last_at"`
}

// Readiness lists what a client would fail by under the profile that it rehearses.
func Readiness(ctx context.Context, db postgres.DB, client string) ([]Lapse, error) {
	return rehearsed(ctx, db, client)
}

// demand refuses what the client's profile forbids. What only the profile that it
// rehearses would forbid is noted, for its operator to see before it is enforced.
func (p *Provider) demand(ctx context.Context, c client, from partner.Profile, rule string, met bool, refusal error) error {
	switch {
	case met:
	case c.Profile.Includes(from):
		return refusal
	case c.Rehearsed.Includes(from):
		p.lapses.note(ctx, p, c.ID, rule)
	}
	return nil
}

// lapses keeps a client that fails with every request from writing with every request.
type lapses struct {
	mu   sync.Mutex
	last map[[2]string]time.Time
}

func (l *lapses) note(ctx context.Context, p *Provider, client, rule string) {
	now, key := p.Now(), [2]string{client, rule}
	l.mu.Lock()
	if now.Sub(l.last[key]) < time.Minute {
		l.mu.Unlock()
		return
	}
	if l.last == nil || len(l.last) > 10_000 {
		l.last = make(map[[2]string]time.Time)
	}
	l.last[key] = now
	l.mu.Unlock()
	// It is no part of the request, whose answer must not depend on it.
	if err := noteRehearsed(ctx, p.Pool, client, rule, now); err != nil {
		slog.WarnContext(ctx, "noting a lapse failed", "client", client, "rule", rule, "error", err)
	}
}
