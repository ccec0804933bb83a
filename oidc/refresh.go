package oidc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/ory/fosite"

	"github.com/plinth-id/plinth/internal/audit"
)

const (
	refreshGrantType = "refresh_token"
	offline          = "offline_access"
	// grace is how long the refresh token of before is answered like the one of
	// now: the answer to a client may have been lost on the way.
	grace = 30 * time.Second
)

// refreshGrant renews tokens. The refresh token of a client that nothing else binds
// is another after every use, and one that comes again later than an answer can be
// lost ends the grant (RFC 9700 section 4.14.2). Of clients under FAPI 2.0 it
// stays, since only the holder of the client's key can use it (5.3.2.1, 9).
type refreshGrant struct{ *Provider }

// CanHandleTokenEndpointRequest tells requests that bring a refresh token.
func (refreshGrant) CanHandleTokenEndpointRequest(_ context.Context, r fosite.AccessRequester) bool {
	return r.GetGrantTypes().ExactOne(refreshGrantType)
}

// CanSkipClientAuth is no, but for a wallet that redeemed an offer without a name: it
// has the key that its refresh token is bound to.
func (refreshGrant) CanSkipClientAuth(_ context.Context, r fosite.AccessRequester) bool {
	form := r.GetRequestForm()
	return form.Get("client_id") == "" && form.Get("client_secret") == "" && form.Get("client_assertion") == ""
}

var errRefresh = fosite.ErrInvalidGrant.WithHint("The refresh token is unknown, expired, used or revoked. Ask the person to log in again.")

// HandleTokenEndpointRequest renews.
func (g refreshGrant) HandleTokenEndpointRequest(ctx context.Context, r fosite.AccessRequester) error {
	form, tx := r.GetRequestForm(), txOf(ctx)
	asking, err := g.anybody(ctx, r)
	if err != nil {
		return err
	}
	if form.Get("refresh_token") == "" {
		return fosite.ErrInvalidRequest.WithHint("Send the refresh_token.")
	}
	if asking.ID != "" && !asking.Allows(refreshGrantType) {
		return fosite.ErrUnauthorizedClient.WithHint("The client was not registered for this grant type.")
	}
	b, err := g.holder(ctx, asking, r)
	if err != nil {
		return err
	}
	t, ok := g.read(refreshKind, form.Get("refresh_token"))
	if !ok {
		return errRefresh
	}
	if err := g.held(ctx, tx, t, asking, b); err != nil {
		return err
	}
	found, err := g.turned(ctx, tx, t, asking)
	if err != nil {
		return err
	}
	m, err := g.renew(ctx, tx, asking, found, b)
	if err != nil {
		return err
	}
	if m.access.Scopes, err = fewer(m.grant.Scopes(), form.Get("scope")); err != nil {
		return err
	}
	if m.access.Scopes != nil {
		if m.token, err = g.writeAccess(m.access); err != nil {
			return err
		}
		if !slices.Contains(m.access.Scopes, "openid") {
			m.subject = ""
		}
	}
	sessionOf(r).minted = m
	return nil
}

// held refuses who has the refresh token of a public client but not its key (RFC 9449
// section 5), or is another copy of an attested wallet (Attestation-Based Client
// Authentication 9.3). It comes first: a thief must not use up what they cannot use.
func (g refreshGrant) held(ctx context.Context, tx pgx.Tx, t ticket, asking client, b binding) error {
	if !asking.IsPublic() && asking.ID != "" && asking.instance == "" {
		return nil
	}
	found, err := live(ctx, tx, t.id, g.Now())
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return errRefresh
	case err != nil:
		return fmt.Errorf("looking up a refresh token: %w", err)
	case found.Facts.JKT != "" && found.Facts.JKT != b.jkt:
		return errProof.WithHint("The refresh token is for the holder of another key.")
	case found.Facts.Instance != b.instance:
		return fosite.ErrInvalidGrant.WithHint("The refresh token is for another copy of the wallet.")
	}
	return nil
}

// turned finds the grant of a refresh token, and renews the token where it is due.
func (g refreshGrant) turned(ctx context.Context, tx pgx.Tx, t ticket, asking client) (stored, error) {
	now := g.Now()
	if asking.Profile.Includes(fapi) && !asking.IsPublic() {
		found, err := live(ctx, tx, t.id, now)
		if errors.Is(err, pgx.ErrNoRows) || err == nil && (found.Client != asking.ID || found.Generation != t.generation) {
			return found, errRefresh
		}
		return found, err
	}
	found, err := turn(ctx, tx, t, asking.ID, now)
	if err == nil || !errors.Is(err, pgx.ErrNoRows) {
		return found, err
	}
	found, err = live(ctx, tx, t.id, now)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && found.Client != asking.ID {
		return found, errRefresh
	}
	if err != nil {
		return found, fmt.Errorf("looking up a refresh token: %w", err)
	}
	if found.Generation == t.generation+1 && found.Turned != nil && now.Sub(*found.Turned) < grace {
		return found, nil
	}
	taken, err := revoke(ctx, tx, t.id, asking.ID, now)
	if errors.Is(err, pgx.ErrNoRows) {
		return found, errRefresh
	}
	if err != nil {
		return found, fmt.Errorf("revoking what a reused refresh token gave: %w", err)
	}
	if err := g.recordRevoked(ctx, tx, audit.RefreshReplayed, taken); err != nil {
		return found, err
	}
	return found, errRefresh
}

// fewer reads the scope of a refresh request, which may ask for less (RFC 6749 section 6).
func fewer(granted []string, scope string) ([]string, error) {
	if scope == "" {
		return nil, nil
	}
	wished := strings.Fields(scope)
	for _, s := range wished {
		if !slices.Contains(granted, s) {
			return nil, fosite.ErrInvalidScope.WithHint("A refreshed token has the scopes of its grant, or fewer.")
		}
	}
	return wished, nil
}

// PopulateTokenEndpointResponse says what was minted.
func (g refreshGrant) PopulateTokenEndpointResponse(ctx context.Context, r fosite.AccessRequester, w fosite.AccessResponder) error {
	if !g.CanHandleTokenEndpointRequest(ctx, r) {
		return fosite.ErrUnknownRequest
	}
	asking, _ := r.GetClient().(client) // none: a wallet without a name
	return g.populate(ctx, asking, sessionOf(r).minted, w)
}
