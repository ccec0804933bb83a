package gallery

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/finger"
	"github.com/plinth-id/plinth/biometrics/iris"
)

// Person is what is compared of one person.
type Person struct {
	Fingers map[biometrics.Position]finger.Template
	Eyes    map[biometrics.Position]iris.Code
}

// Empty tells whether there is nothing to compare.
func (p Person) Empty() bool { return len(p.Fingers)+len(p.Eyes) == 0 }

// PositionScore is what one finger or eye said.
type PositionScore struct {
	Position biometrics.Position `json:"position"`
	Score    biometrics.Score    `json:"score"`
}

// Candidate is somebody whom the probe may be.
type Candidate struct {
	Ref     uuid.UUID        `json:"ref"`
	Score   biometrics.Score `json:"score"` // of all fingers and eyes together
	Fingers []PositionScore  `json:"fingers"`
	Eyes    []PositionScore  `json:"eyes,omitempty"`
}

// notable is the least score that makes a candidate.
const notable biometrics.Score = 1

// leastMoved is the least by which fingers under other names make one: there are
// many such comparisons, and officers must not be called for each that is a little
// alike.
const leastMoved biometrics.Score = 6

// compare compares two persons by fingers and eyes of the same name, and where that
// says little, eyes any with any, and if moved is asked for fingers too.
func compare(probe, other Person, moved bool) Candidate {
	c := Candidate{Fingers: byName(probe.Fingers, other.Fingers, finger.Compare), Eyes: byName(probe.Eyes, other.Eyes, iris.Compare)}
	c.Score = together(c.Fingers, c.Eyes)
	if c.Score >= leastDuplicate {
		return c
	}
	if any := anyWithAny(probe.Eyes, other.Eyes, iris.Compare); together(any) > max(together(c.Eyes), leastMoved) {
		c.Eyes = any
	}
	if moved {
		if any := anyWithAny(probe.Fingers, other.Fingers, finger.Compare); together(any) > max(together(c.Fingers), leastMoved) {
			c.Fingers = any
		}
	}
	c.Score = together(c.Fingers, c.Eyes)
	return c
}

// inOrder are positions, fingers as ISO/IEC 19794-2 numbers them: sums of scores
// must not hang on the order of a map.
func inOrder[T any](samples map[biometrics.Position]T) []biometrics.Position {
	return slices.SortedFunc(maps.Keys(samples), func(a, b biometrics.Position) int {
		return cmp.Or(a.Code()-b.Code(), cmp.Compare(a, b))
	})
}

// byName compares what has the same name.
func byName[T any](probe, other map[biometrics.Position]T, compare func(a, b T) biometrics.Score) (scores []PositionScore) {
	for _, position := range inOrder(probe) {
		if t, ok := other[position]; ok {
			scores = append(scores, PositionScore{position, compare(probe[position], t)})
		}
	}
	return scores
}

// anyWithAny takes for each finger or eye of the probe its best among all of the
// other, and pays for the number of tries.
func anyWithAny[T any](probe, other map[biometrics.Position]T, compare func(a, b T) biometrics.Score) (scores []PositionScore) {
	price := biometrics.Score(math.Log10(float64(1 + len(other)))) // the one by name was a try too
	for _, position := range inOrder(probe) {
		var best biometrics.Score
		for _, t := range other {
			best = max(best, compare(probe[position], t)-price)
		}
		scores = append(scores, PositionScore{position, best})
	}
	return scores
}

// Compare compares two persons as Search does, every finger and eye with its like. The
// candidate has no Ref.
func Compare(a, b Person) Candidate { return compare(a, b, true) }

// together fuses what all fingers and eyes said.
func together(parts ...[]PositionScore) biometrics.Score {
	scores := make([]biometrics.Score, 0, 12) // ten fingers, two eyes
	for _, part := range parts {
		for _, s := range part {
			scores = append(scores, s.Score)
		}
	}
	return biometrics.Together(scores...)
}
