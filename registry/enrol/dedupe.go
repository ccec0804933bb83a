package enrol

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/gallery"
	"github.com/plinth-id/plinth/internal/audit"
)

// mostCandidates is how many of those who are most alike are looked at.
const mostCandidates = 30

// candidate is somebody before us in line whom the applicant may be.
type candidate struct {
	Application uuid.UUID       `json:"application"`
	Score       float64         `json:"score"`   // of all fingers and eyes together
	Fingers     int             `json:"fingers"` // and eyes, in common
	SameData    bool            `json:"same_data"`
	SameImage   bool            `json:"same_image"` // one image, or a copy of it, came with both
	Verdict     gallery.Verdict `json:"-"`
	state       State
	place       int64
}

// decided tells whether this is a person with a number.
func (c candidate) decided() bool { return c.state == Assigned || c.state == Notified }

// dedupe compares an applicant with everyone before them in line, decided or not.
func (o *Office) dedupe(ctx context.Context, a Application) outcome {
	mine, err := galleryOf(ctx, o.Pool, a.ID)
	if err != nil {
		return tryAgain{fmt.Errorf("reading a place: %w", err)}
	}
	if err := o.catchUp(ctx, mine.Place-1); err != nil {
		return tryAgain{err}
	}
	prints, err := o.openPrints(mine)
	if err != nil {
		return tryAgain{err}
	}
	found, err := o.similar(ctx, prints, mine.Place)
	if err != nil {
		return tryAgain{err}
	}
	if found, err = o.sameData(ctx, mine, prints, found); err != nil {
		return tryAgain{err}
	}
	if found, err = o.sameImage(ctx, mine, prints, found); err != nil {
		return tryAgain{err}
	}
	searched := func(ctx context.Context, tx pgx.Tx) error {
		return audit.Append(ctx, tx, audit.Entry{Event: audit.GallerySearched, Subject: a.ID.String(), Details: map[string]string{
			"place": strconv.FormatInt(mine.Place, 10), "candidates": strconv.Itoa(len(found))}})
	}
	return o.judge(a, found, !prints.Empty(), searched)
}

// judge decides by the candidates. The order matters: a duplicate of somebody
// decided needs no waiting, and nothing is doubtful while it is undecided.
func (o *Office) judge(a Application, found []candidate, printed bool, searched func(context.Context, pgx.Tx) error) outcome {
	var waitsFor *candidate
	var doubts []candidate
	for i, c := range found {
		switch {
		case c.Verdict == gallery.Duplicate && c.decided():
			return duplicate(a, c, searched)
		case !c.decided() && (waitsFor == nil || c.place < waitsFor.place):
			waitsFor = &found[i]
		case c.decided():
			doubts = append(doubts, c)
		}
	}
	switch {
	case waitsFor != nil:
		return onHold{waitsFor: waitsFor.Application, also: searched}
	case len(doubts) > 0 || !printed:
		return o.doubt(a, doubts, searched)
	}
	return passed{to: Unique, event: audit.ApplicationCompared, also: searched}
}

// duplicate ends the application of somebody who has a number.
func duplicate(a Application, c candidate, also func(context.Context, pgx.Tx) error) failed {
	of, notes := c.Application, map[string]string{"duplicate_of": c.Application.String()}
	if c.SameImage {
		notes["same_image"] = "true" // nobody's finger was there a second time, its image was
	}
	return failed{code: "duplicate", reason: "This person has a number already, by application " + of.String() + ". Help them to find it again.",
		notes: notes,
		also: func(ctx context.Context, tx pgx.Tx) error {
			if err := also(ctx, tx); err != nil {
				return err
			}
			return audit.Append(ctx, tx, audit.Entry{Event: audit.DuplicateFound, Subject: a.ID.String(), Details: map[string]string{"duplicate_of": of.String()}})
		}}
}

// similar are those before a place whose fingers and eyes are too alike to pass
// unseen.
func (o *Office) similar(ctx context.Context, prints gallery.Person, before int64) ([]candidate, error) {
	if prints.Empty() {
		return nil, nil
	}
	for {
		hits := o.Gallery.Search(prints, before, mostCandidates)
		refs := make([]uuid.UUID, len(hits))
		for i, hit := range hits {
			refs[i] = hit.Ref
		}
		known, err := standing(ctx, o.Pool, refs)
		if err != nil {
			return nil, fmt.Errorf("reading candidates: %w", err)
		}
		var found []candidate
		stale := false
		for _, hit := range hits {
			c, ok := known[hit.Ref]
			if !ok {
				// Removed since it was loaded. It must not crowd others out.
				o.Gallery.Remove(hit.Ref)
				stale = true
				continue
			}
			c.Score, c.Fingers = float64(hit.Score), len(hit.Fingers)+len(hit.Eyes)
			if c.Verdict = o.Gallery.Decide(hit); c.Verdict != gallery.Unique {
				found = append(found, c)
			}
		}
		if !stale || len(hits) < mostCandidates {
			return found, nil
		}
	}
}

// sameData adds those before us in line with the same name, birth date and
// gender whom fingers do not tell from us: because we have none in common, or
// because ours are a little alike, which with the same data is no chance.
func (o *Office) sameData(ctx context.Context, mine galleryEntry, prints gallery.Person, found []candidate) ([]candidate, error) {
	tokens, _, err := o.tokens(ctx, mine)
	if err != nil {
		return nil, err
	}
	others, err := sameTokens(ctx, o.Pool, tokens, mine.Place)
	if err != nil {
		return nil, fmt.Errorf("reading candidates: %w", err)
	}
	for _, other := range others {
		at := slices.IndexFunc(found, func(c candidate) bool { return c.Application == other.Application })
		if at >= 0 {
			found[at].SameData = true
			continue
		}
		theirs, err := o.openPrints(other.galleryEntry)
		if err != nil {
			return nil, err
		}
		c := candidate{Application: other.Application, SameData: true, Verdict: gallery.Doubtful, state: other.State, place: other.Place}
		if score := gallery.Compare(prints, theirs).Score; score >= alike {
			c.Score, c.Fingers = float64(score), len(prints.Fingers)+len(prints.Eyes)
			found = append(found, c)
		} else if !share(prints, theirs) {
			found = append(found, c)
		}
	}
	return found, nil
}

// alike is how much of a likeness makes somebody with the same data doubtful: one
// that one in ten strangers has.
const alike biometrics.Score = 1

// share tells whether two applicants have a finger or an eye of the same name.
func share(prints, theirs gallery.Person) bool {
	for position := range prints.Eyes {
		if _, ok := theirs.Eyes[position]; ok {
			return true
		}
	}
	for position := range prints.Fingers {
		if _, ok := theirs.Fingers[position]; ok {
			return true
		}
	}
	return false
}
