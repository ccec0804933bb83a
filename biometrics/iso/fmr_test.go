package iso

import (
	"encoding/binary"
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

// The same finger in the two forms that we read and do not write.
func TestOtherFormsOfMinutiaeAreRead(t *testing.T) {
	ours, err := WriteFMR(some(t))
	if err != nil {
		t.Fatal(err)
	}
	sizes, minutiae := ours[14:22], ours[fmrHead+fmrView:len(ours)-2]
	n := byte(len(minutiae) / fmrEach)

	later := []byte(fmr2011Magic)
	later = binary.BigEndian.AppendUint32(later, 0) // length, below
	later = append(later, 0, 1, 1)                  // one representation, certified
	later = append(later, 0, 0, 0, 0)               // its length, below
	later = append(later, make([]byte, 9+5)...)     // date, device
	later = append(later, 1, 80, 0, 0, 0, 0)        // quality
	later = append(later, 1, 0, 0, 0)               // a certificate
	later = append(later, 7, 1)                     // left index, the first
	later = append(later, sizes[4:]...)             // rates
	later = append(later, 0)                        // impression
	later = append(later, sizes[:4]...)
	later = append(append(later, fmrEach<<4, n), minutiae...)
	later = append(later, 0, 0)
	binary.BigEndian.PutUint32(later[8:], uint32(len(later)))
	binary.BigEndian.PutUint32(later[15:], uint32(len(later)-15))

	american := append([]byte(fmrMagic), 0, 0, 0, 0, 0, 0, 0, 0) // length below, product, equipment
	american = append(append(american, sizes...), 1, 0, 7, 0, 80, n)
	for i := range int(n) {
		m := minutiae[fmrEach*i : fmrEach*(i+1)]
		american = append(american, m[0], m[1], m[2], m[3], byte((int(m[4])*180+128)/256%180), m[5])
	}
	american = append(american, 0, 0)
	binary.BigEndian.PutUint16(american[8:], uint16(len(american)))

	want := some(t)
	for name, raw := range map[string][]byte{"ISO/IEC 19794-2:2011": later, "ANSI 378": american} {
		got, err := ReadFMR(raw)
		if err != nil || got.Len() != want.Len() || got.Width != 320 || got.Height != 400 {
			t.Errorf("%s: got %d minutiae of %d×%d, %v", name, got.Len(), got.Width, got.Height, err)
			continue
		}
		for i, m := range got.Minutiae() {
			w := want.Minutiae()[i]
			if m.X != w.X || m.Y != w.Y || m.Kind != w.Kind || m.Quality != w.Quality || math.Abs(float64(m.Direction-w.Direction)) > math.Pi/60 {
				t.Errorf("%s: minutia %d: got %+v, want %+v", name, i, m, w)
			}
		}
		for cut := range len(raw) - 2 {
			if _, err := ReadFMR(raw[:cut]); !errors.Is(err, biometrics.ErrBadTemplate) {
				t.Fatalf("%s cut at %d: got %v", name, cut, err)
			}
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
