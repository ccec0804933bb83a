package login

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/skip2/go-qrcode"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/web"
	"github.com/plinth-id/plinth/registry/auth"
	"github.com/plinth-id/plinth/templates"
)

// WalletQuestion is a login for which a wallet shall show a credential of ours.
type WalletQuestion struct {
	Purpose string // for the person, in their language: who asks, and why
	Key     string // with which the answer is fetched
	Return  string // where the wallet's browser is sent; empty: a page of ours asks the browser itself
	From    string // network of the caller
}

// WalletRequest waits for a wallet's answer.
type WalletRequest struct {
	ID      uuid.UUID
	Link    string         // opens a wallet, or is drawn
	Browser map[string]any // for navigator.credentials.get, where no Return was given
	Answer  string         // where a page sends what the browser gave
	Expires time.Time
}

// asking is a request of this visit. The key is in the cookie alone, so that only
// the browser that asked gets the answer.
type asking struct {
	ID    uuid.UUID `json:"id"`
	Key   string    `json:"key"`
	Until time.Time `json:"until"`
}

// credentialPage shows a request for wallets, as a picture and as a link. Whoever
// scans it on another device must say the number of this page there: a picture that
// was sent on to somebody else is worth nothing without it.
func (f *Flow) credentialPage(c *gin.Context, v *visit, step templates.LoginStep) (templates.Page, error) {
	if v.Asking != nil && f.Now().Before(v.Asking.Until) {
		if l, err := readShown(c, f.Pool, v.Asking.ID, f.Now()); err == nil && (l.State == "open" || l.State == "confirmed") {
			return f.drawShown(l, step)
		}
	}
	l, err := f.askWallet(c, v, true)
	if err != nil {
		return nil, err
	}
	return f.drawShown(l, step)
}

// askWallet makes a request; by a link, or for the browser of the page.
func (f *Flow) askWallet(c *gin.Context, v *visit, byLink bool) (shownRow, error) {
	visit, err := uuid.Parse(v.Visit.ID)
	if err != nil {
		return shownRow{}, err
	}
	// Before the verifier keeps one, too.
	if n, err := countShown(c, f.Pool, visit); err != nil || n >= mostShown {
		return shownRow{}, either(err, errManyShown)
	}
	a := asking{ID: uuid.New(), Key: rand.Text()}
	about := v.asked.forWalletsDevice()
	q := WalletQuestion{Purpose: about.sentence(templates.For(c.Request)), Key: a.Key, From: web.From(c)}
	row := shownRow{ID: a.ID, State: "asked", Visit: visit}
	if byLink {
		if row.Number, err = draw("0123456789", 2); err != nil {
			return row, err
		}
		row.State = "open"
		q.Return = f.Public.JoinPath(Page, "credential/return").String() + "?" + url.Values{"login": {a.ID.String()}}.Encode()
	}
	r, err := f.AskWallet(c, q)
	if err != nil {
		return row, err
	}
	row.Request, row.Link, row.Expires = r.ID, r.Link, r.Expires
	if row.Asked, err = json.Marshal(about); err != nil {
		return row, err
	}
	if !byLink {
		if row.Browser, err = json.Marshal(map[string]any{"request": r.Browser, "answer_uri": r.Answer}); err != nil {
			return row, err
		}
	}
	if kept, err := insertShown(c, f.Pool, row, mostShown); err != nil || !kept {
		return row, either(err, errManyShown)
	}
	a.Until = r.Expires
	v.Asking = &a
	return row, f.save(c, v.state)
}

// either is the first error that there is.
func either(err error, or *fault.Fault) error {
	if err != nil {
		return err
	}
	return or
}

// mostShown are the requests that one visit makes: a few that were too late, and a few in
// which somebody went to and fro.
const mostShown = 10

var errManyShown = fault.New(fault.Busy, "This login has asked wallets often enough. Go back and log in another way, or begin again.").Named(web.RateLimited)

func (f *Flow) drawShown(l shownRow, step templates.LoginStep) (templates.Page, error) {
	page := templates.LoginCredential{LoginStep: step, Number: l.Number, Confirmed: l.State == "confirmed"}
	if page.Confirmed {
		return page, nil
	}
	png, err := qrcode.Encode(l.Link, qrcode.Low, 360)
	if err != nil {
		return nil, fmt.Errorf("drawing a request: %w", err)
	}
	page.Picture = template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(png))
	page.Link = template.URL(l.Link) // the verifier's: a scheme of wallets and escaped parameters
	return page, nil
}

// walletAbout is what the wallet's device shows of a login.
type walletAbout struct {
	Names   map[string]string `json:"names"`
	Purpose map[string]string `json:"purpose"`
}

func (a Asked) forWalletsDevice() walletAbout {
	w := a.forWallet()
	return walletAbout{w.Names, w.Purpose}
}

// sentence is who asks and why, for the screen of a wallet.
func (w walletAbout) sentence(l templates.Language) string {
	text := l.Must("login.credential.purpose", "Client", w.Names[l.BCP47])
	if why := w.Purpose[l.BCP47]; why != "" {
		text += " " + why
	}
	return short(text, 200)
}

// short cuts a text to so many bytes at most, between characters.
func short(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}

// credentialState tells the page how far the wallet is.
func (f *Flow) credentialState(c *gin.Context) error {
	s, err := f.load(c.Request)
	if err != nil {
		return err
	}
	if s.Asking == nil {
		return errGone
	}
	l, err := readShown(c, f.Pool, s.Asking.ID, f.Now())
	if errors.Is(err, pgx.ErrNoRows) {
		return errGone
	}
	if err != nil {
		return fmt.Errorf("looking up a request: %w", err)
	}
	c.JSON(http.StatusOK, map[string]string{"state": l.State})
	return nil
}

