package login

import (
	"github.com/gin-gonic/gin"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/templates"
)

// shown is what a page shows besides the state: what was wrong, and what was
// entered with it.
type shown struct {
	wrong    []missed
	factor   string
	position biometrics.Position
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

// fingers are the positions to choose from.
var fingers = []biometrics.Position{"rightThumb", "rightIndex", "rightMiddle", "rightRing", "rightLittle",
	"leftThumb", "leftIndex", "leftMiddle", "leftRing", "leftLittle"}

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
		page = consentPage(client, v, errors)
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
	page := templates.LoginFinger{Client: client, Visit: v.Visit.ID, Position: string(s.position), Errors: errors}
	if page.Position == "" {
		page.Position = "rightIndex"
	}
	for _, p := range fingers {
		page.Positions = append(page.Positions, string(p))
	}
	return page
}

// consentPage ticks nothing beforehand: what a person did not do is no consent.
func consentPage(client string, v visit, errors []templates.FieldError) templates.Page {
	page := templates.Consent{Client: client, Visit: v.Visit.ID, Credentials: v.asked.Credentials, Minutes: v.asked.Minutes, Errors: errors}
	for _, claim := range v.asked.Claims {
		if claim.Essential {
			page.Essential = append(page.Essential, claim.Name)
		} else {
			page.Voluntary = append(page.Voluntary, templates.ConsentClaim{Name: claim.Name})
		}
	}
	return page
}
