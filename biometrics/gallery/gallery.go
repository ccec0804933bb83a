// Package gallery compares one person with all who are enrolled. It exists for
// enrolment alone: nothing else may import it, and it knows references, not
// people.
//
// A search of many goes in three steps, each dearer and each for fewer: codes of
// minutiae, a third of a microsecond a finger and for everybody (coarse.go); whether
// the minutiae with like codes lie to one another in the same way (fine.go); prints
// with prints (person.go). Eyes are searched beside fingers: whom either shows to be
// alike is compared.
package gallery

import (
	"hash/maphash"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"
)

// Config is how a gallery is laid out and how it decides. The zero one will do.
type Config struct {
	Shards int // each is searched by a worker of its own; 0 means one for every processor
	Policy Policy
}

// Gallery holds the prints of all, in memory.
type Gallery struct {
	Policy Policy
	// still is held by who searches, so that nobody moves to another row meanwhile.
	still  sync.RWMutex
	shards []*shard
	seed   maphash.Seed
	count  atomic.Int64
	depth  depth
}

// shard is the part of the people whom one worker searches.
type shard struct {
	mu     sync.Mutex
	index  map[uuid.UUID]spot
	blocks []*block
	open   []*block // those with room, the one to fill at the end
}

// spot is where somebody is.
type spot struct {
	block *block
	row   int
}

// New makes an empty gallery.
func New(c Config) *Gallery {
	if c.Shards < 1 {
		c.Shards = runtime.GOMAXPROCS(0)
	}
	g := &Gallery{Policy: c.Policy, seed: maphash.MakeSeed(), shards: make([]*shard, c.Shards), depth: usualDepth}
	for i := range g.shards {
		g.shards[i] = &shard{index: make(map[uuid.UUID]spot)}
	}
	return g
}

func (g *Gallery) shardOf(ref uuid.UUID) *shard {
	return g.shards[maphash.Bytes(g.seed, ref[:])%uint64(len(g.shards))]
}

// Insert adds a person at a place in line; a second time changes nothing.
func (g *Gallery) Insert(ref uuid.UUID, place int64, p Person) {
	s := g.shardOf(ref)
	if s.has(ref) {
		return
	}
	record := recordOf(p)
	defer clear(record)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.index[ref]; ok {
		return
	}
	b := s.room(len(record))
	s.index[ref] = spot{b, b.add(ref, place, record)}
	g.count.Add(1)
}

// room is a block with room for so many words.
func (s *shard) room(words int) *block {
	for n := len(s.open); n > 0; n = len(s.open) {
		if b := s.open[n-1]; b.used+words <= blockWords {
			return b
		}
		s.open = s.open[:n-1]
	}
	b := newBlock()
	s.blocks, s.open = append(s.blocks, b), append(s.open, b)
	return b
}

func (s *shard) has(ref uuid.UUID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.index[ref]
	return ok
}

// Remove takes a person out. Their prints are wiped at once; the memory is used
// again when much of a block is empty.
func (g *Gallery) Remove(ref uuid.UUID) {
	s := g.shardOf(ref)
	if b := s.remove(ref); b != nil {
		g.count.Add(-1)
		g.compact(s, b)
	}
}

func (s *shard) remove(ref uuid.UUID) *block {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.index[ref]
	if !ok {
		return nil
	}
	delete(s.index, ref)
	at.block.wipe(at.row)
	return at.block
}

// compact closes the gaps of a block of which a quarter is empty. It waits for the
// searches that are under way.
func (g *Gallery) compact(s *shard, b *block) {
	sparse := func() bool {
		b.mu.RLock()
		defer b.mu.RUnlock()
		return b.wiped > blockWords/4
	}
	if !sparse() {
		return
	}
	g.still.Lock()
	defer g.still.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if sparse() {
		b.compact(func(ref uuid.UUID, row int) { s.index[ref] = spot{b, row} })
		if !slices.Contains(s.open, b) {
			s.open = append(s.open, b)
		}
	}
}

// Len is how many are in the gallery.
func (g *Gallery) Len() int { return int(g.count.Load()) }

// Decide judges the best candidate of a search by the gallery's policy and size.
func (g *Gallery) Decide(best Candidate) Verdict { return g.Policy.Decide(best.Score, g.Len()) }
