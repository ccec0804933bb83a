package gallery

import (
	"cmp"
	"math"
	"slices"
	"sync"

	"github.com/plinth-id/plinth/biometrics/finger"
	"github.com/plinth-id/plinth/biometrics/iris"
)

// sought is a finger that is searched.
type sought struct {
	position uint8
	codes    []code
	points   []point
	valid    []uint64 // of each code: the places that lie within the print
	probes   []probe
	quality  int // of the best lanes minutiae together
}

func soughtOf(position uint8, t finger.Template) sought {
	s := sought{position: position}
	s.codes, s.points = encode(t)
	s.valid = within(s.points)
	s.probes = probesOf(s.codes)
	for _, m := range t.Minutiae()[:min(lanes, t.Len())] {
		s.quality += int(m.Quality)
	}
	return s
}

// usable is how many codes make a finger worth a search.
const usable = 4

// movers is how many fingers of a probe, the clearest, are also compared with all
// fingers of other names, by the best lanes codes of both: a little less work than
// all fingers by name.
const movers = 2

// lookedFor is an eye that is searched.
type lookedFor struct {
	position uint8
	code     iris.Code
}

// quest is what is searched.
type quest struct {
	fingers []sought // the clearest first
	eyes    []lookedFor
	before  int64
	empty   bool // nothing can be like it
}

func questOf(p Person, before int64) quest {
	q := quest{before: before, empty: true}
	for position, t := range p.Fingers {
		q.empty = q.empty && t.Len() == 0
		if f := soughtOf(uint8(position.Code()), t); len(f.codes) >= usable {
			q.fingers = append(q.fingers, f)
		}
	}
	slices.SortFunc(q.fingers, func(a, b sought) int {
		return cmp.Or(b.quality-a.quality, int(a.position)-int(b.position))
	})
	for position, c := range p.Eyes {
		if number, ok := eyes[position]; ok && !c.Empty() {
			q.eyes, q.empty = append(q.eyes, lookedFor{number, c}), false
		}
	}
	slices.SortFunc(q.eyes, func(a, b lookedFor) int { return int(a.position) - int(b.position) })
	return q
}

// movers are those that are compared under other names too.
func (q quest) movers() []sought { return q.fingers[:min(movers, len(q.fingers))] }

// Of each resident there is a sum for every finger by name, for every mover, for
// every eye by name, and one for an eye that was taken for the other.
func (q quest) named() span   { return span{0, len(q.fingers)} }
func (q quest) moved() span   { return span{len(q.fingers), len(q.fingers) + len(q.movers())} }
func (q quest) seen() span    { return span{q.moved().to, q.moved().to + len(q.eyes)} }
func (q quest) crossed() span { return span{q.seen().to, q.seen().to + min(1, len(q.eyes))} }
func (q quest) columns() int  { return q.crossed().to }

// span is a range of columns.
type span struct{ from, to int }

// none is the sum where there was nothing to compare.
const none = math.MaxUint16

// sums are what a scan says of everybody in a block, row by row.
type sums struct {
	block *block
	each  []uint16
}

// scanAll compares a quest with everybody, a worker for every shard.
func (g *Gallery) scanAll(q quest) []sums {
	found := make([][]sums, len(g.shards))
	var wg sync.WaitGroup
	for i, s := range g.shards {
		wg.Go(func() {
			for _, b := range s.all() {
				found[i] = append(found[i], q.scan(b))
			}
		})
	}
	wg.Wait()
	return slices.Concat(found...)
}

func (s *shard) all() []*block {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.blocks)
}

func (q quest) scan(b *block) sums {
	b.mu.RLock()
	defer b.mu.RUnlock()
	columns := q.columns()
	s := sums{b, make([]uint16, columns*len(b.people))}
	for i := range s.each {
		s.each[i] = none
	}
	for row := range b.people {
		q.weigh(b.prints(row, q.before), s.each[row*columns:(row+1)*columns])
	}
	return s
}

