package gallery

import (
	"cmp"
	"maps"
	"runtime"
	"slices"
	"sync"
)

// How many are looked at closer. With few fingers the codes say less, and more are
// looked at; in a small gallery everybody is.
const (
	keptCoarse = 2000 // at least, after the codes
	keptFine   = 400  // after agreement
	keptMoved  = 100  // of those found by fingers under other names
	comparable = 500  // so many are compared without asking the codes
)

// share is which part of the people passes the codes, in thousandths.
func share(fingers int) int {
	if fingers >= 6 {
		return 20
	}
	return 50
}

// Search compares a person with all who stand before a place in line and gives
// the most similar, the best first. Fingers are compared with those of the same
// name, and where that says little, any with any: whoever gives a finger under
// another's name, by mistake or to get a second number, is found all the same.
// In a large gallery that is done with those alone whom the codes of the minutiae
// show to be alike.
func (g *Gallery) Search(probe Person, before int64, limit int) []Candidate {
	g.still.RLock()
	defer g.still.RUnlock()
	found := g.compareAll(probe, g.likely(questOf(probe, before)), before)
	slices.SortFunc(found, func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), slices.Compare(a.Ref[:], b.Ref[:]))
	})
	return found[:min(limit, len(found))]
}

// likely are those to compare, and whether under other names too.
func (g *Gallery) likely(q quest) map[spot]bool {
	size := g.Len()
	if size <= comparable {
		return g.everybody(true)
	}
	if len(q.fingers) == 0 {
		return nil
	}
	named, moved := g.everybody(false), g.everybody(true)
	if keep := max(keptCoarse, size*share(len(q.fingers))/1000); size > keep {
		all := g.scanAll(q)
		n := normsOf(q.columns(), all)
		named = best(all, q.columns(), 0, len(q.fingers), keep, n)
		moved = best(all, q.columns(), len(q.fingers), q.columns(), max(keptCoarse, size/500), n)
	}
	return g.refine(q, named, moved)
}

// everybody is the whole gallery.
func (g *Gallery) everybody(moved bool) map[spot]bool {
	all := make(map[spot]bool)
	for _, s := range g.shards {
		for _, b := range s.all() {
			b.mu.RLock()
			for row := range b.people {
				all[spot{b, row}] = moved
			}
			b.mu.RUnlock()
		}
	}
	return all
}

// refine keeps those whose minutiae agree best: by name, and under other names.
func (g *Gallery) refine(q quest, named, moved map[spot]bool) map[spot]bool {
	byName := q.agreements(slices.Collect(maps.Keys(named)), 0)
	other := q.agreements(slices.Collect(maps.Keys(moved)), len(q.fingers))
	columns := q.columns()
	found := bestRows(byName, 0, len(q.fingers), columns, keptFine)
	for at := range bestRows(other, len(q.fingers), columns, columns, keptMoved) {
		found[at] = true
	}
	return found
}

// rated is what the second stage says of somebody.
type rated struct {
	at   spot
	each []uint16
}

// agreements rates people by name (from column 0), or under other names only.
func (q quest) agreements(people []spot, from int) []rated {
	all := make([]rated, len(people))
	spaces := make([]uint16, len(people)*q.columns())
	inParallel(len(people), func(i int) {
		all[i] = rated{people[i], spaces[i*q.columns() : (i+1)*q.columns()]}
		q.agree(all[i], from == 0)
	})
	return all
}

func (q quest) agree(r rated, byName bool) {
	for i := range r.each {
		r.each[i] = none
	}
	r.at.block.mu.RLock()
	defer r.at.block.mu.RUnlock()
	record := r.at.block.prints(r.at.row, q.before)
	var s slot
	for len(record) > 0 {
		s, record = nextSlot(record)
		for i := range q.fingers {
			f := &q.fingers[i]
			if same := f.position == s.position; byName && same {
				r.each[i] = f.agreement(s)
			} else if !byName && !same && i < movers {
				most := &r.each[len(q.fingers)+i]
				if v := f.agreement(s); *most == none || v > *most {
					*most = v
				}
			}
		}
	}
}

// bestRows are the best of rated people by some of their columns.
func bestRows(all []rated, from, to, columns, keep int) map[spot]bool {
	flat := sums{each: make([]uint16, 0, len(all)*columns)}
	for _, r := range all {
		flat.each = append(flat.each, r.each...)
	}
	n := normsOf(columns, []sums{flat})
	found := make(map[spot]bool)
	for at := range best([]sums{flat}, columns, from, to, keep, n) {
		found[all[at.row].at] = false
	}
	return found
}

// compareAll compares a person with those who are likely, print by print.
func (g *Gallery) compareAll(probe Person, likely map[spot]bool, before int64) (found []Candidate) {
	people := slices.Collect(maps.Keys(likely))
	all := make([]Candidate, len(people))
	inParallel(len(people), func(i int) {
		at := people[i]
		if other, ref := at.block.open(at.row, before); other != nil {
			all[i] = compare(probe, personOf(other), likely[at])
			all[i].Ref = ref
			clear(other)
		}
	})
	for _, c := range all {
		if c.Score > notable {
			found = append(found, c)
		}
	}
	return found
}

// inParallel does something n times, on every processor.
func inParallel(n int, do func(i int)) {
	var wg sync.WaitGroup
	workers := max(1, min(runtime.GOMAXPROCS(0), n/8))
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				do(i)
			}
		})
	}
	wg.Wait()
}
