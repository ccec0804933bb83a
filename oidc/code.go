package oidc

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/ory/fosite"

	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/failpoint"
)

const codeGrantType = "authorization_code"

// codeGrant takes the slot of the library's own handler, which lets two requests
// redeem one code and needs eleven writes for it.
type codeGrant struct{ *Provider }

// CanHandleTokenEndpointRequest tells requests that bring a code.
func (codeGrant) CanHandleTokenEndpointRequest(_ context.Context, r fosite.AccessRequester) bool {
	return r.GetGrantTypes().ExactOne(codeGrantType)
}

// CanSkipClientAuth is no (ASVS 10.4.10).
func (codeGrant) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool { return false }

// HandleTokenEndpointRequest spends the code. A code that is shown by its own
// client with a wrong redirect URI or verifier is spent all the same: either it was
// stolen, or it is of no use to whoever has it.
func (g codeGrant) HandleTokenEndpointRequest(ctx context.Context, r fosite.AccessRequester) error {
	form, asking, tx, now := r.GetRequestForm(), r.GetClient().(client), txOf(ctx), g.Now()
	if form.Get("code") == "" {
		return fosite.ErrInvalidRequest.WithHint("Send the code.")
	}
	if !asking.Allows(codeGrantType) {
		return fosite.ErrUnauthorizedClient.WithHint("The client was not registered for this grant type.")
	}
	b, err := g.holder(ctx, asking, r)
	if err != nil {
		return err
	}
	t, ok := g.read(codeKind, form.Get("code"))
	if !ok {
		return errCode
	}
	found, err := spend(ctx, tx, t.id, asking.ID, now)
	if errors.Is(err, pgx.ErrNoRows) {
		return g.lost(ctx, tx, t.id, asking)
	}
	if err != nil {
		return fmt.Errorf("spending a code of client %s: %w", asking.ID, err)
	}
	failpoint.Hit(spentPoint)
	if wrong := g.contradicts(found.Facts, form, b); wrong != nil {
		if _, err := revoke(ctx, tx, found.ID, asking.ID, now); err != nil {
			return fmt.Errorf("revoking grant %s: %w", found.ID, err)
		}
		return wrong
	}
	if err := g.narrow(ctx, tx, &found, form, b); err != nil {
		return err
	}
	made, err := g.renew(ctx, tx, asking, found, b)
	if err != nil {
		return err
	}
	sessionOf(r).minted = made
	return nil
}

// narrow writes down what the token request adds to a grant: fewer details than were
// allowed, and the keys to which what comes of it is bound from now on.
func (g codeGrant) narrow(ctx context.Context, tx pgx.Tx, found *stored, form url.Values, b binding) error {
	f := found.Facts
	details, err := g.details(form.Get("authorization_details"))
	if err != nil {
		return err
	}
	for _, d := range details {
		if !slices.ContainsFunc(f.Details, func(allowed detail) bool {
			return d.Type == credentialDetail && d.Configuration == allowed.Configuration
		}) {
			return errDetails
		}
	}
	if details != nil {
		f.Details = details
	}
	if f.Offline && f.JKT == "" {
		f.JKT = b.jkt
	}
	f.Instance = b.instance
	if f.JKT == found.Facts.JKT && f.Instance == found.Facts.Instance && details == nil {
		return nil
	}
	found.Facts = f
	return setFacts(ctx, tx, found.ID, f)
}

var spentPoint = failpoint.Name("oidc/token/code-spent")

var errCode = fosite.ErrInvalidGrant.WithHint("The code is unknown, expired or used.")

// renew mints the tokens of a grant: when its code is spent, and when it is refreshed.
func (p *Provider) renew(ctx context.Context, tx pgx.Tx, asking client, found stored, b binding) (minted, error) {
	grant, err := p.Desk.OpenGrant(found.Sealed, found.ID[:])
	if err != nil {
		return minted{}, fmt.Errorf("opening grant %s: %w", found.ID, err)
	}
	m := minted{access: access{ID: found.ID, Audience: found.Facts.Resources, Actor: found.Facts.Actor}, session: found.Session, binding: b, lived: lived{db: tx, grant: grant, facts: found.Facts}}
	if found.Facts.Offline {
		m.refresh = p.write(ticket{kind: refreshKind, id: found.ID, generation: found.Generation})
	}
	return p.mint(ctx, tx, asking, m)
}

// contradicts compares a token request with the authorization request before it.
func (p *Provider) contradicts(f facts, form url.Values, b binding) error {
	if form.Get("redirect_uri") != f.Redirect {
		return fosite.ErrInvalidGrant.WithHint("The redirect_uri is not the one of the authorization request.")
	}
	if f.JKT != "" && b.jkt != f.JKT {
		return errProof.WithHint("The code is for the holder of another key.")
	}
	if f.Instance != b.instance && f.Instance != "" {
		return fosite.ErrInvalidGrant.WithHint("The code is for another copy of the wallet.")
	}
	for _, resource := range p.elsewhere(form["resource"]) {
		if !slices.Contains(f.Resources, resource) {
			return errTarget
		}
	}
	verifier := form.Get("code_verifier")
	switch {
	case f.Challenge == "" && verifier == "":
		return nil
	case f.Challenge == "":
		// A verifier without a challenge: somebody took the challenge out on the way (RFC 9700, 2.1.1).
		return fosite.ErrInvalidGrant.WithHint("There was no code_challenge in the authorization request.")
	case !verifierForm.MatchString(verifier):
		return fosite.ErrInvalidGrant.WithHint("Send the code_verifier that belongs to the code_challenge.")
	}
	sum := sha256.Sum256([]byte(verifier))
	if subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(f.Challenge)) != 1 {
		return fosite.ErrInvalidGrant.WithHint("The code_verifier does not belong to the code_challenge.")
	}
	return nil
}

// lost answers a code that nothing can be had for. When it was used before, one of
// the two who brought it is a thief, so what it was traded for ends (ASVS 10.4.2).
func (p *Provider) lost(ctx context.Context, tx pgx.Tx, id uuid.UUID, asking client) error {
	taken, err := revokeReused(ctx, tx, id, asking.ID, p.Now())
	if errors.Is(err, pgx.ErrNoRows) {
		return errCode
	}
	if err != nil {
		return fmt.Errorf("revoking what a reused code gave: %w", err)
	}
	if err := p.recordRevoked(ctx, tx, audit.CodeReplayed, taken); err != nil {
		return err
	}
	return errCode
}

// PopulateTokenEndpointResponse says what was minted.
func (g codeGrant) PopulateTokenEndpointResponse(ctx context.Context, r fosite.AccessRequester, w fosite.AccessResponder) error {
	if !g.CanHandleTokenEndpointRequest(ctx, r) {
		return fosite.ErrUnknownRequest
	}
	return g.populate(ctx, r.GetClient().(client), sessionOf(r).minted, w)
}
