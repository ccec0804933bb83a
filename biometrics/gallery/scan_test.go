package gallery

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// random is a code of the constant weight.
func random(r *rand.Rand) (c code) {
	for _, at := range r.Perm(cells)[:strongest] {
		c[at/64] |= 1 << (at % 64)
	}
	return c
}

// likeness is a code that differs from another in few bits.
func likeness(r *rand.Rand, c code, bits int) code {
	for range bits {
		at := r.IntN(cells)
		c[at/64] ^= 1 << (at % 64)
	}
	return c
}

func flat(codes []code) (words []uint64) {
	for _, c := range codes {
		words = append(words, c[:]...)
	}
	return words
}

// slow is what a scan is, written as it is said.
func slow(probes, codes []code) (sum uint32) {
	for _, p := range probes {
		nearest := few
		for _, c := range codes {
			d := 0
			for at := range 64 * codeWords {
				d += int((p[at/64] ^ c[at/64]) >> (at % 64) & 1)
			}
			nearest = min(nearest, d)
		}
		sum += uint32(few - nearest)
	}
	return sum
}

func TestEveryWayOfScanningGivesTheSame(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		mine, theirs := make([]code, r.IntN(lanes+1)), make([]code, 1+r.IntN(mostCodes))
		for i := range mine {
			mine[i] = random(r)
		}
		for i := range theirs {
			if theirs[i] = random(r); len(mine) > 0 && r.IntN(2) == 0 {
				theirs[i] = likeness(r, mine[r.IntN(len(mine))], r.IntN(100))
			}
		}
		want := slow(mine, theirs)
		for _, p := range probesOf(mine) {
			var first nearest
			for i, s := range append(scanners(), scanner{"dispatched", scan}) {
				var near nearest
				if got := s.scan(&p, flat(theirs), &near); got != want {
					t.Fatalf("%s: %d against %d codes: got %d, want %d", s.name, len(mine), len(theirs), got, want)
				}
				if i == 0 {
					first = near
				} else if near != first {
					t.Fatalf("%s: got the nearest %v, want %v", s.name, near, first)
				}
			}
		}
	}
}

func FuzzEveryWayOfScanningGivesTheSame(f *testing.F) {
	f.Add([]byte{}, []byte{})
	f.Add(make([]byte, 40), make([]byte, 80))
	f.Add([]byte("probe probe probe probe probe probe prob"), []byte("probe probe probe probe probe probe prox"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		var p probe
		words := make([]uint64, max(codeWords, min(len(b)/8, mostCodes*codeWords)))
		for i := range min(len(words), len(b)/8) {
			words[i] = binary.LittleEndian.Uint64(b[8*i:])
		}
		for i := range min(len(a)/8, lanes*codeWords) {
			p[i%3][i/3%codeWords][i/15] = binary.LittleEndian.Uint64(a[8*i:])
		}
		var same nearest
		want := scanPortable(&p, words, &same)
		for _, s := range append(scanners(), scanner{"dispatched", scan}) {
			var near nearest
			if got := s.scan(&p, words, &near); got != want || near != same {
				t.Errorf("%s: got %d and %v, want %d and %v", s.name, got, near, want, same)
			}
		}
	})
}

func BenchmarkScan(b *testing.B) {
	r := rand.New(rand.NewPCG(3, 4))
	mine, theirs := make([]code, mostCodes), make([]code, mostCodes)
	for i := range mine {
		mine[i], theirs[i] = random(r), random(r)
	}
	probes, words := probesOf(mine), flat(theirs)
	for _, s := range append(scanners(), scanner{"dispatched", scan}) {
		b.Run(s.name, func(b *testing.B) {
			var near nearest
			for b.Loop() {
				for i := range probes {
					s.scan(&probes[i], words, &near)
				}
			}
		})
	}
}
