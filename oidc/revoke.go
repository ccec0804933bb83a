package oidc

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/jackc/pgx/v5"
	"github.com/ory/fosite"

	"github.com/plinth-id/plinth/internal/postgres"
)

// revoke lets a client give back an access token (RFC 7009). Whether there was one
// is told to nobody.
func (p *Provider) revoke(c *gin.Context) error {
	form, err := body(c)
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

// RevokeToken takes back a token of this client; of another's it says nothing.
func (r revoker) RevokeToken(ctx context.Context, token string, _ fosite.TokenType, asking fosite.Client) error {
	return revokeToken(ctx, txOf(ctx), hashed(token), asking.GetID(), r.Now())
}
