package finger

import "math/bits"

// cylinders are those of a print, word by word: all first words, all second ones …,
// then what each has seen, so that eight are compared at once. What fills up to a
// multiple of eight is like no other.
type cylinders struct {
	n, stride int
	words     []uint64
}

const lanes = 8

func newCylinders(n int) cylinders {
	stride := (n + lanes - 1) / lanes * lanes
	return cylinders{n, stride, make([]uint64, (layers+1)*stride)}
}

func (c cylinders) set(i int, one cylinder) {
	for k, word := range one.bits {
		c.words[k*c.stride+i] = word
	}
	c.words[layers*c.stride+i] = one.seen
}

func (c cylinders) at(i int) (one cylinder) {
	for k := range one.bits {
		one.bits[k] = c.words[k*c.stride+i]
	}
	one.seen = c.words[layers*c.stride+i]
	return one
}

// roots are the square roots of the bit counts that occur.
var roots = func() (r [across*across*layers + 1]float32) {
	for i := range r {
		r[i] = root(float32(i))
	}
	return r
}()

// like is the similarity of two neighbourhoods where both were seen, 0 to levels.
func like(a, b *cylinder) uint8 {
	both := a.seen & b.seen
	if bits.OnesCount64(both) < leastSeen {
		return 0
	}
	differ, onesA, onesB := 0, 0, 0
	for k := range layers {
		x, y := a.bits[k]&both, b.bits[k]&both
		differ += bits.OnesCount64(x ^ y)
		onesA += bits.OnesCount64(x)
		onesB += bits.OnesCount64(y)
	}
	if onesA+onesB == 0 {
		return 0
	}
	return uint8(levels * max(0, 1-roots[differ]/(roots[onesA]+roots[onesB])))
}

// likesPortable is like for one neighbourhood and all of a print.
func likesPortable(out []uint8, a *cylinder, b cylinders) {
	for j := range b.n {
		other := b.at(j)
		out[j] = like(a, &other)
	}
}
