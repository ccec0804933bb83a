package gallery

import (
	"math"
	"math/bits"
	"math/rand/v2"
)

// lanes is how many codes of a probe are compared at once.
const lanes = 24

// few is a distance that says something: a code adds what it is nearer.
const few = 70

// probe is up to lanes codes of a finger that is searched, word by word in groups
// of eight: the way that vector registers take them.
type probe [lanes / 8][codeWords][8]uint64

// probesOf lays out codes. Where there is none, all bits are set: no code is near
// to that.
func probesOf(codes []code) []probe {
	all := make([]probe, (len(codes)+lanes-1)/lanes)
	for i := range len(all) * lanes {
		c := code{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}
		if i < len(codes) {
			c = codes[i]
		}
		for w, word := range c {
			all[i/lanes][i%lanes/8][w][i%8] = word
		}
	}
	return all
}

// nearest are, for every code of a probe, the distance of the nearest code of a
// finger (above the lowest 6 bits) and its number; of equally near ones the first.
type nearest [lanes]uint64

// scanner is one way of scanning, for one kind of processor: it finds for every code
// of a probe the nearest of a finger's codes (codeWords words each, at most
// mostCodes), and adds up how much nearer than few they are. All give the same; scan
// is the fastest that this processor can do.
type scanner struct {
	name string
	scan func(p *probe, codes []uint64, near *nearest) uint32
}

// Path names the way in which codes are compared on this machine: avx512, avx2 or
// portable.
func Path() string { return scanners()[0].name }

// scanPortable is what every faster way must agree with.
func scanPortable(p *probe, codes []uint64, near *nearest) uint32 {
	var sum uint32
	for i := range near {
		words, lane := &p[i/8], i%8
		a, b, c, d, e := words[0][lane], words[1][lane], words[2][lane], words[3][lane], words[4][lane]
		best := uint64(math.MaxUint64)
		for n := 0; (n+1)*codeWords <= len(codes); n++ {
			o := codes[n*codeWords : (n+1)*codeWords : (n+1)*codeWords]
			distance := bits.OnesCount64(a^o[0]) + bits.OnesCount64(b^o[1]) + bits.OnesCount64(c^o[2]) + bits.OnesCount64(d^o[3]) + bits.OnesCount64(e^o[4])
			best = min(best, uint64(distance<<6|n))
		}
		near[i] = best
		sum += uint32(few - min(few, best>>6))
	}
	return sum
}

// Exercise compares one finger of mostCodes codes with another by their codes, so
// many times: for whoever wants to know how long that takes here.
func Exercise(times int) {
	codes := make([]code, mostCodes)
	for i := range codes {
		for w := range codeWords {
			codes[i][w] = rand.Uint64()
		}
	}
	probes, words := probesOf(codes), make([]uint64, mostCodes*codeWords)
	var near nearest
	for range times {
		for i := range probes {
			scan(&probes[i], words, &near)
		}
	}
}
