package wsq

import (
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"os"
	"path/filepath"
	"strconv"
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
		t.Skip("skipped: real WSQ images (TESTDATA_DIR is not set)")
	}
	return filepath.Join(dir, "biometrics", "formats")
}

func TestRealImagesDecodeToTheSamePixels(t *testing.T) {
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
		if row[2] != "wsq" {
			continue
		}
		n++
		raw, err := os.ReadFile(filepath.Join(dir, row[0]))
		if err != nil {
			t.Fatal(err)
		}
		offset, _ := strconv.Atoi(row[6])
		length, _ := strconv.Atoi(row[7])
		img, err := Decode(raw[offset : offset+length])
		if err != nil {
			t.Errorf("%s: %v", row[0], err)
			continue
		}
		sum := sha256.Sum256(img.Pix)
		if got := hex.EncodeToString(sum[:]); got != row[5] || strconv.Itoa(img.Rect.Dx()) != row[3] || strconv.Itoa(img.Rect.Dy()) != row[4] {
			t.Errorf("%s: got %dx%d %s, want %sx%s %s", row[0], img.Rect.Dx(), img.Rect.Dy(), got, row[3], row[4], row[5])
		}
	}
	if n < 10 {
		t.Errorf("got %d images, want at least 10", n)
	}
}

func BenchmarkDecode(b *testing.B) {
	raw, err := os.ReadFile(filepath.Join(shared(b), "auth", "Left_Thumb_wsq.iso"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Decode(raw[62:]); err != nil {
			b.Fatal(err)
		}
	}
}
