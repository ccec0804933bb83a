package iris

import (
	"math"
	"math/bits"

	"github.com/plinth-id/plinth/biometrics"
)

// Heads are held upright to within 22.5 degrees of one another: 8 columns.
const (
	maxShift  = 8
	rotations = 2*maxShift + 1
	spare     = maxShift / perWord // words that a shift reaches on either side
)

// Theory (Daugman 2004, 2007): the bits of two different eyes agree as tosses of a
// coin do, of which neighbours hang together. A comparison of usualBits of them has
// the spread of freedom independent ones.
const (
	freedom   = 249
	usualBits = 911
	leastBits = 512
)

// MaxScore is the most that two eyes can score: the law was held against 2·10^11
// comparisons (Daugman 2006); it is believed so far and no further.
const MaxScore biometrics.Score = 12

// Compare tells how unlikely it is that codes of two different eyes are so alike,
// at the best of 17 rotations. Where too little was seen in both the score is 0.
func Compare(a, b Code) biometrics.Score {
	distance, seen := best(&a, &b)
	if seen < leastBits {
		return 0
	}
	return score(normalised(distance, seen))
}

// Distance is the share of the bits seen in both codes in which they differ, at
// the best of 17 rotations, and the number of bits seen: 1 and 0 where too little
// was seen at every rotation.
func Distance(a, b Code) (distance float64, seen int) { return best(&a, &b) }

// best tries all rotations and takes the one that says most.
func best(a, b *Code) (distance float64, seen int) {
	// All rotations by less than a word, with room for those by whole words.
	var turned, masked [perWord][words + 2*spare]uint64
	for r := range perWord {
		for i := range words + 2*spare {
			at, next := (i+words-spare)%words, (i+words-spare+1)%words
			turned[r][i] = a.bits[at]>>(r*perColumn) | a.bits[next]<<(64-r*perColumn)
			masked[r][i] = a.mask[at]>>(r*perColumn) | a.mask[next]<<(64-r*perColumn)
		}
	}
	distance, least := 1., math.Inf(1)
	for shift := range rotations {
		word, r := shift/perWord, shift%perWord
		differ, both := differing((*[words]uint64)(turned[r][word:]), (*[words]uint64)(masked[r][word:]), b)
		if both < leastBits {
			continue
		}
		raw := float64(differ) / float64(both)
		if n := normalised(raw, both); n < least {
			distance, seen, least = raw, both, n
		}
	}
	return distance, seen
}

// differing counts the bits that differ among those seen in both, and these.
func differing(turned, masked *[words]uint64, b *Code) (differ, both int) {
	for i := range words {
		seen := masked[i] & b.mask[i]
		both += bits.OnesCount64(seen)
		differ += bits.OnesCount64((turned[i] ^ b.bits[i]) & seen)
	}
	return differ, both
}

// normalised is a distance as if usualBits had been compared: a small one of few
// bits is chance more often (Daugman 2007, formula 6).
func normalised(distance float64, seen int) float64 {
	return .5 - float64((.5-distance)*math.Sqrt(float64(seen)/usualBits))
}

// chances holds −log10 of the chance that at most k of freedom tosses fall on one
// side, in one of as many trials as there are rotations.
var chances = func() (table [freedom + 1]float64) {
	ways, sum := 1., 0.
	for k := range table {
		sum += ways
		table[k] = max(0, float64(freedom*math.Log10(2))-math.Log10(sum*rotations))
		ways = ways * float64(freedom-k) / float64(k+1)
	}
	return table
}()

// score reads the table, by lines between its points.
func score(distance float64) biometrics.Score {
	at := max(0, distance) * freedom
	k := int(at)
	if k >= freedom {
		return 0
	}
	between := chances[k] + float64((chances[k+1]-chances[k])*(at-float64(k)))
	return min(MaxScore, biometrics.Score(between))
}
