package oidc

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/ory/fosite"

	"github.com/plinth-id/plinth/internal/audit"
)

const machineGrantType = "client_credentials"

// machineGrant gives a client a token of its own, for its own affairs: to look at
// tokens, to manage its stream of signals. It tells of no person, and opens nothing
// that is a person's.
type machineGrant struct{ *Provider }

// CanHandleTokenEndpointRequest tells requests of clients for themselves.
func (machineGrant) CanHandleTokenEndpointRequest(_ context.Context, r fosite.AccessRequester) bool {
	return r.GetGrantTypes().ExactOne(machineGrantType)
}

// CanSkipClientAuth is no.
func (machineGrant) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool { return false }

// HandleTokenEndpointRequest mints a token that stands for the client alone.
func (g machineGrant) HandleTokenEndpointRequest(ctx context.Context, r fosite.AccessRequester) error {
	form, asking, now := r.GetRequestForm(), r.GetClient().(client), g.Now()
	if asking.IsPublic() || !asking.Allows(machineGrantType) {
		return fosite.ErrUnauthorizedClient.WithHint("The client was not registered for this grant type.")
	}
	b, err := g.holder(ctx, asking, r)
	if err != nil {
		return err
	}
	if err := asking.reach(form["resource"]); err != nil {
		return err
	}
	scopes := strings.Fields(form.Get("scope"))
	if len(scopes) == 0 {
		scopes = slices.DeleteFunc(slices.Clone(asking.Scopes), g.personal)
	}
	for _, scope := range scopes {
		if g.personal(scope) || !slices.Contains(asking.Scopes, scope) {
			return fosite.ErrInvalidScope.WithHint("A client has no scope of a person for itself, and none that it was not registered for.")
		}
	}
	m := minted{binding: b, access: access{ID: uuid.New(), Client: asking.ID, Issued: now.Unix(), Expires: now.Add(machineLife).Unix(), Scopes: scopes,
		Audience: form["resource"], JKT: b.jkt, X5T: b.x5t, Machine: true}}
	if m.token, err = g.writeAccess(m.access); err != nil {
		return err
	}
	sessionOf(r).minted = m
	return audit.Append(ctx, txOf(ctx), audit.Entry{Event: audit.TokenIssued, Actor: actor(asking.ID), Subject: m.access.ID.String(), Details: map[string]string{"scopes": strings.Join(scopes, " ")}})
}

const machineLife = 5 * time.Minute

// personal tells a scope that stands for something of a person.
func (p *Provider) personal(scope string) bool {
	_, credential := p.credentialScopes()[scope]
	return scope == "openid" || scope == offline || ofScope[scope] != nil || credential
}

// PopulateTokenEndpointResponse says what was minted.
func (g machineGrant) PopulateTokenEndpointResponse(ctx context.Context, r fosite.AccessRequester, w fosite.AccessResponder) error {
	if !g.CanHandleTokenEndpointRequest(ctx, r) {
		return fosite.ErrUnknownRequest
	}
	return g.populate(ctx, r.GetClient().(client), sessionOf(r).minted, w)
}