// credentialBrowser makes a request for the browser of the page itself (OpenID4VP
// 1.0, Annex A): the answer is bound to our origin, so there is no number to compare.
func (f *Flow) credentialBrowser(c *gin.Context, v visit) error {
	if !f.shows(v, auth.ByCredential) {
		return errGone
	}
	if v.Asking != nil && f.Now().Before(v.Asking.Until) {
		if l, err := readShown(c, f.Pool, v.Asking.ID, f.Now()); err == nil && l.State == "asked" {
			c.JSON(http.StatusOK, l.Browser)
			return nil
		}
	}
	l, err := f.askWallet(c, &v, false)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, l.Browser)
	return nil
}

// credentialReturned takes the browser of a wallet back. Where it is the browser of
// the login, the login goes on; elsewhere the person must say the number first.
func (f *Flow) credentialReturned(c *gin.Context) error {
	id, err := uuid.Parse(c.Query("login"))
	if err != nil {
		return errGone
	}
	l, err := readShown(c, f.Pool, id, f.Now())
	if errors.Is(err, pgx.ErrNoRows) || err == nil && l.State != "open" {
		return errGone
	}
	if err != nil {
		return fmt.Errorf("looking up a request: %w", err)
	}
	code := c.Query("response_code")
	if v, err := f.open(c); err == nil && v.Asking != nil && v.Asking.ID == id && f.shows(v, auth.ByCredential) {
		if err := f.confirmShown(c, l, code); err != nil {
			return err
		}
		return f.credentialAnswered(c, v)
	}
	return f.confirmPage(c, http.StatusOK, l, code, false)
}

func (f *Flow) confirmPage(c *gin.Context, status int, l shownRow, code string, missing bool) error {
	var about walletAbout
	if err := json.Unmarshal(l.Asked, &about); err != nil {
		return fmt.Errorf("reading a request: %w", err)
	}
	in := templates.For(c.Request)
	page := templates.LoginConfirm{Client: about.Names[in.BCP47], Purpose: about.Purpose[in.BCP47], Login: l.ID.String(), Code: code}
	if missing {
		page.Errors = []templates.FieldError{{Field: "number", Message: in.Must("login.confirm.missing")}}
	}
	return templates.Render(c.Writer, c.Request, status, page)
}

// credentialConfirmed takes the number on the wallet's device. A wrong one ends the
// login: there is one try in a hundred to guess it, and no second.
func (f *Flow) credentialConfirmed(c *gin.Context) error {
	if err := parse(c.Request); err != nil {
		return err
	}
	form := c.Request.PostForm
	id, err := uuid.Parse(form.Get("login"))
	if err != nil {
		return errGone
	}
	l, err := readShown(c, f.Pool, id, f.Now())
	if errors.Is(err, pgx.ErrNoRows) || err == nil && l.State != "open" {
		return errGone
	}
	if err != nil {
		return fmt.Errorf("looking up a request: %w", err)
	}
	number := tidy(form.Get("number"))
	if number == "" {
		return f.confirmPage(c, http.StatusUnprocessableEntity, l, form.Get("response_code"), true)
	}
	if subtle.ConstantTimeCompare([]byte(number), []byte(l.Number)) != 1 {
		if _, err := moveShown(c, f.Pool, shownRow{ID: l.ID, State: "refused"}, "open", f.Now()); err != nil {
			return errGone.Because(err)
		}
		return errNumber
	}
	if err := f.confirmShown(c, l, form.Get("response_code")); err != nil {
		return err
	}
	return templates.Render(c.Writer, c.Request, http.StatusOK, templates.LoginConfirmed{})
}

func shownPlace(id uuid.UUID) []byte { return []byte("oidc shown " + id.String()) }

// maxResponseCode bounds what the verifier gives a wallet's browser to bring back.
const maxResponseCode = 256

// confirmShown keeps the code that the wallet's browser brought, sealed, for the
// browser of the login.
func (f *Flow) confirmShown(c *gin.Context, l shownRow, code string) error {
	if code == "" || len(code) > maxResponseCode {
		return errGone
	}
	sealed, err := f.Ring.Seal(keys.Sessions, []byte(code), shownPlace(l.ID))
	if err != nil {
		return fmt.Errorf("keeping an answer: %w", err)
	}
	if _, err := moveShown(c, f.Pool, shownRow{ID: l.ID, State: "confirmed", Code: sealed}, "open", f.Now()); err != nil {
		return errGone.Because(err)
	}
	return nil
}

// credentialAnswered goes on with what the wallet has shown, once it has.
func (f *Flow) credentialAnswered(c *gin.Context, v visit) error {
	if !f.shows(v, auth.ByCredential) || v.Asking == nil {
		return f.onward(c, v.state)
	}
	l, err := readShown(c, f.Pool, v.Asking.ID, f.Now())
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("looking up a request: %w", err)
	}
	switch {
	case err != nil, l.State == "open":
		return f.lacking(c, v, "credential", "login.credential.waiting")
	case l.State != "confirmed" && l.State != "asked": // the browser binds the answer to its page by itself
		return f.lacking(c, v, "credential", "login.credential.refused")
	}
	// Out of use before it is used, as any answer is.
	if _, err := moveShown(c, f.Pool, shownRow{ID: l.ID, State: "done"}, l.State, f.Now()); err != nil {
		return errGone.Because(err)
	}
	p := auth.Presentation{Request: l.Request, Key: v.Asking.Key}
	if l.Code != nil {
		code, err := f.Ring.Open(keys.Sessions, l.Code, shownPlace(l.ID))
		if err != nil {
			return errGone.Because(err)
		}
		p.Code = string(code)
	}
	v.Asking = nil
	return f.prove(c, v, auth.Attempt{Presentation: p})
}
