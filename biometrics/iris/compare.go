package iris

import (
	"math"

	"github.com/plinth-id/plinth/biometrics"
)

// Heads are held upright to within 22.5 degrees of one another: 8 columns.
const maxShift = 8

// Theory (Daugman 2004, 2007): the bits of two different eyes agree as tosses of a
// coin do, of which neighbours hang together. A comparison of usualBits of them has
// the spread of freedom independent ones. Daugman's code has 249; ours showed 160 to
// 192 between synthetic eyes of three levels and 193 between real ones.
const (
	freedom   = 150
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
	var f fanned
	f.spread(a)
	var differ, both [rotations]int
	count(&f, b, &differ, &both)
	distance, least := 1., math.Inf(1)
	for shift, n := range both {
		if n < leastBits {
			continue
		}
		raw := float64(differ[shift]) / float64(n)
		if v := normalised(raw, n); v < least {
			distance, seen, least = raw, n, v
		}
	}
	return distance, seen
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
