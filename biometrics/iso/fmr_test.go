package iso

import (
	"errors"
	"math"
	"testing"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/finger"
)

func some(t testing.TB) finger.Template {
	t.Helper()
	var minutiae []finger.Minutia
	for i := range 20 {
		minutiae = append(minutiae, finger.Minutia{X: int16(20 + 13*i), Y: int16(30 + 7*(i*i%37)), Direction: float32(i) * .3,
			Kind: uint8(1 + i%2), Quality: uint8(40 + i)})
	}
	made, err := finger.New(320, 400, minutiae)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestRecordsComeBack(t *testing.T) {
	want := some(t)
	raw, err := WriteFMR(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ReadFMR(raw)
	if err != nil || got.Len() != want.Len() || got.Width != 320 || got.Height != 400 {
		t.Fatalf("got %d minutiae of %d×%d, %v", got.Len(), got.Width, got.Height, err)
	}
	for i, m := range got.Minutiae() {
		w := want.Minutiae()[i]
		if m.X != w.X || m.Y != w.Y || m.Kind != w.Kind || m.Quality != w.Quality || math.Abs(float64(m.Direction-w.Direction)) > math.Pi/128 {
			t.Errorf("minutia %d: got %+v, want %+v", i, m, w)
		}
	}
}

func TestDamagedRecordsAreRefused(t *testing.T) {
	raw, err := WriteFMR(some(t))
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(raw) {
		if _, err := ReadFMR(raw[:n]); !errors.Is(err, biometrics.ErrBadTemplate) {
			t.Fatalf("cut at %d: got %v, want ErrBadTemplate", n, err)
		}
	}
}

func FuzzReadFMR(f *testing.F) {
	raw, err := WriteFMR(some(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(_ *testing.T, raw []byte) {
		if t, err := ReadFMR(raw); err == nil {
			finger.Compare(t, t)
		}
	})
}
