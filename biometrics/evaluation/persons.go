package evaluation

import (
	"math"
	"slices"
)

// Person is what one person contributes to a set: comparisons with others, by the
// persons they are of.
type Person struct {
	Trial
	A, B string // whose the samples are
}

// LeavePersonsOut measures what is missed at thresholds that the missed persons had
// no part in: for each person they are set by the strangers among all others. It
// tells better than the thresholds of the whole set what people will see who were
// not in it.
func LeavePersonsOut(trials []Person) ([]Point, error) {
	var persons []string
	for _, t := range trials {
		persons = append(persons, t.A)
	}
	slices.Sort(persons)
	persons = slices.Compact(persons)
	points := make([]Point, len(operatingPoints))
	mates, missed, fewest := 0, make([]int, len(points)), math.MaxInt
	for _, person := range persons {
		var own, others []float64
		for _, t := range trials {
			score := t.Score
			if math.IsNaN(score) {
				score = math.Inf(-1)
			}
			switch {
			case t.Mated && t.A == person:
				own = append(own, score)
			case !t.Mated && t.A != person && t.B != person:
				others = append(others, score)
			}
		}
		if len(others) == 0 {
			return nil, ErrTooFew
		}
		slices.Sort(others)
		mates, fewest = mates+len(own), min(fewest, len(others))
		for i, fmr := range operatingPoints {
			// As many of the others as the rate allows are above.
			threshold := others[len(others)-1-int(fmr*float64(len(others)))]
			points[i].Threshold = max(points[i].Threshold, threshold)
			for _, score := range own {
				if score <= threshold {
					missed[i]++
				}
			}
		}
	}
	if mates == 0 {
		return nil, ErrTooFew
	}
	for i, fmr := range operatingPoints {
		points[i].FMR, points[i].FNMR = fmr, wilson(float64(missed[i])/float64(mates), mates)
		points[i].Resolved = fmr*float64(fewest) >= 1
	}
	return points, nil
}
