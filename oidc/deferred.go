package oidc

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/ory/fosite"
	"golang.org/x/sync/errgroup"

	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/templates"
)

const (
	deferredLife  = 10 * time.Minute
	deferredPause = 5                      // seconds
	codeLetters   = "BCDFGHJKLMNPQRSTVWXZ" // no vowels, so no words (RFC 8628 section 6.1)
	codeLength    = 8
)

// The errors of those who ask whether it is done (RFC 8628 section 3.5).
var (
	errPending    = &fosite.RFC6749Error{ErrorField: "authorization_pending", CodeField: http.StatusBadRequest, DescriptionField: "The person has not answered yet."}
	errSlower     = &fosite.RFC6749Error{ErrorField: "slow_down", CodeField: http.StatusBadRequest, DescriptionField: "Ask less often: the interval is 5 seconds longer now."}
	errTooLate    = &fosite.RFC6749Error{ErrorField: "expired_token", CodeField: http.StatusBadRequest, DescriptionField: "The person did not answer in time. Begin again."}
	errNotAllowed = &fosite.RFC6749Error{ErrorField: "access_denied", CodeField: http.StatusBadRequest, DescriptionField: "The person did not allow it."}
	errDeferred   = fosite.ErrInvalidGrant.WithHint("It is unknown, or was used.")
)

// deferredGrant trades a question that was answered elsewhere for tokens.
type deferredGrant struct {
	*Provider
	kind, grantType, parameter string
}

func (p *Provider) deferredGrants() []deferredGrant {
	return []deferredGrant{{p, deviceKind, "urn:ietf:params:oauth:grant-type:device_code", "device_code"}, {p, cibaKind, "urn:openid:params:grant-type:ciba", "auth_req_id"}}
}

// CanHandleTokenEndpointRequest tells requests of this grant type.
func (g deferredGrant) CanHandleTokenEndpointRequest(_ context.Context, r fosite.AccessRequester) bool {
	return r.GetGrantTypes().ExactOne(g.grantType)
}

// CanSkipClientAuth is no: a client without a key gives its id.
func (deferredGrant) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool { return false }

// HandleTokenEndpointRequest gives the tokens once the person has allowed it.
func (g deferredGrant) HandleTokenEndpointRequest(ctx context.Context, r fosite.AccessRequester) error {
	asking, tx, now := r.GetClient().(client), txOf(ctx), g.Now()
	if !asking.Allows(g.grantType) {
		return fosite.ErrUnauthorizedClient.WithHint("The client was not registered for this grant type.")
	}
	b, err := g.holder(ctx, asking, r)
	if err != nil {
		return err
	}
	t, ok := g.read(g.kind, r.GetRequestForm().Get(g.parameter))
	if !ok {
		return errDeferred
	}
	d, err := poll(ctx, tx, t.id, asking.ID, now)
	if errors.Is(err, pgx.ErrNoRows) {
		return errDeferred
	}
	if err != nil {
		return fmt.Errorf("asking after a deferred login: %w", err)
	}
	switch {
	case d.State == "done":
		return errDeferred
	case !now.Before(d.Expires):
		return errTooLate
	case d.State == "denied":
		return errNotAllowed
	case d.Polled != nil && now.Sub(*d.Polled) < time.Duration(d.Pause)*time.Second-500*time.Millisecond && d.State == "waiting":
		return either(slower(ctx, tx, d.ID), errSlower)
	case d.State == "waiting":
		return errPending
	}
	if _, err := answer(ctx, tx, d.ID, "allowed", "done", now); errors.Is(err, pgx.ErrNoRows) {
		return errDeferred
	} else if err != nil {
		return fmt.Errorf("ending a deferred login: %w", err)
	}
	found, err := live(ctx, tx, d.ID, now)
	if errors.Is(err, pgx.ErrNoRows) {
		return errDeferred
	}
	if err != nil {
		return err
	}
	made, err := g.renew(ctx, tx, asking, found, b)
	sessionOf(r).minted = made
	return err
}

// PopulateTokenEndpointResponse says what was minted.
func (g deferredGrant) PopulateTokenEndpointResponse(ctx context.Context, r fosite.AccessRequester, w fosite.AccessResponder) error {
	if !g.CanHandleTokenEndpointRequest(ctx, r) {
		return fosite.ErrUnknownRequest
	}
	return g.populate(ctx, r.GetClient().(client), sessionOf(r).minted, w)
}

// deferral is a question about to be kept.
type deferral struct {
	kind  string
	asked asked
	life  time.Duration
}

// postpone keeps a question until the person answers, and gives the code by which
// they find it.
func (p *Provider) postpone(ctx context.Context, tx pgx.Tx, q deferral) (deferred, string, error) {
	d := deferred{ID: uuid.New(), Kind: q.kind, Client: q.asked.Client, Pause: deferredPause, Expires: p.Now().Add(q.life)}
	q.asked.Deferred = d.ID.String()
	raw, err := json.Marshal(q.asked)
	if err != nil {
		return d, "", err
	}
	if d.Sealed, err = p.Ring.Seal(keys.Sessions, raw, d.ID[:]); err != nil {
		return d, "", err
	}
	code, err := drawCode()
	if err != nil {
		return d, "", err
	}
	if err := insertDeferred(ctx, tx, d, p.codeHash(q.kind, code)); err != nil {
		return d, "", fmt.Errorf("keeping a deferred login: %w", err)
	}
	return d, code[:4] + "-" + code[4:], nil
}

