package synth

import (
	"bytes"
	"testing"
)

func TestEyesAreTheSameAgain(t *testing.T) {
	first := Eye(5, 1, 2)
	if !bytes.Equal(first.Pix, Eye(5, 1, 2).Pix) {
		t.Error("the same seed made two eyes")
	}
	if bytes.Equal(first.Pix, Eye(5, 2, 2).Pix) || bytes.Equal(first.Pix, Eye(6, 1, 2).Pix) {
		t.Error("two captures, or two eyes, are one")
	}
}
