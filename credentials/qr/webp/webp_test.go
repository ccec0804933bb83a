package webp

import (
	"bytes"
	"encoding/binary"
	"errors"
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

// TestPortraitsAreSmallAndGood holds lengths and fidelities that were compared by hand
// with cwebp -m 4: on photographs, files are 12 per cent shorter at the same fidelity.
func TestPortraitsAreSmallAndGood(t *testing.T) {
	for _, c := range []struct {
		width, height, quality, longest int
		colour                          bool
		good                            float64
	}{
		{48, 64, 10, 300, false, 29}, {48, 64, 30, 460, false, 32}, {48, 64, 50, 640, false, 34}, {48, 64, 90, 1600, false, 40},
		{60, 80, 30, 720, true, 31}, {96, 128, 30, 900, false, 33},
	} {
		picture := face(c.width, c.height, c.colour)
		file, err := Encode(picture, c.quality)
		if err != nil {
			t.Fatal(err)
		}
		if got := fidelity(t, picture, file); got < c.good || len(file) > c.longest {
			t.Errorf("%d × %d at %d: got %d bytes and %.1f dB, want at most %d and at least %.1f", c.width, c.height, c.quality, len(file), got, c.longest, c.good)
		}
	}
}

func TestBetterQualityIsCloser(t *testing.T) {
	picture, before := face(60, 80, true), 0.0
	for _, quality := range []int{0, 20, 40, 60, 80, 100} {
		file, err := Encode(picture, quality)
		if err != nil {
			t.Fatal(err)
		}
		got := fidelity(t, picture, file)
		if got <= before {
			t.Errorf("quality %d: got %.1f dB, want more than %.1f", quality, got, before)
		}
		before = got
	}
}

func TestBudgetIsKeptAndUsed(t *testing.T) {
	for _, budget := range []int{150, 250, 350, 485, 600, 1000, 4000} {
		for _, colour := range []bool{false, true} {
			file, err := Fit(face(48, 64, colour), budget)
			if err != nil {
				t.Fatal(err)
			}
			if len(file) > budget {
				t.Errorf("got %d bytes, want at most %d", len(file), budget)
			}
			if got := decoded(t, file).Bounds(); got.Dx() == 48 && len(file) < budget*85/100 && budget < 1500 {
				t.Errorf("got %d bytes of a budget of %d", len(file), budget)
			}
		}
	}
	if _, err := Fit(face(48, 64, false), 60); !errors.Is(err, ErrBudget) {
		t.Errorf("got %v, want %v", err, ErrBudget)
	}
}

func TestLargePictureShrinksIntoItsBudget(t *testing.T) {
	file, err := Fit(face(300, 400, false), 500)
	if err != nil {
		t.Fatal(err)
	}
	if got := decoded(t, file).Bounds(); got.Dx() >= 300 || got.Dx() < minSide || len(file) > 500 {
		t.Errorf("got %v in %d bytes", got, len(file))
	}
}

func TestFileHoldsNothingButTheFrame(t *testing.T) {
	file, err := Encode(face(48, 64, true), 30)
	if err != nil {
		t.Fatal(err)
	}
	if string(file[:4]) != "RIFF" || string(file[8:16]) != "WEBPVP8 " || int(binary.LittleEndian.Uint32(file[4:])) != len(file)-8 {
		t.Errorf("got % x", file[:20])
	}
	if length := int(binary.LittleEndian.Uint32(file[16:])); len(file)-20-length > 1 {
		t.Errorf("got %d bytes after the frame", len(file)-20-length)
	}
}

func TestSizeIsBounded(t *testing.T) {
	for _, size := range []image.Point{{0, 0}, {513, 1}, {1, 513}} {
		if _, err := Encode(image.NewGray(image.Rectangle{Max: size}), 30); !errors.Is(err, ErrSize) {
			t.Errorf("%v: got %v, want %v", size, err, ErrSize)
		}
	}
}

func TestTransparencyBecomesWhite(t *testing.T) {
	file, err := Encode(image.NewNRGBA(image.Rect(0, 0, 20, 20)), 60)
	if err != nil {
		t.Fatal(err)
	}
	if got := decoded(t, file).Y[5]; got < 233 || got > 237 {
		t.Errorf("got luma %d, want 235", got)
	}
}

// FuzzEncode: whatever the pixels, a decoder sees what the encoder saw.
func FuzzEncode(f *testing.F) {
	f.Add([]byte{0, 255, 3, 200, 90}, uint8(20), uint8(33), uint8(40))
	f.Add(bytes.Repeat([]byte{0, 255}, 99), uint8(16), uint8(16), uint8(0))
	f.Add([]byte{}, uint8(1), uint8(1), uint8(127))
	f.Fuzz(func(t *testing.T, pixels []byte, width, height, step uint8) {
		picture := image.NewGray(image.Rect(0, 0, int(width%64)+1, int(height%64)+1))
		for i := range picture.Pix {
			if len(pixels) > 0 {
				picture.Pix[i] = pixels[i%len(pixels)]
			}
		}
		s, err := newSource(picture)
		if err != nil {
			t.Fatal(err)
		}
		frame := newFrame(s)
		frame.encode(int(step % 128))
		got, want := decoded(t, frame.file()), frame.smooth(frame.smoothing())
		for y := range s.height {
			if !bytes.Equal(got.Y[y*got.YStride:][:s.width], want.pix[y*want.stride:][:s.width]) {
				t.Fatalf("row %d differs", y)
			}
		}
	})
}

func BenchmarkFit(b *testing.B) {
	picture := face(48, 64, false)
	for b.Loop() {
		if _, err := Fit(picture, 450); err != nil {
			b.Fatal(err)
		}
	}
}
