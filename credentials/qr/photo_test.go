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

	"github.com/makiuchi-d/gozxing"
	"github.com/plinth-id/plinth/credentials/qr/plane"
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
		"straight":         {760, straight, [2]float64{1, 1}, 6, 0, false},
		"small":            {380, [4][2]float64{{0.02, 0.02}, {0.98, 0.02}, {0.98, 0.98}, {0.02, 0.98}}, [2]float64{1, 1}, 3, 0, false},
		"from the side":    {760, [4][2]float64{{0.15, 0.1}, {0.85, 0.2}, {0.85, 0.8}, {0.15, 0.92}}, [2]float64{1, 0.9}, 6, 0, false},
		"from far aside":   {760, [4][2]float64{{0.1, 0.1}, {0.8, 0.19}, {0.8, 0.81}, {0.1, 0.92}}, [2]float64{1, 0.8}, 4, 0, false},
		"from below":       {760, [4][2]float64{{0.2, 0.15}, {0.8, 0.15}, {0.9, 0.9}, {0.1, 0.9}}, [2]float64{1, 0.9}, 6, 0, false},
		"askew":            {760, [4][2]float64{{0.35, 0.08}, {0.93, 0.33}, {0.7, 0.92}, {0.1, 0.68}}, [2]float64{1, 0.9}, 6, 0, false},
		"upside down":      {900, [4][2]float64{{0.8, 0.82}, {0.2, 0.8}, {0.22, 0.2}, {0.8, 0.2}}, [2]float64{1, 0.9}, 6, 0, false},
		"in a mirror":      {900, [4][2]float64{{0.8, 0.2}, {0.2, 0.2}, {0.2, 0.8}, {0.8, 0.8}}, [2]float64{1, 0.9}, 6, 0, false},
		"half in shadow":   {760, straight, [2]float64{1, 0.3}, 4, 0, false},
		"in the dark":      {760, straight, [2]float64{0.3, 0.25}, 3, 0, false},
		"out of focus":     {900, [4][2]float64{{0.1, 0.1}, {0.9, 0.1}, {0.9, 0.9}, {0.1, 0.9}}, [2]float64{1, 0.9}, 4, 2, false},
		"noisy":            {900, straight, [2]float64{1, 0.9}, 25, 0, false},
		"light on dark":    {760, straight, [2]float64{1, 1}, 4, 0, true},
		"in a large photo": {1700, [4][2]float64{{0.35, 0.3}, {0.65, 0.32}, {0.64, 0.62}, {0.34, 0.6}}, [2]float64{1, 0.8}, 8, 0, false},
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

// TestMostViewsAreRead throws the corners of a code about. A detector that knows four
// points reads less than half of these.
func TestMostViewsAreRead(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	text, read, random := encode(t), 0, rand.New(rand.NewPCG(9, 1))
	const views = 8
	for range views {
		corners := straight
		for i := range corners {
			for j := range 2 {
				corners[i][j] += (random.Float64() - 0.5) * 0.2
			}
		}
		picture := photo{720, corners, [2]float64{1, 0.9}, 5, 0, false}.take(t, text)
		var file bytes.Buffer
		if err := jpeg.Encode(&file, picture, &jpeg.Options{Quality: 80}); err != nil {
			t.Fatal(err)
		}
		if got, err := Read(file.Bytes()); err == nil && got == text {
			read++
		}
	}
	if read < views*3/4 {
		t.Errorf("got %d of %d, want at least three quarters", read, views)
	}
}

func FuzzPlane(f *testing.F) {
	f.Add([]byte{0xff, 0x81, 0xbd, 0xa5, 0xbd, 0x81, 0xff}, uint8(60))
	f.Fuzz(func(t *testing.T, pixels []byte, side uint8) {
		if len(pixels) == 0 || side < 21 {
			return
		}
		matrix, err := gozxing.NewSquareBitMatrix(int(side))
		if err != nil {
			t.Fatal(err)
		}
		for y := range int(side) {
			for x := range int(side) {
				if at := y*int(side) + x; pixels[at/8%len(pixels)]>>(at%8)&1 == 1 {
					matrix.Set(x, y)
				}
			}
		}
		plane.Read(matrix, alignmentCentres)
	})
}
