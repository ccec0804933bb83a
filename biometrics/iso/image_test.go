package iso

import (
	"bytes"
	"encoding/csv"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/plinth-id/plinth/biometrics"
)

func TestImagesInTheFieldAreRead(t *testing.T) {
	dir := os.Getenv("TESTDATA_DIR")
	if dir == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("TESTDATA_DIR is not set")
		}
		t.Skip("skipped: real image records (TESTDATA_DIR is not set)")
	}
	dir = filepath.Join(dir, "biometrics", "formats")
	f, err := os.Open(filepath.Join(dir, "index.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		raw, err := os.ReadFile(filepath.Join(dir, row[0]))
		if err != nil {
			t.Fatal(err)
		}
		images, err := ReadImages(raw)
		if err != nil || len(images) != 1 {
			t.Errorf("%s: got %d images, %v", row[0], len(images), err)
			continue
		}
		img := images[0]
		offset, _ := strconv.Atoi(row[6])
		length, _ := strconv.Atoi(row[7])
		if string(img.Codec) != row[2] || strconv.Itoa(img.Width) != row[3] || strconv.Itoa(img.Height) != row[4] || !bytes.HasPrefix(raw[offset:], img.Data) || length-len(img.Data) > 64 { // some are followed by a block of their own
			t.Errorf("%s: got %s %dx%d with %d bytes, want %v", row[0], img.Codec, img.Width, img.Height, len(img.Data), row[2:])
		}
		if (img.Position.Modality() == biometrics.Iris) != (row[1] == "IIR") {
			t.Errorf("%s: got position %q", row[0], img.Position)
		}
		for n := range len(raw) - len(img.Data) {
			if _, err := ReadImages(raw[:n]); !errors.Is(err, ErrRecord) {
				t.Fatalf("%s cut at %d: got %v", row[0], n, err)
			}
		}
	}
}

func TestWrittenImagesAreRead(t *testing.T) {
	at := time.Date(2026, 11, 23, 9, 8, 7, 123e6, time.UTC)
	for _, want := range []Image{
		{Position: biometrics.LeftThumb, Codec: WSQ, Width: 300, Height: 400, PPI: 500, Quality: 77, Captured: at, Data: []byte("pixels")},
		{Position: biometrics.RightIndex, Codec: Raw, Width: 2, Height: 2, PPI: 1000, Quality: -1, Data: []byte{1, 2, 3, 4}},
		{Position: biometrics.LeftEye, Codec: JP2, Width: 640, Height: 480, Quality: 50, Captured: at, Data: []byte("pixels")},
		{Position: biometrics.RightEye, Codec: PNG, Width: 640, Height: 480, Quality: 50, Captured: at, Data: []byte("pixels")},
		{Position: biometrics.FullFace, Codec: JPEG, Width: 480, Height: 640, Quality: -1, Data: []byte("pixels")},
	} {
		raw, err := WriteImage(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ReadImages(raw)
		if err != nil || len(got) != 1 {
			t.Fatalf("%s: got %v, %v", want.Position, got, err)
		}
		g := got[0]
		if g.Position != want.Position || g.Codec != want.Codec || g.Width != want.Width || g.Height != want.Height || g.PPI != want.PPI ||
			g.Quality != want.Quality || !g.Captured.Equal(want.Captured) || !bytes.Equal(g.Data, want.Data) {
			t.Errorf("got %+v, want %+v", g, want)
		}
	}
	if _, err := WriteImage(Image{Position: biometrics.LeftEye, Codec: WSQ, Width: 1, Height: 1, Data: []byte("x")}); !errors.Is(err, ErrRecord) {
		t.Errorf("an eye in WSQ: got %v, want ErrRecord", err)
	}
}

func FuzzReadImages(f *testing.F) {
	for _, position := range []biometrics.Position{biometrics.LeftThumb, biometrics.LeftEye, biometrics.FullFace} {
		raw, err := WriteImage(Image{Position: position, Codec: JP2, Width: 30, Height: 40, Quality: 50, Data: []byte("pixels")})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		images, err := ReadImages(raw)
		if err != nil && !errors.Is(err, ErrRecord) {
			t.Errorf("got %v, want ErrRecord", err)
		}
		for _, img := range images {
			if len(img.Data) > len(raw) {
				t.Error("more bytes than there are")
			}
		}
	})
}

// What keeps every pixel is said to: enrolment asks for it.
func TestJPEG2000WithoutLossIsSaid(t *testing.T) {
	// SOC, SIZ of no content, COD: 5 levels, 64×64 blocks, and the wavelet.
	stream := func(wavelet byte) []byte {
		return []byte{0xff, 0x4f, 0xff, 0x51, 0x00, 0x02, 0xff, 0x52, 0x00, 0x0c, 0, 0, 0, 1, 0, 5, 4, 4, 0, wavelet}
	}
	for _, c := range []struct {
		position biometrics.Position
		wavelet  byte
		at       int
		want     byte
	}{{biometrics.LeftThumb, 1, 47, 5}, {biometrics.LeftThumb, 0, 47, 4}, {biometrics.FullFace, 1, 54, 2}, {biometrics.FullFace, 0, 54, 1}} {
		raw, err := WriteImage(Image{Position: c.position, Codec: JP2, Width: 300, Height: 400, PPI: 500, Quality: -1, Data: stream(c.wavelet)})
		if err != nil {
			t.Fatal(err)
		}
		if raw[c.at] != c.want {
			t.Errorf("%s with wavelet %d: got compression %d in % x, want %d", c.position, c.wavelet, raw[c.at], raw[:60], c.want)
		}
	}
}
