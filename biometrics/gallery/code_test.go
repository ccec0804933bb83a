package gallery

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"

	"github.com/plinth-id/plinth/biometrics/finger"
)

// scattered are minutiae on a grid that a seed shakes, in whole numbers throughout.
func scattered(t testing.TB, seed uint64, n int) finger.Template {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 9))
	minutiae := make([]finger.Minutia, n)
	for i := range minutiae {
		minutiae[i] = finger.Minutia{X: int16(40 + i%8*30 + r.IntN(20)), Y: int16(40 + i/8*30 + r.IntN(20)),
			Direction: float32(r.IntN(256)) * 2 * math.Pi / 256, Kind: finger.Ending, Quality: uint8(90 - i/2)}
	}
	return template(t, 400, 400, minutiae)
}

func template(t testing.TB, width, height int, minutiae []finger.Minutia) finger.Template {
	t.Helper()
	made, err := finger.New(width, height, minutiae)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func distance(a, b code) (d int) {
	for w := range a {
		d += bits.OnesCount64(a[w] ^ b[w])
	}
	return d
}

func TestEveryCodeHasTheSameWeight(t *testing.T) {
	for seed := range uint64(20) {
		codes, points := encode(scattered(t, seed, 20+3*int(seed)))
		if len(codes) == 0 || len(codes) != len(points) || len(codes) > mostCodes {
			t.Fatalf("seed %d: got %d codes at %d points, want as many, and some, and at most %d", seed, len(codes), len(points), mostCodes)
		}
		for i, c := range codes {
			if got := distance(c, code{}); got != strongest || c[codeWords-1]>>(cells%64) != 0 {
				t.Errorf("seed %d, code %d: got %d bits %x, want %d of %d", seed, i, got, c, strongest, cells)
			}
		}
	}
}

// Codes are compared between machines that were filled from the same templates, so
// they must be the same on each: no rounding may depend on the processor.
func TestCodesAreTheSameOnEveryPlatform(t *testing.T) {
	h := sha256.New()
	for seed := range uint64(8) {
		codes, points := encode(scattered(t, seed, 40))
		_ = binary.Write(h, binary.LittleEndian, codes)
		_ = binary.Write(h, binary.LittleEndian, points)
		_ = binary.Write(h, binary.LittleEndian, within(points))
	}
	if got, want := hex.EncodeToString(h.Sum(nil)), "7287fe8d417dbdbb7527ce8bdcd228eb5908246b5f9b9f2925473ccbe6798b41"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestACodeStaysWhenThePrintIsMovedOrTurned(t *testing.T) {
	before := scattered(t, 3, 40)
	moved, turned := before.Minutiae(), before.Minutiae()
	for i, m := range before.Minutiae() {
		moved[i].X, moved[i].Y = m.X+37, m.Y+21
		turned[i].X, turned[i].Y = m.Y, 399-m.X // a quarter, counter-clockwise
		turned[i].Direction = float32(math.Mod(float64(m.Direction)+math.Pi/2, 2*math.Pi))
	}
	want, _ := encode(before)
	for name, minutiae := range map[string][]finger.Minutia{"moved": moved, "turned": turned} {
		got, _ := encode(template(t, 450, 450, minutiae))
		if len(got) != len(want) {
			t.Fatalf("%s: got %d codes, want %d", name, len(got), len(want))
		}
		for _, c := range got { // equally good minutiae may change places
			nearest := cells
			for _, w := range want {
				nearest = min(nearest, distance(c, w))
			}
			if nearest > 4 {
				t.Errorf("%s: got a code %d bits from any, want the same but for rounding", name, nearest)
			}
		}
	}
}

func TestLonelyMinutiaeHaveNoCode(t *testing.T) {
	alone := []finger.Minutia{{X: 50, Y: 50, Quality: 90}, {X: 300, Y: 50, Quality: 90}, {X: 50, Y: 300, Quality: 90}, {X: 330, Y: 330, Quality: 90}}
	if codes, _ := encode(template(t, 400, 400, alone)); len(codes) != 0 {
		t.Errorf("got %d codes of minutiae with nothing around, want none", len(codes))
	}
	if codes, _ := encode(finger.Template{}); len(codes) != 0 {
		t.Errorf("got %d codes of nothing", len(codes))
	}
}

func TestPlacesBeyondThePrintAreNotCompared(t *testing.T) {
	inner := point(200<<20 | 200<<8)
	edge := point(100<<20 | 200<<8) // directed to the right, the print begins here
	points := []point{inner, edge, 300<<20 | 100<<8, 300<<20 | 300<<8, 100<<20 | 100<<8, 100<<20 | 300<<8}
	valid := within(points)
	if valid[0] != everywhere {
		t.Errorf("got %b in the middle, want all", valid[0])
	}
	for place, m := range placeMiddle {
		if got, want := valid[1]>>place&1 == 1, m[0] >= -beyond*quarters; got != want {
			t.Errorf("place %v at the left edge: got counted %v, want %v", m, got, want)
		}
	}
	for _, few := range [][]point{nil, {inner}, {inner, edge}, {inner, inner, inner}} {
		for _, v := range within(few) {
			if v != everywhere {
				t.Errorf("got %b for %d points, want all: they enclose nothing", v, len(few))
			}
		}
	}
}

func TestMasksCoverEveryLayerAlike(t *testing.T) {
	for _, valid := range []uint64{0, 1, everywhere, 1 << 51, 0x5555555555555} {
		mask := spreadOut(valid)
		for at := range 64 * codeWords {
			want := at < cells && valid>>(at%places)&1 == 1
			if got := mask[at/64]>>(at%64)&1 == 1; got != want {
				t.Errorf("%x, bit %d: got %v, want %v", valid, at, got, want)
			}
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	print := scattered(b, 1, 64)
	for b.Loop() {
		encode(print)
	}
}

func BenchmarkAgreement(b *testing.B) {
	f := soughtOf(1, scattered(b, 1, 48))
	s, _ := nextSlot(recordOf(Person{Fingers: prints{"rightThumb": scattered(b, 2, 48)}}))
	for b.Loop() {
		f.agreement(s)
	}
}
