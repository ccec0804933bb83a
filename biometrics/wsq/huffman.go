package wsq

// decoder is a canonical Huffman code, read through a table of its first bits.
type decoder struct {
	quick  [1 << quickBits]uint16 // length<<8 | symbol; 0: longer than that
	first  [17]int                // first code of each length
	limit  [17]int                // one past its last code
	offset [17]int                // of its first symbol
	symbol []byte
}

const quickBits = 9

// newDecoder makes the code of which counts[i] words have i+1 bits.
func newDecoder(counts [16]int, symbols []byte) (*decoder, error) {
	d := &decoder{symbol: symbols}
	code, at := 0, 0
	for length := 1; length <= 16; length++ {
		n := counts[length-1]
		d.first[length], d.offset[length] = code, at
		d.limit[length] = code + n
		if code+n > 1<<length {
			return nil, broken("a Huffman table has too many words of %d bits", length)
		}
		for i := range n {
			if length > quickBits {
				break
			}
			from := (code + i) << (quickBits - length)
			for j := range 1 << (quickBits - length) {
				d.quick[from+j] = uint16(length)<<8 | uint16(symbols[at+i])
			}
		}
		code, at = (code+n)<<1, at+n
	}
	return d, nil
}

// next reads one value, or a run of zeros.
func (d *decoder) next(b *bits) (value, zeros int, err error) {
	symbol, err := d.read(b)
	if err != nil {
		return 0, 0, err
	}
	switch s := int(symbol); {
	case s >= 1 && s <= longestRun:
		return 0, s, nil
	case s > run16 && s < 255:
		return s - symbolOfZero, 0, nil
	case s == positive8, s == positive16:
		value, err = b.take(wide(s == positive16))
		return value, 0, err
	case s == negative8, s == negative16:
		value, err = b.take(wide(s == negative16))
		return -value, 0, err
	case s == run8, s == run16:
		zeros, err = b.take(wide(s == run16))
		if err == nil && zeros == 0 {
			err = broken("a run of no zeros")
		}
		return 0, zeros, err
	}
	return 0, 0, broken("symbol %d means nothing", symbol)
}

func wide(sixteen bool) int {
	if sixteen {
		return 16
	}
	return 8
}

func (d *decoder) read(b *bits) (byte, error) {
	b.fill()
	if q := d.quick[b.peek(quickBits)]; q != 0 {
		return byte(q), b.drop(int(q >> 8))
	}
	for length := quickBits + 1; length <= 16; length++ {
		if code := int(b.peek(length)); code < d.limit[length] {
			return d.symbol[d.offset[length]+code-d.first[length]], b.drop(length)
		}
	}
	return 0, broken("no Huffman word")
}

// bits reads entropy-coded bytes: a zero byte is stuffed behind each 0xff, and a
// marker ends them.
type bits struct {
	raw  []byte
	at   int
	word uint64 // the next bits, left-aligned
	n    int    // how many of them are there
}

func (b *bits) fill() {
	for b.n <= 48 && b.at < len(b.raw) {
		v := b.raw[b.at]
		if v == 0xff {
			if b.at+1 >= len(b.raw) || b.raw[b.at+1] != 0 {
				return // a marker
			}
			b.at++
		}
		b.at++
		b.word |= uint64(v) << (56 - b.n)
		b.n += 8
	}
}

func (b *bits) peek(n int) uint64 { return b.word >> (64 - n) }

func (b *bits) drop(n int) error {
	if n > b.n {
		return broken("its data are cut off")
	}
	b.word <<= n
	b.n -= n
	return nil
}

func (b *bits) take(n int) (int, error) {
	b.fill()
	v := int(b.peek(n))
	return v, b.drop(n)
}
