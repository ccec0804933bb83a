package qr

import (
	"bytes"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"testing"

	"github.com/plinth-id/plinth/credentials/qr/webp"
)

// photo is a code as a hand-held camera sees it.
type photo struct {
	size     int // of the picture, a square
	corners  [4][2]float64
	light    [2]float64 // at the left and at the right edge
	noise    float64
	blur     int
	inverted bool
}

var straight = [4][2]float64{{0.2, 0.2}, {0.8, 0.2}, {0.8, 0.8}, {0.2, 0.8}}

// take projects a code into the picture. The plane is solved by the cross ratio of its
// diagonals, as for any flat thing that is seen from the side.
func (p photo) take(t *testing.T, text string) *image.Gray {
	t.Helper()
	s, err := NewSymbol(text, Low)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(3, 4))
	picture := image.NewGray(image.Rect(0, 0, p.size, p.size))
	side := float64(s.Side() + 2*Quiet)
	project := homography(p.corners)
	sum := make([]float64, p.size*p.size)
	const fine = 2
	for y := range p.size * fine {
		for x := range p.size * fine {
			u, v := project((float64(x)+0.5)/float64(p.size*fine), (float64(y)+0.5)/float64(p.size*fine))
			bright := 0.75
			if u >= 0 && u < 1 && v >= 0 && v < 1 {
				bright = 1
				mx, my := int(u*side)-Quiet, int(v*side)-Quiet
				if mx >= 0 && my >= 0 && mx < s.Side() && my < s.Side() && s.Dark(mx, my) {
					bright = 0.12
				}
				if p.inverted {
					bright = 1.1 - bright
				}
			}
			sum[y/fine*p.size+x/fine] += bright / fine / fine
		}
	}
	for y := range p.size {
		for x := range p.size {
			total, n := 0.0, 0.0
			for by := max(0, y-p.blur); by <= min(p.size-1, y+p.blur); by++ {
				for bx := max(0, x-p.blur); bx <= min(p.size-1, x+p.blur); bx++ {
					total, n = total+sum[by*p.size+bx], n+1
				}
			}
			light := p.light[0] + (p.light[1]-p.light[0])*float64(x)/float64(p.size)
			picture.SetGray(x, y, color.Gray{Y: uint8(min(255, max(0, 255*light*total/n+random.NormFloat64()*p.noise)))})
		}
	}
	return picture
}

// homography maps the picture back onto a unit square whose corners are given.
func homography(c [4][2]float64) func(x, y float64) (u, v float64) {
	// From the square to the quadrilateral, after Heckbert; then inverted.
	dx1, dx2, dx3 := c[1][0]-c[2][0], c[3][0]-c[2][0], c[0][0]-c[1][0]+c[2][0]-c[3][0]
	dy1, dy2, dy3 := c[1][1]-c[2][1], c[3][1]-c[2][1], c[0][1]-c[1][1]+c[2][1]-c[3][1]
	d := dx1*dy2 - dx2*dy1
	g, h := (dx3*dy2-dx2*dy3)/d, (dx1*dy3-dx3*dy1)/d
	m := [9]float64{c[1][0] - c[0][0] + g*c[1][0], c[3][0] - c[0][0] + h*c[3][0], c[0][0],
		c[1][1] - c[0][1] + g*c[1][1], c[3][1] - c[0][1] + h*c[3][1], c[0][1], g, h, 1}
	n := [9]float64{m[4]*m[8] - m[5]*m[7], m[2]*m[7] - m[1]*m[8], m[1]*m[5] - m[2]*m[4],
		m[5]*m[6] - m[3]*m[8], m[0]*m[8] - m[2]*m[6], m[2]*m[3] - m[0]*m[5],
		m[3]*m[7] - m[4]*m[6], m[1]*m[6] - m[0]*m[7], m[0]*m[4] - m[1]*m[3]}
	return func(x, y float64) (u, v float64) {
		w := n[6]*x + n[7]*y + n[8]
		return (n[0]*x + n[1]*y + n[2]) / w, (n[3]*x + n[4]*y + n[5]) / w
	}
}

