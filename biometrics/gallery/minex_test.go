package gallery

import (
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/finger"
	"github.com/plinth-id/plinth/biometrics/gallery/crowd"
)

// cards are the two of each of NIST's twelve persons, eight fingers each.
type cards map[string]map[string]Person

// inked skips the test where they are not at hand.
func inked(t *testing.T) cards {
	t.Helper()
	dir := os.Getenv("TESTDATA_DIR")
	if dir == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("TESTDATA_DIR is not set")
		}
		t.Skip("skipped: finding real persons among many (TESTDATA_DIR is not set)")
	}
	read, err := readCards()
	if err != nil {
		t.Fatal(err)
	}
	if len(read["a"]) != 12 || len(read["b"]) != 12 {
		t.Fatalf("got %d and %d persons, want 12 twice", len(read["a"]), len(read["b"]))
	}
	return read
}

var readCards = sync.OnceValues(func() (cards, error) {
	dir := filepath.Join(os.Getenv("TESTDATA_DIR"), "biometrics", "minex")
	index, err := os.Open(filepath.Join(dir, "index.csv"))
	if err != nil {
		return nil, err
	}
	defer index.Close()
	rows, err := csv.NewReader(index).ReadAll()
	if err != nil {
		return nil, err
	}
	all := cards{"a": {}, "b": {}}
	for _, row := range rows[1:] {
		file, subject, card := row[0], row[1], row[3]
		number, _ := strconv.Atoi(row[2])
		position, ok := biometrics.FingerOf(number)
		if !ok || all[card] == nil {
			return nil, fmt.Errorf("%s: finger %q of card %q", file, row[2], card)
		}
		if _, ok := all[card][subject]; !ok {
			all[card][subject] = Person{Fingers: prints{}}
		}
		switch made, err := read(filepath.Join(dir, file)); {
		case errors.Is(err, biometrics.ErrNoFinger): // too faint: enrolment would leave it out too
		case err != nil:
			return nil, fmt.Errorf("%s: %w", file, err)
		default:
			all[card][subject].Fingers[position] = made
		}
	}
	return all, nil
})

// read makes a template of the image in a file.
func read(file string) (finger.Template, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return finger.Template{}, err
	}
	img, err := finger.Decode(raw)
	if err != nil {
		return finger.Template{}, err
	}
	made, _, err := finger.Extract(img)
	return made, err
}

// among is a gallery of card a, with others who do not exist. Few are looked at
// closer, so that the codes must find the right ones.
func among(t *testing.T, enrolled map[string]Person, others int) (*Gallery, map[string]int) {
	t.Helper()
	g := New(Config{})
	if others > 0 {
		g.depth = depth{coarse: others / 20, fine: 10, moved: 5, all: 0}
	}
	numbers := make(map[string]int)
	for subject, p := range enrolled {
		numbers[subject] = len(numbers)
		g.Insert(ref(numbers[subject]), int64(numbers[subject]), p)
	}
	for n := range others {
		p := Person{Fingers: prints{}}
		for code := range 10 {
			position, ok := biometrics.FingerOf(code + 1)
			if !ok || position == biometrics.RightThumb || position == biometrics.LeftThumb {
				continue
			}
			var err error
			if p.Fingers[position], err = crowd.Print(uint64(1_000_000+10*n+code), 0, 2); err != nil {
				t.Fatal(err)
			}
		}
		g.Insert(ref(len(enrolled)+n), int64(len(enrolled)+n), p)
	}
	return g, numbers
}

func TestRealPersonsAreFoundAndNobodyElse(t *testing.T) {
	known := inked(t)
	for _, others := range []int{0, 400} {
		g, numbers := among(t, known["a"], others)
		for subject, p := range known["b"] {
			found := g.Search(p, math.MaxInt64, 10)
			if len(found) == 0 || found[0].Ref != ref(numbers[subject]) || g.Decide(found[0]) != Duplicate {
				t.Errorf("person %s among %d: got %+v, want them for a duplicate", subject, g.Len(), found)
				continue
			}
			for _, c := range found[1:] {
				if g.Decide(c) == Duplicate {
					t.Errorf("person %s among %d: got %+v for a duplicate too", subject, g.Len(), c)
				}
			}
		}
	}
}

// Hands are swapped by mistake, or to get a second number.
func TestRealPersonsWithSwappedHandsAreFoundAmongMany(t *testing.T) {
	known := inked(t)
	g, numbers := among(t, known["a"], 400)
	for subject, p := range known["b"] {
		swapped := Person{Fingers: prints{}}
		for position, f := range p.Fingers {
			other, _ := biometrics.FingerOf((position.Code()+4)%10 + 1)
			swapped.Fingers[other] = f
		}
		found := g.Search(swapped, math.MaxInt64, 10)
		if len(found) == 0 || found[0].Ref != ref(numbers[subject]) || g.Decide(found[0]) == Unique {
			t.Errorf("person %s: got %+v, want them", subject, found)
		}
	}
}
