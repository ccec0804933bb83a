package gallery

import (
	"cmp"
	"maps"
	"runtime"
	"slices"
	"sync"
)

// depth is how many are looked at closer. To compare somebody print by print costs
// a hundred times what agreement costs, and that ten times a comparison of codes.
type depth struct {
	coarse int // at least, by their codes
	fine   int // by agreement of fingers of the same names, and more among many
	moved  int // by agreement of fingers under other names, and more among many
	eyes   int // by their eyes
	all    int // so small a gallery is compared print by print without asking the codes
}

var usualDepth = depth{coarse: 1000, fine: 100, moved: 35, eyes: 100, all: 200}

// passing is how many of so many people pass the codes: the fewer the fingers, the
// less the codes say.
func (d depth) passing(size, fingers int) int {
	share := 20 // in thousandths
	switch {
	case fingers < 4:
		share = 100
	case fingers < 6:
		share = 30
	}
	return max(d.coarse, size*share/1000)
}

// grown is a number of people to keep that grows to twice as many when there are a
// million.
func grown(least, size int) int { return least + min(least, least*size/1_000_000) }

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

// likely are those to compare, and whether under other names too. Whom the eyes
// show to be alike is compared whatever the fingers say.
func (g *Gallery) likely(q quest) map[spot]bool {
	size := g.Len()
	switch {
	case q.empty:
		return nil
	case size <= g.depth.all || q.columns() == 0: // without codes there is no other way
		return g.everybody(size <= g.depth.all)
	}
	all := g.scanAll(q)
	n := normsOf(q.columns(), all)
	found := g.refine(q, size, best(all, n, q.named(), g.depth.passing(size, len(q.fingers))), best(all, n, q.moved(), max(g.depth.coarse, size/500)))
	for _, of := range []span{q.seen(), q.crossed()} {
		for at := range best(all, n, of, g.depth.eyes) {
			if _, shown := found[at]; !shown {
				found[at] = false
			}
		}
	}
	return found
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
func (g *Gallery) refine(q quest, size int, named, moved map[spot]bool) map[spot]bool {
	byName := q.agreements(slices.Collect(maps.Keys(named)), true)
	other := q.agreements(slices.Collect(maps.Keys(moved)), false)
	found := bestRated(byName, q.columns(), q.named(), grown(g.depth.fine, size))
	for at := range bestRated(other, q.columns(), q.moved(), grown(g.depth.moved, size)) {
		found[at] = true
	}
	return found
}

// rated is what the second stage says of somebody.
type rated struct {
	at   spot
	each []uint16
}

// agreements rates people by fingers of the same names, or by those of others.
func (q quest) agreements(people []spot, byName bool) []rated {
	all := make([]rated, len(people))
	spaces := make([]uint16, len(people)*q.columns())
	inParallel(len(people), func(i int) {
		all[i] = rated{people[i], spaces[i*q.columns() : (i+1)*q.columns()]}
		q.agree(all[i], byName)
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
		if s, record = nextSlot(record); len(s.codes) < usable*codeWords {
			continue // an eye, or too little of a finger
		}
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

// bestRated are the best of rated people by some of their columns.
func bestRated(all []rated, columns int, of span, keep int) map[spot]bool {
	flat := []sums{{each: make([]uint16, 0, len(all)*columns)}}
	for _, r := range all {
		flat[0].each = append(flat[0].each, r.each...)
	}
	found := make(map[spot]bool)
	for at := range best(flat, normsOf(columns, flat), of, keep) {
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
