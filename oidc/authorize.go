package oidc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/ory/fosite"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/oidc/login"
)

// requestURN begins the request_uri of a pushed request (RFC 9126 section 2.2).
const requestURN = "urn:ietf:params:oauth:request_uri:"

var (
	errForm     = fault.New(fault.Invalid, "The website that sent you here sent something that cannot be read. Tell its operator.").Named("invalid_request")
	errRedirect = fault.New(fault.Invalid, "The website that sent you here wants the answer at an address that is not registered. Tell its operator.").Named("invalid_redirect_uri")
	errPushed   = fault.New(fault.Invalid, "This login link was used before, or is too old. Go back to the website that you came from and begin again.").Named("invalid_request_uri")
)

// authorize is where a client sends people. Until client and redirect URI are
// known to belong together, errors are shown here and sent nowhere.
func (p *Provider) authorize(c *gin.Context) error {
	form, err := question(c.Request)
	if err != nil {
		return err
	}
	if len(form["client_id"]) > 1 || len(form["redirect_uri"]) > 1 {
		return errForm
	}
	asking, err := p.find(c, p.Pool, form.Get("client_id"))
	if err != nil {
		return err
	}
	if uri := form.Get("request_uri"); strings.HasPrefix(uri, requestURN) {
		return p.resume(c, asking.ID, uri)
	}
	if !asking.registered(form.Get("redirect_uri")) {
		return errRedirect
	}
	a, err := p.judge(c, asking, form)
	if err == nil && asking.Profile == fapi2 {
		err = fosite.ErrInvalidRequest.WithHint("Push the request first (RFC 9126).")
	}
	if err != nil {
		return p.sendBack(c, form, err)
	}
	return p.begin(c, a)
}

// question reads an authorization request from the query or from a form.
func question(r *http.Request) (url.Values, error) {
	if r.Method != http.MethodPost {
		form, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			return nil, errForm.Because(err)
		}
		return form, nil
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" || r.URL.RawQuery != "" {
		return nil, errForm
	}
	if err := r.ParseForm(); err != nil {
		return nil, errForm.Because(err)
	}
	return r.PostForm, nil
}

// sendBack tells the client why its request was refused.
func (p *Provider) sendBack(c *gin.Context, form url.Values, err error) error {
	known, ok := refusal(err)
	if !ok {
		return err
	}
	state := form.Get("state")
	if len(form["state"]) > 1 || len(state) > maxParameter {
		state = ""
	}
	slog.InfoContext(c, "client refused", "error", known.ErrorField, "route", c.FullPath())
	unstored(c)
	c.Redirect(http.StatusSeeOther, p.back(asked{Redirect: form.Get("redirect_uri"), State: state}, failure(known)))
	return nil
}

func failure(known *fosite.RFC6749Error) url.Values {
	return url.Values{"error": {known.ErrorField}, "error_description": {ascii(known.GetDescription())}}
}

// back is the address of the client with our answer. Every answer says whose it
// is (RFC 9207), so that a client of several providers is not mixed up.
func (p *Provider) back(a asked, answer url.Values) string {
	answer.Set("iss", p.issuer)
	if a.State != "" {
		answer.Set("state", a.State)
	}
	joint := "?"
	if strings.Contains(a.Redirect, "?") {
		joint = "&"
	}
	return a.Redirect + joint + answer.Encode()
}

// begin leads the person to the pages. A request too long for a cookie is kept.
func (p *Provider) begin(c *gin.Context, a asked) error {
	raw, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("beginning a login: %w", err)
	}
	v := login.Visit{ID: uuid.NewString(), Request: raw}
	if len(raw) > login.MaxRequest {
		uri := requestURN + secret()
		if err := p.keep(c, p.Pool, uri, a); err != nil {
			return err
		}
		return p.resume(c, a.Client, uri)
	}
	return p.flow.Begin(c, v, a.Hint, a.UILocales)
}

// resume goes on with a request that is kept: in the first browser that comes
// with it, and in no other.
func (p *Provider) resume(c *gin.Context, asking, uri string) error {
	hash, now := hashed(uri), p.Now()
	current := p.flow.Current(c.Request)
	same := bytes.Equal(current.Kept, hash)
	v := login.Visit{ID: uuid.NewString(), Kept: hash}
	if same {
		v.ID = current.ID
	}
	sealed, err := claim(c, p.Pool, kept{hash: hash, client: asking, visit: v.ID}, now.Add(loginLife), now)
	if errors.Is(err, pgx.ErrNoRows) {
		return errPushed
	}
	if err != nil {
		return fmt.Errorf("going on with a kept request: %w", err)
	}
	if same {
		c.Redirect(http.StatusSeeOther, login.Page) // reloaded: nothing that was done is lost
		return nil
	}
	a, err := p.unseal(sealed, hash)
	if err != nil {
		return err
	}
	return p.flow.Begin(c, v, a.Hint, a.UILocales)
}

// keep stores a request under the hash of its address.
func (p *Provider) keep(ctx context.Context, db postgres.DB, uri string, a asked) error {
	raw, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("keeping a request: %w", err)
	}
	sealed, err := p.Ring.Seal(keys.Sessions, raw, hashed(uri))
	if err != nil {
		return fmt.Errorf("keeping a request: %w", err)
	}
	return keep(ctx, db, kept{hash: hashed(uri), client: a.Client}, sealed, p.Now().Add(pushedLife))
}

func (p *Provider) unseal(sealed, hash []byte) (asked, error) {
	var a asked
	raw, err := p.Ring.Open(keys.Sessions, sealed, hash)
	if err == nil {
		err = json.Unmarshal(raw, &a)
	}
	if err != nil {
		return a, fmt.Errorf("opening a kept request: %w", err)
	}
	return a, nil
}
