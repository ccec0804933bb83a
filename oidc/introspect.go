package oidc

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/ory/fosite"

	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/registry/partner"
)

const introspectionType = "application/token-introspection+jwt"

// introspect tells a client what a token stands for (RFC 7662): its own tokens,
// and those for a resource that it was registered to serve. Of any other it says
// no more than that it is none.
func (p *Provider) introspect(c *gin.Context) error {
	form, err := p.body(c)
	if err != nil {
		return refuse(c, err)
	}
	if form.Get("token") == "" {
		return refuse(c, fosite.ErrInvalidRequest.WithHint("Send the token."))
	}
	var asking client
	var refused error
	err = postgres.InTx(c, p.Pool, func(tx pgx.Tx) error {
		refused = nil
		authenticated, err := p.authenticate(withTx(c, tx), c.Request, form)
		if err != nil {
			return settle(err, &refused)
		}
		asking = authenticated.(client)
		if asking.IsPublic() {
			refused = fosite.ErrInvalidClient.WithHint("Who proves nothing is told nothing.")
		}
		return nil
	})
	if err != nil || refused != nil {
		return refuse(c, either(err, refused))
	}
	told, err := p.about(c, asking, form.Get("token"))
	if err != nil {
		return err
	}
	return p.tellToken(c, asking, told)
}

// tellToken answers as JSON or, to whom that is not enough, signed (RFC 9701).
func (p *Provider) tellToken(c *gin.Context, asking client, told map[string]any) error {
	unstored(c)
	kind, _, _ := mime.ParseMediaType(c.GetHeader("Accept"))
	if kind != introspectionType && asking.IntrospectionAlg == "" && !asking.Profile.Includes(partner.FAPI2M) {
		c.JSON(http.StatusOK, told)
		return nil
	}
	signed, err := p.sign(asking.IntrospectionAlg, "token-introspection+jwt", map[string]any{"iss": p.issuer, "aud": asking.ID, "iat": p.Now().Unix(), "token_introspection": told})
	if err != nil {
		return err
	}
	c.Data(http.StatusOK, introspectionType, []byte(signed))
	return nil
}

var inactive = map[string]any{"active": false}

func (p *Provider) about(ctx context.Context, asking client, token string) (map[string]any, error) {
	t, isRefresh := p.read(refreshKind, token)
	a := access{ID: t.id, Client: asking.ID}
	if !isRefresh {
		var ok bool
		if a, ok = p.readAccess(token); !ok || a.expired(p.Now()) || !asking.looksAt(a) {
			return inactive, nil
		}
	}
	told := map[string]any{"active": true, "iss": p.issuer, "client_id": a.Client, "jti": a.ID.String(), "token_type": binding{jkt: a.JKT}.tokenType()}
	for _, id := range []string{a.Client, a.Actor} {
		if id == "" {
			continue
		}
		if _, err := p.find(ctx, p.Pool, id); !known(err) {
			return inactive, nil // disabled since: its tokens are worth nothing
		} else if err != nil {
			return nil, err
		}
	}
	if by := a.single(); by != uuid.Nil {
		gone, err := isRevoked(ctx, p.Pool, by)
		if err != nil || gone {
			return inactive, err
		}
	}
	if a.Machine {
		told["sub"], told["scope"] = a.Client, strings.Join(a.Scopes, " ")
	} else if err := p.aboutGrant(ctx, a, told, t); errors.Is(err, pgx.ErrNoRows) {
		return inactive, nil
	} else if err != nil {
		return nil, err
	}
	if !isRefresh {
		told["iat"], told["exp"] = a.Issued, a.Expires
	}
	if len(a.Audience) > 0 {
		told["aud"] = a.Audience
	}
	var act map[string]any
	for _, id := range slices.Backward(a.actors()) {
		before := act
		if act = map[string]any{"sub": id}; before != nil {
			act["act"] = before
		}
	}
	if act != nil {
		told["act"] = act
	}
	if a.JKT != "" {
		told["cnf"] = map[string]string{"jkt": a.JKT}
	} else if a.X5T != "" {
		told["cnf"] = map[string]string{"x5t#S256": a.X5T}
	}
	return told, nil
}

// looksAt tells whether a client may look at a token.
func (c client) looksAt(a access) bool {
	return a.Client == c.ID || slices.ContainsFunc(a.Audience, func(resource string) bool { return slices.Contains(c.Resources, resource) })
}

func (p *Provider) aboutGrant(ctx context.Context, a access, told map[string]any, t ticket) error {
	found, err := live(ctx, p.Pool, a.ID, p.Now())
	if err != nil {
		return err
	}
	if found.Client != a.Client && a.Actor == "" || t.kind != "" && (!found.Facts.Offline || found.Generation != t.generation) {
		return pgx.ErrNoRows
	}
	holder, err := p.find(ctx, p.Pool, found.Client)
	if !known(err) {
		return pgx.ErrNoRows
	}
	if err != nil {
		return err
	}
	grant, err := p.Desk.OpenGrant(found.Sealed, found.ID[:])
	if err != nil {
		return fmt.Errorf("opening grant %s: %w", found.ID, err)
	}
	if told["sub"], err = p.subject(ctx, p.Pool, holder, grant); err != nil {
		return err
	}
	scopes := a.Scopes
	if scopes == nil {
		scopes = grant.Scopes()
	}
	told["scope"] = strings.Join(scopes, " ")
	if acr := grant.ACR(); acr != "" {
		told["acr"], told["auth_time"] = acr, grant.At().Unix() // for step-up (RFC 9470 section 6.2)
	}
	if list := granted(found.Facts.Details); list != nil {
		told["authorization_details"] = list
	}
	if t.kind != "" {
		told["exp"] = found.Expires.Unix()
	}
	return nil
}
