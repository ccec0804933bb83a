package picture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"testing"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"

	"github.com/plinth-id/plinth/biometrics"
)

func sample() *image.Gray {
	img := image.NewGray(image.Rect(0, 0, 60, 40))
	for i := range img.Pix {
		img.Pix[i] = uint8(i / 10)
	}
	return img
}

// every is the sample in every form that Go can write.
func every(t testing.TB) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for name, write := range map[string]func(*bytes.Buffer) error{
		"png":  func(b *bytes.Buffer) error { return png.Encode(b, sample()) },
		"bmp":  func(b *bytes.Buffer) error { return bmp.Encode(b, sample()) },
		"tiff": func(b *bytes.Buffer) error { return tiff.Encode(b, sample(), nil) },
		"jpeg": func(b *bytes.Buffer) error { return jpeg.Encode(b, sample(), &jpeg.Options{Quality: 100}) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		out[name] = b.Bytes()
	}
	return out
}

func TestEveryFormIsRead(t *testing.T) {
	for name, raw := range every(t) {
		img, err := Decode(raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for i, got := range Grey(img).Pix {
			if want := sample().Pix[i]; max(got, want)-min(got, want) > 3 {
				t.Fatalf("%s: pixel %d is %d, want %d", name, i, got, want)
			}
		}
		for _, n := range []int{0, 1, 8, len(raw) / 2} {
			if _, err := Decode(raw[:n]); !errors.Is(err, biometrics.ErrNotAnImage) {
				t.Errorf("%s, %d bytes of it: got %v", name, n, err)
			}
		}
	}
}

// Many pixels in few bytes must not become many pixels in memory.
func TestLargePictureIsRefusedBeforeItIsRead(t *testing.T) {
	raw := every(t)["png"]
	binary.BigEndian.PutUint32(raw[16:], 20000)
	binary.BigEndian.PutUint32(raw[20:], 20000)
	binary.BigEndian.PutUint32(raw[29:], crc32.ChecksumIEEE(raw[12:29]))
	if _, err := Decode(raw); !errors.Is(err, biometrics.ErrTooLarge) {
		t.Errorf("got %v, want too large", err)
	}
	if _, err := Decode(make([]byte, maxEncoded+1)); !errors.Is(err, biometrics.ErrTooLarge) {
		t.Errorf("very many bytes: got %v, want too large", err)
	}
}

func TestTransparentIsPaper(t *testing.T) {
	img := image.NewNRGBA(image.Rect(3, 3, 5, 4))
	img.SetNRGBA(4, 3, color.NRGBA{A: 255})
	if got := Grey(img); got.Rect != image.Rect(0, 0, 2, 1) || got.Pix[0] != 255 || got.Pix[1] != 0 {
		t.Errorf("got %v %v, want paper and black", got.Rect, got.Pix)
	}
}

func FuzzDecode(f *testing.F) {
	for _, raw := range every(f) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		img, err := Decode(raw)
		if err == nil {
			Grey(img)
		}
	})
}
