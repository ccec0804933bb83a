package gallery

import (
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/gallery/crowd"
)

var four = []biometrics.Position{biometrics.RightIndex, biometrics.LeftIndex, biometrics.RightMiddle, biometrics.LeftMiddle}

// made are those whom somebody has made already.
var made sync.Map

// somebody is an impression of person n, who does not exist.
func somebody(t testing.TB, n, impression int) Person {
	t.Helper()
	if known, ok := made.Load([2]int{n, impression}); ok {
		return known.(Person)
	}
	p := Person{Fingers: prints{}}
	for i, position := range four {
		var err error
		if p.Fingers[position], err = crowd.Print(uint64(10*n+i), impression, 2); err != nil {
			t.Fatal(err)
		}
	}
	made.Store([2]int{n, impression}, p)
	return p
}

// shallow looks closer at so few that a small crowd goes through every stage.
var shallow = depth{coarse: 30, fine: 10, moved: 5, eyes: 5, all: 20}

const many = 300

// filled is a gallery of a crowd, made once; who changes it makes their own.
var filled = sync.OnceValue(func() *Gallery { return New(Config{Shards: 3}) })

func crowded(t testing.TB, g *Gallery) *Gallery {
	t.Helper()
	g.depth = shallow
	for n := range many {
		g.Insert(ref(n), int64(n), somebody(t, n, 0))
	}
	return g
}

var fill sync.Once

func crowdOf(t testing.TB) *Gallery {
	t.Helper()
	fill.Do(func() { crowded(t, filled()) })
	return filled()
}

func TestOneAmongManyIsFound(t *testing.T) {
	g := crowdOf(t)
	for n := 0; n < many; n += 9 {
		found := g.Search(somebody(t, n, 1), math.MaxInt64, 5)
		if len(found) == 0 || found[0].Ref != ref(n) || g.Decide(found[0]) != Duplicate {
			t.Errorf("person %d: got %+v, want them for a duplicate", n, found)
		}
		if len(found) > 1 && g.Decide(found[1]) == Duplicate {
			t.Errorf("person %d: got %+v for a duplicate too", n, found[1])
		}
	}
}

func TestAStrangerAmongManyIsUnique(t *testing.T) {
	g := crowdOf(t)
	for n := many; n < many+20; n++ {
		if found := g.Search(somebody(t, n, 0), math.MaxInt64, 1); len(found) > 0 && g.Decide(found[0]) != Unique {
			t.Errorf("person %d: got %+v, want nobody", n, found[0])
		}
	}
}

func TestSwappedFingersAmongManyAreFound(t *testing.T) {
	g := crowdOf(t)
	for n := 4; n < many; n += 23 {
		p := somebody(t, n, 1)
		swapped := prints{four[0]: p.Fingers[four[1]], four[1]: p.Fingers[four[0]], four[2]: p.Fingers[four[3]], four[3]: p.Fingers[four[2]]}
		renamed := prints{biometrics.RightRing: p.Fingers[four[0]], biometrics.LeftRing: p.Fingers[four[2]], biometrics.RightThumb: p.Fingers[four[1]]}
		for name, probe := range map[string]prints{"hands swapped": swapped, "other names": renamed} {
			found := g.Search(Person{Fingers: probe}, math.MaxInt64, 5)
			if len(found) == 0 || found[0].Ref != ref(n) || g.Decide(found[0]) == Unique {
				t.Errorf("person %d, %s: got %+v, want them", n, name, found)
			}
		}
	}
}

func TestFewFingersAmongManyAreEnough(t *testing.T) {
	g := crowdOf(t)
	for n := 2; n < many; n += 31 {
		p := somebody(t, n, 1)
		found := g.Search(Person{Fingers: prints{four[0]: p.Fingers[four[0]], four[1]: p.Fingers[four[1]]}}, math.MaxInt64, 5)
		if len(found) == 0 || found[0].Ref != ref(n) || g.Decide(found[0]) == Unique {
			t.Errorf("person %d: got %+v, want them by two fingers", n, found)
		}
	}
}

func TestAmongManyOnlyThoseBeforeAreSeen(t *testing.T) {
	g := crowdOf(t)
	for _, n := range []int{0, 7, many / 2, many - 1} {
		for before, want := range map[int64]bool{int64(n): false, int64(n) + 1: true} {
			found := g.Search(somebody(t, n, 1), before, 30)
			if got := slices.ContainsFunc(found, func(c Candidate) bool { return c.Ref == ref(n) }); got != want {
				t.Errorf("person %d before place %d: got found %v, want %v", n, before, got, want)
			}
			for _, c := range found {
				if int64(c.Ref[0])<<8|int64(c.Ref[1]) >= before {
					t.Errorf("got %v before place %d", c.Ref, before)
				}
			}
		}
	}
}

func TestTheNumberOfShardsChangesNothing(t *testing.T) {
	one := crowded(t, New(Config{Shards: 1}))
	for n := 1; n < many; n += 77 {
		want, got := crowdOf(t).Search(somebody(t, n, 1), math.MaxInt64, 3), one.Search(somebody(t, n, 1), math.MaxInt64, 3)
		if len(got) == 0 || len(want) == 0 || got[0].Ref != want[0].Ref || got[0].Score != want[0].Score {
			t.Errorf("person %d: got %v, want %v", n, got, want)
		}
	}
}

func TestARecordGivesBackWhatWasPutIn(t *testing.T) {
	want := somebody(t, 1, 0)
	got := personOf(recordOf(want))
	if len(got.Fingers) != len(want.Fingers) {
		t.Fatalf("got %d fingers, want %d", len(got.Fingers), len(want.Fingers))
	}
	for position, f := range want.Fingers {
		if string(got.Fingers[position].Marshal()) != string(f.Marshal()) {
			t.Errorf("%s: got another template", position)
		}
	}
}

// What removed people leave empty is used again, and those who stay are found while
// others come and go.
func TestRoomIsUsedAgain(t *testing.T) {
	g := New(Config{Shards: 2})
	g.depth = shallow
	const size = 600 // more than a block a shard
	people := make([]Person, 60)
	for n := range people {
		people[n] = somebody(t, n, 0)
	}
	blocks := func() (n int) {
		for _, s := range g.shards {
			n += len(s.all())
		}
		return n
	}
	var most int
	for round := range 4 {
		var wg sync.WaitGroup
		wg.Go(func() {
			for range 3 {
				g.Search(people[0], math.MaxInt64, 1)
			}
		})
		for n := range size {
			g.Insert(ref(size*round+n), int64(n), people[n%len(people)])
		}
		if round == 0 {
			most = blocks() + 2
		}
		for n := range size - 1 { // the last of a round stays
			g.Remove(ref(size*round + n))
		}
		wg.Wait()
	}
	if got := blocks(); got > most {
		t.Errorf("got %d blocks after four rounds, want the %d of the first used again", got, most)
	}
	if g.Len() != 4 {
		t.Fatalf("got %d, want 4", g.Len())
	}
	found := g.Search(people[(size-1)%len(people)], math.MaxInt64, 10)
	for round := range 4 {
		who := ref(size*round + size - 1)
		if !slices.ContainsFunc(found, func(c Candidate) bool { return c.Ref == who }) {
			t.Errorf("got %v, want %v among them", found, who)
		}
	}
	for _, s := range g.shards {
		for _, b := range s.blocks {
			for _, r := range b.people {
				if r.ref == uuid.Nil && r.size > 0 {
					t.Error("got a removed one that still has prints")
				}
			}
		}
	}
}
