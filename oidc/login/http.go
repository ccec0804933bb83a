package login

import (
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"github.com/plinth-id/plinth/internal/web"
)

// maxImage bounds the picture of a finger, and the form around it.
const maxImage = 4<<20 + 16<<10

// Page is where every visit goes on.
const Page = "/oidc/login"

// Routes opens the doors of the pages.
func (f *Flow) Routes(r *web.Router) {
	r.Handle(http.MethodGet, Page, web.Anyone, f.show)
	for path, take := range map[string]func(*gin.Context, visit) error{
		Page: f.identified, Page + "/code": f.coded, Page + "/resend": f.resend,
		Page + "/back": f.back, Page + "/cancel": f.cancel, Page + "/consent": f.consented,
	} {
		r.Handle(http.MethodPost, path, web.Anyone, f.taken(take))
	}
	r.Handle(http.MethodPost, Page+"/finger", web.Anyone, f.taken(f.fingered), web.MaxBody(maxImage))
}

// Begin starts a visit in this browser and leads it to the first page.
func (f *Flow) Begin(c *gin.Context, v Visit, hint, locales string) error {
	s := state{Visit: v, Expires: f.Now().Add(life), Identifier: tidy(hint), Locales: locales}
	if len(s.Identifier) > maxIdentifier {
		s.Identifier = ""
	}
	if len(locales) > maxLocales {
		s.Locales = ""
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
	return visit{state: s, asked: asked}, nil
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
	to, err := f.Finish(c.Request.Context(), v.Visit, d)
	if err != nil {
		return err
	}
	if _, err := url.Parse(to); err != nil {
		return err
	}
	f.setCookie(c, loginCookie, "", 0)
	c.Redirect(http.StatusSeeOther, to)
	return nil
}
