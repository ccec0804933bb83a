package oidc

import (
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
	"github.com/plinth-id/plinth/registry/auth"
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
	asking, err := p.asking(c, form.Get("client_id"))
	if err != nil {
		return err
	}
	if uri := form.Get("request_uri"); strings.HasPrefix(uri, requestURN) {
		return p.resume(c, asking, uri)
	}
	if form.Get("request") != "" {
		p.readKeys(c, form)
	} else if asking.Expires != nil {
		// OpenID Federation 1.0, 12.1.1: who registered itself proves with every request that it is asking.
		return p.sendBackIfKnown(c, asking, form, fosite.ErrInvalidRequest.WithHint("A relying party of a federation signs its requests (RFC 9101), or pushes them (RFC 9126)."))
	}
	inside, err := p.unwrap(c, asking, form)
	if err != nil {
		return p.sendBackIfKnown(c, asking, form, err)
	}
	if !asking.registered(inside.Get("redirect_uri")) {
		return errRedirect
	}
	a, err := p.judge(c, asking, inside)
	if err == nil {
		refused := fosite.ErrInvalidRequest.WithHint("Push the request first (RFC 9126).")
		if err = p.demand(c, asking, fapi, "pushed requests (RFC 9126)", false, refused); err == nil && (asking.RequirePushed || p.profiled(a.Configurations, false) != nil) {
			err = refused
		}
	}
	if err != nil {
		return p.sendBack(c, asking, inside, err)
	}
	return p.begin(c, asking, a)
}

// sendBackIfKnown refuses at the client's address, or here where that cannot be trusted.
func (p *Provider) sendBackIfKnown(c *gin.Context, asking client, form url.Values, err error) error {
	if !asking.registered(form.Get("redirect_uri")) {
		return errForm.Because(err)
	}
	return p.sendBack(c, asking, form, err)
}

// asking finds the client that somebody was sent here by, and asks the federation
// about one that nobody here knows.
func (p *Provider) asking(ctx context.Context, id string) (client, error) {
	if p.Federated == nil || !strings.HasPrefix(id, "https://") {
		return p.find(ctx, p.Pool, id)
	}
	// Asked every time: one read while its registration lasts, and it may have ended.
	if err := p.Federated(ctx, id); err != nil {
		return client{}, errUnknownClient.Because(err)
	}
	return p.find(ctx, p.Pool, id)
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

// begin goes on with a request that was judged: to a page, or back at once when
// the person is logged in and has answered the question before.
func (p *Provider) begin(c *gin.Context, asking client, a asked) error {
	raw, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("beginning a login: %w", err)
	}
	v := login.Visit{ID: uuid.NewString(), Request: raw}
	if len(raw) > login.MaxRequest && !a.silent() { // too long for a cookie
		uri := requestURN + secret()
		if err := p.keep(c, p.Pool, uri, a); err != nil {
			return err
		}
		v = login.Visit{ID: v.ID, Kept: hashed(uri)}
	}
	return p.enter(c, asking, a, v)
}

// enter opens a visit.
func (p *Provider) enter(c *gin.Context, asking client, a asked, v login.Visit) error {
	if done, err := p.rehearse(c, asking, a); done || err != nil {
		if v.Kept != nil && err == nil {
			_, err = forget(c, p.Pool, v.Kept)
		}
		return err
	}
	stay, err := p.stay(c)
	if err != nil {
		return err
	}
	proof := stay.proof
	if !a.fresh(proof, p.Now()) {
		proof = auth.Proof{}
	}
	if a.Person != uuid.Nil && !proof.Zero() && proof.Person() != a.Person {
		proof = auth.Proof{}
	}
	if !proof.Zero() && a.Subject != "" {
		same, err := p.isExpected(c, p.Pool, asking, a, proof.Person())
		if err != nil {
			return err
		}
		if !same {
			proof = auth.Proof{}
		}
	}
	v.Session = stay.id
	done, to, err := p.unasked(c, visitor{visit: v, asked: a, client: asking, proof: proof})
	if err != nil {
		return err
	}
	if done {
		unstored(c)
		c.Redirect(http.StatusSeeOther, to)
		return nil
	}
	return p.flow.Begin(c, v, login.Start{Proof: proof, Hint: a.Hint, Locales: a.UILocales})
}