// weigh compares a quest with one record.
func (q *quest) weigh(record []uint64, sum []uint16) {
	var s slot
	for len(record) > 0 {
		if s, record = nextSlot(record); s.position >= rightEye {
			q.look(s, sum[q.seen().from:])
		} else if len(s.codes) >= usable*codeWords {
			q.feel(s, sum)
		}
	}
}

// feel compares with a finger. The best lanes codes of the probe find whom they all
// would find: on the real prints of TestRealPersons, as well as twice as many do.
func (q *quest) feel(s slot, sum []uint16) {
	var near nearest
	clearest := s.codes[:min(len(s.codes), lanes*codeWords)]
	for i := range q.fingers {
		f := &q.fingers[i]
		if f.position == s.position {
			sum[i] = uint16(scan(&f.probes[0], s.codes, &near))
		} else if i < movers {
			most := &sum[len(q.fingers)+i]
			if total := uint16(scan(&f.probes[0], clearest, &near)); *most == none || total > *most {
				*most = total
			}
		}
	}
}

// look compares with an eye, in thousandths of a score. If eyes were taken for one
// another, one of them shows it.
func (q *quest) look(s slot, sum []uint16) {
	if len(q.eyes) == 0 {
		return
	}
	theirs := s.eye()
	for i := range q.eyes {
		if e := &q.eyes[i]; e.position == s.position {
			sum[i] = uint16(1000 * iris.Compare(e.code, theirs))
		} else if i == 0 {
			sum[len(q.eyes)] = uint16(1000 * iris.Compare(e.code, theirs))
		}
	}
}

// norms tell how far above the usual a sum is.
type norms []struct{ mean, deviation float64 }

func normsOf(columns int, all []sums) norms {
	n := make(norms, columns)
	for c := range n {
		var count, sum, squares int64
		for _, s := range all {
			for i := c; i < len(s.each); i += columns {
				if v := int64(s.each[i]); v != none {
					count, sum, squares = count+1, sum+v, squares+v*v
				}
			}
		}
		if count > 0 {
			n[c].mean = float64(sum) / float64(count)
			n[c].deviation = math.Sqrt(max(1, float64(squares)/float64(count)-float64(n[c].mean*n[c].mean)))
		}
	}
	return n
}

// score adds up normalised sums, so that it says as much for few fingers as for
// many.
func (n norms) score(each []uint16) float64 {
	var total, count float64
	for c, v := range each {
		if v != none {
			total += (float64(v) - n[c].mean) / n[c].deviation
			count++
		}
	}
	if count == 0 {
		return math.Inf(-1)
	}
	return total / math.Sqrt(count)
}

// Places in a list are found by counting: scores in steps of 1/32, from -16 on.
const (
	scoreSteps = 32
	scoreFloor = -16
	scoreBins  = 4096
)

func bin(score float64) int {
	return int(min(scoreBins-1, max(0, (score-scoreFloor)*scoreSteps)))
}

// best are those whose score over some columns is highest: at least keep, if there
// are so many, and all who are as good as the last.
func best(all []sums, n norms, of span, keep int) map[spot]bool {
	var bins [scoreBins]int
	each := func(do func(at spot, bin int)) {
		for _, s := range all {
			for row := range len(s.each) / len(n) {
				score := n[of.from:of.to].score(s.each[row*len(n)+of.from : row*len(n)+of.to])
				if !math.IsInf(score, -1) {
					do(spot{s.block, row}, bin(score))
				}
			}
		}
	}
	each(func(_ spot, bin int) { bins[bin]++ })
	edge, count := scoreBins-1, bins[scoreBins-1]
	for edge > 0 && count < keep {
		edge--
		count += bins[edge]
	}
	found := make(map[spot]bool, count)
	each(func(at spot, bin int) {
		if bin >= edge {
			found[at] = true
		}
	})
	return found
}
