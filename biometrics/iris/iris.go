// Package iris is our own iris engine: it finds the iris in a near-infrared image
// of an eye, writes its texture as 2,048 bits and compares two such codes. It is
// written from papers: J. Daugman, How Iris Recognition Works (2004) and New
// Methods in Iris Recognition (2007); L. Masek's log-Gabor phase (2003).
package iris

import (
	"encoding/binary"
	"errors"
	"math/bits"

	"github.com/plinth-id/plinth/biometrics"
)

// Why there is no code.
var (
	ErrNoEye   = errors.New("iris: there is no eye in this image whose iris can be seen")
	ErrBadCode = errors.New("iris: this is no iris code that can be read")
)

// What a code is made of: at each of 128 directions about the pupil and in each of
// 8 rings from the pupil to the white, two bits of the phase of the texture.
const (
	columns   = 128
	bands     = 8
	perColumn = 2 * bands
	words     = columns * perColumn / 64
	perWord   = 64 / perColumn // columns in a word
)

// Code is what is kept of an eye: 2,048 bits of texture, and 2,048 that say which
// of them were seen (1) and which lay behind lids, lashes and reflections (0). The
// zero one matches nothing.
type Code struct {
	bits, mask [words]uint64
}

// The form in which codes are stored: "PIC1", then the bits and the mask, as
// big-endian words.
const (
	magic     = "PIC1"
	codeBytes = len(magic) + 2*8*words
)

// Marshal writes the native form, 516 bytes.
func (c Code) Marshal() []byte {
	out := append(make([]byte, 0, codeBytes), magic...)
	for _, w := range c.bits {
		out = binary.BigEndian.AppendUint64(out, w)
	}
	for _, w := range c.mask {
		out = binary.BigEndian.AppendUint64(out, w)
	}
	return out
}

// ParseCode reads the native form.
func ParseCode(raw []byte) (Code, error) {
	if len(raw) != codeBytes || string(raw[:len(magic)]) != magic {
		return Code{}, ErrBadCode
	}
	var c Code
	for i := range words {
		c.bits[i] = binary.BigEndian.Uint64(raw[len(magic)+8*i:])
		c.mask[i] = binary.BigEndian.Uint64(raw[len(magic)+8*(words+i):])
		if c.bits[i]&^c.mask[i] != 0 { // we write none that was not seen
			return Code{}, ErrBadCode
		}
	}
	return c, nil
}

// Empty tells whether nothing was seen: such a code matches nothing.
func (c Code) Empty() bool { return c.mask == [words]uint64{} }

// seen is the number of bits that were seen.
func (c *Code) seen() (n int) {
	for _, word := range c.mask {
		n += bits.OnesCount64(word)
	}
	return n
}

// Threshold is the score from which two codes are taken for one eye in a
// comparison of one with one: a false match in ten thousand.
const Threshold biometrics.Score = 4
