package oidc

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/jackc/pgx/v5"
	"github.com/ory/fosite"

	"github.com/plinth-id/plinth/internal/postgres"
)

// push takes an authorization request straight from the client (RFC 9126), so
// that nobody on the way can read or change it.
func (p *Provider) push(c *gin.Context) error {
	form, err := p.body(c)
	if err != nil {
		return refuse(c, err)
	}
	if form.Get("request_uri") != "" {
		return refuse(c, fosite.ErrInvalidRequest.WithHint("A pushed request must not name another."))
	}
	shown, err := p.bind(c)
	if err != nil {
		return refuse(c, err)
	}
	uri := requestURN + secret()
	var refused error
	err = postgres.InTx(c, p.Pool, func(tx pgx.Tx) error {
		refused = nil
		ctx := withTx(c, tx)
		authenticated, err := p.authenticate(ctx, c.Request, form)
		if err != nil {
			return settle(err, &refused)
		}
		asking := authenticated.(client)
		if err := p.proveOnce(ctx, shown); err != nil {
			return settle(err, &refused)
		}
		inside, err := p.unwrap(ctx, asking, form)
		if err != nil {
			return settle(err, &refused)
		}
		inside.Set("client_id", asking.ID)
		if !asking.registered(inside.Get("redirect_uri")) {
			return settle(fosite.ErrInvalidRequest.WithHint("The redirect_uri is not registered."), &refused)
		}
		a, err := p.judge(ctx, asking, inside)
		if err == nil && shown.jkt != "" && a.JKT != "" && a.JKT != shown.jkt {
			err = errProof.WithHint("dpop_jkt is not the key of the DPoP header.")
		}
		if err != nil {
			return settle(err, &refused)
		}
		if err := p.profiled(a.Configurations, asking.instance != ""); err != nil {
			return settle(err, &refused)
		}
		if shown.jkt != "" {
			a.JKT = shown.jkt
		}
		a.Instance = asking.instance
		return p.keep(ctx, tx, uri, a)
	})
	if err != nil || refused != nil {
		return refuse(c, either(err, refused))
	}
	unstored(c)
	c.JSON(http.StatusCreated, map[string]any{"request_uri": uri, "expires_in": int(pushedLife / time.Second)})
	return nil
}

// settle keeps a refusal beside the transaction, which is then committed all the
// same: an assertion that was used stays used, and a code that was stolen stays
// spent, whatever the answer.
func settle(err error, refused *error) error {
	if _, ok := refusal(err); !ok {
		return err
	}
	*refused = err
	return nil
}

func either(err, refused error) error {
	if err != nil {
		return err
	}
	return refused
}
