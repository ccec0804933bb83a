package oidc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/ory/fosite"
)

const (
	exchangeGrantType = "urn:ietf:params:oauth:grant-type:token-exchange"
	accessTokenType   = "urn:ietf:params:oauth:token-type:access_token"
	maxTargets        = 16
	maxActors         = 8
)

// exchangeGrant lets a service that was given a person's token act for the person
// at another service (RFC 8693, delegation): the new token says who acts, has no
// scope that the old one had not, lasts no longer, and ends with the same grant.
type exchangeGrant struct{ *Provider }

// CanHandleTokenEndpointRequest tells requests for an exchange.
func (exchangeGrant) CanHandleTokenEndpointRequest(_ context.Context, r fosite.AccessRequester) bool {
	return r.GetGrantTypes().ExactOne(exchangeGrantType)
}

// CanSkipClientAuth is no: the client is the one who acts.
func (exchangeGrant) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool { return false }

// HandleTokenEndpointRequest exchanges.
func (g exchangeGrant) HandleTokenEndpointRequest(ctx context.Context, r fosite.AccessRequester) error {
	form, asking := r.GetRequestForm(), r.GetClient().(client)
	if asking.IsPublic() || !asking.Allows(exchangeGrantType) {
		return fosite.ErrUnauthorizedClient.WithHint("The client was not registered for this grant type.")
	}
	wished := form.Get("requested_token_type")
	if form.Get("subject_token_type") != accessTokenType || wished != "" && wished != accessTokenType {
		return fosite.ErrInvalidRequest.WithHintf("subject_token_type and requested_token_type must be %s.", accessTokenType)
	}
	if form.Get("actor_token") != "" {
		return fosite.ErrInvalidRequest.WithHint("The actor is the client that authenticates; send no actor_token.")
	}
	if len(form["audience"]) > maxTargets || len(form["resource"]) > maxTargets {
		return errTarget
	}
	resources := append(slices.Clone(form["resource"]), form["audience"]...)
	if len(resources) == 0 {
		return errTarget
	}
	if err := asking.reach(resources); err != nil {
		return err
	}
	b, err := g.holder(ctx, asking, r)
	if err != nil {
		return err
	}
	m, err := g.delegated(ctx, asking, form.Get("subject_token"), form.Get("scope"))
	if err != nil {
		return err
	}
	expires := m.access.Expires
	m.binding, m.access.Audience, m.issued = b, resources, accessTokenType
	if m, err = g.mint(ctx, txOf(ctx), asking, m); err != nil {
		return err
	}
	m.access.Expires, m.subject = min(m.access.Expires, expires), ""
	if m.token, err = g.writeAccess(m.access); err != nil {
		return fmt.Errorf("making a token: %w", err)
	}
	sessionOf(r).minted = m
	return nil
}

// delegated reads the token that is exchanged: one for a resource of this client.
func (g exchangeGrant) delegated(ctx context.Context, asking client, token, scope string) (minted, error) {
	refused := fosite.ErrInvalidRequest.WithHint("The subject_token is unknown, expired, revoked, or not for this client.")
	a, ok := g.readAccess(token)
	if !ok || a.Machine || a.expired(g.Now()) || !asking.looksAt(a) {
		return minted{}, refused
	}
	if a.Own != uuid.Nil {
		if gone, err := isRevoked(ctx, txOf(ctx), a.Own); err != nil || gone {
			return minted{}, either(err, refused)
		}
	}
	found, err := live(ctx, txOf(ctx), a.ID, g.Now())
	if errors.Is(err, pgx.ErrNoRows) {
		return minted{}, refused
	}
	if err != nil {
		return minted{}, err
	}
	grant, err := g.Desk.OpenGrant(found.Sealed, found.ID[:])
	if err != nil {
		return minted{}, fmt.Errorf("opening grant %s: %w", found.ID, err)
	}
	if len(a.actors()) >= maxActors {
		return minted{}, refused
	}
	scopes := a.Scopes
	if scopes == nil {
		scopes = grant.Scopes()
	}
	// What the first party may know of the person is not handed on with the token.
	scopes = slices.DeleteFunc(slices.Clone(scopes), g.personal)
	if scope != "" {
		wished := strings.Fields(scope)
		for _, s := range wished {
			if !slices.Contains(scopes, s) {
				return minted{}, fosite.ErrInvalidScope.WithHint("A delegated token has the scopes of the first one, or fewer.")
			}
		}
		scopes = wished
	}
	if scopes == nil {
		scopes = []string{}
	}
	return minted{access: access{ID: found.ID, Own: uuid.New(), Scopes: scopes, Actor: asking.ID, Before: a.actors(), Expires: a.Expires}, lived: lived{db: txOf(ctx), grant: grant, facts: facts{}}}, nil
}

// PopulateTokenEndpointResponse says what was minted.
func (g exchangeGrant) PopulateTokenEndpointResponse(ctx context.Context, r fosite.AccessRequester, w fosite.AccessResponder) error {
	if !g.CanHandleTokenEndpointRequest(ctx, r) {
		return fosite.ErrUnknownRequest
	}
	return g.populate(ctx, r.GetClient().(client), sessionOf(r).minted, w)
}
