package wallet

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/plinth-id/plinth/internal/fault"
)

// flowLife is how long the owner may take to log in at the issuer.
const flowLife = time.Hour

// Login says what to fetch by logging in at the issuer.
type Login struct {
	Offer         string // an offer; or else
	Issuer        string // a credential issuer identifier, and
	Configuration string // which of its credentials; empty: the first that we can hold
	ClientID      string // how the authorization server knows this wallet
	Redirect      string // where it sends the browser back
}

// flow is an authorization under way.
type flow struct {
	Offer    offer     `json:"offer"`
	ClientID string    `json:"client_id"`
	Redirect string    `json:"redirect_uri"`
	Verifier string    `json:"code_verifier"`
	Begun    time.Time `json:"begun"`
}

// Authorize begins a login at the issuer and returns the address to open in a
// browser. Finish takes the address that the browser is sent back to.
func (w *Wallet) Authorize(ctx context.Context, login Login) (string, error) {
	o, err := w.wish(ctx, login)
	if err != nil {
		return "", err
	}
	p, err := w.plan(ctx, o)
	if err != nil {
		return "", err
	}
	if p.server.Authorize == "" || p.kind.Scope == "" {
		return "", fault.New(fault.Invalid, "This issuer has no login for this credential. Ask it for an offer.").Named("no-login")
	}
	state, verifier, err := secrets()
	if err != nil {
		return "", err
	}
	f := flow{Offer: o, ClientID: login.ClientID, Redirect: login.Redirect, Verifier: verifier, Begun: w.Now()}
	f.Offer.Configurations = []string{p.id}
	if err := w.remember(state, f); err != nil {
		return "", err
	}
	return w.authorizationURL(ctx, p, f, state)
}

// wish is the offer, or one that we make up ourselves from what the owner wants.
func (w *Wallet) wish(ctx context.Context, login Login) (offer, error) {
	if login.Offer != "" {
		return w.offer(ctx, login.Offer)
	}
	o := offer{Issuer: login.Issuer}
	if login.Configuration != "" {
		o.Configurations = []string{login.Configuration}
		return o, nil
	}
	issuer, err := address(login.Issuer)
	if err != nil {
		return o, err
	}
	var m metadata
	if err := w.get(ctx, wellKnown(issuer, "openid-credential-issuer"), &m); err != nil {
		return o, unreadableMetadata(err)
	}
	for id, kind := range m.Configurations {
		if kind.usable() && kind.Scope != "" && (len(o.Configurations) == 0 || id < o.Configurations[0]) {
			o.Configurations = []string{id}
		}
	}
	return o, nil
}

func (w *Wallet) authorizationURL(ctx context.Context, p plan, f flow, state string) (string, error) {
	challenge := sha256.Sum256([]byte(f.Verifier))
	query := url.Values{
		"response_type": {"code"}, "client_id": {f.ClientID}, "redirect_uri": {f.Redirect}, "scope": {p.kind.Scope}, "state": {state},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}
	if len(p.issuer.Servers) > 0 {
		query.Set("resource", p.issuer.Issuer)
	}
	if g := p.offer.Grants.Code; g != nil && g.State != "" {
		query.Set("issuer_state", g.State)
	}
	if p.server.NeedsPush && p.server.Pushed != "" {
		var pushed struct {
			URI string `json:"request_uri"`
		}
		if err := w.postForm(ctx, p.server.Pushed, query, &pushed); err != nil {
			return "", unreadableMetadata(err)
		}
		query = url.Values{"client_id": {f.ClientID}, "request_uri": {pushed.URI}}
	}
	to, err := address(p.server.Authorize)
	if err != nil {
		return "", err
	}
	joint := "?"
	if to.RawQuery != "" {
		joint = "&"
	}
	return to.String() + joint + query.Encode(), nil
}

// Finish takes the address that the browser was sent back to, and fetches the
// credential.
func (w *Wallet) Finish(ctx context.Context, back string) (Card, error) {
	u, err := url.Parse(back)
	if err != nil {
		return Card{}, fault.New(fault.Invalid, "This is not where the issuer sent the browser. Copy the whole address.").Named("bad-redirect")
	}
	query := u.Query()
	f, err := w.recall(query.Get("state"))
	if err != nil {
		return Card{}, err
	}
	if query.Get("error") != "" {
		return Card{}, fault.New(fault.Denied, "The login was not finished. Begin again when you are ready.").Named("login-refused").
			Because(refused{Code: query.Get("error")})
	}
	p, err := w.plan(ctx, f.Offer)
	if err != nil {
		return Card{}, err
	}
	p.clientID = f.ClientID
	// RFC 9207: a code of another server must not be sent to this one.
	if iss := query.Get("iss"); iss != "" && iss != p.server.Issuer || iss == "" && p.server.SaysIssue {
		return Card{}, errAnswer.Because(errors.New("the answer to the login comes from another server"))
	}
	a, err := w.token(ctx, p, url.Values{"grant_type": {"authorization_code"}, "code": {query.Get("code")},
		"redirect_uri": {f.Redirect}, "client_id": {f.ClientID}, "code_verifier": {f.Verifier}})
	if err != nil {
		return Card{}, err
	}
	return w.fetch(ctx, p, a)
}

func (w *Wallet) remember(state string, f flow) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, err := w.load()
	if err != nil {
		return err
	}
	if c.Flows == nil {
		c.Flows = map[string]flow{}
	}
	for old, g := range c.Flows {
		if w.Now().Sub(g.Begun) > flowLife {
			delete(c.Flows, old)
		}
	}
	c.Flows[state] = f
	return w.save(c)
}

// recall takes a login out of the file: its answer is good for once.
func (w *Wallet) recall(state string) (flow, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, err := w.load()
	if err != nil {
		return flow{}, err
	}
	f, ok := c.Flows[state]
	if !ok || w.Now().Sub(f.Begun) > flowLife {
		return flow{}, fault.New(fault.Invalid, "This login was not begun by this wallet, or is long over. Begin again.").Named("login-unknown")
	}
	delete(c.Flows, state)
	return f, w.save(c)
}

func secrets() (state, verifier string, err error) {
	raw := make([]byte, 64)
	if _, err := rand.Read(raw); err != nil {
		return "", "", fmt.Errorf("drawing the secrets of a login: %w", err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	return encode(raw[:32]), encode(raw[32:]), nil
}

// Waiting tells whether an address of the browser belongs to a login begun here.
func (l Login) Waiting(back string) bool {
	return l.Redirect != "" && strings.HasPrefix(back, l.Redirect)
}
