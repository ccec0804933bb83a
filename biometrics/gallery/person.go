package gallery

import (
	"maps"
	"math"
	"slices"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/finger"
)

// Person is what is compared of one person.
type Person struct {
	Fingers map[biometrics.Position]finger.Template
}

// Empty tells whether there is nothing to compare.
func (p Person) Empty() bool { return len(p.Fingers) == 0 }

// FingerScore is what one finger said.
type FingerScore struct {
	Position biometrics.Position `json:"position"`
	Score    biometrics.Score    `json:"score"`
}

// Candidate is somebody whom the probe may be.
type Candidate struct {
	Ref     uuid.UUID        `json:"ref"`
	Score   biometrics.Score `json:"score"` // of all fingers together
	Fingers []FingerScore    `json:"fingers"`
}

// notable is the least score that makes a candidate.
const notable biometrics.Score = 1

// leastMoved is the least by which fingers under other names make one: there are
// many such comparisons, and officers must not be called for each that is a little
// alike.
const leastMoved biometrics.Score = 6

// compare compares two persons finger by finger of the same name, and where that
// says little and moved is asked for, any with any.
func compare(probe, other Person, moved bool) Candidate {
	var c Candidate
	for _, position := range inOrder(probe.Fingers) {
		if t, ok := other.Fingers[position]; ok {
			c.Fingers = append(c.Fingers, FingerScore{position, finger.Compare(probe.Fingers[position], t)})
		}
	}
	c.Score = together(c.Fingers)
	if moved && c.Score < leastDuplicate {
		if any := anyWithAny(probe.Fingers, other.Fingers); together(any) > max(c.Score, leastMoved) {
			c.Fingers, c.Score = any, together(any)
		}
	}
	return c
}

// inOrder are the positions of fingers as ISO/IEC 19794-2 numbers them: sums of
// scores must not hang on the order of a map.
func inOrder(fingers map[biometrics.Position]finger.Template) []biometrics.Position {
	return slices.SortedFunc(maps.Keys(fingers), func(a, b biometrics.Position) int { return a.Code() - b.Code() })
}

// Alike compares two persons, as Search does.
func Alike(a, b Person) biometrics.Score { return compare(a, b, true).Score }

// together is what the scores of several fingers say of one person: each is the
// −log10 of a chance, and so is the result (Fisher's method: the sum of k such
// logarithms follows the gamma distribution of shape k). A plain sum would make
// four fingers that are each a little alike look like a proof.
func together(fingers []FingerScore) biometrics.Score {
	if len(fingers) == 0 {
		return 0
	}
	var sum float64
	for _, f := range fingers {
		sum += float64(max(0, f.Score))
	}
	x := sum * math.Ln10
	term, tail := 1.0, 1.0
	for i := 1; i < len(fingers); i++ {
		term *= x / float64(i)
		tail += term
	}
	return biometrics.Score(sum - math.Log10(tail))
}

// anyWithAny takes for each finger of the probe its best among all of the other,
// and pays for the number of tries.
func anyWithAny(probe, other map[biometrics.Position]finger.Template) (fingers []FingerScore) {
	price := biometrics.Score(math.Log10(float64(1 + len(other)))) // the one by name was a try too
	for _, position := range inOrder(probe) {
		var best biometrics.Score
		for _, t := range other {
			best = max(best, finger.Compare(probe[position], t)-price)
		}
		fingers = append(fingers, FingerScore{position, best})
	}
	return fingers
}
