package qr

import (
	"bytes"
	"image/png"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/skip2/go-qrcode"
)

// compare holds a code against what skip2/go-qrcode draws, module for module.
func compare(t *testing.T, text string, level Level) {
	t.Helper()
	got, err := NewSymbol(text, level)
	code, failed := qrcode.New(text, qrcode.RecoveryLevel(level))
	if (err != nil) != (failed != nil) {
		t.Fatalf("%.20q of %d at %d: got %v, want %v", text, len(text), level, err, failed)
	}
	if err != nil {
		return
	}
	code.DisableBorder = true
	want := code.Bitmap()
	if got.Version < code.VersionNumber {
		// It gives a range of versions up when one part for all is too long for it.
		file, err := got.PNG(8 * (got.Side() + 2*Quiet))
		if err != nil {
			t.Fatal(err)
		}
		if read, err := Read(file); err != nil || read != text {
			t.Fatalf("got %q (%v), want %q", read, err, text)
		}
		return
	}
	if got.Version != code.VersionNumber || got.Side() != len(want) {
		t.Fatalf("%.20q of %d at %d: got version %d, want %d", text, len(text), level, got.Version, code.VersionNumber)
	}
	for y, row := range want {
		for x, dark := range row {
			if got.Dark(x, y) != dark {
				t.Fatalf("%.20q of %d at %d: module %d, %d: got dark %v, want %v", text, len(text), level, x, y, !dark, dark)
			}
		}
	}
}

func randomText(random *rand.Rand, characters string, n int) string {
	text := make([]byte, n)
	for i := range text {
		text[i] = characters[random.IntN(len(characters))]
	}
	return string(text)
}

// TestModulesAreThoseOfAnotherEncoder goes through every version and level, and through
// texts of every kind.
func TestModulesAreThoseOfAnotherEncoder(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 9))
	for level := Low; level <= High; level++ {
		for version := 1; version <= maxVersion; version++ {
			if testing.Short() && version%7 != 0 {
				continue
			}
			full := dataWords(version, level)*8*2/11 - 3
			compare(t, randomText(random, alphabet, max(1, full)), level)
		}
	}
	for _, characters := range []string{"0123456789", alphabet, alphabet[:36] + "0123456789012345678901234567890123456789", "https://id.example/abcdef?x=0123456789&TUV", "éa1A"} {
		for _, n := range []int{1, 2, 3, 5, 8, 17, 40, 41, 100, 250, 800} {
			compare(t, randomText(random, characters, n), Level(random.IntN(4)))
		}
	}
	for _, text := range []string{strings.Repeat("A", 4296), strings.Repeat("A", 4297), strings.Repeat("7", 7089), strings.Repeat("7", 7090),
		strings.Repeat("a", 2953), strings.Repeat("a", 2954), "A" + strings.Repeat("1", 300) + "a", strings.Repeat("AAAAA11111111111111aaa", 20)} {
		compare(t, text, Low)
	}
}

func FuzzSymbol(f *testing.F) {
	f.Add("HELLO", uint8(0))
	f.Add("01234569ABCaC7", uint8(0)) // looks like a finder at the very foot
	f.Add("0123456789ABCabc", uint8(2))
	f.Fuzz(func(t *testing.T, text string, level uint8) {
		if text != "" && len(text) < 300 {
			compare(t, text, Level(level%4))
		}
	})
}

func TestPictureHasTheSizeAskedFor(t *testing.T) {
	text := encode(t)
	s, err := NewSymbol(text, Low)
	if err != nil {
		t.Fatal(err)
	}
	for _, pixels := range []int{s.Side() + 8, 512, 1000, 1023} {
		file, err := s.PNG(pixels)
		if err != nil {
			t.Fatal(err)
		}
		picture, err := png.Decode(bytes.NewReader(file))
		if err != nil || picture.Bounds().Dx() != pixels || picture.Bounds().Dy() != pixels {
			t.Fatalf("got %v (%v), want %d pixels", picture.Bounds(), err, pixels)
		}
		if got, err := Read(file); err != nil || got != text {
			t.Errorf("%d pixels: got %q (%v), want %q", pixels, got, err, text)
		}
	}
	for _, pixels := range []int{0, s.Side() + 7, maxDrawn + 1} {
		if _, err := s.PNG(pixels); err == nil {
			t.Errorf("%d pixels: got nil, want an error", pixels)
		}
	}
}

// dense is a text that makes a code of version 19.
func dense() string { return randomText(rand.New(rand.NewPCG(1, 1)), alphabet, 1120) }

// perCPUSecond reports how often a second of processor time would do it: what else
// the machine does at the time must not count.
func perCPUSecond(b *testing.B, once func() error) {
	spent := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	from := spent()
	for b.Loop() {
		if err := once(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/(spent()-from).Seconds(), "ops/cpu-s")
}

func BenchmarkSymbol(b *testing.B) {
	text := dense()
	for b.Loop() {
		if s, err := NewSymbol(text, Low); err != nil || s.Version != 19 {
			b.Fatal(s.Version, err)
		}
	}
}

func BenchmarkPNG512(b *testing.B) {
	text := dense()
	perCPUSecond(b, func() error {
		s, err := NewSymbol(text, Low)
		if err == nil {
			_, err = s.PNG(512)
		}
		return err
	})
}

func BenchmarkSVG(b *testing.B) {
	text := dense()
	for b.Loop() {
		if _, err := SVG(text, Low); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOtherPNG512 is what we are compared with.
func BenchmarkOtherPNG512(b *testing.B) {
	text := dense()
	perCPUSecond(b, func() error {
		code, err := qrcode.New(text, qrcode.Low)
		if err == nil {
			_, err = code.PNG(512)
		}
		return err
	})
}
