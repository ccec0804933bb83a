package slap

import (
	"errors"
	"image"
	"math"
	"slices"
	"testing"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/finger"
	"github.com/plinth-id/plinth/biometrics/synth"
)

var codes = map[Kind][]int{RightFour: {2, 3, 4, 5}, LeftFour: {7, 8, 9, 10}, Thumbs: {1, 6}}

func picture(t testing.TB, img *image.Gray) *finger.Image {
	t.Helper()
	made, err := finger.FromImage(img, 500)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// Every finger of a hand is found, upright, in its place, as what it is: the print
// that is cut out matches the same finger taken alone, and no other.
func TestFingersAreCutOutOfASlap(t *testing.T) {
	for _, kind := range []Kind{RightFour, LeftFour, Thumbs} {
		hand := synth.GrowHand(40, codes[kind]...)
		alone := make(map[biometrics.Position]finger.Template)
		for _, code := range codes[kind] {
			position, _ := biometrics.FingerOf(code)
			made, _, err := finger.Extract(picture(t, hand.Finger(code).Flawed(0, 1, nil)))
			if err != nil {
				t.Fatal(err)
			}
			alone[position] = made
		}
		for i, turn := range []float64{-30, 12} {
			img := picture(t, hand.Slap(synth.Laid{Fingers: codes[kind], Impression: i, Level: 1 + i%3, Turn: turn}))
			cuts, err := Segment(img, Hand{Kind: kind})
			if err != nil {
				t.Errorf("%s turned by %g: %v", kind, turn, err)
				continue
			}
			for n, c := range cuts {
				if c.Position != orders[kind][n] {
					t.Errorf("%s turned by %g: finger %d is called %s", kind, turn, n, c.Position)
				}
				if off := math.Abs(c.Angle - turn); off > 20 {
					t.Errorf("%s turned by %g: %s leans by %.0f", kind, turn, c.Position, c.Angle)
				}
				for other, template := range alone {
					score := finger.Compare(c.Template, template)
					if (score >= finger.Threshold) != (other == c.Position) {
						t.Errorf("%s turned by %g: %s scores %.1f with %s (quality %v)", kind, turn, c.Position, score, other, c.Quality)
					}
				}
			}
		}
	}
}

func TestSlapsThatAreNotAsDeclaredAreRefused(t *testing.T) {
	hand := synth.GrowHand(41, 2, 3, 4, 5)
	for name, c := range map[string]struct {
		laid synth.Laid
		hand Hand
		want error
	}{
		"three of four":             {synth.Laid{Fingers: []int{2, 3, 5}}, Hand{Kind: RightFour}, ErrCount},
		"four of three":             {synth.Laid{Fingers: []int{2, 3, 4, 5}}, Hand{Kind: RightFour, Missing: []biometrics.Position{biometrics.RightRing}}, ErrCount},
		"none":                      {synth.Laid{}, Hand{Kind: RightFour}, ErrCount},
		"three of three":            {synth.Laid{Fingers: []int{2, 3, 5}, Turn: 10}, Hand{Kind: RightFour, Missing: []biometrics.Position{biometrics.RightRing}}, nil},
		"the other hand":            {synth.Laid{Fingers: []int{2, 3, 4, 5}, Turn: 15}, Hand{Kind: LeftFour}, ErrWrongHand},
		"the other hand, lacking":   {synth.Laid{Fingers: []int{3, 4, 5}}, Hand{Kind: LeftFour, Missing: []biometrics.Position{biometrics.LeftIndex}}, ErrWrongHand},
		"thumbs, but four":          {synth.Laid{Fingers: []int{2, 3, 4, 5}}, Hand{Kind: Thumbs}, ErrCount},
		"over the upper edge":       {synth.Laid{Fingers: []int{2, 3, 4, 5}, ShiftY: -480}, Hand{Kind: RightFour}, ErrCutOff},
		"no such hand":              {synth.Laid{}, Hand{Kind: "both"}, ErrHand},
		"missing fingers of nobody": {synth.Laid{}, Hand{Kind: RightFour, Missing: []biometrics.Position{biometrics.LeftIndex}}, ErrHand},
	} {
		c.laid.Level = 2
		cuts, err := Segment(picture(t, hand.Slap(c.laid)), c.hand)
		if !errors.Is(err, c.want) || c.want == nil && (err != nil || len(cuts) != 3 || cuts[2].Position != biometrics.RightLittle) {
			t.Errorf("%s: got %d fingers, %v; want %v", name, len(cuts), err, c.want)
		}
		var refused *Refused
		if errors.As(err, &refused) && refused.Why == ErrCutOff && !slices.Contains(refused.Positions, biometrics.RightMiddle) {
			t.Errorf("%s: got %v, want the middle finger named", name, refused.Positions)
		}
	}
}

// Whoever lays one finger down twice, or the fingers in another order than before, is
// told which.
func TestFingersOutOfOrderAreNamed(t *testing.T) {
	hand := synth.GrowHand(42, 2, 3, 4)
	prints := func(impression int, as map[biometrics.Position]int) map[biometrics.Position]finger.Template {
		made := make(map[biometrics.Position]finger.Template)
		for position, code := range as {
			template, _, err := finger.Extract(picture(t, hand.Finger(code).Flawed(impression, 2, nil)))
			if err != nil {
				t.Fatal(err)
			}
			made[position] = template
		}
		return made
	}
	const index, middle, ring = biometrics.RightIndex, biometrics.RightMiddle, biometrics.RightRing
	before := prints(0, map[biometrics.Position]int{index: 2, middle: 3, ring: 4})
	if err := Check(prints(1, map[biometrics.Position]int{index: 2, middle: 3, ring: 4}), before); err != nil {
		t.Errorf("got %v for the right order", err)
	}
	err := Check(prints(1, map[biometrics.Position]int{index: 3, middle: 2, ring: 4}), before)
	var doubt *Doubt
	if !errors.Is(err, ErrSwapped) || errors.Is(err, ErrRepeated) || !errors.As(err, &doubt) || len(doubt.Swapped) != 2 ||
		doubt.Swapped[0].A != index || doubt.Swapped[0].B != middle || doubt.Swapped[1].A != middle || doubt.Swapped[1].B != index {
		t.Errorf("got %v, want index and middle swapped", err)
	}
	twice := prints(1, map[biometrics.Position]int{index: 2})
	twice[ring] = prints(2, map[biometrics.Position]int{ring: 2})[ring]
	if err := Check(twice, nil); !errors.Is(err, ErrRepeated) || errors.Is(err, ErrSwapped) || err.Error() != "slap: rightIndex and rightRing are the same finger" {
		t.Errorf("got %v, want one finger given twice", err)
	}
	if err := Check(nil, before); err != nil {
		t.Errorf("got %v for nothing", err)
	}
}

// What is no slap is refused, whatever it is.
func TestWhatIsNoSlapIsRefused(t *testing.T) {
	for name, at := range map[string]func(x, y int) uint8{
		"white":   func(int, int) uint8 { return 255 },
		"black":   func(int, int) uint8 { return 0 },
		"noise":   func(x, y int) uint8 { return uint8((x*7919 + y*104729 + x*y*31) >> 3) },
		"stripes": func(x, _ int) uint8 { return uint8(x / 5 % 2 * 255) },
		"shade":   func(x, y int) uint8 { return uint8((x + y) / 12) },
	} {
		for _, size := range [][2]int{{64, 64}, {700, 500}, {1600, 1500}} {
			img := &finger.Image{Width: size[0], Height: size[1], Pix: make([]uint8, size[0]*size[1])}
			for i := range img.Pix {
				img.Pix[i] = at(i%img.Width, i/img.Width)
			}
			if cuts, err := Segment(img, Hand{Kind: RightFour}); err == nil {
				t.Errorf("%s of %v: got %d fingers", name, size, len(cuts))
			}
		}
	}
}
