// Package iso reads and writes the exchange formats of biometric data. All of
// them are bytes from outside: every length is checked before it is used.
package iso

import (
	"encoding/binary"
	"math"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/finger"
)

// Finger minutiae records of ISO/IEC 19794-2:2005: "FMR\0 20\0", 24 bytes of
// header, then one view: 4 bytes, 6 bytes a minutia, and the length of extended
// data. Angles are in units of 360/256 degrees, counter-clockwise.
const (
	fmrMagic = "FMR\x00 20\x00"
	fmrHead  = 24
	fmrView  = 4
	fmrEach  = 6
	perCM    = 197 // 500 ppi
)

// WriteFMR writes a template as a record with one view.
func WriteFMR(t finger.Template) ([]byte, error) {
	minutiae := t.Minutiae()
	if len(minutiae) == 0 {
		return nil, biometrics.ErrBadTemplate
	}
	out := []byte(fmrMagic)
	out = binary.BigEndian.AppendUint32(out, uint32(fmrHead+fmrView+fmrEach*len(minutiae)+2))
	out = binary.BigEndian.AppendUint16(out, 0) // capture equipment: not reported
	out = binary.BigEndian.AppendUint16(out, uint16(t.Width))
	out = binary.BigEndian.AppendUint16(out, uint16(t.Height))
	out = binary.BigEndian.AppendUint16(out, perCM)
	out = binary.BigEndian.AppendUint16(out, perCM)
	out = append(out, 1, 0)                          // one view, reserved
	out = append(out, 0, 0, 80, byte(len(minutiae))) // unknown position, live-scan plain, quality, count
	for _, m := range minutiae {
		out = binary.BigEndian.AppendUint16(out, uint16(m.Kind)<<14|uint16(m.X)&0x3fff)
		out = binary.BigEndian.AppendUint16(out, uint16(m.Y)&0x3fff)
		out = append(out, byte(int(math.Round(float64(m.Direction)*128/math.Pi))%256), m.Quality)
	}
	return binary.BigEndian.AppendUint16(out, 0), nil // no extended data
}

// The other two records that begin alike: ISO/IEC 19794-2:2011, and ANSI INCITS
// 378-2004, whose length has two bytes and whose angles are in units of 2 degrees.
const (
	fmr2011Magic = "FMR\x00030\x00"
	mostMinutiae = 255
)

// ReadFMR reads the first view of a record of ISO/IEC 19794-2:2005 or 2011, or of
// ANSI INCITS 378-2004. Other resolutions than 500 ppi are converted.
func ReadFMR(raw []byte) (finger.Template, error) {
	if len(raw) < fmrHead || len(raw) > 1<<20 {
		return finger.Template{}, biometrics.ErrBadTemplate
	}
	r := &reader{raw: raw, at: 8}
	var v view
	switch magic := string(raw[:8]); {
	case magic == fmr2011Magic:
		v = view2011(r)
	case magic == fmrMagic && int(binary.BigEndian.Uint32(raw[8:])) == len(raw):
		r.skip(4 + 2) // length, capture equipment
		v = view2005(r, math.Pi/128)
	case magic == fmrMagic && int(binary.BigEndian.Uint16(raw[8:])) == len(raw):
		r.skip(2 + 4 + 2) // length, product, capture equipment
		v = view2005(r, math.Pi/90)
	default:
		return finger.Template{}, biometrics.ErrBadTemplate
	}
	if r.short {
		return finger.Template{}, biometrics.ErrBadTemplate
	}
	return v.template()
}

// view is one finger as a record describes it.
type view struct {
	width, height int
	ppcmX, ppcmY  int
	minutiae      []finger.Minutia
}

// view2005 reads what follows the equipment: sizes, then the first view.
func view2005(r *reader, unit float64) view {
	v := view{width: r.uint16(), height: r.uint16(), ppcmX: r.uint16(), ppcmY: r.uint16()}
	r.fail(r.byte() == 0) // views
	r.skip(1 + 1 + 1 + 1) // reserved, position, view and impression, quality
	v.read(r, int(r.byte()), fmrEach, unit)
	return v
}

// view2011 reads the first representation.
func view2011(r *reader) view {
	total, n, certified := r.uint32(), r.uint16(), r.byte() != 0
	r.fail(total != len(r.raw) || n == 0)
	r.skip(4)
	readCapture(r, certified)
	r.skip(2) // position, number of the representation
	v := view{ppcmX: r.uint16(), ppcmY: r.uint16()}
	r.skip(1) // impression
	v.width, v.height = r.uint16(), r.uint16()
	each := int(r.byte() >> 4)
	r.fail(each != 5 && each != 6)
	v.read(r, int(r.byte()), each, math.Pi/128)
	return v
}

func (v *view) read(r *reader, count, each int, unit float64) {
	for range min(count, mostMinutiae) {
		x, y := r.uint16(), r.uint16()
		m := finger.Minutia{X: int16(x & 0x3fff), Y: int16(y & 0x3fff), Kind: uint8(x >> 14)}
		m.Direction = float32(math.Mod(float64(r.byte())*unit, 2*math.Pi))
		if m.Quality = 50; each == fmrEach { // in the middle, where it is not said
			m.Quality = min(r.byte(), 100)
		}
		v.minutiae = append(v.minutiae, m)
	}
}

// template brings a view to 500 ppi.
func (v view) template() (finger.Template, error) {
	if v.ppcmX < 30 || v.ppcmY < 30 {
		return finger.Template{}, biometrics.ErrBadTemplate
	}
	scaleX, scaleY := perCM/float64(v.ppcmX), perCM/float64(v.ppcmY)
	for i, m := range v.minutiae {
		x, y := float64(m.X)*scaleX, float64(m.Y)*scaleY
		if x > math.MaxInt16 || y > math.MaxInt16 {
			return finger.Template{}, biometrics.ErrBadTemplate
		}
		v.minutiae[i].X, v.minutiae[i].Y = int16(x), int16(y)
	}
	return finger.New(int(math.Ceil(float64(v.width)*scaleX)), int(math.Ceil(float64(v.height)*scaleY)), v.minutiae)
}
