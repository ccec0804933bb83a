package qr

import (
	"math/bits"
	"sync"
)

// The blocks of words and their words of error correction, by level and version:
// ISO/IEC 18004, table 9.
var (
	blocks = [4][40]int{
		{1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8, 8, 9, 9, 10, 12, 12, 12, 13, 14, 15, 16, 17, 18, 19, 19, 20, 21, 22, 24, 25},
		{1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16, 17, 17, 18, 20, 21, 23, 25, 26, 28, 29, 31, 33, 35, 37, 38, 40, 43, 45, 47, 49},
		{1, 1, 2, 2, 4, 4, 6, 6, 8, 8, 8, 10, 12, 16, 12, 17, 16, 18, 21, 20, 23, 23, 25, 27, 29, 34, 34, 35, 38, 40, 43, 45, 48, 51, 53, 56, 59, 62, 65, 68},
		{1, 1, 2, 4, 4, 4, 5, 6, 8, 8, 11, 11, 16, 16, 18, 16, 19, 21, 25, 25, 25, 34, 30, 32, 35, 37, 40, 42, 45, 48, 51, 54, 57, 60, 63, 66, 70, 74, 77, 81},
	}
	checks = [4][40]int{
		{7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28, 28, 28, 30, 30, 26, 28, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30},
		{10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26, 26, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28},
		{13, 22, 18, 26, 18, 24, 18, 22, 20, 24, 28, 26, 24, 20, 30, 24, 28, 28, 26, 30, 28, 30, 30, 30, 30, 28, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30},
		{17, 28, 22, 16, 22, 28, 26, 26, 24, 28, 24, 28, 22, 24, 24, 30, 28, 28, 26, 28, 30, 24, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30},
	}
)

const maxVersion = 40

func sideOf(version int) int { return 17 + 4*version }

// places is how many modules of a version carry words.
func places(version int) int {
	n := (16*version+128)*version + 64
	if version >= 2 {
		across := version/7 + 2
		n -= (25*across-10)*across - 55
	}
	if version >= 7 {
		n -= 36
	}
	return n
}

// dataWords is how many words of a version are left for what it says.
func dataWords(version int, level Level) int {
	return places(version)/8 - blocks[level][version-1]*checks[level][version-1]
}

// frame is what all codes of a version have in common.
type frame struct {
	side         int
	width        line // the modules that a row has
	fixed, taken []line
	places       []uint16 // where the bits go, in their order: row and column
}

var frames [maxVersion + 1]struct {
	once sync.Once
	frame
}

func frameOf(version int) *frame {
	f := &frames[version]
	f.once.Do(func() { f.draw(version) })
	return &f.frame
}

func (f *frame) draw(version int) {
	f.side = sideOf(version)
	f.fixed, f.taken = make([]line, f.side), make([]line, f.side)
	for x := range f.side {
		f.width.set(x)
	}
	for i := 8; i < f.side-8; i++ {
		f.put(i, 6, i%2 == 0)
		f.put(6, i, i%2 == 0)
	}
	for _, corner := range [][2]int{{3, 3}, {f.side - 4, 3}, {3, f.side - 4}} {
		f.rings(corner[0], corner[1], 4)
	}
	f.alignments(version)
	for i := range 9 { // the format's places, and the module that is always dark
		f.put(i, 8, f.fixed[8].has(i))
		f.put(8, i, f.fixed[i].has(8))
		if i < 8 {
			f.put(f.side-1-i, 8, false)
			f.put(8, f.side-1-i, i == 7)
		}
	}
	if version >= 7 {
		word := version<<12 | remainder(version<<12, 0x1f25)
		for i := range 18 {
			f.put(i/3, f.side-11+i%3, word>>i&1 == 1)
			f.put(f.side-11+i%3, i/3, word>>i&1 == 1)
		}
	}
	f.walk()
}

func (f *frame) put(x, y int, dark bool) {
	f.taken[y].set(x)
	if dark {
		f.fixed[y].set(x)
	}
}

// rings draws a finder with its margin, or an alignment pattern.
func (f *frame) rings(cx, cy, radius int) {
	for y := max(0, cy-radius); y <= min(f.side-1, cy+radius); y++ {
		for x := max(0, cx-radius); x <= min(f.side-1, cx+radius); x++ {
			ring := max(x-cx, cx-x, y-cy, cy-y)
			f.put(x, y, ring != 4 && ring != 2 && radius == 4 || ring != 1 && radius == 2)
		}
	}
}

// alignmentCentres are the rows, and the columns, on which alignment patterns stand.
func alignmentCentres(version int) []int {
	if version < 2 {
		return nil
	}
	across := version/7 + 2
	step := (version*4 + across*2 + 1) / (across*2 - 2) * 2
	if version == 32 {
		step = 26 // the one that the rule does not give
	}
	centres := []int{6}
	for i := across - 2; i >= 0; i-- {
		centres = append(centres, sideOf(version)-7-i*step)
	}
	return centres
}

func (f *frame) alignments(version int) {
	centres := alignmentCentres(version)
	for i, y := range centres {
		for j, x := range centres {
			last := len(centres) - 1
			corner := i == 0 && (j == 0 || j == last) || i == last && j == 0
			if !corner {
				f.rings(x, y, 2)
			}
		}
	}
}

// walk goes up and down in pairs of columns, from the right, past the timing column.
func (f *frame) walk() {
	up := true
	for right := f.side - 1; right > 0; right -= 2 {
		if right == 6 {
			right--
		}
		for i := range f.side {
			y := i
			if up {
				y = f.side - 1 - i
			}
			for x := right; x > right-2; x-- {
				if !f.taken[y].has(x) {
					f.places = append(f.places, uint16(y<<8|x))
				}
			}
		}
		up = !up
	}
}

// remainder is the checksum of format and version words.
func remainder(word, generator int) int {
	for bits.Len(uint(word)) >= bits.Len(uint(generator)) {
		word ^= generator << (bits.Len(uint(word)) - bits.Len(uint(generator)))
	}
	return word
}

// writeFormat says which level and mask a code has, twice.
func writeFormat(rows []line, level Level, mask int) {
	name := [4]int{1, 0, 3, 2}[level]<<3 | mask
	word := (name<<10 | remainder(name<<10, 0x537)) ^ 0x5412
	side := len(rows)
	for i := range 15 {
		if word>>i&1 == 0 {
			continue
		}
		switch { // down the left finder, and right to left below it
		case i < 6:
			rows[i].set(8)
		case i < 8:
			rows[i+1].set(8)
		case i == 8:
			rows[8].set(7)
		default:
			rows[8].set(14 - i)
		}
		if i < 8 {
			rows[8].set(side - 1 - i)
		} else {
			rows[side-15+i].set(8)
		}
	}
}
