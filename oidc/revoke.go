package oidc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/ory/fosite"

	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/postgres"
)

// revoke lets a client give back an access or refresh token (RFC 7009). Whether
// there was one is told to nobody.
func (p *Provider) revoke(c *gin.Context) error {
	form, err := p.body(c)
	if err != nil {
		return refuse(c, err)
	}
	if form.Get("token") == "" {
		return refuse(c, fosite.ErrInvalidRequest.WithHint("Send the token."))
	}
	var refused error
	err = postgres.InTx(c, p.Pool, func(tx pgx.Tx) error {
		refused = nil
		if err := p.tokens.NewRevocationRequest(withTx(c, tx), c.Request); err != nil {
			return settle(err, &refused)
		}
		return nil
	})
	if err != nil || refused != nil {
		return refuse(c, either(err, refused))
	}
	unstored(c)
	c.Status(http.StatusOK)
	return nil
}

// revoker takes the library's slot for revocation.
type revoker struct{ *Provider }

// RevokeToken takes back a token of this client, with the grant behind it; of
// another's it says nothing.
func (r revoker) RevokeToken(ctx context.Context, token string, _ fosite.TokenType, asking fosite.Client) error {
	t, ok := r.read(refreshKind, token)
	if !ok {
		a, opened := r.readAccess(token)
		if !opened || a.Client != asking.GetID() || a.expired(r.Now()) {
			return nil
		}
		if a.Machine {
			return revokeToken(ctx, txOf(ctx), a.ID, time.Unix(a.Expires, 0))
		}
		if a.Own != uuid.Nil { // the grant is another party's, and stays
			return revokeToken(ctx, txOf(ctx), a.Own, time.Unix(a.Expires, 0))
		}
		t.id = a.ID
	}
	taken, err := revoke(ctx, txOf(ctx), t.id, asking.GetID(), r.Now())
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("revoking a token of client %s: %w", asking.GetID(), err)
	}
	return r.recordRevoked(ctx, txOf(ctx), audit.TokenRevoked, taken)
}

// recordRevoked tells the person's log that a grant ended before its time.
func (p *Provider) recordRevoked(ctx context.Context, tx pgx.Tx, event audit.Event, taken stored) error {
	grant, err := p.Desk.OpenGrant(taken.Sealed, taken.ID[:])
	if err != nil {
		return fmt.Errorf("opening grant %s: %w", taken.ID, err)
	}
	return audit.Append(ctx, tx, audit.Entry{Event: event, Person: grant.Person(), Actor: actor(taken.Client), Subject: taken.ID.String()})
}