func drawCode() (string, error) {
	var b strings.Builder
	for range codeLength {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(codeLetters))))
		if err != nil {
			return "", fmt.Errorf("drawing a code: %w", err)
		}
		b.WriteByte(codeLetters[n.Int64()])
	}
	return b.String(), nil
}

func (p *Provider) codeHash(kind, code string) []byte {
	plain := strings.Map(func(r rune) rune {
		if strings.ContainsRune(codeLetters, r) {
			return r
		}
		return -1
	}, strings.ToUpper(code))
	return p.Ring.PRF("oidc user code", []byte(kind), []byte(plain))
}

// join leads somebody who has entered the code of a question to its pages.
func (p *Provider) join(c *gin.Context, kind, code string) error {
	d, err := waiting(c, p.Pool, kind, p.codeHash(kind, code), p.Now())
	if errors.Is(err, pgx.ErrNoRows) || len(code) > 64 {
		page := templates.Device{Kind: kind, Code: code, Wrong: true}
		if len(code) > 64 {
			page.Code = ""
		}
		return templates.Render(c.Writer, c.Request, http.StatusUnprocessableEntity, page)
	}
	if err != nil {
		return fmt.Errorf("looking up a deferred login: %w", err)
	}
	a, err := p.unseal(d.Sealed, d.ID[:])
	if err != nil {
		return err
	}
	asking, err := p.find(c, p.Pool, a.Client)
	if err != nil {
		return err
	}
	return p.begin(c, asking, a)
}

// settleDeferred writes down what was allowed on this device for another.
func (p *Provider) settleDeferred(ctx context.Context, tx pgx.Tx, m permission, allowed bool) error {
	id, err := uuid.Parse(m.asked.Deferred)
	if err != nil {
		return errEnded.Because(err)
	}
	to := map[bool]string{true: "allowed", false: "denied"}[allowed]
	d, err := answer(ctx, tx, id, "waiting", to, p.Now())
	if errors.Is(err, pgx.ErrNoRows) {
		return errEnded
	}
	if err != nil {
		return fmt.Errorf("answering a deferred login: %w", err)
	}
	if d.Kind == cibaKind && m.asked.Notification != "" {
		now := p.Now()
		return setPing(ctx, tx, id, &now)
	}
	return nil
}

// Ping tells clients that a person has answered (CIBA Core 10.2).
func (p *Provider) Ping(ctx context.Context) error {
	now := p.Now()
	due, err := takePings(ctx, p.Pool, now, now.Add(time.Minute))
	if err != nil {
		return fmt.Errorf("looking for clients to be told: %w", err)
	}
	var all errgroup.Group
	all.SetLimit(noticesAtOnce)
	for _, d := range due {
		all.Go(func() error { return p.pingDue(ctx, d) })
	}
	return all.Wait()
}

func (p *Provider) pingDue(ctx context.Context, d deferred) error {
	a, err := p.unseal(d.Sealed, d.ID[:])
	if err != nil {
		return err
	}
	told, err := p.find(ctx, p.Pool, d.Client)
	if err == nil && told.CIBANotification != "" {
		err = p.pingOne(ctx, told, d, a)
	}
	if err == nil || d.Pings >= noticeTries || !known(err) {
		return setPing(ctx, p.Pool, d.ID, nil)
	}
	return nil // again in a minute
}

func (p *Provider) pingOne(ctx context.Context, told client, d deferred, a asked) error {
	raw, err := json.Marshal(map[string]string{"auth_req_id": p.write(ticket{kind: cibaKind, id: d.ID})})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, told.CIBANotification, strings.NewReader(string(raw)))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+a.Notification)
	answer, err := p.HTTP.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 300 {
		return fmt.Errorf("client %s answered %d", told.ID, answer.StatusCode)
	}
	return nil
}

// askedElsewhere judges the parameters that device and CIBA requests share with
// authorization requests.
func (p *Provider) askedElsewhere(ctx context.Context, c client, form url.Values) (asked, error) {
	if name := repeated(form); name != "" {
		return asked{}, fosite.ErrInvalidRequest.WithHintf("Send %s once.", name)
	}
	a := asked{Client: c.ID, Redirect: p.at(deferredDone), Resources: form["resource"], UILocales: form.Get("ui_locales"), Binding: form.Get("binding_message")}
	wished := strings.Fields(form.Get("scope"))
	for _, scope := range wished {
		if !p.mayAsk(c.Scopes, scope) {
			return a, fosite.ErrInvalidScope.WithHint("The client may not ask for this scope.")
		}
	}
	if err := p.scoped(&a, c, wished); err != nil {
		return a, err
	}
	if err := p.detail(&a, c, form.Get("authorization_details")); err != nil {
		return a, err
	}
	if err := c.reach(a.Resources); err != nil {
		return a, err
	}
	if len(a.Binding) > maxBinding || !storable(a.Binding) {
		return a, &fosite.RFC6749Error{ErrorField: "invalid_binding_message", CodeField: http.StatusBadRequest, DescriptionField: "The binding_message has at most 100 characters."}
	}
	return a, p.claimed(&a, c, form)
}

const (
	deferredDone = "/oidc/device/done"
	maxBinding   = 100
)
