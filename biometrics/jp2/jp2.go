// Package jp2 reads images in JPEG 2000 (ISO/IEC 15444-1), as fingers, irises and
// faces are kept: 8 bits a component, one component or three of equal size. What
// that profile does not use (regions of interest, packed headers, changes of
// progression, other code-block styles) is refused by name.
package jp2

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
)

// Bounds of what is decoded.
const (
	MaxPixels  = 64 << 20 // of all components together
	maxPackets = 1 << 20
	maxBlocks  = 1 << 18
)

// The reasons for which an image is refused.
var (
	ErrFormat      = errors.New("jp2: not a readable JPEG 2000 image")
	ErrUnsupported = errors.New("jp2: uses a part of JPEG 2000 that is not supported")
)

func broken(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
}

func unsupported(what string) error { return fmt.Errorf("%w: %s", ErrUnsupported, what) }

// Decode reads a JP2 file or a bare codestream: an *image.Gray of one component,
// an *image.RGBA of three.
func Decode(raw []byte) (image.Image, error) {
	stream, err := codestream(raw)
	if err != nil {
		return nil, err
	}
	var d decoder
	if err := d.parse(stream); err != nil {
		return nil, err
	}
	return d.picture(), nil
}

// codestream finds the codestream in the boxes of a file (annex I).
func codestream(raw []byte) ([]byte, error) {
	if len(raw) >= 2 && raw[0] == 0xff && raw[1] == 0x4f {
		return raw, nil
	}
	if len(raw) < 12 || string(raw[4:8]) != "jP  " {
		return nil, broken("it does not begin as one")
	}
	for len(raw) >= 8 {
		size, head := uint64(binary.BigEndian.Uint32(raw)), 8
		switch {
		case size == 0:
			size = uint64(len(raw)) // to the end
		case size == 1 && len(raw) >= 16:
			size, head = binary.BigEndian.Uint64(raw[8:]), 16
		}
		if size < uint64(head) || size > uint64(len(raw)) {
			return nil, broken("a box is longer than the file")
		}
		if string(raw[4:8]) == "jp2c" {
			return raw[head:size], nil
		}
		raw = raw[size:]
	}
	return nil, broken("it holds no picture")
}

// The markers of a codestream (annex A).
const (
	markerSOC = 0xff4f
	markerSIZ = 0xff51
	markerCOD = 0xff52
	markerCOC = 0xff53
	markerRGN = 0xff5e
	markerQCD = 0xff5c
	markerQCC = 0xff5d
	markerPOC = 0xff5f
	markerPPM = 0xff60
	markerPPT = 0xff61
	markerSOT = 0xff90
	markerSOP = 0xff91
	markerEPH = 0xff92
	markerSOD = 0xff93
	markerEOC = 0xffd9
)

// decoder holds what the main header says, and the samples of each component.
type decoder struct {
	x0, y0, x1, y1         int // image area on the reference grid
	tx0, ty0, tileW, tileH int
	components             int
	depth                  []int
	coding                 coding
	quant                  []quantisation // one for each component
	samples                [][]int32
	packets                int // read so far
	blocks                 int // laid out so far
}

// coding is what COD says.
type coding struct {
	order           byte // of progression
	layers          int
	transform       bool // of components: three into luminance and two colours
	levels          int
	blockW, blockH  int // exponents
	reversible      bool
	precincts       [33][2]int // exponents, for each resolution
	sop, eph, isSet bool
}

// quantisation is what QCD or QCC says of each subband.
type quantisation struct {
	style, guard       int
	exponent, mantissa []int
}

func (d *decoder) parse(raw []byte) error {
	s := &stream{raw: raw}
	if s.uint16() != markerSOC {
		return broken("it does not begin as one")
	}
	tiles := make(map[int]*tileParts)
	for {
		m := s.uint16()
		if s.short || m == markerEOC {
			break // a file without its end is read as far as it goes
		}
		body := stream{raw: s.take(s.uint16() - 2)}
		if s.short {
			return broken("marker %04x is cut off", m)
		}
		var err error
		switch m {
		case markerSIZ:
			err = d.size(body)
		case markerCOD:
			err = d.cod(body)
		case markerQCD:
			err = d.qcd(body)
		case markerQCC:
			err = d.qcc(body)
		case markerSOT:
			err = d.tilePart(s, body, tiles)
		case markerCOC:
			err = unsupported("components that are coded differently")
		case markerRGN, markerPOC, markerPPM, markerPPT:
			err = unsupported(fmt.Sprintf("marker %04x", m))
		}
		if err != nil {
			return err
		}
	}
	if len(tiles) == 0 {
		return broken("it holds no tile")
	}
	for index, t := range tiles {
		if err := d.tile(index, t.data); err != nil {
			return err
		}
	}
	return nil
}

// tileParts are the packets of one tile, of all its parts.
type tileParts struct{ data []byte }

func (d *decoder) tilePart(s *stream, body stream, tiles map[int]*tileParts) error {
	if d.samples == nil || !d.coding.isSet || d.quant == nil {
		return broken("its main header is not complete")
	}
	index, length := body.uint16(), body.uint32()
	across, down := d.tiles()
	if body.short || index >= across*down {
		return broken("a tile that is not there")
	}
	end := s.at - 12 + length // the length counts from the marker
	if length == 0 || end > len(s.raw) {
		end = len(s.raw)
	}
	for {
		m := s.uint16()
		if s.short {
			return broken("a tile is cut off")
		}
		if m == markerSOD {
			break
		}
		switch m {
		case markerCOD, markerCOC, markerQCD, markerQCC, markerRGN, markerPOC, markerPPT:
			return unsupported("tiles that are coded differently")
		}
		s.take(s.uint16() - 2)
	}
	if s.at > end {
		return broken("a tile is shorter than its header")
	}
	if tiles[index] == nil {
		tiles[index] = new(tileParts)
	}
	tiles[index].data = append(tiles[index].data, s.raw[s.at:end]...)
	s.at = end
	return nil
}

