package synth

import (
	"bytes"
	"testing"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/finger"
	"github.com/plinth-id/plinth/biometrics/gallery"
)

func template(t *testing.T, seed int64, impression, level int) finger.Template {
	t.Helper()
	img, err := finger.FromImage(Print(seed, impression, level), 500)
	if err != nil {
		t.Fatal(err)
	}
	made, q, err := finger.Extract(img)
	if err != nil || q.Value < 30 {
		t.Fatalf("finger %d: got quality %d, %v", seed, q.Value, err)
	}
	return made
}

func TestPrintsAreTheSameAgain(t *testing.T) {
	if !bytes.Equal(PNG(Print(5, 1, 2)), PNG(Print(5, 1, 2))) {
		t.Fatal("the same seed made two prints")
	}
	if bytes.Equal(PNG(Print(5, 1, 2)), PNG(Print(5, 2, 2))) {
		t.Fatal("two impressions are one")
	}
}

// Mates meet and strangers do not: at the verification threshold finger by
// finger, and with margin for persons in the gallery.
func TestMatesMeetAndStrangersDoNot(t *testing.T) {
	const people = 6
	positions := []biometrics.Position{biometrics.RightIndex, biometrics.LeftIndex}
	var first, second [people]gallery.Person
	for p := range people {
		first[p] = gallery.Person{Fingers: map[biometrics.Position]finger.Template{}}
		second[p] = gallery.Person{Fingers: map[biometrics.Position]finger.Template{}}
		for n, position := range positions {
			seed := int64(100*p + n)
			first[p].Fingers[position], second[p].Fingers[position] = template(t, seed, 0, 2), template(t, seed, 1, 2)
		}
	}
	for p := range people {
		for q := range people {
			score := finger.Compare(first[p].Fingers[biometrics.RightIndex], second[q].Fingers[biometrics.RightIndex])
			if (score >= finger.Threshold) != (p == q) {
				t.Errorf("fingers of %d and %d: got %.2f, threshold %.2f", p, q, score, finger.Threshold)
			}
		}
	}
	g := gallery.New(gallery.Config{})
	refs := make([]uuid.UUID, people)
	for p := range people {
		refs[p] = uuid.New()
		g.Insert(refs[p], int64(p), first[p])
	}
	for p := range people {
		found := g.Search(second[p], people, 10)
		if len(found) == 0 || found[0].Ref != refs[p] || gallery.Decide(found[0].Score, g.Len()) != gallery.Duplicate {
			t.Errorf("person %d: got %+v, want a duplicate", p, found)
		}
		if len(found) > 1 && gallery.Decide(found[1].Score, g.Len()) != gallery.Unique {
			t.Errorf("person %d: the next best is %+v, want unique", p, found[1])
		}
		for _, c := range g.Search(second[p], int64(p), 10) {
			if c.Ref == refs[p] {
				t.Errorf("person %d was found behind its own place in line", p)
			}
		}
	}
	g.Remove(refs[2])
	if found := g.Search(second[2], people, 10); len(found) > 0 && found[0].Ref == refs[2] {
		t.Error("somebody who was removed was found")
	}
}

// A flaw of nothing is a plain print, and every flaw changes it.
func TestFlawsSpoilPrints(t *testing.T) {
	plain := Print(7, 1, 1)
	for _, flaw := range Flaws {
		if got := Flawed(7, 1, 1, Spoil{flaw: .6}); bytes.Equal(got.Pix, plain.Pix) || !bytes.Equal(got.Pix, Flawed(7, 1, 1, Spoil{flaw: .6}).Pix) {
			t.Errorf("%s: got the plain print, or another one the second time", flaw)
		}
	}
	if !bytes.Equal(Flawed(7, 1, 1, Spoil{Dry: 0}).Pix, plain.Pix) {
		t.Error("a print that is dry by nothing is not the plain one")
	}
}
