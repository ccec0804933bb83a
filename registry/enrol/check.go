package enrol

import (
	"context"
	"encoding/hex"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/fault"
)

// check holds data, consent, documents and images to their rules. What it keeps
// are the templates, sealed, and the tokens for the comparison to come.
func (o *Office) check(ctx context.Context, a Application) outcome {
	c, err := o.stored(ctx, a)
	if err != nil {
		return tryAgain{err}
	}
	p, err := o.checkPerson(c)
	if err != nil {
		return refused(err)
	}
	found, err := o.look(ctx, c, p)
	if err != nil {
		return found.refused(a, err)
	}
	e := galleryEntry{Ref: uuid.New(), Application: a.ID}
	if e.Sealed, err = o.sealPrints(e, found.Person); err != nil {
		return tryAgain{err}
	}
	for _, saying := range p.sayings() {
		e.Tokens = append(e.Tokens, o.Ring.Lookup("demographic", saying))
	}
	for _, digest := range found.images {
		e.Images = append(e.Images, o.Ring.Lookup("image", hex.EncodeToString(digest)))
	}
	shots, err := o.sealShots(a, known{found.shots, found.images})
	if err != nil {
		return tryAgain{err}
	}
	return passed{to: Checked, event: audit.ApplicationChecked, also: func(ctx context.Context, tx pgx.Tx) error {
		if err := insertGallery(ctx, tx, e); err != nil {
			return err
		}
		if err := setShots(ctx, tx, a.ID, shots); err != nil {
			return err
		}
		return count(ctx, tx, a.ID, found.tally)
	}}
}

func (o *Office) checkPerson(c contents) (person, error) {
	p, err := parsePerson(c.Person)
	if err != nil {
		return p, err
	}
	if err := p.admissible(); err != nil {
		return p, err
	}
	if err := o.Registry.Schema.Check(p.Fields); err != nil {
		return p, err
	}
	known := o.Registry.Schema.Documents()
	for _, d := range c.Documents {
		if !slices.Contains(known, d.Name) {
			return p, fault.New(fault.Invalid, "A document is of no category that the identity schema knows. Rename what is named.").Named("document-unknown").At(d.Name, "is unknown")
		}
	}
	return p, nil
}
