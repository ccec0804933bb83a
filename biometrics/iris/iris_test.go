package iris

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/plinth-id/plinth/biometrics"
)

// drawn is a code of which every bit is a toss, seen in a share of its places.
func drawn(r *rand.Rand, seen float64) (c Code) {
	for i := range words {
		for bit := range 64 {
			if r.Float64() < seen {
				c.mask[i] |= 1 << bit
			}
		}
		c.bits[i] = r.Uint64() & c.mask[i]
	}
	return c
}

// turned is a code of the same eye, the head tilted by so many columns.
func turned(c Code, by int) (out Code) {
	for column := range columns {
		from := ((column+by)%columns + columns) % columns
		shift := from % perWord * perColumn
		const all = 1<<perColumn - 1
		to := column % perWord * perColumn
		out.bits[column/perWord] |= (c.bits[from/perWord] >> shift & all) << to
		out.mask[column/perWord] |= (c.mask[from/perWord] >> shift & all) << to
	}
	return out
}

func TestNothingMatchesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	full, little := drawn(r, 1), drawn(r, .2)
	for name, pair := range map[string][2]Code{"two zero codes": {}, "a zero code": {full, Code{}}, "a code of few bits": {little, little}} {
		if got := Compare(pair[0], pair[1]); got != 0 {
			t.Errorf("%s: got %v, want 0", name, got)
		}
	}
	if distance, seen := Distance(Code{}, Code{}); distance != 1 || seen != 0 {
		t.Errorf("distance of nothing: got %v of %d bits, want 1 of 0", distance, seen)
	}
}

func TestTiltedHeadIsTheSameEye(t *testing.T) {
	c := drawn(rand.New(rand.NewPCG(3, 4)), .8)
	for by := -maxShift; by <= maxShift; by++ {
		if got := Compare(c, turned(c, by)); got != MaxScore {
			t.Errorf("tilted by %d columns: got %v, want %v", by, got, MaxScore)
		}
		if got := Compare(turned(c, by), c); got != MaxScore {
			t.Errorf("the other way, %d columns: got %v, want %v", by, got, MaxScore)
		}
	}
	if got := Compare(c, turned(c, maxShift+1)); got >= Threshold {
		t.Errorf("beyond tolerance: got %v, want less than %v", got, Threshold)
	}
}

func TestEveryProcessorCountsAlike(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	for range 50 {
		a, b := drawn(r, r.Float64()), drawn(r, r.Float64())
		var f fanned
		f.spread(&a)
		var got, want [2][rotations]int
		count(&f, &b, &got[0], &got[1])
		countPortable(&f, &b, &want[0], &want[1])
		if got != want {
			t.Fatalf("got %v, the portable one counted %v", got, want)
		}
	}
}

func TestFewerBitsSayLess(t *testing.T) {
	if few, many := score(normalised(.3, 600)), score(normalised(.3, 1800)); few >= many {
		t.Errorf("a distance of .3: got %v of 600 bits and %v of 1,800", few, many)
	}
	// The tail of 150 tosses, the best of 17 tries: of 45 or fewer 1 in 112,000.
	for distance, want := range map[float64][2]float64{.3: {4.9, 5.2}, .35: {2.3, 2.8}, .5: {0, 0}} {
		if got := float64(score(distance)); got < want[0] || got > want[1] {
			t.Errorf("distance %v: got a score of %.2f, want one from %v to %v", distance, got, want[0], want[1])
		}
	}
	if got := score(-1); got != MaxScore {
		t.Errorf("no difference: got %v, want %v", got, MaxScore)
	}
}

func TestCodeComesBackAsItWas(t *testing.T) {
	c := drawn(rand.New(rand.NewPCG(5, 6)), .7)
	back, err := ParseCode(c.Marshal())
	if err != nil || back != c {
		t.Fatalf("got another code or %v", err)
	}
	raw := c.Marshal()
	for n := range raw {
		if _, err := ParseCode(raw[:n]); err == nil {
			t.Fatalf("%d bytes of %d were read", n, len(raw))
		}
	}
	copy(raw[len(magic):], []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	if _, err := ParseCode(raw); err == nil {
		t.Error("bits that were not seen were read")
	}
}

func TestComparingAllocatesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	a, b := drawn(r, .7), drawn(r, .7)
	var sum biometrics.Score
	if got := testing.AllocsPerRun(100, func() { sum += Compare(a, b) }); got != 0 || math.IsNaN(float64(sum)) {
		t.Errorf("got %v allocations, want none", got)
	}
}

func BenchmarkCompare(b *testing.B) {
	r := rand.New(rand.NewPCG(9, 10))
	x, y := drawn(r, .7), drawn(r, .7)
	for b.Loop() {
		Compare(x, y)
	}
}

func FuzzParseCode(f *testing.F) {
	f.Add([]byte(magic))
	f.Add(drawn(rand.New(rand.NewPCG(11, 12)), .5).Marshal())
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := ParseCode(raw)
		if err != nil {
			return
		}
		if string(c.Marshal()) != string(raw) {
			t.Fatal("a code was written differently from what was read")
		}
		Compare(c, c)
	})
}
