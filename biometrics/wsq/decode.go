package wsq

import (
	"encoding/binary"
	"image"
)

// header is what the tables of a file say.
type header struct {
	w, h        int
	shift, unit float32 // pixel = coefficient·unit + shift
	filters     filters
	centre      float32 // of a bin
	quant       [subbands]bin
	tables      [8]*decoder
	framed      bool
}

// bin is the quantiser of a subband: the width of its bins and of the one at zero.
type bin struct{ width, zero float32 }

// Decode reads an image. Bytes after its end are ignored.
func Decode(raw []byte) (*image.Gray, error) {
	r := &reader{raw: raw}
	if m, err := r.marker(); err != nil || m != markerStart {
		return nil, broken("it does not begin as one")
	}
	var h header
	if err := h.read(r, markerBlock); err != nil {
		return nil, err
	}
	if !h.framed || h.filters.low == nil || h.filters.high == nil {
		return nil, broken("its tables are not complete")
	}
	if h.w*h.h > 64*len(raw)*subbands { // a run of zeros is 2^16 coefficients in three bytes at best
		return nil, broken("it is too short for %d x %d pixels", h.w, h.h)
	}
	p := plane{w: h.w, h: h.h, data: make([]float32, h.w*h.h)}
	t := newTree(h.w, h.h)
	if err := h.coefficients(r, t, p); err != nil {
		return nil, err
	}
	f := h.filters.synthesis()
	line := newScratch(max(h.w, h.h))
	for i := len(t.steps) - 1; i >= 0; i-- {
		p.compose(t.steps[i], f, line)
	}
	return h.picture(p), nil
}

// read reads tables up to a marker and leaves the reader behind it.
func (h *header) read(r *reader, until int) error {
	for {
		m, err := r.marker()
		if err != nil {
			return err
		}
		if m == until {
			return nil
		}
		segment, err := r.segment()
		if err != nil {
			return err
		}
		switch m {
		case markerFrame:
			err = h.frame(segment)
		case markerFilters:
			err = h.readFilters(segment)
		case markerQuant:
			err = h.readQuant(segment)
		case markerHuffman:
			err = h.readHuffman(segment)
		case markerComment, markerRestart:
		default:
			err = broken("marker %04x has no place there", m)
		}
		if err != nil {
			return err
		}
	}
}

func (h *header) frame(s segment) error {
	s.skip(2) // black and white of the scanner
	h.h, h.w = int(s.uint16()), int(s.uint16())
	h.shift, h.unit = s.decimal16(), s.decimal16()
	if s.short || h.w < 1 || h.h < 1 || h.w*h.h > MaxPixels {
		return broken("%d x %d pixels", h.w, h.h)
	}
	h.framed = true
	return nil
}

func (h *header) readFilters(s segment) error {
	// High-pass of synthesis first, which is the low-pass of analysis.
	low, high := int(s.byte()), int(s.byte())
	if low%2 == 0 || high%2 == 0 || low > margin || high > margin || low < 1 || high < 1 {
		return broken("filters of %d and %d taps", low, high)
	}
	h.filters = filters{low: s.half(low), high: s.half(high)}
	if s.short {
		return broken("its filters are cut off")
	}
	return nil
}

func (h *header) readQuant(s segment) error {
	h.centre = s.decimal16()
	for i := range h.quant {
		h.quant[i] = bin{width: s.decimal16(), zero: s.decimal16()}
	}
	if s.short {
		return broken("its quantisers are cut off")
	}
	return nil
}

func (h *header) readHuffman(s segment) error {
	for len(s.raw) > 0 {
		id := int(s.byte())
		var counts [16]int
		total := 0
		for i := range counts {
			counts[i] = int(s.byte())
			total += counts[i]
		}
		if s.short || id >= len(h.tables) || total > huffmanSymbols {
			return broken("a Huffman table is not one")
		}
		symbols := s.take(total)
		if s.short {
			return broken("a Huffman table is cut off")
		}
		table, err := newDecoder(counts, symbols)
		if err != nil {
			return err
		}
		h.tables[id] = table
	}
	return nil
}

