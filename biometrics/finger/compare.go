package finger

import (
	"math"
	"slices"
	"sync"

	"github.com/plinth-id/plinth/biometrics"
)

// pair is a minutia of one print that may be one of the other.
type pair struct {
	a, b  int
	start float32 // similarity of their neighbourhoods
	value float32 // after relaxation
}

// scratch is the working space of one comparison.
type scratch struct {
	likes   [MaxMinutiae * likesRow]uint8 // of each pair of minutiae, in 1/levels
	order   [MaxMinutiae * MaxMinutiae]uint16
	pairs   []pair
	agrees  [mostPairs]agreement
	next    [mostPairs]float32
	usedA   [MaxMinutiae]bool
	usedB   [MaxMinutiae]bool
	meeting []pair
	met     []pair
}

var spaces = sync.Pool{New: func() any { return new(scratch) }}

const (
	// fewest is how many minutiae a print needs to be compared at all: nothing must
	// never match nothing.
	fewest    = 8
	mostPairs = 60
	// leastPairs is what relaxation needs.
	leastPairs = 4
	levels     = 240
	likesRow   = (MaxMinutiae + lanes - 1) / lanes * lanes
	leastLike  = levels * 3 / 10
)

// Compare tells how unlikely it is that prints of two fingers are so alike. It
// is the same both ways round to within rounding, and safe for concurrent use.
func Compare(a, b Template) biometrics.Score {
	if len(a.points) < fewest || len(b.points) < fewest {
		return 0
	}
	s := spaces.Get().(*scratch)
	defer spaces.Put(s)
	return calibrated(s.raw(&a, &b))
}

// raw is the similarity before calibration, from two views of it: that of the best
// pairs after relaxation, and how much of both prints lies on one another when the
// best pairs do. Of
// strangers both are much the same however many minutiae there are.
func (s *scratch) raw(a, b *Template) float32 {
	s.choose(a, b)
	if len(s.pairs) < leastPairs {
		s.met = s.met[:0]
		return 0
	}
	s.relax(a, b)
	slices.SortFunc(s.pairs, stronger)
	n := min(best(len(a.points), len(b.points)), len(s.pairs))
	var sum float32
	for _, p := range s.pairs[:n] {
		sum += p.value
	}
	local := sum / float32(best(len(a.points), len(b.points)))
	return float32(weightLocal*local) + s.overlaid(a, b)
}

const weightLocal = 1.5

// stronger puts the stronger pair first, and equally strong ones by their minutiae,
// so that there is one order only.
func stronger(x, y pair) int {
	switch {
	case x.value > y.value:
		return -1
	case x.value < y.value:
		return 1
	case x.a != y.a:
		return x.a - y.a
	}
	return x.b - y.b
}

// best is how many pairs count: more for prints with more minutiae (MCC, eq. 20).
func best(a, b int) int { return counting[min(a, b)] }

var counting = func() (n [MaxMinutiae + 1]int) {
	const least, most, middle, slope = 4, 12, 20.0, .4
	for i := range n {
		n[i] = least + int(math.Round((most-least)/(1+math.Exp(-slope*(float64(i)-middle)))))
	}
	return n
}()

// choose takes the pairs with the most similar neighbourhoods, each minutia once.
func (s *scratch) choose(a, b *Template) {
	var count [levels + 1]int32
	for i := range a.cylinders.n {
		one := a.cylinders.at(i)
		likes(s.likes[i*likesRow:], &one, b.cylinders)
		for _, like := range s.likes[i*likesRow:][:b.cylinders.n] {
			count[like]++
		}
	}
	// In their order, by counting: the most alike first, then by minutiae.
	var at int32
	for level := levels; level >= leastLike; level-- {
		count[level], at = at, at+count[level]
	}
	for i := range a.cylinders.n {
		for j, like := range s.likes[i*likesRow:][:b.cylinders.n] {
			if like >= leastLike {
				s.order[count[like]] = uint16(i*likesRow + j)
				count[like]++
			}
		}
	}
	s.pairs = s.pairs[:0]
	clear(s.usedA[:])
	clear(s.usedB[:])
	limit := min(len(a.points), len(b.points), mostPairs)
	for _, k := range s.order[:at] {
		if len(s.pairs) == limit {
			break
		}
		if i, j := int(k)/likesRow, int(k)%likesRow; !s.usedA[i] && !s.usedB[j] {
			s.usedA[i], s.usedB[j] = true, true
			like := float32(s.likes[k]) / levels
			s.pairs = append(s.pairs, pair{a: i, b: j, start: like, value: like})
		}
	}
}

