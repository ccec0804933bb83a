package jp2

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// shared finds the data of others, which are not ours to keep.
func shared(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("TESTDATA_DIR")
	if dir == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("TESTDATA_DIR is not set")
		}
		t.Skip("skipped: real JPEG 2000 images (TESTDATA_DIR is not set)")
	}
	return filepath.Join(dir, "biometrics", "formats")
}

// Loss-free images decode to the same pixels, bit for bit.
func TestRealImagesDecode(t *testing.T) {
	dir := shared(t)
	f, err := os.Open(filepath.Join(dir, "index.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, row := range rows {
		if row[2] != "jp2" {
			continue
		}
		n++
		raw, err := os.ReadFile(filepath.Join(dir, row[0]))
		if err != nil {
			t.Fatal(err)
		}
		offset, _ := strconv.Atoi(row[6])
		length, _ := strconv.Atoi(row[7])
		decoded, err := Decode(raw[offset : offset+length])
		if err != nil {
			t.Errorf("%s: %v", row[0], err)
			continue
		}
		img, ok := decoded.(*image.Gray)
		if !ok || strconv.Itoa(img.Rect.Dx()) != row[3] || strconv.Itoa(img.Rect.Dy()) != row[4] {
			t.Errorf("%s: got %T of %v, want %sx%s grey", row[0], decoded, decoded.Bounds(), row[3], row[4])
			continue
		}
		sum := sha256.Sum256(img.Pix)
		if got := hex.EncodeToString(sum[:]); got != row[5] && strings.HasPrefix(row[0], "registration/") {
			t.Errorf("%s: got %s, want %s", row[0], got, row[5])
		}
	}
	if n < 20 {
		t.Errorf("got %d images, want at least 20", n)
	}
}

func BenchmarkDecode(b *testing.B) {
	raw, err := os.ReadFile(filepath.Join(shared(b), "registration", "Left_Thumb.iso"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Decode(raw[69:]); err != nil {
			b.Fatal(err)
		}
	}
}

func open(t testing.TB, file string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func picture(t testing.TB, file string) image.Image {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(open(t, file)))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// differ gives the greatest difference of a sample and the mean square one.
func differ(t testing.TB, got, want image.Image) (worst int, noise float64) {
	t.Helper()
	if got.Bounds().Size() != want.Bounds().Size() {
		t.Fatalf("got %v, want %v", got.Bounds(), want.Bounds())
	}
	n := 0
	for y := range want.Bounds().Dy() {
		for x := range want.Bounds().Dx() {
			a, b := color.RGBAModel.Convert(got.At(x, y)).(color.RGBA), color.RGBAModel.Convert(want.At(x, y)).(color.RGBA)
			for _, d := range []int{int(a.R) - int(b.R), int(a.G) - int(b.G), int(a.B) - int(b.B)} {
				worst, noise, n = max(worst, d, -d), noise+float64(d*d), n+1
			}
		}
	}
	return worst, noise / float64(n)
}

// Of a synthetic print and a coloured pattern, written by OpenJPEG in every order
// and layout that we read. Loss-free ones are the same again; of the lossy ones,
// what OpenJPEG itself reads may be rounded the other way.
func TestEveryLayoutDecodes(t *testing.T) {
	for file, c := range map[string]struct {
		of    string
		worst int
	}{
		"grey-LRCP.jp2": {"grey.png", 0}, "grey-RLCP.jp2": {"grey.png", 0}, "grey-RPCL.jp2": {"grey.png", 0}, "grey-PCRL.jp2": {"grey.png", 0},
		"grey-CPRL.jp2": {"grey.png", 0}, "grey-tiles.j2k": {"grey.png", 0}, "grey-precincts.j2k": {"grey.png", 0}, "grey-offset.j2k": {"grey.png", 0},
		"grey-lossy.jp2": {"grey-lossy.png", 1}, "colour.jp2": {"colour.png", 0}, "colour-lossy.jp2": {"colour-lossy.png", 1},
	} {
		img, err := Decode(open(t, file))
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if worst, _ := differ(t, img, picture(t, c.of)); worst > c.worst {
			t.Errorf("%s: got a difference of %d, want at most %d", file, worst, c.worst)
		}
	}
}

// The captures that are sent were compressed harder than those that are kept.
func TestLossyImagesAreLikeTheirOriginals(t *testing.T) {
	dir := shared(t)
	for _, name := range []string{"Left_Index.iso", "Left_Ring.iso", "Right_Thumb.iso"} {
		var both [2]image.Image
		for i, file := range []string{filepath.Join("auth", name), filepath.Join("registration", name)} {
			raw, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				t.Fatal(err)
			}
			if both[i], err = Decode(raw[bytes.Index(raw, []byte("jP  "))-4:]); err != nil {
				t.Fatal(err)
			}
		}
		if _, noise := differ(t, both[0], both[1]); noise == 0 || noise > 400 {
			t.Errorf("%s: got a noise of %.2f, want a little", name, noise)
		}
	}
}

func TestWhatIsNotReadIsNamed(t *testing.T) {
	if _, err := Decode(open(t, "bypass.j2k")); !errors.Is(err, ErrUnsupported) {
		t.Errorf("got %v, want ErrUnsupported", err)
	}
	whole := open(t, "grey-LRCP.jp2")
	for n := range len(whole) {
		if _, err := Decode(whole[:n]); err != nil && !errors.Is(err, ErrFormat) && !errors.Is(err, ErrUnsupported) {
			t.Fatalf("cut at %d: got %v", n, err)
		}
	}
	if _, err := Decode([]byte("a text")); !errors.Is(err, ErrFormat) {
		t.Errorf("got %v, want ErrFormat", err)
	}
}

func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob("testdata/*.j*2*")
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds")
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 1<<16 {
			return
		}
		if _, err := Decode(raw); err != nil && !errors.Is(err, ErrFormat) && !errors.Is(err, ErrUnsupported) {
			t.Errorf("got %v, want one of our errors", err)
		}
	})
}
