package login

import (
	"github.com/gin-gonic/gin"

	"github.com/plinth-id/plinth/registry/auth"
	"github.com/plinth-id/plinth/templates"
)

// shown is what a page shows besides the state: what was wrong, and what was
// entered with it.
type shown struct {
	wrong    []missed
	factor   string
	position string
}

// missed is a field with the key of the sentence that says what to do.
type missed struct{ field, key string }

func (s *shown) add(field, key string) { s.wrong = append(s.wrong, missed{field, key}) }
func (s *shown) any() bool             { return len(s.wrong) > 0 }

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

// fingers are what there is to choose from, each as the attempt that it begins.
var fingers = []auth.Attempt{{Position: "rightThumb"}, {Position: "rightIndex"}, {Position: "rightMiddle"}, {Position: "rightRing"}, {Position: "rightLittle"},
	{Position: "leftThumb"}, {Position: "leftIndex"}, {Position: "leftMiddle"}, {Position: "leftRing"}, {Position: "leftLittle"}}

// page renders what is missing.
func (f *Flow) page(c *gin.Context, status int, v visit, s shown) error {
	l := templates.For(c.Request)
	errors, err := s.errors(l)
	if err != nil {
		return err
	}
	client := v.asked.Name(l.Tag)
	var page templates.Page
	switch v.missing() {
	case code:
		page = templates.LoginCode{Client: client, Visit: v.Visit.ID, Sent: v.Sent, Again: v.Again, Errors: errors}
	case finger:
		page = fingerPage(client, v, s, errors)
	case consent:
		if page, err = f.consentPage(c, v, l); err != nil {
			return err
		}
	default:
		factor := s.factor
		if factor == "" && !s.any() {
			factor = string(code)
		}
		page = templates.Login{Client: client, Visit: v.Visit.ID, Identifier: v.Identifier, Factor: factor, Errors: errors}
	}
	return templates.Render(c.Writer, c.Request, status, page)
}

func fingerPage(client string, v visit, s shown, errors []templates.FieldError) templates.Page {
	page := templates.LoginFinger{Client: client, Visit: v.Visit.ID, Position: s.position, Errors: errors}
	if page.Position == "" {
		page.Position = "rightIndex" // what most scanners are used with
	}
	for _, f := range fingers {
		page.Positions = append(page.Positions, string(f.Position))
	}
	return page
}

// consentPage shows what each claim would tell, and ticks nothing beforehand: what
// a person did not do is no consent.
func (f *Flow) consentPage(c *gin.Context, v visit, l templates.Language) (templates.Page, error) {
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
	page := templates.Consent{Client: v.asked.Name(l.Tag), Visit: v.Visit.ID, Minutes: v.asked.Minutes}
	for _, claim := range v.asked.Claims {
		value, has := told[claim.Name]
		switch {
		case has && claim.Essential:
			page.Essential = append(page.Essential, templates.ConsentClaim{Name: claim.Name, Value: value})
		case has:
			page.Voluntary = append(page.Voluntary, templates.ConsentClaim{Name: claim.Name, Value: value})
		}
	}
	for _, id := range v.asked.Credentials {
		words, err := l.Text("consent.credential." + id)
		if err != nil {
			words = id // a deployment's own, of which the catalogue knows nothing
		}
		page.Credentials = append(page.Credentials, words)
	}
	return page, nil
}
