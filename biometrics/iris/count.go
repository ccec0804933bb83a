package iris

import "math/bits"

const (
	rotations = 2*maxShift + 1
	spare     = maxShift / perWord // words that a rotation reaches on either side
)

// fanned is a code at all rotations: by less than a word, each with room for those by
// whole words.
type fanned struct {
	turned, masked [perWord][words + 2*spare]uint64
}

func (f *fanned) spread(c *Code) {
	turn(&f.turned, &c.bits)
	turn(&f.masked, &c.mask)
}

func turn(to *[perWord][words + 2*spare]uint64, from *[words]uint64) {
	var round [words + 2*spare + 1]uint64
	copy(round[:], from[words-spare:])
	copy(round[spare:], from[:])
	copy(round[spare+words:], from[:spare+1])
	copy(to[0][:], round[:])
	for r := 1; r < perWord; r++ {
		low, high := uint(r*perColumn)&63, uint(64-r*perColumn)&63
		for i := range to[r] {
			to[r][i] = round[i]>>low | round[i+1]<<high
		}
	}
}

// countPortable counts as count does, on every processor.
func countPortable(f *fanned, b *Code, differ, both *[rotations]int) {
	for shift := range rotations {
		turned := (*[words]uint64)(f.turned[shift%perWord][shift/perWord:])
		masked := (*[words]uint64)(f.masked[shift%perWord][shift/perWord:])
		d, n := 0, 0
		for i := range words {
			seen := masked[i] & b.mask[i]
			n += bits.OnesCount64(seen)
			d += bits.OnesCount64((turned[i] ^ b.bits[i]) & seen)
		}
		differ[shift], both[shift] = d, n
	}
}
