package oidc

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/jackc/pgx/v5"
	"github.com/ory/fosite"

	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/internal/web"
	"github.com/plinth-id/plinth/registry/auth"
)

// ciba asks a person who is elsewhere, on the telephone or at a counter, to log in
// on their own device (OpenID Connect Client-Initiated Backchannel Authentication
// 1.0). They get a message with an address, log in there as ever, and see the
// binding message. Whether anybody has the number that was hinted is told to nobody.
func (p *Provider) ciba(c *gin.Context) error {
	form, err := p.body(c)
	if err != nil {
		return refuse(c, err)
	}
	var d deferred
	var refused error
	err = postgres.InTx(c, p.Pool, func(tx pgx.Tx) error {
		refused = nil
		ctx := withTx(c, tx)
		authenticated, err := p.authenticate(ctx, c.Request, form)
		if err != nil {
			return settle(err, &refused)
		}
		asking := authenticated.(client)
		inside, err := p.unwrap(ctx, asking, form)
		if err != nil {
			return settle(err, &refused)
		}
		d, err = p.call(ctx, tx, asking, caller{inside, web.From(c)})
		if err != nil {
			return settle(err, &refused)
		}
		return nil
	})
	if err != nil || refused != nil {
		return refuse(c, either(err, refused))
	}
	unstored(c)
	answer := map[string]any{"auth_req_id": p.write(ticket{kind: cibaKind, id: d.ID}), "expires_in": int(d.Expires.Sub(p.Now()).Round(time.Second).Seconds()), "interval": deferredPause}
	c.JSON(http.StatusOK, answer)
	return nil
}

// caller is a request of CIBA, and from where it came.
type caller struct {
	form url.Values
	from string
}

// call keeps the question and sends the person its address.
func (p *Provider) call(ctx context.Context, tx pgx.Tx, asking client, r caller) (deferred, error) {
	form := r.form
	if asking.IsPublic() || !asking.Allows(p.deferredGrants()[1].grantType) {
		return deferred{}, fosite.ErrUnauthorizedClient.WithHint("The client was not registered for this grant type.")
	}
	// Of a pairwise subject we could not tell whom to send a message to.
	if form.Get("login_hint") == "" || form.Get("login_hint_token") != "" || form.Get("id_token_hint") != "" || len(form.Get("login_hint")) > maxParameter {
		return deferred{}, fosite.ErrInvalidRequest.WithHint("Send login_hint, an identity number of the person, and no other hint.")
	}
	notification := form.Get("client_notification_token")
	if asking.CIBADelivery == "ping" && (len(notification) < leastNotification || len(notification) > 1024) {
		return deferred{}, fosite.ErrInvalidRequest.WithHint("Send a client_notification_token of 22 to 1024 characters.")
	}
	life := deferredLife
	if wished := form.Get("requested_expiry"); wished != "" {
		seconds, err := strconv.Atoi(wished)
		if err != nil || seconds < 1 {
			return deferred{}, fosite.ErrInvalidRequest.WithHint("requested_expiry must be a number of seconds.")
		}
		life = min(life, time.Duration(seconds)*time.Second)
	}
	a, err := p.askedElsewhere(ctx, asking, form)
	if err != nil {
		return deferred{}, err
	}
	a.Hint = form.Get("login_hint")
	if a.Person, err = p.Desk.Whose(ctx, tx, a.Hint); err != nil {
		return deferred{}, err
	}
	if asking.CIBADelivery == "ping" {
		a.Notification = notification
	}
	d, code, err := p.postpone(ctx, tx, deferral{kind: cibaKind, asked: a, life: life})
	if err != nil {
		return d, err
	}
	address := p.at("/oidc/ciba") + "?" + url.Values{"user_code": {code}}.Encode()
	return d, p.Desk.Call(ctx, tx, auth.Call{Identifier: a.Hint, Client: asking.ID, From: r.from, Named: asking.named, Address: address, Binding: a.Binding, Until: d.Expires})
}

// leastNotification is 128 bits in base64url (CIBA Core 7.1).
const leastNotification = 22
