package main

import (
	"errors"
	"testing"

	"github.com/plinth-id/plinth/biometrics/gallery"
)

func TestBenchGalleryFindsMatesAndNoStrangers(t *testing.T) {
	b := benchGallery{People: 40, Fingers: 2, Searches: 8, Level: 1, Seed: 3}
	g := gallery.New(gallery.Config{})
	var r searched
	if err := b.fill(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	if err := b.search(t.Context(), g, &r); err != nil {
		t.Fatal(err)
	}
	if g.Len() != b.People || r.Found != b.Searches || r.FNIR != 0 || r.FalseMatches != 0 || !(r.CoreSeconds > 0) {
		t.Errorf("got %+v of %d people, want every mate, no stranger, and time spent", r, g.Len())
	}
}

func TestBenchGalleryRefusesWhatCannotBe(t *testing.T) {
	good := benchGallery{People: 40, Fingers: 2, Searches: 8, Level: 1}
	for name, spoil := range map[string]func(b *benchGallery){
		"nobody": func(b *benchGallery) { b.People = 0 }, "eleven fingers": func(b *benchGallery) { b.Fingers = 11 },
		"more searches than people": func(b *benchGallery) { b.Searches = 41 }, "level 4": func(b *benchGallery) { b.Level = 4 },
	} {
		b := good
		spoil(&b)
		var wrong wrongUse
		if err := b.Run(t.Context()); !errors.As(err, &wrong) {
			t.Errorf("%s: got %v, want wrong use", name, err)
		}
	}
}
