package oidc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/plinth-id/plinth/internal/fault"
)

const (
	logoutEvent     = "http://schemas.openid.net/event/backchannel-logout"
	logoutTokenLife = 2 * time.Minute
	noticeLife      = 24 * time.Hour // a client that does not answer is told for so long
	noticeTries     = 12             // of a ping, which somebody waits for
	noticesAtOnce   = 16
)

// tellEnd puts a client in line to be told of the end of a session, or of all that
// a person has there (OpenID Connect Back-Channel Logout 1.0).
func (p *Provider) tellEnd(ctx context.Context, tx pgx.Tx, told client, person uuid.UUID, session *uuid.UUID) error {
	if told.BackchannelLogoutURI == "" {
		return nil
	}
	subject, err := p.Registry.Pairwise(ctx, tx, told.sector(), person)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	now := p.Now()
	if err := insertNotice(ctx, tx, notice{ID: uuid.New(), Client: told.ID, Session: session, Subject: subject}, now, now.Add(noticeLife)); err != nil {
		return fmt.Errorf("telling client %s of a logout: %w", told.ID, err)
	}
	return nil
}

// tellWithdrawn tells a client that a person took back what they allowed: session by
// session, as those want it who asked for that, and at large where there is none.
func (p *Provider) tellWithdrawn(ctx context.Context, tx pgx.Tx, told client, person uuid.UUID) error {
	all, err := sessionsAt(ctx, tx, person, told.ID, p.Now())
	if err != nil {
		return fmt.Errorf("listing sessions: %w", err)
	}
	for _, id := range all {
		if err := p.tellEnd(ctx, tx, told, person, &id); err != nil {
			return err
		}
	}
	if len(all) > 0 || told.BackchannelLogoutSession {
		return nil
	}
	return p.tellEnd(ctx, tx, told, person, nil)
}

// wake lets Run look at once.
func (p *Provider) wake() {
	select {
	case p.waking <- struct{}{}:
	default:
	}
}

// Run tells clients of logouts until ctx ends. Any number of processes may do so.
func (p *Provider) Run(ctx context.Context) error {
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		if err := errors.Join(p.Ping(ctx), p.Deliver(ctx)); err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, "telling clients failed", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-p.waking:
		}
	}
}

// Deliver tells those clients whose turn it is, side by side: one that does not answer
// keeps nobody else waiting.
func (p *Provider) Deliver(ctx context.Context) error {
	for {
		now := p.Now()
		due, err := takeNotices(ctx, p.Pool, now, now.Add(time.Minute))
		if err != nil {
			return fmt.Errorf("looking for clients to be told: %w", err)
		}
		if len(due) == 0 {
			return nil
		}
		var all errgroup.Group
		all.SetLimit(noticesAtOnce)
		for _, n := range due {
			all.Go(func() error { return p.deliverOne(ctx, n) })
		}
		if err := all.Wait(); err != nil {
			return err
		}
	}
}

// deliverOne tells a client, or puts it off: longer and longer, until the notice is
// too old to be of use.
func (p *Provider) deliverOne(ctx context.Context, n notice) error {
	if err := p.deliver(ctx, n); err != nil {
		slog.WarnContext(ctx, "a client was not told of a logout", "client", n.Client, "tries", n.Tries, "error", err)
		pause := min(time.Minute<<min(n.Tries-1, 6), time.Hour)
		return postponeNotice(ctx, p.Pool, n.ID, p.Now().Add(pause))
	}
	return dropNotice(ctx, p.Pool, n.ID)
}

func (p *Provider) deliver(ctx context.Context, n notice) error {
	told, err := p.find(ctx, p.Pool, n.Client)
	if !known(err) || err == nil && told.BackchannelLogoutURI == "" {
		return nil // nobody is left to be told
	}
	if err != nil {
		return err
	}
	now := p.Now()
	claims := map[string]any{"iss": p.issuer, "sub": n.Subject, "aud": told.ID, "iat": now.Unix(), "exp": now.Add(logoutTokenLife).Unix(), "jti": n.ID.String(),
		"events": map[string]any{logoutEvent: map[string]any{}}}
	if n.Session != nil {
		claims["sid"] = n.Session.String()
	}
	signed, err := p.sign(told.IDTokenAlg, "logout+jwt", claims)
	if err != nil {
		return err
	}
	if told.IDTokenKeyAlg != "" {
		if signed, err = p.encrypt(ctx, told, told.IDTokenKeyAlg, told.IDTokenContentAlg, signed); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, told.BackchannelLogoutURI, strings.NewReader(url.Values{"logout_token": {signed}}.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := p.HTTP.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusNoContent {
		return fmt.Errorf("it answered %d", answer.StatusCode)
	}
	return nil
}
