package vc

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/plinth-id/plinth/credentials/vc/shape"
)

// Shape makes drafts of one kind without JSON-LD, which takes nine tenths of the time
// of a signature. Only NewShape makes one.
type Shape struct {
	contexts []string
	types    []string
	known    Contexts
	form     shape.Shape
}

// NewShape works out the shape of a kind from a specimen that has all that a
// credential of the kind can have. What it has several of may come in any number;
// all of it but the contexts and the types may be missing.
func NewShape(specimen DraftInput) (Shape, error) {
	draft, err := NewDraft(specimen)
	if err != nil {
		return Shape{}, err
	}
	form, err := shape.New(draft.doc, specimen.Known)
	if err != nil {
		return Shape{}, err
	}
	s := Shape{specimen.Contexts, specimen.Types, specimen.Known, form}
	again, err := s.Draft(specimen)
	if err != nil {
		return Shape{}, err
	}
	return s, again.Recheck()
}

// Draft is NewDraft for a credential of the kind. ErrShape is for one that says what
// the specimen did not: NewDraft may still take it.
func (s Shape) Draft(d DraftInput) (Draft, error) {
	if !slices.Equal(d.Contexts, s.contexts) || !slices.Equal(d.Types, s.types) {
		return Draft{}, ErrShape
	}
	said, err := d.document()
	if err != nil {
		return Draft{}, err
	}
	doc, quads, err := s.form.Fill(said)
	if err != nil {
		return Draft{}, err
	}
	doc["@context"] = anys(append([]string{ContextV2}, d.Contexts...))
	if _, err := read(doc); err != nil {
		return Draft{}, err
	}
	return Draft{doc: doc, party: d.Issuer, purpose: purposeAssert, known: s.known}.with(quads)
}

// Recheck works out the long way what a draft states, and is ErrShape when it is not
// what was worked out before. Whoever uses a shape does so now and then.
func (d Draft) Recheck() error {
	if d.doc == nil {
		return fmt.Errorf("%w: an empty draft", ErrMalformed)
	}
	documents := []string{}
	if d.purpose == purposeAuth {
		documents = []string{memberCredentials}
	}
	again, err := d.stating(documents...)
	if err != nil {
		return err
	}
	if !bytes.Equal(again.sum, d.sum) {
		return fmt.Errorf("%w: the statements differ", ErrShape)
	}
	return nil
}