// coefficients reads the three blocks into the plane.
func (h *header) coefficients(r *reader, t tree, p plane) error {
	for i, block := range blocks {
		if i > 0 {
			if err := h.read(r, markerBlock); err != nil {
				return err
			}
		}
		segment, err := r.segment()
		if err != nil {
			return err
		}
		id := int(segment.byte())
		if segment.short || id >= len(h.tables) || h.tables[id] == nil {
			return broken("a block names a Huffman table that is not there")
		}
		b := &bits{raw: r.raw[r.at:]}
		if err := h.block(b, h.tables[id], places(t, p, h.quant, block)); err != nil {
			return err
		}
		r.at += b.at
	}
	return nil
}

// places lists the rows of coefficients of a block in the order of sending.
func places(t tree, p plane, quant [subbands]bin, block [2]int) []row {
	var rows []row
	for i := block[0]; i < block[1]; i++ {
		band := t.bands[i]
		if quant[i].width == 0 {
			continue // not sent
		}
		for y := range band.h {
			at := (band.y+y)*p.w + band.x
			rows = append(rows, row{p.data[at : at+band.w], quant[i]})
		}
	}
	return rows
}

type row struct {
	data []float32
	bin  bin
}

func (h *header) block(b *bits, table *decoder, rows []row) error {
	run := 0
	for _, row := range rows {
		for x := range row.data {
			if run > 0 {
				run--
				continue
			}
			value, zeros, err := table.next(b)
			if err != nil {
				return err
			}
			if zeros > 0 {
				run = zeros - 1
				continue
			}
			row.data[x] = h.dequantised(value, row.bin)
		}
	}
	if run > 0 {
		return broken("a run of zeros is longer than its block")
	}
	return nil
}

// dequantised is the middle of a bin.
func (h *header) dequantised(value int, q bin) float32 {
	switch {
	case value > 0:
		return float32(q.width*(float32(value)-h.centre)) + q.zero/2
	case value < 0:
		return float32(q.width*(float32(value)+h.centre)) - q.zero/2
	}
	return 0
}

func (h *header) picture(p plane) *image.Gray {
	img := image.NewGray(image.Rect(0, 0, p.w, p.h))
	for i, v := range p.data {
		img.Pix[i] = uint8(min(255, max(0, float32(v*h.unit)+h.shift+0.5)))
	}
	return img
}

// reader walks over markers and segments.
type reader struct {
	raw []byte
	at  int
}

func (r *reader) marker() (int, error) {
	if len(r.raw)-r.at < 2 {
		return 0, broken("it is cut off")
	}
	m := int(binary.BigEndian.Uint16(r.raw[r.at:]))
	r.at += 2
	return m, nil
}

// segment is the body of one marker, after its length.
func (r *reader) segment() (segment, error) {
	n, err := r.marker()
	if err != nil || n < 2 || len(r.raw)-r.at < n-2 {
		return segment{}, broken("it is cut off")
	}
	s := segment{raw: r.raw[r.at : r.at+n-2]}
	r.at += n - 2
	return s, nil
}

// segment reads numbers; short says that there were not enough bytes.
type segment struct {
	raw   []byte
	short bool
}

func (s *segment) take(n int) []byte {
	if len(s.raw) < n {
		s.short, s.raw = true, nil
		return make([]byte, n)
	}
	out := s.raw[:n]
	s.raw = s.raw[n:]
	return out
}

func (s *segment) skip(n int)     { s.take(n) }
func (s *segment) byte() byte     { return s.take(1)[0] }
func (s *segment) uint16() uint16 { return binary.BigEndian.Uint16(s.take(2)) }

// decimal16 is a count of decimals and a number: 2, 0x1234 is 46.60.
func (s *segment) decimal16() float32 {
	decimals := s.byte()
	return scaled(float32(s.uint16()), decimals)
}

func scaled(v float32, decimals byte) float32 {
	for range min(decimals, 40) {
		v /= 10
	}
	return v
}

// half reads the right half of a symmetric filter, from its middle.
func (s *segment) half(taps int) []float32 {
	f := make([]float32, taps)
	middle := taps / 2
	for i := range middle + 1 {
		negative, decimals := s.byte(), s.byte()
		v := scaled(float32(binary.BigEndian.Uint32(s.take(4))), decimals)
		if negative != 0 {
			v = -v
		}
		f[middle+i], f[middle-i] = v, v
	}
	return f
}
