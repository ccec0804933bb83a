package slap

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/finger"
)

// Why the fingers of a person are doubted.
var (
	ErrRepeated = errors.New("slap: one finger was given as two")
	ErrSwapped  = errors.New("slap: fingers are not those that they were captured as before")
)

// Doubt is what Check finds: which positions should be captured again.
type Doubt struct {
	Repeated []Pair // one finger given as two
	Swapped  []Pair // given as A, but the finger that was B before
}

// Pair is two positions, and how surely they show one finger.
type Pair struct {
	A, B  biometrics.Position
	Score biometrics.Score
}

// Error names the positions.
func (d *Doubt) Error() string {
	var said []string
	for _, p := range d.Repeated {
		said = append(said, fmt.Sprintf("%s and %s are the same finger", p.A, p.B))
	}
	for _, p := range d.Swapped {
		said = append(said, fmt.Sprintf("%s looks like %s", p.A, p.B))
	}
	return "slap: " + strings.Join(said, "; ")
}

// Unwrap tells errors.Is which of both it is.
func (d *Doubt) Unwrap() (all []error) {
	if len(d.Repeated) > 0 {
		all = append(all, ErrRepeated)
	}
	if len(d.Swapped) > 0 {
		all = append(all, ErrSwapped)
	}
	return all
}

// sure is asked of two positions: up to 145 comparisons are made of one person, and
// fingers of one person are a little alike.
const sure = finger.Threshold + 2

// Check compares the fingers of one person with one another, and with those that were
// captured of the same person before, where there are any: nil, or a *Doubt.
func Check(fingers, before map[biometrics.Position]finger.Template) error {
	var d Doubt
	order := inOrder(fingers)
	for i, a := range order {
		for _, b := range order[i+1:] {
			if score := finger.Compare(fingers[a], fingers[b]); score >= sure {
				d.Repeated = append(d.Repeated, Pair{a, b, score})
			}
		}
		best := Pair{A: a}
		for _, b := range inOrder(before) {
			if score := finger.Compare(fingers[a], before[b]); score > best.Score {
				best.B, best.Score = b, score
			}
		}
		if best.Score >= sure && best.B != a {
			d.Swapped = append(d.Swapped, best)
		}
	}
	if len(d.Repeated)+len(d.Swapped) == 0 {
		return nil
	}
	return &d
}

// inOrder are the positions of ISO/IEC 19794-2, from 1 to 10.
func inOrder(fingers map[biometrics.Position]finger.Template) (all []biometrics.Position) {
	for p := range fingers {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b biometrics.Position) int { return a.Code() - b.Code() })
	return all
}
