package oidc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/ory/fosite"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/registry/auth"
)

const offerGrantType = "urn:ietf:params:oauth:grant-type:pre-authorized_code"

// offerGrant redeems credential offers (OpenID4VCI 1.0, section 6).
type offerGrant struct{ *Provider }

// CanHandleTokenEndpointRequest tells requests that bring a pre-authorized code.
func (offerGrant) CanHandleTokenEndpointRequest(_ context.Context, r fosite.AccessRequester) bool {
	return r.GetGrantTypes().ExactOne(offerGrantType)
}

// CanSkipClientAuth is yes: any wallet may fetch an offer that was made to its owner.
func (offerGrant) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool { return true }

// HandleTokenEndpointRequest redeems the offer.
func (g offerGrant) HandleTokenEndpointRequest(ctx context.Context, r fosite.AccessRequester) error {
	asking, err := g.anybody(ctx, r)
	if err != nil {
		return err
	}
	form, tx := r.GetRequestForm(), txOf(ctx)
	if form.Get("pre-authorized_code") == "" {
		return fosite.ErrInvalidRequest.WithHint("Send the pre-authorized_code.")
	}
	details, err := g.details(form.Get("authorization_details"))
	if err != nil {
		return err
	}
	grant, err := g.redeem(ctx, tx, form.Get("pre-authorized_code"), form.Get("tx_code"))
	if err != nil {
		return err
	}
	for _, d := range details {
		if d.Type != credentialDetail || !slices.Contains(grant.Configurations(), d.Configuration) {
			return errDetails
		}
	}
	m := minted{access: access{ID: uuid.New()}, lived: lived{db: tx, grant: grant, facts: facts{Details: details, Instance: asking.instance}}}
	if m.binding, err = g.bindable(asking, sessionOf(r).shown); err != nil {
		return err
	}
	// Only who has the key may come back for more copies.
	if m.binding.jkt != "" {
		m.facts.Offline, m.facts.JKT = true, m.binding.jkt
		m.refresh = g.write(ticket{kind: refreshKind, id: m.access.ID})
	}
	if err := g.proveOnce(ctx, m.binding); err != nil {
		return err
	}
	if m, err = g.mint(ctx, tx, asking, m); err != nil {
		return err
	}
	if err := g.store(ctx, tx, asking, m); err != nil {
		return err
	}
	sessionOf(r).minted = m
	return nil
}

// redeem asks whoever made the offer. What a refused redemption wrote is undone,
// though the rest of the request stays.
func (g offerGrant) redeem(ctx context.Context, tx pgx.Tx, code, txCode string) (auth.Grant, error) {
	part, err := tx.Begin(ctx)
	if err != nil {
		return auth.Grant{}, fmt.Errorf("redeeming an offer: %w", err)
	}
	grant, err := g.Redeem(ctx, part, code, txCode)
	if err != nil {
		if f := fault.Of(err); ofGrant[f.Code] != nil {
			err = ofGrant[f.Code].WithHint(f.Sentence)
		}
		return auth.Grant{}, errors.Join(err, part.Rollback(ctx))
	}
	return grant, part.Commit(ctx)
}

// store writes the one row of a redeemed offer.
func (g offerGrant) store(ctx context.Context, tx pgx.Tx, asking client, m minted) error {
	sealed, err := g.Desk.SealGrant(m.grant, m.access.ID[:])
	if err != nil {
		return err
	}
	expires := time.Unix(m.access.Expires, 0)
	if m.facts.Offline {
		expires = g.Now().Add(walletLife)
	}
	_, err = insertGrant(ctx, tx, row{id: m.access.ID, client: asking.ID, sealed: sealed, facts: m.facts, expires: expires})
	return err
}

// PopulateTokenEndpointResponse says what was minted.
func (g offerGrant) PopulateTokenEndpointResponse(ctx context.Context, r fosite.AccessRequester, w fosite.AccessResponder) error {
	if !g.CanHandleTokenEndpointRequest(ctx, r) {
		return fosite.ErrUnknownRequest
	}
	return g.populate(ctx, client{}, sessionOf(r).minted, w)
}
