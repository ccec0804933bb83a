package enrol

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/finger"
	"github.com/plinth-id/plinth/biometrics/sketch"
	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/registry/place"
)

// Likeness is one finger of an application beside the one of a candidate that it is
// most like, drawn with what makes them alike.
type Likeness struct {
	Position  biometrics.Position `json:"position"`
	Candidate biometrics.Position `json:"candidate_position"`
	Score     biometrics.Score    `json:"score"`
	SVG       string              `json:"svg"`
}

// Likenesses draws what a case is about, for an officer who must judge it. That they
// looked is kept, since fingers of two persons are shown.
func (o *Office) Likenesses(ctx context.Context, id, of uuid.UUID, officer place.Officer) ([]Likeness, error) {
	if officer.Role != place.Adjudicator && officer.Role != place.Administrator {
		return nil, errNoJudge
	}
	c, err := readCase(ctx, o.Pool, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, errNoCase
	}
	if err != nil {
		return nil, fmt.Errorf("reading a case: %w", err)
	}
	if c.decided {
		return nil, errDecided
	}
	candidates, err := readCandidates(ctx, o.Pool, id)
	if err != nil {
		return nil, fmt.Errorf("reading a case: %w", err)
	}
	if !slices.ContainsFunc(candidates, func(c candidate) bool { return c.Application == of }) {
		return nil, errNoMatches
	}
	mine, err := readApplication(ctx, o.Pool, c.Application)
	if err != nil {
		return nil, fmt.Errorf("reading a case: %w", err)
	}
	if officer.ID == mine.officer || officer.ID == mine.submitter {
		return nil, errOwn
	}
	theirs, err := readApplication(ctx, o.Pool, of)
	if err != nil {
		return nil, fmt.Errorf("reading a case: %w", err)
	}
	// Intent before disclosure: who was shown fingers is known even if the answer is lost.
	err = postgres.InTx(ctx, o.Pool, func(tx pgx.Tx) error {
		return audit.Append(ctx, tx, audit.Entry{Event: audit.CaseShown, Person: theirs.person, Actor: "officer:" + officer.ID.String(), Subject: id.String(),
			Details: map[string]string{"application": c.Application.String(), "candidate": of.String()}})
	})
	if err != nil {
		return nil, err
	}
	probes, err := o.prints(ctx, mine, "application")
	if err != nil {
		return nil, err
	}
	known, err := o.prints(ctx, theirs, "candidate")
	if err != nil {
		return nil, err
	}
	return drawn(probes, known), nil
}

// shownPrint is one finger of a packet as it can be drawn.
type shownPrint struct {
	sketch.Print
	position biometrics.Position
}

// prints are the fingers of a packet that can be read.
func (o *Office) prints(ctx context.Context, a Application, whose string) ([]shownPrint, error) {
	c, err := o.stored(ctx, a)
	if err != nil {
		return nil, err
	}
	var all []shownPrint
	for _, s := range c.Samples {
		if s.Position.Modality() != biometrics.Finger {
			continue
		}
		seen, err := s.picture()
		if err != nil {
			continue // it was good enough once; another version of the engine may see it otherwise
		}
		img, err := finger.Decode(seen.Data)
		if err != nil {
			continue
		}
		if t, _, err := finger.Extract(img); err == nil {
			all = append(all, shownPrint{sketch.Print{Name: whose + ": " + string(s.Position), Template: t, Image: img}, s.Position})
		}
	}
	return all, nil
}

// drawn puts beside each finger of one the finger of the other that it is most like:
// that of the same name, unless another is more so.
func drawn(probes, known []shownPrint) []Likeness {
	var all []Likeness
	for _, p := range probes {
		best, at := biometrics.Score(-1), -1
		for i, k := range known {
			score := finger.Compare(p.Template, k.Template)
			if score > best || score == best && k.position == p.position {
				best, at = score, i
			}
		}
		if at >= 0 {
			all = append(all, Likeness{p.position, known[at].position, best, string(sketch.Pair(p.Print, known[at].Print).SVG())})
		}
	}
	return all
}
