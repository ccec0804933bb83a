package gallery

import (
	"bytes"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/finger"
)

// people have two fingers each: the demonstration has two impressions of six.
const people = 3

var positions = []biometrics.Position{biometrics.RightIndex, biometrics.LeftIndex}

// prints are the fingers of one person.
type prints = map[biometrics.Position]finger.Template

// captured is one impression of everybody's fingers.
type captured [people]Person

func capture(impression int) (all captured, err error) {
	for p := range people {
		all[p] = Person{Fingers: make(prints)}
		for f, position := range positions {
			name := fmt.Sprintf("p%02d_rightIndex_%d.png", 1+len(positions)*p+f, impression)
			var err error
			if all[p].Fingers[position], err = read(filepath.Join("..", "..", "cmd", "plinth", "demodata", "prints", name)); err != nil {
				return all, err
			}
		}
	}
	return all, nil
}

var (
	enrolled = sync.OnceValues(func() (captured, error) { return capture(0) })
	returned = sync.OnceValues(func() (captured, error) { return capture(1) })
)

// impressions are those that were enrolled, and those of the same people on another day.
func impressions(t *testing.T) (first, second captured) {
	t.Helper()
	first, err := enrolled()
	if err == nil {
		second, err = returned()
	}
	if err != nil {
		t.Fatal(err)
	}
	return first, second
}

// ref is a reference of its own for every number.
func ref(n int) uuid.UUID { return uuid.UUID{0: byte(n >> 8), 1: byte(n), 15: 1} }

// all is a gallery of everybody, at the places 1, 2, 3 and so on.
func all(t *testing.T) *Gallery {
	t.Helper()
	g := New(Config{})
	first, _ := impressions(t)
	for p := range people {
		g.Insert(ref(p), int64(p+1), first[p])
	}
	return g
}

func TestSearchFindsEverybodyFirst(t *testing.T) {
	g := all(t)
	_, second := impressions(t)
	for p := range people {
		found := g.Search(second[p], math.MaxInt64, 10)
		if len(found) == 0 || found[0].Ref != ref(p) || Decide(found[0].Score, g.Len()) != Duplicate {
			t.Errorf("person %d: got %v, want the same person, for a duplicate", p, found)
			continue
		}
		if f := found[0].Fingers; len(f) != 2 || f[0].Position != biometrics.RightIndex || f[1].Position != biometrics.LeftIndex {
			t.Errorf("person %d: got %v, want both fingers in the order of their codes", p, f)
		}
		for _, c := range found[1:] {
			if c.Score > found[0].Score || Decide(c.Score, g.Len()) == Duplicate {
				t.Errorf("person %d: got %v beside, want nobody else for a duplicate", p, c)
			}
		}
	}
}

func TestSearchSeesOnlyWhoStandsBefore(t *testing.T) {
	g := all(t)
	_, second := impressions(t)
	for p := range people {
		place := int64(p + 1)
		for before, want := range map[int64]bool{0: false, place - 1: false, place: false, place + 1: true} {
			found := g.Search(second[p], before, 10)
			if got := slices.ContainsFunc(found, func(c Candidate) bool { return c.Ref == ref(p) }); got != want {
				t.Errorf("person %d before place %d: got found %v, want %v", p, before, got, want)
			}
		}
	}
}

func TestSearchGivesTheBestFewInOneOrder(t *testing.T) {
	g := New(Config{})
	first, second := impressions(t)
	for n := range 40 { // so many that several workers share them
		g.Insert(ref(n), int64(n), first[n%people])
	}
	want := g.Search(second[0], math.MaxInt64, 100)
	same := 0
	for i, c := range want {
		if i > 0 && (c.Score > want[i-1].Score || c.Score == want[i-1].Score && bytes.Compare(c.Ref[:], want[i-1].Ref[:]) <= 0) {
			t.Errorf("got %v after %v, want the best first, and equal ones by reference", c, want[i-1])
		}
		if Decide(c.Score, g.Len()) == Duplicate {
			same++
		}
	}
	if entries := 1 + 39/people; same != entries {
		t.Errorf("got %d duplicates, want every entry of that person once: %d", same, entries)
	}
	for _, limit := range []int{0, 1, 3, len(want)} {
		got := g.Search(second[0], math.MaxInt64, limit)
		if !slices.EqualFunc(got, want[:limit], func(a, b Candidate) bool { return a.Ref == b.Ref && a.Score == b.Score }) {
			t.Errorf("limit %d: got %v, want the first %d", limit, got, limit)
		}
	}
}

