package portal

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/plinth-id/plinth/internal/web"
	"github.com/plinth-id/plinth/templates"
)

const attemptCookie = "portal_attempt"

// Routes opens the doors of the portal.
func (p *Portal) Routes(r *web.Router) {
	// The form on the first page leads on to the provider.
	r.Handle("GET", "/demo/portal", web.Demo, p.home, web.FormAction(p.cfg.Issuer))
	r.Handle("POST", "/demo/portal/login", web.Demo, p.login)
	r.Handle("GET", "/demo/portal/callback", web.Demo, p.callback)
	r.Handle("POST", "/demo/portal/logout", web.Demo, p.logout)
}

func (p *Portal) home(c *gin.Context) error {
	return templates.Render(c.Writer, c.Request, http.StatusOK, templates.Portal{})
}

func (p *Portal) login(c *gin.Context) error {
	a, to, err := p.Begin(c.Request.Context())
	if err != nil {
		return err
	}
	raw, err := json.Marshal(a)
	if err != nil {
		return err
	}
	p.cookie(c, base64.RawURLEncoding.EncodeToString(raw), 600)
	c.Redirect(http.StatusSeeOther, to)
	return nil
}

// cookie keeps the attempt in the browser that began it, so that an answer
// meant for another browser is refused.
func (p *Portal) cookie(c *gin.Context, value string, seconds int) {
	http.SetCookie(c.Writer, &http.Cookie{Name: attemptCookie, Value: value, Path: "/demo/portal", MaxAge: seconds,
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: p.cfg.Redirect.Scheme == "https"})
}

func (p *Portal) callback(c *gin.Context) error {
	a, ok := p.begun(c)
	p.cookie(c, "", -1)
	query := c.Request.URL.Query()
	switch {
	case !ok || subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(a.State)) != 1:
		return p.problem(c, "This answer belongs to another login. Please log in again.")
	case query.Get("iss") != p.cfg.Issuer:
		return p.problem(c, "This answer came from another provider. Please log in again.")
	case query.Get("error") == "access_denied":
		return p.problem(c, "You chose not to share anything, so you are not logged in.")
	case query.Get("error") != "":
		return p.problem(c, "The provider could not log you in. Please try again.")
	}
	person, err := p.Finish(c.Request.Context(), a, query.Get("code"))
	if err != nil {
		slog.WarnContext(c.Request.Context(), "portal login failed", "error", err)
		return p.problem(c, "The login could not be completed. Please log in again.")
	}
	page := templates.PortalProfile{Name: person.Name, Times: person.At.Format(time.RFC1123) + " · " + person.ACR}
	for _, name := range slices.Sorted(maps.Keys(person.Claims)) {
		page.Claims = append(page.Claims, templates.PortalClaim{Name: name, Value: cell(person.Claims[name])})
	}
	return templates.Render(c.Writer, c.Request, http.StatusOK, page)
}

func (p *Portal) begun(c *gin.Context) (Attempt, bool) {
	var a Attempt
	kept, err := c.Request.Cookie(attemptCookie)
	if err != nil {
		return a, false
	}
	raw, err := base64.RawURLEncoding.DecodeString(kept.Value)
	if err != nil || json.Unmarshal(raw, &a) != nil {
		return a, false
	}
	return a, a.State != ""
}

func (p *Portal) problem(c *gin.Context, sentence string) error {
	return templates.Render(c.Writer, c.Request, http.StatusOK, templates.Portal{Problem: sentence})
}

func (p *Portal) logout(c *gin.Context) error {
	c.Redirect(http.StatusSeeOther, "/demo/portal")
	return nil
}
