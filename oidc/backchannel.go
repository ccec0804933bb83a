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

	"github.com/plinth-id/plinth/internal/fault"
)

const (
	logoutEvent     = "http://schemas.openid.net/event/backchannel-logout"
	logoutTokenLife = 2 * time.Minute
	noticeLife      = 24 * time.Hour // a client that does not answer is told for so long
	noticeTries     = 12
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
		if err := errors.Join(p.Deliver(ctx), p.Ping(ctx)); err != nil && ctx.Err() == nil {
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

// Deliver tells those clients whose turn it is.
func (p *Provider) Deliver(ctx context.Context) error {
	now := p.Now()
	due, err := takeNotices(ctx, p.Pool, now, now.Add(time.Minute))
	if err != nil {
		return fmt.Errorf("looking for clients to be told: %w", err)
	}
	for _, n := range due {
		if err := p.deliver(ctx, n); err != nil {
			slog.WarnContext(ctx, "a client was not told of a logout", "client", n.Client, "tries", n.Tries, "error", err)
			if n.Tries < noticeTries {
				continue
			}
		}
		if err := dropNotice(ctx, p.Pool, n.ID); err != nil {
			return err
		}
	}
	return nil
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