// Somebody who lost a finger, or showed them in another order, is found too, and
// that any finger may fit any other has its price.
func TestSearchComparesAnyFingerWithAnyWhenNoneIsInCommon(t *testing.T) {
	g := all(t)
	_, second := impressions(t)
	swapped := Person{Fingers: prints{biometrics.RightMiddle: second[1].Fingers[biometrics.RightIndex], biometrics.LeftMiddle: second[1].Fingers[biometrics.LeftIndex]}}
	found := g.Search(swapped, math.MaxInt64, 10)
	direct := g.Search(second[1], math.MaxInt64, 1)
	if len(found) == 0 || found[0].Ref != ref(1) || found[0].Score >= direct[0].Score {
		t.Errorf("got %v, want the person with less than %v", found, direct[0].Score)
	}
	one := Person{Fingers: prints{biometrics.RightIndex: second[1].Fingers[biometrics.RightIndex]}}
	if found := g.Search(one, math.MaxInt64, 10); len(found) == 0 || found[0].Ref != ref(1) || len(found[0].Fingers) != 1 {
		t.Errorf("got %v, want the person by the one finger", found)
	}
}

func TestNobodyIsFoundByNothing(t *testing.T) {
	g := all(t)
	_, second := impressions(t)
	for what, p := range map[string]Person{"no prints": {}, "empty prints": {Fingers: prints{}}, "an empty finger": {Fingers: prints{biometrics.RightIndex: finger.Template{}}}} {
		if found := g.Search(p, math.MaxInt64, 10); len(found) != 0 {
			t.Errorf("%s: got %v, want nobody", what, found)
		}
	}
	if found := New(Config{}).Search(second[0], math.MaxInt64, 10); len(found) != 0 {
		t.Errorf("got %v in an empty gallery", found)
	}
	g = New(Config{})
	g.Insert(ref(1), 1, Person{})
	if found := g.Search(second[0], math.MaxInt64, 10); len(found) != 0 || g.Len() != 1 {
		t.Errorf("got %v of somebody without fingers", found)
	}
}

func TestInsertIsOnce(t *testing.T) {
	first, second := impressions(t)
	g := New(Config{})
	g.Insert(ref(1), 1, first[1])
	g.Insert(ref(1), 9, first[2])
	if g.Len() != 1 {
		t.Errorf("got %d, want 1", g.Len())
	}
	if found := g.Search(second[1], 2, 10); len(found) == 0 || found[0].Ref != ref(1) {
		t.Errorf("got %v, want the prints and the place of the first time", found)
	}
	if found := g.Search(second[2], 10, 10); slices.ContainsFunc(found, func(c Candidate) bool { return Decide(c.Score, 1) != Unique }) {
		t.Errorf("got %v, want the prints of the second time unknown", found)
	}
}

// lying tells what of somebody lies on in memory: their reference, or words that
// belong to nobody.
func lying(g *Gallery, gone int) string {
	for _, s := range g.shards {
		for _, b := range s.blocks {
			owned := make([]bool, len(b.words))
			for _, r := range b.people[:cap(b.people)] {
				if r.ref == ref(gone) {
					return "the reference"
				}
				for i := range r.size {
					owned[r.at+i] = true
				}
			}
			for i, w := range b.words {
				if w != 0 && !owned[i] {
					return "prints"
				}
			}
		}
	}
	return ""
}

func TestRemovedPeopleAreGone(t *testing.T) {
	_, second := impressions(t)
	for gone := range people {
		g := all(t)
		g.Remove(ref(gone))
		g.Remove(ref(gone))
		g.Remove(ref(99))
		if g.Len() != people-1 {
			t.Errorf("got %d, want %d", g.Len(), people-1)
		}
		for p := range people {
			found := g.Search(second[p], math.MaxInt64, 10)
			if got := slices.ContainsFunc(found, func(c Candidate) bool { return c.Ref == ref(p) }); got != (p != gone) {
				t.Errorf("%d removed: got %d found %v, want %v", gone, p, got, p != gone)
			}
		}
		if what := lying(g, gone); what != "" {
			t.Errorf("%d removed: got %s left behind", gone, what)
		}
	}
	g := all(t)
	for p := range people {
		g.Remove(ref(p))
	}
	first, _ := impressions(t)
	g.Insert(ref(1), 7, first[1])
	if found := g.Search(second[1], 8, 10); g.Len() != 1 || len(found) != 1 || found[0].Ref != ref(1) {
		t.Errorf("got %v, want somebody who came back", found)
	}
}

