// Package finger is our own fingerprint engine: it extracts minutiae from an image
// and compares two sets of them. It is written from papers and formats:
// gradient orientation and Gabor enhancement (Hong, Wan, Jain, 1998), thinning
// (Guo, Hall, 1989), Minutia Cylinder-Code with relaxation (Cappelli, Ferrara,
// Maltoni, 2010).
package finger

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/plinth-id/plinth/biometrics"
)

// Kind of a minutia, as ISO/IEC 19794-2 numbers them.
const (
	Ending      = 1
	Bifurcation = 2
)

// Minutia is a ridge ending or bifurcation, in pixels at 500 ppi.
type Minutia struct {
	X, Y      int16
	Direction float32 // radians, counter-clockwise from the x axis, 0 to 2π
	Kind      uint8
	Quality   uint8 // 0 to 100
}

// Template is what is kept of a finger. The zero one matches nothing.
type Template struct {
	Width, Height int // of the image, pixels at 500 ppi
	minutiae      []Minutia
	flow          flow
	// For comparing.
	points    []point
	box       box
	across    row
	cylinders cylinders
}

// Threshold is the score from which two prints are taken for one finger in a
// verification: a false match rate of 1 in 10,000.
const Threshold biometrics.Score = 4

// MaxMinutiae bounds a template; the best are kept.
const MaxMinutiae = 100

// New makes a template of minutiae, the best if there are too many.
func New(width, height int, minutiae []Minutia) (Template, error) {
	if width < 1 || height < 1 || width > maxSide || height > maxSide {
		return Template{}, biometrics.ErrBadTemplate
	}
	for _, m := range minutiae {
		if m.X < 0 || m.Y < 0 || int(m.X) >= width || int(m.Y) >= height || !(m.Direction >= 0 && m.Direction < 2*math.Pi) {
			return Template{}, biometrics.ErrBadTemplate
		}
	}
	minutiae = slices.Clone(minutiae)
	slices.SortFunc(minutiae, func(a, b Minutia) int {
		if a.Quality != b.Quality {
			return int(b.Quality) - int(a.Quality)
		}
		if a.Y != b.Y {
			return int(a.Y) - int(b.Y)
		}
		return int(a.X) - int(b.X)
	})
	minutiae = minutiae[:min(len(minutiae), MaxMinutiae)]
	t := Template{Width: width, Height: height, minutiae: minutiae, points: make([]point, len(minutiae))}
	for i, m := range minutiae {
		t.points[i] = point{float32(m.X), float32(m.Y), direction(m.Direction)}
	}
	t.box, t.across, t.cylinders = boxOf(t.points), rowOf(t.points), cylindersOf(t.points)
	return t, nil
}

// Len is how many minutiae there are.
func (t Template) Len() int { return len(t.minutiae) }

// Minutiae are the minutiae, the best first.
func (t Template) Minutiae() []Minutia { return slices.Clone(t.minutiae) }

// The native form is "PFT2", width and height (2 bytes each), the number of
// minutiae (1), 7 bytes for each: x, y (2 bytes each), direction in 1/256 of a
// turn, kind, quality; then the columns and rows of the flow (1 each) and a byte for
// each of its cells. All big-endian. "PFT1" had no flow, and is still read.
const (
	magic     = "PFT2"
	oldMagic  = "PFT1"
	headBytes = 9
	eachBytes = 7
)

// Marshal writes the native form.
func (t Template) Marshal() []byte {
	out := make([]byte, 0, headBytes+eachBytes*len(t.minutiae)+2+len(t.flow.to))
	out = append(out, magic...)
	out = binary.BigEndian.AppendUint16(out, uint16(t.Width))
	out = binary.BigEndian.AppendUint16(out, uint16(t.Height))
	out = append(out, byte(len(t.minutiae)))
	for i, m := range t.minutiae {
		out = binary.BigEndian.AppendUint16(out, uint16(m.X))
		out = binary.BigEndian.AppendUint16(out, uint16(m.Y))
		out = append(out, t.points[i].to, m.Kind, m.Quality)
	}
	return append(append(out, byte(t.flow.cols), byte(t.flow.rows)), t.flow.to...)
}

// ParseTemplate reads the native form.
func ParseTemplate(raw []byte) (Template, error) {
	if len(raw) < headBytes || int(raw[8]) > MaxMinutiae || len(raw) < headBytes+eachBytes*int(raw[8]) {
		return Template{}, biometrics.ErrBadTemplate
	}
	width, height := binary.BigEndian.Uint16(raw[4:]), binary.BigEndian.Uint16(raw[6:])
	minutiae := make([]Minutia, raw[8])
	for i := range minutiae {
		m := raw[headBytes+eachBytes*i:]
		x, y := binary.BigEndian.Uint16(m), binary.BigEndian.Uint16(m[2:])
		if x > maxSide || y > maxSide || m[5] > Bifurcation || m[6] > 100 {
			return Template{}, biometrics.ErrBadTemplate
		}
		minutiae[i] = Minutia{X: int16(x), Y: int16(y), Direction: radians(m[4]), Kind: m[5], Quality: m[6]}
	}
	t, err := New(int(width), int(height), minutiae)
	if err != nil {
		return Template{}, err
	}
	rest := raw[headBytes+eachBytes*len(minutiae):]
	if string(raw[:4]) == oldMagic && len(rest) == 0 {
		return t, nil
	}
	if string(raw[:4]) != magic || len(rest) < 2 {
		return Template{}, biometrics.ErrBadTemplate
	}
	t.flow, err = parseFlow(rest, t.Width, t.Height)
	return t, err
}
