package scribe

import (
	"testing"
	"time"

	"github.com/plinth-id/plinth/credentials/kind"
)

func TestBuiltinKindsHaveAShape(t *testing.T) {
	for _, d := range kind.Builtin() {
		k, err := Configure(base, d, kind.LDP)
		if err != nil {
			t.Fatal(err)
		}
		if want := d.Formats.LDP.Suite != kind.SuiteDisclosable; (k.shaped != nil) != want {
			t.Errorf("%s: got a shape %v, want %v", d.Name, k.shaped != nil, want)
		}
	}
}

// A draft from the shape is worked out the long way too, the first one among them; the
// rehearsal would say if they differed, since it reads what was signed.
func TestDraftsOfTheShapeAreRechecked(t *testing.T) {
	k, err := Configure(base, kind.Builtin()[0], kind.LDP)
	if err != nil {
		t.Fatal(err)
	}
	stage, err := newStage(base, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, sample := range Samples(k.Definition) {
		if _, err := stage.play(t.Context(), k, sample); err != nil {
			t.Errorf("%s: %v", sample.Name, err)
		}
	}
	if k.shaped.drawn.Load() == 0 || k.shaped.off.Load() {
		t.Errorf("got %d drafts of the shape, off %v; want some, and it in use", k.shaped.drawn.Load(), k.shaped.off.Load())
	}
}
