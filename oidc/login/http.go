package login

import (
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"github.com/plinth-id/plinth/internal/web"
	"github.com/plinth-id/plinth/registry/auth"
)

// maxImage bounds the picture of a finger, an eye or a face, and the form around it.
const maxImage = 4<<20 + 16<<10

// maxCapture bounds what a device answers: an image as base64 within base64.
const maxCapture = 8 << 20

// Page is where every visit goes on.
const Page = "/oidc/login"

// Routes opens the doors of the pages.
func (f *Flow) Routes(r *web.Router) {
	r.Handle(http.MethodGet, Page, web.Anyone, f.show)
	for path, take := range map[string]func(*gin.Context, visit) error{
		"": f.identified, "/method": f.chosen, "/code": f.coded, "/secret": f.secret, "/knowledge": f.known, "/passkey": f.passkey,
		"/resend": f.resend, "/back": f.back, "/cancel": f.cancel, "/consent": f.consented, "/longer": f.longer, "/wallet": f.walletAnswered, "/credential": f.credentialAnswered, "/credential/browser": f.credentialBrowser,
	} {
		r.Handle(http.MethodPost, Page+path, web.Anyone, f.taken(take))
	}
	r.Handle(http.MethodGet, Page+"/wallet/state", web.Anyone, f.linked)
	r.Handle(http.MethodGet, Page+"/credential/state", web.Anyone, f.credentialState)
	r.Handle(http.MethodGet, Page+"/credential/return", web.Anyone, f.credentialReturned)
	r.Handle(http.MethodPost, Page+"/credential/confirm", web.Anyone, f.credentialConfirmed)
	f.linkRoutes(r)
	r.Handle(http.MethodPost, Page+"/image", web.Anyone, f.taken(f.imaged), web.MaxBody(maxImage))
	r.Handle(http.MethodPost, Page+"/device", web.Anyone, f.taken(f.captured), web.MaxBody(maxCapture))
	r.Handle(http.MethodGet, Page+"/device/help", web.Anyone, f.deviceHelp)
	r.Handle(http.MethodGet, Page+"/device/certificate", web.Anyone, f.certificate)
}

// Start is what is known of somebody when a visit begins.
type Start struct {
	Proof   auth.Proof // of a session that is good enough; zero: none
	Hint    string     // who the client thinks it is
	Locales string     // that the client wishes for
}

// Begin starts a visit in this browser and leads it to the first page.
func (f *Flow) Begin(c *gin.Context, v Visit, start Start) error {
	now := f.Now()
	s := state{Visit: v, Began: now, Expires: now.Add(life), Hint: tidy(start.Hint), Locales: start.Locales}
	if len(s.Hint) > maxIdentifier {
		s.Hint = ""
	}
	if len(s.Locales) > maxLocales {
		s.Locales = ""
	}
	if !start.Proof.Zero() {
		sealed, err := f.Desk.Stay(start.Proof, []byte(v.ID))
		if err != nil {
			return err
		}
		s.Proof, s.Stayed = sealed, true
	}
	return f.onward(c, s)
}

// maxLocales bounds what a client may wish for; a real list is shorter.
const maxLocales = 128

// visit is a visit with the question that it is about.
type visit struct {
	state
	asked Asked
}

// open gives the visit of this browser, and has the page's forms and the language
// follow it.
func (f *Flow) open(c *gin.Context) (visit, error) {
	s, err := f.load(c.Request)
	if err != nil {
		return visit{}, err
	}
	asked, err := f.Recall(c.Request.Context(), s.Visit)
	if err != nil {
		return visit{}, err
	}
	// Browsers hold the redirect after a form to the policy of the page with the form.
	web.AllowFormTo(c, asked.Redirect)
	query := c.Request.URL.Query()
	if s.Locales != "" && query.Get("lang") == "" {
		query.Set("ui_locales", s.Locales)
		c.Request.URL.RawQuery = query.Encode()
	}
	v := visit{state: s, asked: asked}
	if only := f.methods(v); v.Method == "" && len(only) == 1 {
		v.Method = only[0] // there is nothing to choose
	}
	return v, nil
}

// show gives the page of whatever is missing.
func (f *Flow) show(c *gin.Context) error {
	v, err := f.open(c)
	if err != nil {
		return err
	}
	if chosen := c.Request.URL.Query().Get("lang"); chosen != "" && v.Locales != "" {
		v.Locales = "" // the person's choice goes before the client's wish
		if err := f.save(c, v.state); err != nil {
			return err
		}
	}
	return f.page(c, http.StatusOK, v, shown{})
}

// taken wraps what every form has in common: it belongs to the visit that this
// browser is on.
func (f *Flow) taken(take func(*gin.Context, visit) error) func(*gin.Context) error {
	return func(c *gin.Context) error {
		v, err := f.open(c)
		if err != nil {
			return err
		}
		if err := parse(c.Request); err != nil {
			return err
		}
		if c.Request.PostForm.Get("visit") != v.Visit.ID {
			return errTwo
		}
		return take(c, v)
	}
}

// onward saves the state and leads to the page of what is missing now. The
// browser asks with GET, so that going back or reloading sends nothing again.
func (f *Flow) onward(c *gin.Context, s state) error {
	if err := f.save(c, s); err != nil {
		return err
	}
	c.Redirect(http.StatusSeeOther, Page)
	return nil
}

// end tells whoever asked, and leads the browser back to the client.
func (f *Flow) end(c *gin.Context, v visit, d Decision) error {
	ending, err := f.Finish(c.Request.Context(), v.Visit, d)
	if err != nil {
		return err
	}
	if _, err := url.Parse(ending.To); err != nil {
		return err
	}
	f.setCookie(c, loginCookie, "", 0)
	if ending.Session != "" {
		f.setCookie(c, sessionCookie, ending.Session, auth.SessionLife)
	}
	c.Redirect(http.StatusSeeOther, ending.To)
	return nil
}

// Session is by what this browser is known; empty: it is not.
func (f *Flow) Session(r *http.Request) string {
	kept, err := r.Cookie(f.cookieName(sessionCookie))
	if err != nil {
		return ""
	}
	return kept.Value
}

// Leave has this browser forget who was logged in.
func (f *Flow) Leave(c *gin.Context) {
	f.setCookie(c, sessionCookie, "", 0)
	f.setCookie(c, loginCookie, "", 0)
}