func TestCodeIsReadAsCamerasSeeIt(t *testing.T) {
	text := encode(t)
	for name, p := range map[string]photo{
		"straight":         {1000, straight, [2]float64{1, 1}, 6, 0, false},
		"small":            {380, [4][2]float64{{0.02, 0.02}, {0.98, 0.02}, {0.98, 0.98}, {0.02, 0.98}}, [2]float64{1, 1}, 3, 0, false},
		"from the side":    {1000, [4][2]float64{{0.15, 0.12}, {0.85, 0.18}, {0.85, 0.84}, {0.15, 0.9}}, [2]float64{1, 0.9}, 6, 0, false},
		"from below":       {1000, [4][2]float64{{0.2, 0.15}, {0.8, 0.15}, {0.9, 0.9}, {0.1, 0.9}}, [2]float64{1, 0.9}, 6, 0, false},
		"askew":            {1000, [4][2]float64{{0.35, 0.08}, {0.93, 0.33}, {0.7, 0.92}, {0.1, 0.68}}, [2]float64{1, 0.9}, 6, 0, false},
		"upside down":      {900, [4][2]float64{{0.8, 0.82}, {0.2, 0.8}, {0.22, 0.2}, {0.8, 0.2}}, [2]float64{1, 0.9}, 6, 0, false},
		"in a mirror":      {900, [4][2]float64{{0.8, 0.2}, {0.2, 0.2}, {0.2, 0.8}, {0.8, 0.8}}, [2]float64{1, 0.9}, 6, 0, false},
		"half in shadow":   {1000, straight, [2]float64{1, 0.3}, 4, 0, false},
		"in the dark":      {1000, straight, [2]float64{0.3, 0.25}, 3, 0, false},
		"out of focus":     {1200, [4][2]float64{{0.1, 0.1}, {0.9, 0.1}, {0.9, 0.9}, {0.1, 0.9}}, [2]float64{1, 0.9}, 4, 2, false},
		"noisy":            {1200, straight, [2]float64{1, 0.9}, 25, 0, false},
		"light on dark":    {1000, straight, [2]float64{1, 1}, 4, 0, true},
		"in a large photo": {2500, [4][2]float64{{0.35, 0.3}, {0.65, 0.32}, {0.64, 0.62}, {0.34, 0.6}}, [2]float64{1, 0.8}, 8, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			var file bytes.Buffer
			if err := jpeg.Encode(&file, p.take(t, text), &jpeg.Options{Quality: 80}); err != nil {
				t.Fatal(err)
			}
			if got, err := Read(file.Bytes()); err != nil || got != text {
				t.Errorf("got %q (%v), want the text", got, err)
			}
		})
	}
}

func TestEveryKindOfImageIsRead(t *testing.T) {
	picture := photo{480, straight, [2]float64{1, 1}, 0, 0, false}.take(t, "HELLO PLINTH")
	for name, write := range map[string]func(*bytes.Buffer) error{
		"PNG":  func(b *bytes.Buffer) error { return png.Encode(b, picture) },
		"JPEG": func(b *bytes.Buffer) error { return jpeg.Encode(b, picture, nil) },
		"GIF":  func(b *bytes.Buffer) error { return gif.Encode(b, picture, nil) },
		"WebP": func(b *bytes.Buffer) error {
			file, err := webp.Encode(picture, 70)
			b.Write(file)
			return err
		},
	} {
		var file bytes.Buffer
		if err := write(&file); err != nil {
			t.Fatal(err)
		}
		if got, err := Read(file.Bytes()); err != nil || got != "HELLO PLINTH" {
			t.Errorf("%s: got %q (%v)", name, got, err)
		}
	}
}
