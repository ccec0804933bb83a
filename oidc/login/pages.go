package login

import (
	"encoding/json"
	"html/template"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/plinth-id/plinth/registry/auth"
	"github.com/plinth-id/plinth/templates"
)

// shown is what a page shows besides the state: what was wrong, and what was
// entered with it.
type shown struct {
	wrong    []missed
	position string
}

// missed is a field with the key of the sentence that says what to do.
type missed struct{ field, key string }

func (s *shown) add(field, key string) { s.wrong = append(s.wrong, missed{field, key}) }

func (s *shown) errors(l templates.Language) ([]templates.FieldError, error) {
	var all []templates.FieldError
	for _, m := range s.wrong {
		sentence, err := l.Text(m.key)
		if err != nil {
			return nil, err
		}
		all = append(all, templates.FieldError{Field: m.field, Message: sentence})
	}
	return all, nil
}

// page renders what is missing.
func (f *Flow) page(c *gin.Context, status int, v visit, s shown) error {
	l := templates.For(c.Request)
	errors, err := s.errors(l)
	if err != nil {
		return err
	}
	step := templates.LoginStep{Client: v.asked.Name(l.BCP47), Visit: v.Visit.ID, Minutes: f.minutes(v), Choices: len(f.methods(v)) > 1, Sandbox: v.asked.Sandbox, Errors: errors}
	var page templates.Page
	switch f.missing(v) {
	case choose:
		page = f.choosePage(v, l, step)
	case identify:
		identify := templates.LoginIdentify{LoginStep: step, Identifier: v.Hint, Method: string(v.Method)}
		if identify.Work, err = f.work(c, v); err != nil {
			return err
		}
		page = identify
	case show:
		if page, err = f.evidencePage(c, &v, step, s); err != nil {
			return err
		}
	default:
		if page, err = f.consentPage(c, v, l, step); err != nil {
			return err
		}
	}
	return templates.Render(c.Writer, c.Request, status, page)
}

func (f *Flow) choosePage(v visit, l templates.Language, step templates.LoginStep) templates.Page {
	page := templates.Login{LoginStep: step, Again: len(v.Proof) > 0, Purpose: v.asked.Purpose(l.BCP47), Logo: logo(v.asked.Logo)}
	for _, m := range f.methods(v) {
		page.Methods = append(page.Methods, string(m))
	}
	return page
}

// consentPage shows what each claim would tell, and ticks nothing beforehand: what
// a person did not do is no consent.
func (f *Flow) consentPage(c *gin.Context, v visit, l templates.Language, step templates.LoginStep) (templates.Page, error) {
	proof, err := f.proof(v.state)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, claim := range v.asked.Claims {
		names = append(names, claim.Name)
	}
	told, err := f.Told(c.Request.Context(), proof.Person(), names, l.Tag)
	if err != nil {
		return nil, err
	}
	page := templates.Consent{LoginStep: step, Days: v.asked.Days, Offline: v.asked.Offline, Binding: v.asked.Binding, Purpose: v.asked.Purpose(l.BCP47), Policy: v.asked.Policy, Logo: logo(v.asked.Logo)}
	for _, claim := range v.asked.Claims {
		value, has := told[claim.Name]
		shown := templates.ConsentClaim{Name: claim.Name, Value: value, Purpose: claim.Purpose, Verified: claim.Verified}
		switch {
		case has && claim.Essential:
			page.Essential = append(page.Essential, shown)
		case has:
			page.Voluntary = append(page.Voluntary, shown)
		}
	}
	page.Powers, page.Resources = v.asked.Powers, v.asked.Resources
	for _, id := range v.asked.Credentials {
		words, err := l.Text("consent.credential." + id)
		if err != nil {
			words = id // a deployment's own, of which the catalogue knows nothing
		}
		page.Credentials = append(page.Credentials, words)
	}
	return page, nil
}

// work is what the browser is to work out before a number is taken; empty: nothing.
func (f *Flow) work(c *gin.Context, v visit) (string, error) {
	pressed, err := f.pressed(c, v, v.Hint)
	if err != nil || !pressed {
		return "", err
	}
	raw, err := json.Marshal(f.Desk.AskWork())
	return string(raw), err
}

// logo is the picture of a client when it is carried in its metadata. One that
// lies elsewhere would tell its host who is logging in where.
func logo(uri string) template.URL {
	if strings.HasPrefix(uri, "data:image/png;base64,") || strings.HasPrefix(uri, "data:image/jpeg;base64,") {
		return template.URL(uri)
	}
	return ""
}

// minutes are those left for a page, in whole ones: what the page says must hold.
func (f *Flow) minutes(v visit) int {
	return max(1, int(f.expires(v).Sub(f.Now()).Round(time.Second)/time.Minute))
}

// expires is when a visit ends: with what was proven in a session from before, if that
// ends earlier.
func (f *Flow) expires(v visit) time.Time {
	if proof, err := f.proof(v.state); err == nil && v.Stayed && proof.At().Add(auth.SessionLife).Before(v.Expires) {
		return proof.At().Add(auth.SessionLife)
	}
	return v.Expires
}
