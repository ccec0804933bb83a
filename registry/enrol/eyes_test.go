package enrol

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/plinth-id/plinth/biometrics/synth"
)

// eyed is somebody of their own who gives eyes and no finger.
func eyed(seed int64, impression int) applicant {
	a := newApplicant(seed, 0)
	a.files = fstest.MapFS{
		"leftEye.png":  {Data: synth.PNG(synth.Eye(2*seed, impression, 1))},
		"rightEye.png": {Data: synth.PNG(synth.Eye(2*seed+1, impression, 1))},
	}
	return a
}

func TestWhoHasNoFingersIsKnownByTheEyes(t *testing.T) {
	w := newWorld(t)
	w.start(t)
	first := w.enrol(t, eyed(41, 0))
	if first.State != Notified {
		t.Fatalf("got %s: %s, want a number", first.State, first.Reason)
	}
	again := eyed(41, 1)
	again.identity()["fullName"] = []any{map[string]any{"language": "eng", "value": "Somebody Else"}}
	if second := w.enrol(t, again); second.Code != "duplicate" || !strings.Contains(second.Reason, first.ID.String()) {
		t.Errorf("got %s %s: %s, want a duplicate of the first", second.State, second.Code, second.Reason)
	}
	if other := w.enrol(t, eyed(42, 0)); other.State != Notified {
		t.Errorf("got %s: %s for other eyes, want a number", other.State, other.Reason)
	}
}

func TestEyesAreHeldToRules(t *testing.T) {
	w := newWorld(t)
	w.start(t)
	good := w.contents(t, eyed(43, 0))
	left := good.Samples[0]
	for what, test := range map[string]struct {
		right        sample
		code, reason string
	}{
		"a print":       {sample{Position: "rightEye", Format: "png", Data: print(1, 0)}, "sample-unusable", "rightEye.png: "},
		"a text":        {sample{Position: "rightEye", Format: "png", Data: []byte("blink")}, "sample-unusable", "rightEye.png: this is no image"},
		"one eye twice": {sample{Position: "rightEye", Format: "png", Data: synth.PNG(synth.Eye(86, 1, 1))}, "sample-repeated", "shows the same eye as leftEye.png"},
	} {
		c := good
		c.Samples = []sample{left, test.right}
		w.rejected(t, what, c, test.code, test.reason)
	}
}
