package scribe

import (
	"time"

	"github.com/plinth-id/plinth/credentials/card"
	"github.com/plinth-id/plinth/credentials/card/pdf"
	"github.com/plinth-id/plinth/credentials/kind"
)

// Printer makes the printer of a kind: with its own card, where it has one.
func Printer(d *kind.Definition, layout string) (*card.Printer, error) {
	t, err := card.Default(layout)
	if layout == card.ID1 && len(d.Card) > 0 {
		t, err = card.ParseTemplate(d.Card)
	}
	if err != nil {
		return nil, err
	}
	return card.New(t)
}

// Content is what is printed of a person beside the code that was signed.
func (h *Hand) Content(k Kind, s Statement, code string) card.Content {
	c := card.Content{Title: k.Definition.Display[0].Name, Languages: s.Who.Languages("fullName"), Values: map[string][]card.Value{},
		Portrait: fitting(s.Who.Portrait), Code: code, Level: k.Target().Level, Issued: s.From}
	for path, said := range k.Definition.Card169(h.facts(s)) {
		for _, one := range said {
			c.Values[path] = append(c.Values[path], card.Value{Text: one.Text, Language: one.Tag})
		}
	}
	c.Values["issued"] = []card.Value{{Text: s.From.Format(time.DateOnly)}}
	c.Values["validUntil"] = []card.Value{{Text: s.Until.Format(time.DateOnly)}}
	return c
}

// Seal is what a printed document is signed with, as far as it can be now.
func (h *Hand) Seal(at time.Time, reason string) *pdf.Signature {
	if h.Stopped != nil {
		return nil // the code on it has a signature of its own
	}
	return &pdf.Signature{Signer: h.Document.Signer, Chain: h.Document.Chain, At: at, Reason: reason}
}