// agreement is with which other pairs one pair agrees, and how well; with most it does
// not at all.
type agreement struct {
	n    int
	with [mostPairs]uint8
	fit  [mostPairs]float32
}

func (a *agreement) add(with int, fit float32) {
	a.with[a.n], a.fit[a.n] = uint8(with), fit
	a.n++
}

// relax lets pairs that tell of the same displacement strengthen each other (MCC,
// section 4.2): five rounds, half of the old value kept.
func (s *scratch) relax(a, b *Template) {
	n := len(s.pairs)
	for i, p := range s.pairs {
		s.agrees[i].n = 0
		for j, q := range s.pairs[:i] {
			if v := fit(&a.points[p.a], &a.points[q.a], &b.points[p.b], &b.points[q.b]); v > 0 {
				s.agrees[i].add(j, v)
				s.agrees[j].add(i, v)
			}
		}
	}
	for range 5 {
		for i := range n {
			var sum float32
			all := &s.agrees[i]
			for k, fit := range all.fit[:all.n] {
				sum += float32(fit * s.pairs[all.with[k]].value)
			}
			s.next[i] = s.pairs[i].value/2 + sum/float32(2*(n-1))
		}
		for i := range n {
			s.pairs[i].value = s.next[i]
		}
	}
	// How much of its similarity a pair kept says more than the similarity itself.
	for i := range s.pairs {
		s.pairs[i].value /= s.pairs[i].start
	}
}

// From where two pairs do not agree at all: pixels, 1/256 of a turn, and the tangent
// of an angle.
const (
	fitFar     = 14
	fitTurn    = 25
	fitBearing = .68
	fitSteps   = 64 // of the tables
)

// Logistic curves that fall from 1 to 0.
var farFits, turnFits, bearingFits = func() (far, turn, bearing [fitSteps + 1]float32) {
	falling := func(v, middle, slope float64) float32 { return rounded(1 / (1 + math.Exp(slope*(v-middle)))) }
	for i := range fitSteps + 1 {
		part := float64(i) / fitSteps
		far[i] = falling(part*fitFar, 6, 1.2)
		bearing[i] = falling(math.Atan(part*fitBearing), math.Pi/12, 30)
		turn[i] = falling(float64(i)*2*math.Pi/circle, math.Pi/12, 30)
	}
	return far, turn, bearing
}()

// fit tells how well two pairs, p with r and q with t, agree: the same distance, the
// same turn, the same bearing.
func fit(p, q, r, t *point) float32 {
	// Most pairs disagree, and the cheapest questions settle it.
	turn := apart(p.to-q.to, r.to-t.to)
	if turn > fitTurn {
		return 0
	}
	dx1, dy1, dx2, dy2 := q.x-p.x, p.y-q.y, t.x-r.x, r.y-t.y
	far := abs(root(float32(dx1*dx1)+float32(dy1*dy1)) - root(float32(dx2*dx2)+float32(dy2*dy2)))
	if far > fitFar {
		return 0
	}
	// Both bearings in the frame of the first minutia.
	by := r.to - p.to
	x, y := float32(dx1*cosines[by])-float32(dy1*sines[by]), float32(dx1*sines[by])+float32(dy1*cosines[by])
	along, aside := float32(x*dx2)+float32(y*dy2), abs(float32(x*dy2)-float32(y*dx2))
	if aside > fitBearing*along {
		return 0
	}
	bearing := float32(0)
	if along > 0 {
		bearing = aside / along
	}
	return farFits[int(far*(fitSteps/fitFar))] * turnFits[turn] * bearingFits[int(bearing*(fitSteps/fitBearing))]
}

// Match is a minutia of one print that lies on one of the other: their indices, and
// how alike what stands around them is, 0 to 1.
type Match struct {
	A, B     int
	Strength float32
}

// Pairs are the minutiae that meet when one print is laid over the other at best.
func Pairs(a, b Template) []Match {
	if len(a.points) < fewest || len(b.points) < fewest {
		return nil
	}
	s := spaces.Get().(*scratch)
	defer spaces.Put(s)
	s.raw(&a, &b)
	matches := make([]Match, len(s.met))
	for i, p := range s.met {
		one, other := a.cylinders.at(p.a), b.cylinders.at(p.b)
		matches[i] = Match{p.a, p.b, float32(like(&one, &other)) / levels}
	}
	return matches
}
