package gallery

import (
	"math"

	"github.com/plinth-id/plinth/biometrics"
)

// Verdict is what the scores say.
type Verdict string

// The verdicts. Between unique and duplicate a person decides.
const (
	Unique    Verdict = "unique"
	Doubtful  Verdict = "doubtful"
	Duplicate Verdict = "duplicate"
)

// Policy is how sure a decision must be. The zero one is the default.
type Policy struct {
	// FPIR is how often a search of somebody who is new may name another for the
	// same (false positive identification rate); 0 means one in a thousand.
	FPIR float64
	// Bother is how often such a search may call an officer for nothing; 0 means one
	// in a hundred.
	Bother float64
}

// Scores are those of the best of a whole population, which has a tail that nobody
// measured: before a machine decides alone it asks for more than the rate says.
const (
	reserve biometrics.Score = 4
	// leastDuplicate keeps a small gallery from deciding on one good finger.
	leastDuplicate biometrics.Score = 8
	leastDoubtful  biometrics.Score = 4
)

// Decide judges the best candidate of a search among size persons: the chance of
// a false match grows with their number, so the score must too.
func (p Policy) Decide(best biometrics.Score, size int) Verdict {
	grown := biometrics.Score(math.Log10(float64(max(1, size))))
	switch {
	case best >= max(leastDuplicate, grown+margin(p.FPIR, 3)+reserve):
		return Duplicate
	case best >= max(leastDoubtful, grown+margin(p.Bother, 2)):
		return Doubtful
	}
	return Unique
}

// margin is what a rate asks of a score.
func margin(rate float64, usual biometrics.Score) biometrics.Score {
	if !(rate > 0 && rate < 1) {
		return usual
	}
	return biometrics.Score(-math.Log10(rate))
}

// Decide judges by the default policy.
func Decide(best biometrics.Score, size int) Verdict { return Policy{}.Decide(best, size) }
