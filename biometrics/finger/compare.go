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
	pairs  []pair
	fits   []float32
	next   []float32
	usedA  [MaxMinutiae]bool
	usedB  [MaxMinutiae]bool
	ranked []pair
}

var spaces = sync.Pool{New: func() any { return new(scratch) }}

// fewest is how many minutiae a print needs to be compared at all: nothing must
// never match nothing.
const fewest = 8

// Compare tells how unlikely it is that prints of two fingers are so alike. It
// is the same both ways round to within rounding, and safe for concurrent use.
func Compare(a, b Template) biometrics.Score {
	if len(a.minutiae) < fewest || len(b.minutiae) < fewest {
		return 0
	}
	s := spaces.Get().(*scratch)
	defer spaces.Put(s)
	return calibrated(s.raw(a, b))
}

// raw is the similarity before calibration: that of the best pairs after
// relaxation, and how much of both prints lies on one another when the best
// pairs are laid over one another.
func (s *scratch) raw(a, b Template) float64 {
	s.choose(a, b)
	if len(s.pairs) < 4 {
		return 0
	}
	s.relax(a, b)
	slices.SortFunc(s.pairs, func(x, y pair) int { return order(x, y, x.value, y.value) })
	n := best(len(a.minutiae), len(b.minutiae))
	sum := 0.0
	for _, p := range s.pairs[:min(n, len(s.pairs))] {
		sum += float64(p.value)
	}
	return sum/float64(n)*weightLocal + s.overlaid(a, b)*weightGlobal
}

// The two parts are weighted so that on synthetic prints each alone errs as often.
const (
	weightLocal  = 1.0
	weightGlobal = 1.0
)

// order puts the stronger pair first, and equally strong ones by their minutiae, so
// that there is one order only.
func order(x, y pair, strengthX, strengthY float32) int {
	switch {
	case strengthX > strengthY:
		return -1
	case strengthX < strengthY:
		return 1
	case x.a != y.a:
		return x.a - y.a
	}
	return x.b - y.b
}

// best is how many pairs count: more for prints with more minutiae (MCC, eq. 20).
func best(a, b int) int {
	const least, most, middle, slope = 4, 12, 20.0, .4
	z := 1 / (1 + math.Exp(-slope*(float64(min(a, b))-middle)))
	return least + int(math.Round((most-least)*z))
}

// choose takes the pairs with the most similar neighbourhoods, each minutia at
// most a few times.
func (s *scratch) choose(a, b Template) {
	s.ranked = s.ranked[:0]
	for i := range a.cylinders {
		for j := range b.cylinders {
			if v := alike(&a.cylinders[i], &b.cylinders[j]); v > .3 {
				s.ranked = append(s.ranked, pair{a: i, b: j, start: v, value: v})
			}
		}
	}
	slices.SortFunc(s.ranked, func(x, y pair) int { return order(x, y, x.start, y.start) })
	s.pairs = s.pairs[:0]
	clear(s.usedA[:])
	clear(s.usedB[:])
	limit := min(len(a.minutiae), len(b.minutiae), 60)
	for _, p := range s.ranked {
		if len(s.pairs) == limit {
			break
		}
		if !s.usedA[p.a] && !s.usedB[p.b] {
			s.usedA[p.a], s.usedB[p.b] = true, true
			s.pairs = append(s.pairs, p)
		}
	}
}

// relax lets pairs that tell of the same displacement strengthen each other (MCC,
// section 4.2): five rounds, half of the old value kept.
func (s *scratch) relax(a, b Template) {
	n := len(s.pairs)
	s.fits = slices.Grow(s.fits[:0], n*n)[:n*n]
	s.next = slices.Grow(s.next[:0], n)[:n]
	for i, p := range s.pairs {
		s.fits[i*n+i] = 0
		for j := range i {
			q := s.pairs[j]
			v := together(a.minutiae[p.a], a.minutiae[q.a], b.minutiae[p.b], b.minutiae[q.b])
			s.fits[i*n+j], s.fits[j*n+i] = v, v
		}
	}
	for range 5 {
		for i := range n {
			var sum float32
			for j, fit := range s.fits[i*n : (i+1)*n] {
				sum += fit * s.pairs[j].value
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

// together tells how well two pairs agree: the same distance, the same turn, the
// same bearing.
func together(p, q, r, t Minutia) float32 {
	dx1, dy1 := float64(q.X-p.X), float64(p.Y-q.Y)
	dx2, dy2 := float64(t.X-r.X), float64(r.Y-t.Y)
	// Most pairs disagree, and the cheapest question settles it.
	far := math.Abs(math.Sqrt(dx1*dx1+dy1*dy1) - math.Sqrt(dx2*dx2+dy2*dy2))
	if far > 14 {
		return 0
	}
	turn := math.Abs(signed(float64(p.Direction-q.Direction) - float64(r.Direction-t.Direction)))
	if turn > .6 {
		return 0
	}
	bearing := math.Abs(signed((math.Atan2(dy1, dx1) - float64(p.Direction)) - (math.Atan2(dy2, dx2) - float64(r.Direction))))
	if bearing > .6 {
		return 0
	}
	z := func(v, middle, slope float64) float64 { return 1 / (1 + math.Exp(slope*(v-middle))) }
	return float32(z(far, 6, 1.2) * z(turn, math.Pi/12, 30) * z(bearing, math.Pi/12, 30))
}
