package oidc

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"
	"github.com/jackc/pgx/v5"
	"github.com/ory/fosite"

	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/internal/web"
	"github.com/plinth-id/plinth/templates"
)

// deviceRoutes opens the doors of logins on another device (RFC 8628) and after a call (CIBA).
func (p *Provider) deviceRoutes(r *web.Router) {
	r.Handle(http.MethodPost, "/oidc/device", web.Client, p.device, web.CORS(), web.MaxBody(maxBody))
	r.Handle(http.MethodPost, "/oidc/ciba", web.Client, p.ciba, web.CORS(), web.MaxBody(maxBody))
	for _, kind := range []string{deviceKind, cibaKind} {
		r.Handle(http.MethodGet, "/oidc/"+kind, web.Anyone, func(c *gin.Context) error { return p.enterCode(c, kind) })
		r.Handle(http.MethodPost, "/oidc/"+kind+"/code", web.Anyone, func(c *gin.Context) error {
			if err := c.Request.ParseForm(); err != nil {
				return errForm.Because(err)
			}
			return p.tried(c, kind, c.Request.PostForm.Get("user_code"))
		})
	}
	r.Handle(http.MethodGet, deferredDone, web.Anyone, func(c *gin.Context) error {
		return templates.Render(c.Writer, c.Request, http.StatusOK, templates.DeviceDone{Denied: c.Query("error") != ""})
	})
}

// tried takes a code, unless too many from this network were wrong (RFC 8628 section
// 5.1): then the answer is one for all, right or wrong.
func (p *Provider) tried(c *gin.Context, kind, code string) error {
	if err := p.Desk.MayTry(c, p.Pool, web.From(c)); err != nil {
		return err
	}
	_, err := waiting(c, p.Pool, kind, p.codeHash(kind, code), p.Now())
	if errors.Is(err, pgx.ErrNoRows) || len(code) > 64 {
		if err := p.Desk.Missed(c, web.From(c)); err != nil {
			return err
		}
	}
	return p.join(c, kind, code)
}

// enterCode asks for the code. One that came with the address is shown, not taken:
// the person must see that it is the one on their device (RFC 8628 section 3.3.1).
func (p *Provider) enterCode(c *gin.Context, kind string) error {
	code := c.Query("user_code")
	if len(code) > 64 {
		code = ""
	}
	return templates.Render(c.Writer, c.Request, http.StatusOK, templates.Device{Kind: kind, Code: code})
}

// device begins a login of a device that has no browser.
func (p *Provider) device(c *gin.Context) error {
	form, err := p.body(c)
	if err != nil {
		return refuse(c, err)
	}
	var d deferred
	var code string
	var refused error
	err = postgres.InTx(c, p.Pool, func(tx pgx.Tx) error {
		refused = nil
		ctx := withTx(c, tx)
		authenticated, err := p.authenticate(ctx, c.Request, form)
		if err != nil {
			return settle(err, &refused)
		}
		asking := authenticated.(client)
		if !asking.Allows(p.deferredGrants()[0].grantType) {
			return settle(fosite.ErrUnauthorizedClient.WithHint("The client was not registered for this grant type."), &refused)
		}
		a, err := p.askedElsewhere(ctx, asking, form)
		if err != nil {
			return settle(err, &refused)
		}
		d, code, err = p.postpone(ctx, tx, deferral{kind: deviceKind, asked: a, life: deferredLife})
		return err
	})
	if err != nil || refused != nil {
		return refuse(c, either(err, refused))
	}
	unstored(c)
	page := p.at("/oidc/device")
	c.JSON(http.StatusOK, map[string]any{"device_code": p.write(ticket{kind: deviceKind, id: d.ID}), "user_code": code, "verification_uri": page,
		"verification_uri_complete": page + "?" + url.Values{"user_code": {code}}.Encode(), "expires_in": int(deferredLife.Seconds()), "interval": deferredPause})
	return nil
}