func TestDecideAtItsEdges(t *testing.T) {
	less := func(s biometrics.Score) biometrics.Score {
		return biometrics.Score(math.Nextafter(float64(s), 0))
	}
	for _, c := range []struct {
		best biometrics.Score
		size int
		want Verdict
	}{
		{0, 0, Unique}, {-3, 1, Unique}, {less(4), 1, Unique}, {4, 1, Doubtful}, {less(8), 1, Doubtful}, {8, 1, Duplicate}, {8, 0, Duplicate}, {8, -1, Duplicate},
		{4, 100, Doubtful}, {less(5), 1000, Unique}, {5, 1000, Doubtful},
		{8, 10, Duplicate}, {less(9), 100, Doubtful}, {9, 100, Duplicate},
		{less(10), 100_000_000, Unique}, {10, 100_000_000, Doubtful}, {less(15), 100_000_000, Doubtful}, {15, 100_000_000, Duplicate},
		{biometrics.Score(math.Inf(1)), 1, Duplicate}, {biometrics.Score(math.Inf(-1)), 1, Unique}, {biometrics.Score(math.NaN()), 1, Unique},
	} {
		if got := Decide(c.best, c.size); got != c.want {
			t.Errorf("%v among %d: got %s, want %s", c.best, c.size, got, c.want)
		}
	}
}

// The sum of k scores that chance alone makes has the gamma distribution of shape
// k: what together says must come true as often as it says.
func TestScoresOfSeveralFingersCountAsOneChance(t *testing.T) {
	fingers := func(scores ...biometrics.Score) (all []PositionScore) {
		for _, s := range scores {
			all = append(all, PositionScore{Score: s})
		}
		return all
	}
	near := func(a, b biometrics.Score) bool { return math.Abs(float64(a-b)) < 1e-9 }
	x := 4 * math.Ln10
	for _, c := range []struct {
		fingers []PositionScore
		want    biometrics.Score
	}{
		{nil, 0}, {fingers(0), 0}, {fingers(5), 5}, {fingers(-5), 0}, {fingers(0, 0, 0, 0), 0},
		{fingers(2, 2), biometrics.Score(4 - math.Log10(1+x))}, {fingers(4, -9), biometrics.Score(4 - math.Log10(1+x))},
		{fingers(1, 1, 2), biometrics.Score(4 - math.Log10(1+x+x*x/2))},
	} {
		if got := together(c.fingers); !near(got, c.want) {
			t.Errorf("%v: got %v, want %v", c.fingers, got, c.want)
		}
	}
	if four := together(fingers(1, 1, 1, 1)); four >= 4 || four < 1 {
		t.Errorf("got %v for four fingers that are each a little alike, want far less than the sum", four)
	}
	if strong := together(fingers(10, 10)); strong <= 15 {
		t.Errorf("got %v for two fingers that fit, want more than either", strong)
	}
}

func TestGalleryIsUsedByManyAtOnce(t *testing.T) {
	g := all(t)
	first, second := impressions(t)
	var wg sync.WaitGroup
	for w := range 6 {
		wg.Go(func() {
			for n := range 8 {
				own := ref(100 + 10*w + n)
				g.Insert(own, int64(100+n), first[(w+n)%people])
				if found := g.Search(second[w%people], people+1, people); len(found) == 0 || found[0].Ref != ref(w%people) {
					t.Errorf("got %v, want the one who stands there", found)
				}
				if n%2 == 0 {
					g.Remove(own)
				}
				if g.Len() < people {
					t.Error("got fewer than stand there")
				}
			}
		})
	}
	wg.Wait()
	if got, want := g.Len(), people+6*4; got != want {
		t.Errorf("got %d, want %d", got, want)
	}
	for _, s := range g.shards {
		for who, at := range s.index {
			if got := at.block.people[at.row].ref; got != who {
				t.Errorf("got %v where the index has %v", got, who)
			}
		}
	}
}

// Whoever gives fingers under other names is found like anybody else.
func TestFingersUnderOtherNamesAreFound(t *testing.T) {
	g := all(t)
	_, second := impressions(t)
	for p := range people {
		right, left := second[p].Fingers[biometrics.RightIndex], second[p].Fingers[biometrics.LeftIndex]
		for name, c := range map[string]struct {
			probe prints
			want  []Verdict
		}{
			"hands swapped":          {prints{biometrics.RightIndex: left, biometrics.LeftIndex: right}, []Verdict{Duplicate}},
			"one finger as another":  {prints{biometrics.RightIndex: left}, []Verdict{Duplicate, Doubtful}},
			"a finger and a foreign": {prints{biometrics.LeftIndex: right, biometrics.RightIndex: second[(p+1)%people].Fingers[biometrics.LeftIndex]}, []Verdict{Duplicate, Doubtful}},
		} {
			found := g.Search(Person{Fingers: c.probe}, math.MaxInt64, 10)
			if !slices.ContainsFunc(found, func(f Candidate) bool { return f.Ref == ref(p) && slices.Contains(c.want, Decide(f.Score, g.Len())) }) {
				t.Errorf("person %d, %s: got %v, want them found", p, name, found)
			}
		}
	}
}