// visitor is somebody who comes with a question, and whom we may know.
type visitor struct {
	visit  login.Visit
	asked  asked
	client client
	proof  auth.Proof // zero: nobody is logged in, or not as the client wants it
}

// unasked answers without a page where that is possible, and where it must be.
func (p *Provider) unasked(ctx context.Context, v visitor) (bool, string, error) {
	a := v.asked
	if !v.proof.Zero() && a.strong(v.proof.Methods()) && !a.prompts("consent") && a.Deferred == "" {
		claims, asked, err := p.recollect(ctx, v)
		if err != nil {
			return false, "", err
		}
		if asked {
			to, err := p.finish(ctx, v.visit, login.Decision{Allowed: true, Proof: v.proof, Claims: claims, Remembered: true})
			return true, to, err
		}
	}
	if !a.silent() {
		return false, "", nil
	}
	var refused error = fosite.ErrLoginRequired.WithHint("The person is not logged in here, or not as the request demands.")
	if !v.proof.Zero() && a.strong(v.proof.Methods()) {
		refused = fosite.ErrConsentRequired.WithHint("The person must be asked.")
	}
	known, _ := refusal(refused)
	if v.visit.Kept != nil {
		if _, err := forget(ctx, p.Pool, v.visit.Kept); err != nil {
			return false, "", err
		}
	}
	to, err := p.back(ctx, v.client, a, failure(known))
	return true, to, err
}

// resume goes on with a request that was pushed, as often as its page is loaded,
// until the login is done.
func (p *Provider) resume(c *gin.Context, asking client, uri string) error {
	hash, now := hashed(uri), p.Now()
	if current := p.flow.Current(c.Request); string(current.Kept) == string(hash) {
		if _, err := recall(c, p.Pool, hash, now); err == nil {
			c.Redirect(http.StatusSeeOther, login.Page) // reloaded: nothing that was done is lost
			return nil
		}
		return errPushed
	}
	sealed, err := pushed(c, p.Pool, hash, asking.ID, now)
	if errors.Is(err, pgx.ErrNoRows) {
		return errPushed
	}
	if err != nil {
		return fmt.Errorf("going on with a kept request: %w", err)
	}
	a, err := p.unseal(sealed, hash)
	if err != nil {
		return err
	}
	return p.enter(c, asking, a, login.Visit{ID: uuid.NewString(), Kept: hash})
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
	now := p.Now()
	return keep(ctx, db, kept{hash: hashed(uri), sealed: sealed, client: a.Client, open: now.Add(pushedLife), expires: now.Add(pushedLife + loginLife)})
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

// sendBack tells the client why its request was refused.
func (p *Provider) sendBack(c *gin.Context, asking client, form url.Values, err error) error {
	known, ok := refusal(err)
	if !ok {
		return err
	}
	a := asked{Client: asking.ID, Redirect: form.Get("redirect_uri"), State: form.Get("state")}
	if len(form["state"]) > 1 || len(a.State) > maxParameter || !storable(a.State) {
		a.State = ""
	}
	if mode := form.Get("response_mode"); mode == "jwt" || mode == "query.jwt" {
		a.Mode = "jwt"
	}
	slog.InfoContext(c, "client refused", "client", asking.ID, "error", known.ErrorField, "route", c.FullPath())
	to, err := p.back(c, asking, a, failure(known))
	if err != nil {
		return err
	}
	unstored(c)
	c.Redirect(http.StatusSeeOther, to)
	return nil
}
