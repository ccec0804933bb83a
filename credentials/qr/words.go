package qr

import (
	"strings"
	"sync"
)

// The ways to write characters: section 7.4 of the standard.
type mode int

const (
	digits mode = iota
	letters
	bytewise
)

// part is a stretch of text written in one way.
type part struct {
	mode mode
	text string
}

// width is how long the counts of characters are, in a range of versions.
type width struct {
	from, to int
	count    [3]int
}

var widths = []width{{1, 9, [3]int{10, 9, 8}}, {10, 26, [3]int{12, 11, 16}}, {27, maxVersion, [3]int{14, 13, 16}}}

// value45 is the place of each character in the alphabet, or -1.
var value45 = func() (v [256]int8) {
	for i := range v {
		v[i] = int8(strings.IndexByte(alphabet, byte(i)))
	}
	return v
}()

func modeOf(c byte) mode {
	switch {
	case c >= '0' && c <= '9':
		return digits
	case value45[c] >= 0:
		return letters
	}
	return bytewise
}

func isAlphanumeric(text string) bool {
	for i := range len(text) {
		if value45[text[i]] < 0 {
			return false
		}
	}
	return true
}

// bits is how long n characters become; 0 when there are too many to be counted.
func (w width) bits(m mode, n int) int {
	if n >= 1<<w.count[m] {
		return 0
	}
	head := 4 + w.count[m]
	switch m {
	case digits:
		return head + n/3*10 + [3]int{0, 4, 7}[n%3]
	case letters:
		return head + n/2*11 + n%2*6
	}
	return head + 8*n
}

// split cuts a text into parts: a part swallows a simpler one behind it when that is
// shorter than a part of its own. One part for all is taken when it is no longer.
func (w width) split(text string) []part {
	var runs, parts []part
	all := digits
	for start, i := 0, 1; i <= len(text); i++ {
		if m := modeOf(text[start]); i == len(text) || modeOf(text[i]) != m {
			runs, all = append(runs, part{m, text[start:i]}), max(all, m)
			start = i
		}
	}
	for at := 0; len(runs) > 0; {
		joined, n := runs[0], 1
		for n < len(runs) && runs[n].mode <= joined.mode {
			next := runs[n]
			whole := w.bits(joined.mode, len(joined.text)+len(next.text))
			if whole == 0 || whole >= w.bits(joined.mode, len(joined.text))+w.bits(next.mode, len(next.text)) {
				break
			}
			joined.text = text[at : at+len(joined.text)+len(next.text)]
			n++
		}
		parts, runs, at = append(parts, joined), runs[n:], at+len(joined.text)
	}
	if one := []part{{all, text}}; w.length(one) > 0 && w.length(one) <= w.length(parts) {
		return one
	}
	return parts
}

// length is the sum of the parts in bits; 0 when one cannot be written.
func (w width) length(parts []part) (sum int) {
	for _, p := range parts {
		n := w.bits(p.mode, len(p.text))
		if n == 0 {
			return 0
		}
		sum += n
	}
	return sum
}

// bitWriter fills bytes from the highest bit down.
type bitWriter struct {
	out  []byte
	hold uint64
	n    int
}

func (b *bitWriter) put(value, bits int) {
	b.hold, b.n = b.hold<<bits|uint64(value), b.n+bits
	for ; b.n >= 8; b.n -= 8 {
		b.out = append(b.out, byte(b.hold>>(b.n-8)))
	}
}

// words writes the parts, an end and padding.
func (w width) words(parts []part, capacity int) []byte {
	b := bitWriter{out: make([]byte, 0, capacity)}
	for _, p := range parts {
		b.put(1<<p.mode, 4)
		b.put(len(p.text), w.count[p.mode])
		p.write(&b)
	}
	if left := capacity*8 - len(b.out)*8 - b.n; left > 0 {
		b.put(0, min(4, left))
	}
	if b.n > 0 {
		b.put(0, 8-b.n)
	}
	for pad := 0xec; len(b.out) < capacity; pad ^= 0xec ^ 0x11 {
		b.put(pad, 8)
	}
	return b.out
}

func (p part) write(b *bitWriter) {
	text := p.text
	switch p.mode {
	case digits:
		for ; len(text) > 0; text = text[min(3, len(text)):] {
			n := 0
			group := text[:min(3, len(text))]
			for _, c := range []byte(group) {
				n = n*10 + int(c-'0')
			}
			b.put(n, [4]int{0, 4, 7, 10}[len(group)])
		}
	case letters:
		for ; len(text) > 1; text = text[2:] {
			b.put(int(value45[text[0]])*45+int(value45[text[1]]), 11)
		}
		if len(text) == 1 {
			b.put(int(value45[text[0]]), 6)
		}
	default:
		for i := range len(text) {
			b.put(int(text[i]), 8)
		}
	}
}

// interleave cuts the words into blocks, adds to each its error correction, and deals
// them out in turn, so that a spot of dirt hurts each block a little.
func interleave(words []byte, version int, level Level) []byte {
	count, check := blocks[level][version-1], checks[level][version-1]
	total := places(version) / 8
	short := total/count - check // the words of the first blocks; the last have one more
	longer := total % count
	out := make([]byte, total)
	correct := correctionOf(check)
	for i := range count {
		size := short
		if i >= count-longer {
			size++
		}
		block := words[:size]
		words = words[size:]
		for j, word := range block {
			at := j*count + i
			if j == short {
				at = short*count + i - (count - longer)
			}
			out[at] = word
		}
		for j, word := range correct.of(block) {
			out[len(out)-check*count+j*count+i] = word
		}
	}
	return out
}

// correction is Reed and Solomon's code for a number of check words: for each byte that
// leaves, what it adds to them.
type correction struct {
	once  sync.Once
	n     int
	added [256][]byte
}

var corrections [31]correction

func correctionOf(n int) *correction {
	c := &corrections[n]
	c.once.Do(func() {
		generator := make([]byte, n) // without its leading one
		generator[n-1] = 1
		root := byte(1)
		for range n {
			for j := range n {
				generator[j] = times(generator[j], root)
				if j+1 < n {
					generator[j] ^= generator[j+1]
				}
			}
			root = times(root, 2)
		}
		c.n = n
		for b := range c.added {
			c.added[b] = make([]byte, n)
			for j := range n {
				c.added[b][j] = times(generator[j], byte(b))
			}
		}
	})
	return c
}

func (c *correction) of(block []byte) []byte {
	var rest [32]byte
	for _, word := range block {
		row := c.added[word^rest[0]]
		copy(rest[:], rest[1:])
		for j, v := range row {
			rest[j] ^= v
		}
	}
	return rest[:c.n:c.n]
}

// times multiplies in the field of 256 elements that the standard names.
func times(a, b byte) (product byte) {
	for ; b > 0; b >>= 1 {
		if b&1 == 1 {
			product ^= a
		}
		carry := a >> 7
		a = a<<1 ^ carry*0x1d
	}
	return product
}
