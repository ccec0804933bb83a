package present

import (
	"html/template"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/plinth-id/plinth/credentials/verifier"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/web"
	"github.com/plinth-id/plinth/templates"
)

// cookie holds the request that this browser has made last, with its secret. It is
// what ties the answer to the browser in which the question was asked.
const cookie = "plinth_verify"

func (k *Counter) cookieName() string {
	if k.Public.Scheme == "https" {
		return "__Host-" + cookie
	}
	return cookie // browsers refuse the prefix without TLS; only localhost runs so
}

// ofPage is the secret of a request that our page made, whose answer it alone shows: no
// bearer token has a space.
func ofPage(secret string) string { return "page " + secret }

// postAsk makes a request by a preset for the page.
func (k *Counter) postAsk(c *gin.Context) error {
	t := Terms{Preset: c.PostForm("preset"), Flow: c.PostForm("flow")}
	browser := t.Flow == "browser"
	switch {
	case browser:
		t.Flow, t.Mode = crossDevice, modeAPISealed
	case t.Flow == sameDevice:
		t.Redirect = k.Public.JoinPath("verify/ask").String()
	}
	own := secret()
	r, err := k.Ask(c, t, ofPage(own), web.From(c))
	if err != nil {
		return err
	}
	http.SetCookie(c.Writer, &http.Cookie{Name: k.cookieName(), Value: r.ID.String() + "." + own, Path: "/", MaxAge: int(longestLife.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: k.Public.Scheme == "https"})
	if browser {
		c.JSON(http.StatusCreated, gin.H{"dc_api": r.Browser})
		return nil
	}
	page := templates.VerifyAsked{Link: template.URL(r.Link)} // ours, from the parts that were checked
	if t.Flow == sameDevice {
		_, query, _ := strings.Cut(r.Link, "?")
		page.Web = "/wallet/present?" + query
	} else {
		page.Picture = template.URL(r.QR)
	}
	return templates.Render(c.Writer, c.Request, http.StatusOK, page)
}

// mine is the request that this browser has made, with its secret.
func (k *Counter) mine(c *gin.Context) (uuid.UUID, string) {
	value, err := c.Cookie(k.cookieName())
	id, secret, ok := strings.Cut(value, ".")
	number, parsed := uuid.Parse(id)
	if err != nil || !ok || parsed != nil {
		return uuid.Nil, ""
	}
	return number, ofPage(secret)
}

// getAsk shows how far the request of this browser is; it is where a wallet on the
// same device brings its holder back to.
func (k *Counter) getAsk(c *gin.Context) error {
	id, secret := k.mine(c)
	return k.showAnswer(c, id, secret, c.Query("response_code"))
}

// postAskAnswer takes what the page got by the Digital Credentials API, which getAsk
// then shows.
func (k *Counter) postAskAnswer(c *gin.Context) error {
	id, secret := k.mine(c)
	if _, err := find(c, k.Pool, id, hashed(secret)); err != nil {
		return errGone.Because(err)
	}
	a, err := k.open(c, id)
	if err != nil {
		return err
	}
	if !a.overAPI() {
		return errForm
	}
	r, origin, err := a.readBrowser(c)
	if err != nil {
		return err
	}
	if _, err := k.take(c, id, a, r, origin); err != nil {
		return refuse(c, err) // it has ended, and the page says how
	}
	c.Status(http.StatusNoContent)
	return nil
}

func (k *Counter) showAnswer(c *gin.Context, id uuid.UUID, secret, code string) error {
	r, err := k.Collect(c, id, secret, code)
	if fault.Is(err, fault.Denied) {
		r.State, err = "elsewhere", nil
	}
	if err != nil {
		return err
	}
	switch r.State {
	case stateAsked, "opened":
		page, err := k.againAsked(c, id)
		if err != nil {
			return err
		}
		page.Opened = r.State == "opened"
		return templates.Render(c.Writer, c.Request, http.StatusOK, page)
	}
	page := templates.VerifyAnswer{State: r.State}
	for _, shown := range r.Credentials {
		page.Credentials = append(page.Credentials, verifier.Page(shown.Verdict))
	}
	return templates.Render(c.Writer, c.Request, http.StatusOK, page)
}

// againAsked draws a request that waits once more.
func (k *Counter) againAsked(c *gin.Context, id uuid.UUID) (templates.VerifyAsked, error) {
	a, err := k.open(c, id)
	if err != nil {
		return templates.VerifyAsked{}, err
	}
	if a.overAPI() {
		return templates.VerifyAsked{}, errGone // only the page that asked can go on
	}
	r, err := k.reach(id, a, methodPost)
	if err != nil {
		return templates.VerifyAsked{}, err
	}
	page := templates.VerifyAsked{Link: template.URL(r.Link), Picture: template.URL(r.QR)}
	if a.Same {
		_, query, _ := strings.Cut(r.Link, "?")
		page.Web, page.Picture = "/wallet/present?"+query, ""
	}
	return page, nil
}

// getAskState tells the page's script whether it is worth loading again. It collects
// nothing.
func (k *Counter) getAskState(c *gin.Context) error {
	id, secret := k.mine(c)
	row, err := find(c, k.Pool, id, hashed(secret))
	if err != nil {
		return errGone.Because(err)
	}
	state := row.State
	switch {
	case state != stateAsked:
	case !k.Now().Before(row.Expires):
		state = "expired"
	case row.Fetched:
		state = "opened"
	}
	c.JSON(http.StatusOK, gin.H{"state": state})
	return nil
}
