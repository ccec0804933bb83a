// Package gallery compares one person with all who are enrolled. It exists for
// enrolment alone: nothing else may import it, and it knows references, not
// people.
package gallery

import (
	"math"
	"runtime"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/finger"
)

// Prints are the fingers of one person.
type Prints = map[biometrics.Position]finger.Template

// entry is one person in the gallery.
type entry struct {
	ref    uuid.UUID
	place  int64
	prints Prints
}

// Gallery holds the prints of all, in memory.
type Gallery struct {
	mu      sync.RWMutex
	entries []entry
	index   map[uuid.UUID]int
}

// New makes an empty gallery.
func New() *Gallery { return &Gallery{index: make(map[uuid.UUID]int)} }

// Insert adds a person at a place in line; a second time changes nothing.
func (g *Gallery) Insert(ref uuid.UUID, place int64, prints Prints) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.index[ref]; ok {
		return
	}
	g.index[ref] = len(g.entries)
	g.entries = append(g.entries, entry{ref, place, prints})
}

// Remove takes a person out.
func (g *Gallery) Remove(ref uuid.UUID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	at, ok := g.index[ref]
	if !ok {
		return
	}
	last := len(g.entries) - 1
	g.entries[at] = g.entries[last]
	g.index[g.entries[at].ref] = at
	g.entries[last] = entry{} // or the prints would stay in memory
	g.entries = g.entries[:last]
	delete(g.index, ref)
}

// Len is how many are in the gallery.
func (g *Gallery) Len() int {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return len(g.entries)
}

// FingerScore is what one finger said.
type FingerScore struct {
	Position biometrics.Position `json:"position"`
	Score    biometrics.Score    `json:"score"`
}

// Candidate is somebody whom the probe may be.
type Candidate struct {
	Ref     uuid.UUID        `json:"ref"`
	Score   biometrics.Score `json:"score"` // of all fingers together
	Fingers []FingerScore    `json:"fingers"`
}

// Search compares a person with all who stand before a place in line and gives
// the most similar, the best first. Fingers are compared with those of the same
// name, and where that says little, any with any: whoever gives a finger under
// another's name, by mistake or to get a second number, is found all the same.
func (g *Gallery) Search(prints Prints, before int64, limit int) []Candidate {
	g.mu.RLock()
	defer g.mu.RUnlock()
	workers := max(1, min(runtime.GOMAXPROCS(0), len(g.entries)/16))
	found := make([][]Candidate, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(g.entries); i += workers {
				if e := &g.entries[i]; e.place < before {
					if c := compare(prints, e); c.Score > notable {
						found[w] = append(found[w], c)
					}
				}
			}
		})
	}
	wg.Wait()
	all := slices.Concat(found...)
	slices.SortFunc(all, func(a, b Candidate) int {
		switch {
		case a.Score > b.Score:
			return -1
		case a.Score < b.Score:
			return 1
		}
		return slices.Compare(a.Ref[:], b.Ref[:])
	})
	return all[:min(limit, len(all))]
}

// notable is the least score that makes a candidate.
const notable biometrics.Score = 1

// leastMoved is the least by which fingers under other names make one: there are
// many such comparisons, and officers must not be called for each that is a little
// alike.
const leastMoved biometrics.Score = 6

func compare(probe Prints, e *entry) Candidate {
	c := Candidate{Ref: e.ref}
	for position, p := range probe {
		if t, ok := e.prints[position]; ok {
			c.Fingers = append(c.Fingers, FingerScore{position, finger.Compare(p, t)})
		}
	}
	c.Score = together(c.Fingers)
	if c.Score < leastDuplicate {
		if moved := anyWithAny(probe, e); together(moved) > max(c.Score, leastMoved) {
			c.Fingers, c.Score = moved, together(moved)
		}
	}
	slices.SortFunc(c.Fingers, func(a, b FingerScore) int { return a.Position.Code() - b.Position.Code() })
	return c
}

// Alike compares two persons, as Search does.
func Alike(a, b Prints) biometrics.Score { return compare(a, &entry{prints: b}).Score }

// together is what the scores of several fingers say of one person: each is the
// −log10 of a chance, and so is the result (Fisher's method: the sum of k such
// logarithms follows the gamma distribution of shape k). A plain sum would make
// four fingers that are each a little alike look like a proof.
func together(fingers []FingerScore) biometrics.Score {
	if len(fingers) == 0 {
		return 0
	}
	var sum float64
	for _, f := range fingers {
		sum += float64(max(0, f.Score))
	}
	x := sum * math.Ln10
	term, tail := 1.0, 1.0
	for i := 1; i < len(fingers); i++ {
		term *= x / float64(i)
		tail += term
	}
	return biometrics.Score(sum - math.Log10(tail))
}

// anyWithAny takes for each finger of the probe its best among all of the other,
// and pays for the number of tries.
func anyWithAny(probe Prints, e *entry) (fingers []FingerScore) {
	price := biometrics.Score(math.Log10(float64(1 + len(e.prints)))) // the one by name was a try too
	for position, p := range probe {
		var best biometrics.Score
		for _, t := range e.prints {
			best = max(best, finger.Compare(p, t)-price)
		}
		fingers = append(fingers, FingerScore{position, best})
	}
	return fingers
}

// Verdict is what the scores say.
type Verdict string

// The verdicts. Between unique and duplicate a person decides.
const (
	Unique    Verdict = "unique"
	Doubtful  Verdict = "doubtful"
	Duplicate Verdict = "duplicate"
)

// How sure a decision must be: of all searches, one in a thousand may name
// somebody who is not the same (false positive identification rate), and one in a
// hundred may bother an officer for nothing.
const (
	duplicateMargin biometrics.Score = 3
	doubtfulMargin  biometrics.Score = 2
	// leastDuplicate keeps a small gallery from deciding on one good finger.
	leastDuplicate biometrics.Score = 8
	leastDoubtful  biometrics.Score = 4
)

// Decide judges the best candidate of a search among size persons: the chance of
// a false match grows with their number, so the score must too.
func Decide(best biometrics.Score, size int) Verdict {
	grown := biometrics.Score(math.Log10(float64(max(1, size))))
	switch {
	case best >= max(leastDuplicate, grown+duplicateMargin+leastDoubtful):
		return Duplicate
	case best >= max(leastDoubtful, grown+doubtfulMargin):
		return Doubtful
	}
	return Unique
}
