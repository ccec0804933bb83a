// Package slap takes pictures of several fingers apart: four of a hand laid on a
// scanner together, or two thumbs. It finds the tips, cuts them out upright, says
// which finger each is, and doubts what a hand cannot look like.
package slap

import (
	"errors"
	"fmt"
	"image"
	"slices"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/finger"
)

// Kind is what was laid on the scanner together.
type Kind string

// The kinds, as capture devices call for them.
const (
	RightFour Kind = "right"
	LeftFour  Kind = "left"
	Thumbs    Kind = "thumbs"
)

// orders are the fingers of each kind from left to right in the picture.
var orders = map[Kind][]biometrics.Position{
	RightFour: {biometrics.RightIndex, biometrics.RightMiddle, biometrics.RightRing, biometrics.RightLittle},
	LeftFour:  {biometrics.LeftLittle, biometrics.LeftRing, biometrics.LeftMiddle, biometrics.LeftIndex},
	Thumbs:    {biometrics.LeftThumb, biometrics.RightThumb},
}

// Hand is what is said to be in a picture.
type Hand struct {
	Kind    Kind
	Missing []biometrics.Position // fingers that the person lacks, or that are bandaged
}

// declared are the fingers that should be there, from left to right.
func (h Hand) declared() ([]biometrics.Position, error) {
	order, ok := orders[h.Kind]
	if !ok {
		return nil, fmt.Errorf("%w: %q", ErrHand, h.Kind)
	}
	want := slices.DeleteFunc(slices.Clone(order), func(p biometrics.Position) bool { return slices.Contains(h.Missing, p) })
	if len(want) == 0 || len(want)+len(h.Missing) != len(order) {
		return nil, fmt.Errorf("%w: the missing fingers are not some of this hand's", ErrHand)
	}
	return want, nil
}

// Cut is one finger out of a picture.
type Cut struct {
	Position biometrics.Position
	Image    *finger.Image   // upright
	Corners  [4]image.Point  // of what was cut, in the picture: of the upright finger top left, top right, bottom right, bottom left
	Box      image.Rectangle // around the corners
	Angle    float64         // degrees by which the finger leans, counter-clockwise
	Template finger.Template // empty if the finger cannot be used: Quality says why
	Quality  biometrics.Quality
}

// Why a picture is refused.
var (
	ErrHand      = errors.New("slap: no such hand")
	ErrCount     = errors.New("slap: the fingers in the picture are not as many as were declared")
	ErrWrongHand = errors.New("slap: this looks like the other hand")
	ErrCutOff    = errors.New("slap: finger tips reach over the edge of the picture")
)

// Refused is why a picture cannot be taken apart, by numbers and fingers.
type Refused struct {
	Why         error // ErrCount, ErrWrongHand or ErrCutOff
	Found, Want int
	Positions   []biometrics.Position // which fingers are cut off
}

// Error says it in a sentence.
func (r *Refused) Error() string {
	switch {
	case errors.Is(r.Why, ErrCount):
		return fmt.Sprintf("%v: %d instead of %d", r.Why, r.Found, r.Want)
	case len(r.Positions) > 0:
		return fmt.Sprintf("%v: %v", r.Why, r.Positions)
	}
	return r.Why.Error()
}

// Unwrap tells errors.Is why.
func (r *Refused) Unwrap() error { return r.Why }

// Segment cuts out the fingers of a picture, from left to right. A finger that is
// there but cannot be used is cut as well, with quality 0 and its reasons.
func Segment(img *finger.Image, hand Hand) ([]Cut, error) {
	want, err := hand.declared()
	if err != nil {
		return nil, err
	}
	g := gridOf(img)
	tips := g.tips()
	if len(tips) != len(want) {
		return nil, &Refused{Why: ErrCount, Found: len(tips), Want: len(want)}
	}
	if hand.Kind != Thumbs && mirrored(tips, want) {
		return nil, &Refused{Why: ErrWrongHand, Found: len(tips), Want: len(want)}
	}
	cuts := make([]Cut, len(tips))
	var off []biometrics.Position
	for i, t := range tips {
		if g.cutOff(t) {
			off = append(off, want[i])
		}
		cuts[i] = t.cut(img, g)
		cuts[i].Position = want[i]
	}
	if len(off) > 0 {
		return nil, &Refused{Why: ErrCutOff, Found: len(tips), Want: len(want), Positions: off}
	}
	for i := range cuts {
		c := &cuts[i]
		c.Template, c.Quality, err = finger.Extract(c.Image)
		if err != nil && !errors.Is(err, biometrics.ErrNoFinger) {
			return nil, fmt.Errorf("extracting %s: %w", c.Position, err)
		}
	}
	return cuts, nil
}
