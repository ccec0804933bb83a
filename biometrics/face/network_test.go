package face

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
)

func aligned() Layout {
	return Layout{Width: 112, Height: 112, EyesDown: .46, EyesApart: .31, Mean: 127.5, Scale: 1. / 128, Length: 4}
}

func calibrated(t *testing.T) Calibration {
	t.Helper()
	c, err := NewCalibration(table(), 100000)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestNetworkNeedsAllThatIsMeasured(t *testing.T) {
	run := func(context.Context, []float32) ([]float32, error) { return nil, nil }
	if _, err := NewNetwork(run, aligned(), Calibration{}); !errors.Is(err, ErrUncalibrated) {
		t.Errorf("no table: got %v", err)
	}
	if _, err := NewNetwork(nil, aligned(), calibrated(t)); !errors.Is(err, ErrEngine) {
		t.Errorf("no network: got %v", err)
	}
	for _, change := range []func(*Layout){
		func(l *Layout) { l.Width = 0 }, func(l *Layout) { l.Height = 1 << 20 }, func(l *Layout) { l.Length = 0 },
		func(l *Layout) { l.Scale = 0 }, func(l *Layout) { l.EyesApart = 1 }, func(l *Layout) { l.EyesDown = -1 },
	} {
		l := aligned()
		change(&l)
		if _, err := NewNetwork(run, l, calibrated(t)); !errors.Is(err, ErrEngine) {
			t.Errorf("%+v: got %v", l, err)
		}
	}
}

// The eyes come to the same places from anywhere: there it is dark, and between them
// light.
func TestEyesAreWhereTheNetworkWantsThem(t *testing.T) {
	small := usual()
	small.w, small.h, small.x, small.y = 500, 640, .55, .6
	for name, s := range map[string]sitter{"usual": usual(), "elsewhere": small} {
		img := FromImage(s.draw())
		at := s.eyes()
		img.Eyes = &at
		for _, last := range []bool{false, true} {
			l := aligned()
			l.ChannelsLast = last
			input, err := l.input(img)
			if err != nil || len(input) != 3*112*112 {
				t.Fatalf("%s: got %d numbers, %v", name, len(input), err)
			}
			red := func(x, y int) float32 {
				if last {
					return input[3*(y*112+x)]
				}
				return input[y*112+x]
			}
			const apart = 17 // .31 of the width, halved
			if left, right, nose := red(56-apart, 51), red(56+apart, 51), red(56, 51); left > -.5 || right > -.5 || nose < .2 {
				t.Errorf("%s: got %v and %v for the eyes, %v between them", name, left, right, nose)
			}
		}
	}
	if _, err := aligned().input(FromImage(usual().draw())); !errors.Is(err, ErrNoEyes) {
		t.Errorf("no landmarks: got %v", err)
	}
	blue, red := aligned(), aligned()
	blue.BGR, blue.EyesApart, red.EyesApart = true, 0, 0
	img := FromImage(usual().draw())
	a, err := blue.input(img)
	b, again := red.input(img)
	if err != nil || again != nil || !slices.Equal(a[:112*112], b[2*112*112:]) || slices.Equal(a[:112*112], b[:112*112]) {
		t.Errorf("blue is not first, or %v, %v", err, again)
	}
}

func TestTiltedHeadIsTurnedUpright(t *testing.T) {
	l := aligned()
	e := Eyes{Left: Point{400, 300}, Right: Point{300, 200}}
	m := l.aligned(e)
	for want, p := range map[Point]Point{
		{112 * (.5 + .31/2), 112 * .46}: e.Left, {112 * (.5 - .31/2), 112 * .46}: e.Right,
	} {
		if x, y := m[0]*p.X+m[1]*p.Y+m[2], m[3]*p.X+m[4]*p.Y+m[5]; math.Hypot(x-want.X, y-want.Y) > 1e-6 {
			t.Errorf("got %v, %v; want %v", x, y, want)
		}
	}
}

func TestCosineIsReadFromTheTable(t *testing.T) {
	answers := map[int][]float32{0: {3, 0, 0, 0}, 1: {4, 4, 0, 0}, 2: {0, 0, 0, 1}}
	turn := 0
	n, err := NewNetwork(func(context.Context, []float32) ([]float32, error) { return answers[turn], nil }, func() Layout { l := aligned(); l.EyesApart = 0; return l }(), calibrated(t))
	if err != nil {
		t.Fatal(err)
	}
	var engine Engine = n
	img := FromImage(usual().draw())
	var made [3][]byte
	for turn = range made {
		if made[turn], err = engine.Extract(t.Context(), img); err != nil {
			t.Fatal(err)
		}
	}
	for other, cosine := range map[int]float64{0: 1, 1: math.Sqrt(.5), 2: 0} {
		got, err := engine.Compare(t.Context(), made[0], made[other])
		if want := calibrated(t).Score(cosine); err != nil || math.Abs(float64(got-want)) > 1e-5 {
			t.Errorf("with %d: got %v, %v; want %v", other, got, err, want)
		}
	}
	if none, err := engine.Compare(t.Context(), nil, nil); none != 0 || err != nil {
		t.Errorf("nothing with nothing: got %v, %v", none, err)
	}
	broken := slices.Clone(made[0])
	broken[6] = 0x7f
	for name, raw := range map[string][]byte{"half": made[0][:10], "another's": []byte("another engine's template"), "no direction": broken} {
		if _, err := engine.Compare(t.Context(), made[0], raw); !errors.Is(err, ErrBadTemplate) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for name, vector := range map[string][]float32{"short": {1}, "zero": {0, 0, 0, 0}, "no numbers": {float32(math.NaN()), 1, 1, 1}} {
		answers[2] = vector
		if _, err := engine.Extract(t.Context(), img); !errors.Is(err, ErrEngine) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