func (d *decoder) tiles() (across, down int) {
	return ceilDiv(d.x1-d.tx0, d.tileW), ceilDiv(d.y1-d.ty0, d.tileH)
}

func (d *decoder) size(s stream) error {
	if d.samples != nil {
		return broken("two sizes")
	}
	s.skip(2)
	d.x1, d.y1, d.x0, d.y0 = s.uint32(), s.uint32(), s.uint32(), s.uint32()
	d.tileW, d.tileH, d.tx0, d.ty0 = s.uint32(), s.uint32(), s.uint32(), s.uint32()
	d.components = s.uint16()
	w, h := d.x1-d.x0, d.y1-d.y0
	switch {
	case s.short || w < 1 || h < 1 || w > MaxPixels || h > MaxPixels || w*h > MaxPixels/max(1, d.components):
		return broken("%d x %d pixels", w, h)
	case d.x1 > 1<<28 || d.y1 > 1<<28 || d.tileW < 1 || d.tileH < 1 || d.tx0 > d.x0 || d.ty0 > d.y0 ||
		d.tx0+d.tileW <= d.x0 || d.ty0+d.tileH <= d.y0:
		return broken("its tiles do not cover it")
	case d.components != 1 && d.components != 3:
		return unsupported(fmt.Sprintf("%d components", d.components))
	}
	if across, down := d.tiles(); across*down > 1024 {
		return unsupported("more than 1024 tiles")
	}
	for range d.components {
		depth := s.byte()
		if across, down := s.byte(), s.byte(); across != 1 || down != 1 {
			return unsupported("components of different sizes")
		}
		if depth = depth&0x7f + 1; depth > 8 || s.short {
			return unsupported("more than 8 bits a component")
		}
		d.depth = append(d.depth, int(depth))
		d.samples = append(d.samples, make([]int32, w*h))
	}
	return nil
}

func (d *decoder) cod(s stream) error {
	style := s.byte()
	c := coding{order: s.byte(), layers: s.uint16(), transform: s.byte() != 0, levels: int(s.byte()), blockW: int(s.byte()) + 2, blockH: int(s.byte()) + 2}
	blockStyle, wavelet := s.byte(), s.byte()
	c.reversible, c.sop, c.eph, c.isSet = wavelet == 1, style&2 != 0, style&4 != 0, true
	switch {
	case s.short || c.layers < 1 || c.levels > 32 || c.blockW > 10 || c.blockH > 10 || c.blockW+c.blockH > 12 || wavelet > 1 || c.order > 4:
		return broken("its coding style is not one")
	case blockStyle != 0:
		return unsupported(fmt.Sprintf("code-block style %02x", blockStyle))
	case c.transform && d.components != 3:
		return broken("a transform of three components where there are %d", d.components)
	}
	for r := range c.precincts {
		c.precincts[r] = [2]int{15, 15}
	}
	if style&1 != 0 {
		for r := range c.levels + 1 {
			v := int(s.byte())
			c.precincts[r] = [2]int{v & 15, v >> 4}
			if s.short || r > 0 && (v&15 == 0 || v>>4 == 0) {
				return broken("its precincts are none")
			}
		}
	}
	d.coding = c
	return nil
}

func (d *decoder) qcd(s stream) error {
	q, err := readQuantisation(s)
	if err != nil {
		return err
	}
	d.quant = make([]quantisation, d.components)
	for i := range d.quant {
		d.quant[i] = q
	}
	return nil
}

func (d *decoder) qcc(s stream) error {
	i := int(s.byte())
	q, err := readQuantisation(s)
	if err != nil {
		return err
	}
	if i >= len(d.quant) {
		return broken("a quantiser of a component that is not there")
	}
	d.quant[i] = q
	return nil
}

func readQuantisation(s stream) (quantisation, error) {
	v := int(s.byte())
	q := quantisation{style: v & 31, guard: v >> 5}
	for len(s.raw) > s.at && len(q.exponent) < 97 {
		switch q.style {
		case 0:
			q.exponent, q.mantissa = append(q.exponent, int(s.byte())>>3), append(q.mantissa, 0)
		case 1, 2:
			v := s.uint16()
			q.exponent, q.mantissa = append(q.exponent, v>>11), append(q.mantissa, v&0x7ff)
		default:
			return q, broken("quantisation style %d", q.style)
		}
	}
	if s.short || len(q.exponent) == 0 {
		return q, broken("its quantisers are cut off")
	}
	return q, nil
}

// stream reads numbers; short says that there were not enough bytes.
type stream struct {
	raw   []byte
	at    int
	short bool
}

func (s *stream) take(n int) []byte {
	if n < 0 || len(s.raw)-s.at < n {
		s.short = true
		return make([]byte, min(max(n, 0), 8))
	}
	out := s.raw[s.at : s.at+n]
	s.at += n
	return out
}

func (s *stream) skip(n int)  { s.take(n) }
func (s *stream) byte() byte  { return s.take(1)[0] }
func (s *stream) uint16() int { return int(binary.BigEndian.Uint16(s.take(2))) }
func (s *stream) uint32() int { return int(binary.BigEndian.Uint32(s.take(4))) }

func ceilDiv(a, b int) int { return (a + b - 1) / b }

// ceilShift is a / 2^n, rounded up.
func ceilShift(a, n int) int { return (a + 1<<n - 1) >> n }
