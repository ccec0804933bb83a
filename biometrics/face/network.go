package face

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"math"

	"golang.org/x/image/draw"
	"golang.org/x/image/math/f64"

	"github.com/plinth-id/plinth/biometrics"
)

// ErrNoEyes says that a network needs the eyes at fixed places, and that it is not
// known where they are.
var ErrNoEyes = errors.New("face: it is not known where the eyes are in this picture; send it as a record with landmarks")

// Layout is what a network takes and gives.
type Layout struct {
	Width, Height int
	// Where the eyes must be: EyesDown of the height from the top, EyesApart of the
	// width apart. Where EyesApart is 0 the network finds the face in a portrait.
	EyesDown, EyesApart float64
	BGR                 bool    // blue first
	ChannelsLast        bool    // colours of a pixel beside each other
	Mean, Scale         float32 // each colour is given as (v − Mean) · Scale
	Length              int     // of the vector that it gives
}

const (
	mostInput  = 1024
	mostLength = 8192
)

func (l Layout) check() error {
	if l.Width < leastSide || l.Height < leastSide || l.Width > mostInput || l.Height > mostInput || l.Length < 2 || l.Length > mostLength ||
		l.Scale == 0 || l.EyesApart < 0 || l.EyesApart >= 1 || l.EyesDown < 0 || l.EyesDown >= 1 {
		return fmt.Errorf("%w: its layout %+v cannot be", ErrEngine, l)
	}
	return nil
}

// Network is an engine made of a trained network: what makes a vector of a picture.
// Two vectors are compared by the cosine of the angle between them.
type Network struct {
	layout      Layout
	calibration Calibration
	run         func(context.Context, []float32) ([]float32, error)
}

// NewNetwork takes what runs a network, its layout, and what was measured of it. Run
// may be called by several at once.
func NewNetwork(run func(context.Context, []float32) ([]float32, error), l Layout, c Calibration) (*Network, error) {
	if len(c.points) == 0 {
		return nil, ErrUncalibrated
	}
	if run == nil {
		return nil, fmt.Errorf("%w: there is no network", ErrEngine)
	}
	if err := l.check(); err != nil {
		return nil, err
	}
	return &Network{layout: l, calibration: c, run: run}, nil
}

// Extract puts the face where the network wants it and keeps the vector.
func (n *Network) Extract(ctx context.Context, img *Image) ([]byte, error) {
	input, err := n.layout.input(img)
	if err != nil {
		return nil, err
	}
	vector, err := n.run(ctx, input)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEngine, err)
	}
	if len(vector) != n.layout.Length {
		return nil, fmt.Errorf("%w: it gave %d numbers, not %d", ErrEngine, len(vector), n.layout.Length)
	}
	return marshal(vector)
}

// Compare reads from the table what the cosine says.
func (n *Network) Compare(_ context.Context, a, b []byte) (biometrics.Score, error) {
	if len(a) == 0 || len(b) == 0 {
		return 0, nil // nothing matches nothing
	}
	left, err := n.parse(a)
	if err != nil {
		return 0, err
	}
	right, err := n.parse(b)
	if err != nil {
		return 0, err
	}
	var dot float64
	for i, v := range left {
		dot += float64(v) * float64(right[i])
	}
	return n.calibration.Score(dot), nil
}

// input is the picture as the network takes it.
func (l Layout) input(img *Image) ([]float32, error) {
	if img == nil || img.pixels == nil || img.Width < 1 || img.Height < 1 {
		return nil, ErrNoFace
	}
	to := image.NewRGBA(image.Rect(0, 0, l.Width, l.Height))
	if l.EyesApart == 0 {
		draw.CatmullRom.Scale(to, to.Rect, img.pixels, img.crop(float64(l.Width)/float64(l.Height)), draw.Src, nil)
	} else {
		if img.Eyes == nil || img.Eyes.apart() < 1 {
			return nil, ErrNoEyes
		}
		draw.CatmullRom.Transform(to, l.aligned(*img.Eyes), img.pixels, img.pixels.Rect, draw.Src, nil)
	}
	area := l.Width * l.Height
	input := make([]float32, 3*area)
	for i := range area {
		for c := range 3 {
			from := c
			if l.BGR {
				from = 2 - c
			}
			at := c*area + i
			if l.ChannelsLast {
				at = 3*i + c
			}
			input[at] = (float32(to.Pix[4*i+from]) - l.Mean) * l.Scale
		}
	}
	return input, nil
}

// aligned turns, scales and moves the eyes to their places.
func (l Layout) aligned(e Eyes) f64.Aff3 {
	w, h := float64(l.Width), float64(l.Height)
	dx, dy := e.Left.X-e.Right.X, e.Left.Y-e.Right.Y
	scale := l.EyesApart * w / (dx*dx + dy*dy)
	cos, sin := dx*scale, dy*scale
	m := e.middle()
	return f64.Aff3{
		cos, sin, w/2 - cos*m.X - sin*m.Y,
		-sin, cos, l.EyesDown*h + sin*m.X - cos*m.Y,
	}
}

// Templates are "PFN1", how many numbers, and these, of length 1 together.
const vectorMagic = "PFN1"

func marshal(vector []float32) ([]byte, error) {
	var square float64
	for _, v := range vector {
		square += float64(v) * float64(v)
	}
	if !finite(square) || square < 1e-12 {
		return nil, fmt.Errorf("%w: its vector has no direction", ErrEngine)
	}
	out := binary.BigEndian.AppendUint16([]byte(vectorMagic), uint16(len(vector)))
	for _, v := range vector {
		out = binary.BigEndian.AppendUint32(out, math.Float32bits(float32(float64(v)/math.Sqrt(square))))
	}
	return out, nil
}

func (n *Network) parse(raw []byte) ([]float32, error) {
	const head = len(vectorMagic) + 2
	if len(raw) != head+4*n.layout.Length || string(raw[:len(vectorMagic)]) != vectorMagic ||
		int(binary.BigEndian.Uint16(raw[len(vectorMagic):])) != n.layout.Length {
		return nil, ErrBadTemplate
	}
	vector := make([]float32, n.layout.Length)
	var square float64
	for i := range vector {
		vector[i] = math.Float32frombits(binary.BigEndian.Uint32(raw[head+4*i:]))
		square += float64(vector[i]) * float64(vector[i])
	}
	if !(math.Abs(square-1) < 1e-3) {
		return nil, ErrBadTemplate
	}
	return vector, nil
}
