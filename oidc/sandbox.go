package oidc

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/ory/fosite"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/web"
	"github.com/plinth-id/plinth/oidc/login"
	"github.com/plinth-id/plinth/registry/auth"
)

// sandboxHint begins a login_hint that says what a demonstration is to do, so that
// the tests of a relying party need no hands: the citizen logs in by itself, or
// something goes wrong.
const sandboxHint = "sandbox:"

// demoCode is the one-time code of every demonstration.
const demoCode = "111111"

// rehearse does what the hint of a request says. It is there in demonstrations
// only, where all people are invented and everybody knows every code.
func (p *Provider) rehearse(c *gin.Context, asking client, a asked) (done bool, err error) {
	wish, ok := strings.CutPrefix(a.Hint, sandboxHint)
	if !p.Sandbox || !ok {
		return false, nil
	}
	wished, err := url.ParseQuery(wish)
	if err != nil {
		return true, errForm.Because(err)
	}
	if delay, err := time.ParseDuration(wished.Get("delay")); err == nil && delay <= 30*time.Second {
		select {
		case <-time.After(delay):
		case <-c.Done():
		}
	}
	if code := wished.Get("error"); code != "" {
		known := &fosite.RFC6749Error{ErrorField: code, DescriptionField: "You asked for this error.", CodeField: http.StatusBadRequest}
		to, err := p.back(c, asking, a, failure(known))
		if err == nil {
			c.Redirect(http.StatusSeeOther, to)
		}
		return true, err
	}
	if wished.Get("citizen") == "" {
		return false, nil
	}
	to, err := p.playCitizen(c, a, wished.Get("citizen"))
	if err == nil {
		c.Redirect(http.StatusSeeOther, to)
	}
	return true, err
}

// playCitizen logs an invented person in with the code that everybody knows, and
// allows all that is asked for.
func (p *Provider) playCitizen(c *gin.Context, a asked, number string) (string, error) {
	v := login.Visit{ID: uuid.NewString()}
	// Each play is a device of its own, lest many plays use up one citizen's tries.
	from := web.From(c) + v.ID
	if _, err := p.Desk.SendCode(c, auth.CodeRequest{Identifier: number, Transaction: v.ID, Client: a.Client, From: from}); err != nil && !fault.Is(err, fault.Busy) {
		return "", err
	}
	proof, err := p.Desk.Verify(c, auth.Attempt{Identifier: number, Code: demoCode, Transaction: v.ID, Client: a.Client, From: from})
	if err != nil {
		return "", err
	}
	asking, err := p.find(c, p.Pool, a.Client)
	if err != nil {
		return "", err
	}
	answer, _, err := p.permit(c, permission{visit: v, asked: a, client: asking, decision: login.Decision{Allowed: true, Proof: proof, Claims: a.claims()}})
	if err != nil {
		return "", err
	}
	return p.back(c, asking, a, answer)
}
