package webp

import "math"

// boolean is the arithmetic coder of section 7: it writes decisions, each with the
// chance of 256 that it is no.
type boolean struct {
	out   []byte
	width uint32 // of the interval, less one
	low   uint32
	bits  int // that wait in low, less eight
	held  int // bytes of 0xff that a carry could still turn over
}

func newBoolean() *boolean { return &boolean{width: 254, bits: -8} }

func (b *boolean) put(yes bool, chance uint8) {
	split := b.width * uint32(chance) >> 8
	if yes {
		b.low += split + 1
		b.width -= split + 1
	} else {
		b.width = split
	}
	for b.width < 127 {
		b.width = b.width<<1 | 1
		b.low <<= 1
		if b.bits++; b.bits > 0 {
			b.flush()
		}
	}
}

// number writes an unsigned number, its highest bit first.
func (b *boolean) number(n, bits int) {
	for bits--; bits >= 0; bits-- {
		b.put(n>>bits&1 == 1, 128)
	}
}

func (b *boolean) flush() {
	shift := 8 + b.bits
	top := b.low >> shift
	b.low -= top << shift
	b.bits -= 8
	if top&0xff == 0xff {
		b.held++
		return
	}
	fill := byte(0xff)
	if top > 0xff {
		fill = 0
		if len(b.out) > 0 {
			b.out[len(b.out)-1]++
		}
	}
	for ; b.held > 0; b.held-- {
		b.out = append(b.out, fill)
	}
	b.out = append(b.out, byte(top))
}

// bytes ends the stream, with as much after it as decoders read ahead.
func (b *boolean) bytes() []byte {
	b.number(0, 9-b.bits)
	b.bits = 0
	b.flush()
	return b.out
}

// noCost and yesCost are the lengths of a decision in 256ths of a bit.
var noCost, yesCost = func() (no, yes [256]int32) {
	for chance := 1; chance < 256; chance++ {
		no[chance] = int32(math.Round(-256 * math.Log2(float64(chance)/256)))
		yes[chance] = int32(math.Round(-256 * math.Log2(1-float64(chance)/256)))
	}
	no[0], yes[0] = 16*256, 0
	return no, yes
}()

func cost(yes bool, chance uint8) int32 {
	if yes {
		return yesCost[chance]
	}
	return noCost[chance]
}
