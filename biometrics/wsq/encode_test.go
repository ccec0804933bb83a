package wsq

import (
	"errors"
	"image"
	"math"
	"testing"

	"github.com/plinth-id/plinth/biometrics/synth"
)

// psnr is the likeness of two images in decibels.
func psnr(a, b *image.Gray) float64 {
	sum := 0.0
	for i := range a.Pix {
		d := float64(a.Pix[i]) - float64(b.Pix[i])
		sum += d * d
	}
	return 10 * math.Log10(255*255*float64(len(a.Pix))/max(sum, 1e-9))
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	img := synth.Print(4711, 0, 2)
	for _, c := range []struct{ rate, like, ratio float64 }{{RateSend, 19, 13}, {RateKeep, 24, 4}} {
		raw, err := Encode(img, c.rate)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		ratio := float64(len(img.Pix)) / float64(len(raw))
		if like := psnr(img, back); like < c.like || ratio < c.ratio {
			t.Errorf("at %.2f bits a pixel: got %.1f dB at %.1f:1, want at least %.1f dB at %.1f:1", c.rate, like, ratio, c.like, c.ratio)
		} else {
			t.Logf("%.2f bits a pixel: %.1f dB, %.1f:1", c.rate, like, ratio)
		}
	}
}

func TestEverySizeAndContent(t *testing.T) {
	for w := 32; w < 48; w++ {
		for h := 32; h < 48; h += 5 {
			img := image.NewGray(image.Rect(0, 0, w, h))
			for i := range img.Pix {
				img.Pix[i] = byte(i*i/7 + i%w*3)
			}
			raw, err := Encode(img, 3)
			if err != nil {
				t.Fatal(err)
			}
			back, err := Decode(raw)
			if err != nil || back.Rect != img.Rect {
				t.Fatalf("%dx%d: got %v, %v", w, h, back, err)
			}
			if like := psnr(img, back); like < 14 {
				t.Errorf("%dx%d: got %.1f dB", w, h, like)
			}
		}
	}
	for _, level := range []byte{0, 128, 255} {
		blank := image.NewGray(image.Rect(0, 0, 64, 64))
		for i := range blank.Pix {
			blank.Pix[i] = level
		}
		raw, err := Encode(blank, RateSend)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := Decode(raw); err != nil || back.Pix[100] != level {
			t.Errorf("blank %d: got %v", level, err)
		}
	}
	if _, err := Encode(image.NewGray(image.Rect(0, 0, 8, 8)), RateSend); !errors.Is(err, ErrSize) {
		t.Errorf("8x8: got %v, want ErrSize", err)
	}
}

func TestBrokenImagesAreRefused(t *testing.T) {
	raw, err := Encode(synth.Print(4711, 0, 1), RateSend)
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n < len(raw)-8; n += 1 + n/50 {
		if _, err := Decode(raw[:n]); !errors.Is(err, ErrFormat) {
			t.Fatalf("cut at %d: got %v, want ErrFormat", n, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	small := image.NewGray(image.Rect(0, 0, 40, 36))
	for i := range small.Pix {
		small.Pix[i] = byte(i * 5)
	}
	for _, rate := range []float64{RateSend, RateKeep} {
		raw, err := Encode(small, rate)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 1<<16 {
			return
		}
		img, err := Decode(raw)
		if err == nil && img.Rect.Dx()*img.Rect.Dy() != len(img.Pix) {
			t.Error("an image of another size than it says")
		}
		if err != nil && !errors.Is(err, ErrFormat) {
			t.Errorf("got %v, want ErrFormat", err)
		}
	})
}
