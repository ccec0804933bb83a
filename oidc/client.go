package oidc

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ory/fosite"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/registry/partner"
)

// client shows a client of ours to the OAuth library.
type client struct {
	partner.Client
	instance string // thumbprint of the key of this copy of a wallet, which its maker answers for; empty: nobody does
}

// GetID is the client's id.
func (c client) GetID() string { return c.ID }

// GetHashedSecret is nothing: secrets are judged by authenticate.
func (c client) GetHashedSecret() []byte { return nil }

// GetRedirectURIs are those that were registered.
func (c client) GetRedirectURIs() []string { return c.RedirectURIs }

// GetGrantTypes are those that a client was registered for.
func (c client) GetGrantTypes() fosite.Arguments { return c.GrantTypes }

// GetResponseTypes is code alone (ASVS 10.4.4).
func (c client) GetResponseTypes() fosite.Arguments { return fosite.Arguments{"code"} }

// GetResponseModes is the query alone.
func (c client) GetResponseModes() []fosite.ResponseModeType {
	return []fosite.ResponseModeType{fosite.ResponseModeQuery}
}

// GetScopes are those that were registered.
func (c client) GetScopes() fosite.Arguments { return c.Scopes }

// IsPublic tells a client without a key.
func (c client) IsPublic() bool { return c.AuthMethod == partner.NoAuth }

// GetAudience is nothing: our tokens are for our own endpoints.
func (c client) GetAudience() fosite.Arguments { return nil }

// only is the OAuth library's view of our clients: the one that asks. It keeps no
// assertions either, for those are judged by authenticate.
type only struct{ client *client }

// GetClient gives the client that asks.
func (o only) GetClient(_ context.Context, id string) (fosite.Client, error) {
	if o.client == nil || o.client.ID != id {
		return nil, fosite.ErrNotFound
	}
	return *o.client, nil
}

var errNotAsked = errors.New("assertions are judged elsewhere")

// ClientAssertionJWTValid is never asked, since our strategy takes the library's place.
func (only) ClientAssertionJWTValid(context.Context, string) error { return errNotAsked }

// SetClientAssertionJWT is never asked either.
func (only) SetClientAssertionJWT(context.Context, string, time.Time) error { return errNotAsked }

// find looks up a client that may do something.
func (p *Provider) find(ctx context.Context, db postgres.DB, id string) (client, error) {
	if id == "" || len(id) > 256 || !storable(id) {
		return client{}, errUnknownClient
	}
	found, err := p.Clients(ctx, db, id)
	if fault.Is(err, fault.NotFound) || err == nil && found.Disabled {
		return client{}, errUnknownClient
	}
	return client{Client: found}, err
}

// storable tells whether a text can be kept by the database at all.
func storable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsRune(text, 0)
}

var errUnknownClient = fault.New(fault.Invalid, "The website that sent you here is not registered, or not any more. Tell its operator.").Named("invalid_client")

// known tells whether a client is one of ours, without judging it.
func known(err error) bool { return !errors.Is(err, errUnknownClient) }
