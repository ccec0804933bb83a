package webp

import (
	"bytes"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"testing"

	"golang.org/x/image/webp"
)

// face draws somebody who does not exist: an oval with eyes, hair and a mouth, in
// soft light, with the grain of a camera.
func face(width, height int, colour bool) image.Image {
	random := rand.New(rand.NewPCG(4, 5))
	picture := image.NewRGBA(image.Rect(0, 0, width, height))
	grey := image.NewGray(picture.Bounds())
	for y := range height {
		for x := range width {
			u, v := float64(x)/float64(width)*2-1, float64(y)/float64(height)*2-1
			light := 150 + 40*u - 20*v
			r, g, b := light, light+10, light+20
			if d := u*u/0.36 + (v-0.05)*(v-0.05)/0.5; d < 1 {
				shade := 60 * math.Sqrt(1-d)
				r, g, b = 120+shade+30*u, 90+shade+25*u, 70+shade+20*u
			} else if v < 0.1 && u*u/0.5+v*v/0.8 < 1 {
				r, g, b = 50+20*math.Sin(30*u), 40+15*math.Sin(30*u), 35
			} else if v > 0.7 {
				r, g, b = 60, 70, 120+30*u
			}
			for _, eye := range []float64{-0.25, 0.25} {
				if d := (u-eye)*(u-eye)/0.012 + (v+0.1)*(v+0.1)/0.003; d < 1 {
					r, g, b = 40+160*d, 40+160*d, 40+160*d
				}
			}
			if d := u*u/0.05 + (v-0.4)*(v-0.4)/0.004; d < 1 {
				r, g, b = 150, 70, 70
			}
			noise := random.NormFloat64() * 4
			at := func(v float64) uint8 { return uint8(min(255, max(0, v+noise))) }
			picture.Set(x, y, color.RGBA{at(r), at(g), at(b), 255})
			grey.Set(x, y, picture.At(x, y))
		}
	}
	if colour {
		return picture
	}
	return grey
}

func decoded(t testing.TB, file []byte) *image.YCbCr {
	t.Helper()
	picture, err := webp.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	return picture.(*image.YCbCr)
}

// fidelity is the peak signal-to-noise ratio of the luma, in decibels.
func fidelity(t testing.TB, picture image.Image, file []byte) float64 {
	t.Helper()
	s, err := newSource(picture)
	if err != nil {
		t.Fatal(err)
	}
	got, sum := decoded(t, file), 0.0
	for y := range s.height {
		for x := range s.width {
			d := float64(got.Y[got.YOffset(x, y)]) - float64(s.luma.pix[y*s.luma.stride+x])
			sum += d * d
		}
	}
	return 10 * math.Log10(255*255*float64(s.width*s.height)/sum)
}

// TestDecoderSeesWhatTheEncoderSaw: whatever is predicted from wrong neighbours
// drifts, so the two must agree to the last bit, in every size.
func TestDecoderSeesWhatTheEncoderSaw(t *testing.T) {
	for _, size := range []image.Point{{48, 64}, {1, 1}, {16, 16}, {17, 33}, {60, 80}, {96, 128}, {5, 200}} {
		for _, colour := range []bool{false, true} {
			for _, step := range []int{0, 10, 40, 70, 100, 127} {
				s, err := newSource(face(size.X, size.Y, colour))
				if err != nil {
					t.Fatal(err)
				}
				f := newFrame(s)
				f.encode(step)
				f.encode(step)
				got, want := decoded(t, f.file()), f.smooth(f.smoothing())
				for y := range size.Y {
					if row := got.Y[y*got.YStride:][:size.X]; !bytes.Equal(row, want.pix[y*want.stride:][:size.X]) {
						t.Fatalf("%v, colour %v, step %d: row %d: got %v, want %v", size, colour, step, y, row, want.pix[y*want.stride:][:size.X])
					}
				}
				for y := range (size.Y + 1) / 2 {
					width := (size.X + 1) / 2
					if row := got.Cb[y*got.CStride:][:width]; !bytes.Equal(row, f.colours[0].pix[y*f.colours[0].stride:][:width]) {
						t.Fatalf("%v, step %d: row %d of Cb differs", size, step, y)
					}
					if row := got.Cr[y*got.CStride:][:width]; !bytes.Equal(row, f.colours[1].pix[y*f.colours[1].stride:][:width]) {
						t.Fatalf("%v, step %d: row %d of Cr differs", size, step, y)
					}
				}
			}
		}
	}
}
