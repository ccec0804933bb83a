// Package evaluation measures a matcher on comparisons whose truth is known: error
// rates with their intervals, and the curve that trades one against the other
// (ISO/IEC 19795-1).
package evaluation

import (
	"errors"
	"math"
	"slices"
)

// Trial is one comparison. NaN says that a sample could not be used: such a pair
// does not match, and is not left out.
type Trial struct {
	Score float64
	Mated bool // of the same finger
}

// Rate is a proportion with its 95 % interval (Wilson, 1927).
type Rate struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// Point is what is missed where strangers match as often as FMR says.
type Point struct {
	FMR       float64 `json:"fmr"`
	Threshold float64 `json:"threshold"` // the lowest at which no more of them match
	FNMR      Rate    `json:"fnmr"`
	// Resolved tells whether there are strangers enough: the rate rests on at least
	// one false match.
	Resolved bool `json:"resolved"`
}

// Report is what a set of trials says of a matcher.
type Report struct {
	Mated    int     `json:"mated"`
	NonMated int     `json:"non_mated"`
	Failed   int     `json:"failed"` // comparisons of which a sample could not be used
	EER      float64 `json:"eer"`    // where both errors are equally frequent
	Points   []Point `json:"points"`
	Curve    []Step  `json:"-"`
}

// Step is one step of the curve: the errors at a threshold.
type Step struct{ Threshold, FMR, FNMR float64 }

// ErrTooFew says that a measure needs both kinds of pairs.
var ErrTooFew = errors.New("evaluation: there must be mated and non-mated pairs")

// The rates at which reports of the field are read.
var operatingPoints = []float64{1e-2, 1e-3, 1e-4}

// Measure computes a report.
func Measure(trials []Trial) (Report, error) {
	var r Report
	var mates, strangers []float64
	for _, t := range trials {
		score := t.Score
		if math.IsNaN(score) {
			r.Failed++
			score = math.Inf(-1)
		}
		if t.Mated {
			mates = append(mates, score)
		} else {
			strangers = append(strangers, score)
		}
	}
	r.Mated, r.NonMated = len(mates), len(strangers)
	if r.Mated == 0 || r.NonMated == 0 {
		return r, ErrTooFew
	}
	slices.Sort(mates)
	slices.Sort(strangers)
	r.Curve = curve(mates, strangers)
	r.EER = equalError(r.Curve)
	for _, fmr := range operatingPoints {
		r.Points = append(r.Points, point(r.Curve, fmr, len(mates), len(strangers)))
	}
	return r, nil
}

// curve walks over every score that occurs: at a threshold, those match whose
// score is at least as high.
func curve(mates, strangers []float64) []Step {
	thresholds := slices.Concat(mates, strangers)
	slices.Sort(thresholds)
	thresholds = slices.Compact(thresholds)
	steps := make([]Step, 0, len(thresholds)+1)
	for _, t := range thresholds {
		missed, _ := slices.BinarySearch(mates, t)
		kept, _ := slices.BinarySearch(strangers, t)
		steps = append(steps, Step{t, float64(len(strangers)-kept) / float64(len(strangers)), float64(missed) / float64(len(mates))})
	}
	return append(steps, Step{math.Inf(1), 0, 1})
}

// equalError lies between the two steps where the errors change places.
func equalError(steps []Step) float64 {
	for i, s := range steps {
		if s.FNMR < s.FMR {
			continue
		}
		if i == 0 {
			return (s.FMR + s.FNMR) / 2
		}
		before := steps[i-1]
		// Both errors as straight lines between the steps.
		gap, next := before.FMR-before.FNMR, s.FMR-s.FNMR
		share := gap / (gap - next)
		return before.FMR + share*(s.FMR-before.FMR)
	}
	return 0
}

func point(steps []Step, fmr float64, mates, strangers int) Point {
	for _, s := range steps {
		if s.FMR <= fmr {
			threshold := s.Threshold
			if math.IsInf(threshold, 1) {
				threshold = math.MaxFloat64 // above every score that occurred
			}
			return Point{FMR: fmr, Threshold: threshold, FNMR: wilson(s.FNMR, mates), Resolved: fmr*float64(strangers) >= 1}
		}
	}
	return Point{} // the last step has no false match
}

// wilson is the interval of a proportion p of n.
func wilson(p float64, n int) Rate {
	const z = 1.959964
	k := float64(n)
	middle := (p + z*z/(2*k)) / (1 + z*z/k)
	half := z / (1 + z*z/k) * math.Sqrt(p*(1-p)/k+z*z/(4*k*k))
	return Rate{p, max(0, middle-half), min(1, middle+half)}
}
