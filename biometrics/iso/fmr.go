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
	fmrMagic   = "FMR\x00 20\x00"
	fmrHead    = 24
	fmrView    = 4
	fmrEach    = 6
	perCM      = 197 // 500 ppi
	fmrMaximum = fmrHead + fmrView + fmrEach*255 + 2 + 4096
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

// ReadFMR reads the first view of a record. Other resolutions than 500 ppi are
// converted.
func ReadFMR(raw []byte) (finger.Template, error) {
	bad := func() (finger.Template, error) { return finger.Template{}, biometrics.ErrBadTemplate }
	if len(raw) < fmrHead+fmrView || len(raw) > fmrMaximum || string(raw[:8]) != fmrMagic || int(binary.BigEndian.Uint32(raw[8:])) != len(raw) || raw[22] == 0 {
		return bad()
	}
	width, height := int(binary.BigEndian.Uint16(raw[14:])), int(binary.BigEndian.Uint16(raw[16:]))
	ppcmX, ppcmY := float64(binary.BigEndian.Uint16(raw[18:])), float64(binary.BigEndian.Uint16(raw[20:]))
	count := int(raw[fmrHead+3])
	if ppcmX < 30 || ppcmY < 30 || len(raw) < fmrHead+fmrView+fmrEach*count {
		return bad()
	}
	scaleX, scaleY := perCM/ppcmX, perCM/ppcmY
	minutiae := make([]finger.Minutia, count)
	for i := range minutiae {
		m := raw[fmrHead+fmrView+fmrEach*i:]
		x, y := binary.BigEndian.Uint16(m), binary.BigEndian.Uint16(m[2:])
		px, py := float64(x&0x3fff)*scaleX, float64(y&0x3fff)*scaleY
		if px > math.MaxInt16 || py > math.MaxInt16 {
			return bad()
		}
		minutiae[i] = finger.Minutia{X: int16(px), Y: int16(py), Direction: float32(m[4]) * math.Pi / 128, Kind: uint8(x >> 14), Quality: min(m[5], 100)}
	}
	return finger.New(int(math.Ceil(float64(width)*scaleX)), int(math.Ceil(float64(height)*scaleY)), minutiae)
}
