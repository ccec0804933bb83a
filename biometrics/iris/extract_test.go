package iris

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/iso"
	"github.com/plinth-id/plinth/biometrics/synth"
)

// eyes extracts synthetic eyes, two at a time.
func eyes(t *testing.T, n, impression, level int) []Code {
	t.Helper()
	codes, errs := make([]Code, n), make([]error, n)
	var all sync.WaitGroup
	for half := range 2 {
		all.Go(func() {
			for i := half; i < n; i += 2 {
				codes[i], _, errs[i] = Extract(FromImage(synth.Eye(int64(i), impression, level)))
			}
		})
	}
	all.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("eye %d, capture %d at level %d: %v", i, impression, level, err)
		}
	}
	return codes
}

// Two captures of an eye meet, and no two eyes do; a person's two eyes are two eyes.
// What the score promises is kept: of strangers at most one in ten scores 1.
func TestMatesMeetAndStrangersDoNot(t *testing.T) {
	const n, level = 20, 2
	first, second := eyes(t, n, 0, level), eyes(t, n, 1, level)
	notable, pairs := 0, n*(n-1)
	var mated, strangers float64
	for i := range n {
		for j := range n {
			score := Compare(first[i], second[j])
			distance, _ := Distance(first[i], second[j])
			if i == j {
				mated += distance / n
				if score < Threshold {
					t.Errorf("eye %d is missed: %.2f", i, score)
				}
				continue
			}
			strangers += distance / float64(pairs)
			if score >= Threshold {
				t.Errorf("eyes %d and %d match: %.2f", i, j, score)
			}
			if score >= 1 {
				notable++
			}
		}
	}
	if mated > .25 || strangers < .4 {
		t.Errorf("mates are %.3f apart and strangers %.3f; want less than .25, more than .4", mated, strangers)
	}
	if notable*10 > pairs {
		t.Errorf("%d of %d strangers score 1", notable, pairs)
	}
}

// records are the irises of a person of nobody's, from a public mock device, whose
// captures for authentication carry the label of the other eye.
func records(t *testing.T) map[string]Code {
	t.Helper()
	dir := os.Getenv("TESTDATA_DIR")
	if dir == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("TESTDATA_DIR is not set")
		}
		t.Skip("TESTDATA_DIR is not set: the records of a mock device are not compared")
	}
	codes := map[string]Code{}
	for _, name := range []string{"registration/Left_Iris", "registration/Right_Iris", "auth/Left_Iris", "auth/Right_Iris", "auth/bio-utils_iris_left_auth"} {
		raw, err := os.ReadFile(filepath.Join(dir, "biometrics/formats", name+".iso"))
		if err != nil {
			t.Fatal(err)
		}
		img, err := Decode(raw)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		code, quality, err := Extract(img)
		if err != nil || quality.Value < 50 {
			t.Fatalf("%s: got quality %+v, %v", name, quality, err)
		}
		codes[name] = code
	}
	return codes
}

func TestRealEyesMeetAcrossKindsOfImage(t *testing.T) {
	codes := records(t)
	same := map[string]string{
		"registration/Left_Iris": "A", "auth/Right_Iris": "A",
		"registration/Right_Iris": "B", "auth/Left_Iris": "B", "auth/bio-utils_iris_left_auth": "B",
	}
	for a, one := range codes {
		for b, other := range codes {
			score := Compare(one, other)
			if same[a] == same[b] && score < 8 || same[a] != same[b] && score >= 3 {
				distance, seen := Distance(one, other)
				t.Errorf("%s and %s: got %.2f (distance %.3f of %d bits)", a, b, score, distance, seen)
			}
		}
	}
}

func encoded(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRecordAndPictureAreOneEye(t *testing.T) {
	eye := synth.Eye(3, 0, 1)
	want, _, err := Extract(FromImage(eye))
	if err != nil {
		t.Fatal(err)
	}
	for codec, data := range map[iso.Codec][]byte{iso.PNG: encoded(t, eye), iso.Raw: eye.Pix} {
		record, err := iso.WriteImage(iso.Image{Position: biometrics.LeftEye, Codec: codec, Width: synth.EyeWidth, Height: synth.EyeHeight, Data: data})
		if err != nil {
			t.Fatal(err)
		}
		img, err := Decode(record)
		if err != nil {
			t.Fatalf("%s: %v", codec, err)
		}
		if got, _, err := Extract(img); err != nil || got != want {
			t.Errorf("%s: got another code, or %v", codec, err)
		}
	}
	finger, err := iso.WriteImage(iso.Image{Position: biometrics.LeftThumb, Codec: iso.Raw, Width: 640, Height: 480, Data: eye.Pix})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Decode(finger); !errors.Is(err, biometrics.ErrNotAnImage) {
		t.Errorf("a record of a finger: got %v", err)
	}
}

// The code of this eye was written once; it must be the same on every processor.
func TestSameCodeEverywhere(t *testing.T) {
	c, _, err := Extract(drawnEye(320, 240))
	if err != nil {
		t.Fatal(err)
	}
	var sum uint64
	for i := range words {
		sum = (sum^c.bits[i])*1099511628211 ^ c.mask[i]
	}
	if want := uint64(pinned); sum != want {
		t.Errorf("got a code of sum %#x, want %#x", sum, want)
	}
}

// drawnEye is an eye in whole numbers, the same on every machine.
func drawnEye(x, y int) *Image {
	img := &Image{640, 480, make([]uint8, 640*480)}
	state := uint32(1)
	var grain [64 * 48]int
	for i := range grain {
		state = state*1664525 + 1013904223
		grain[i] = int(state >> 26)
	}
	for i := range img.Pix {
		dx, dy := i%640-x, i/640-y
		switch d := dx*dx + dy*dy; {
		case d < 42*42:
			img.Pix[i] = 30
		case d < 115*115:
			img.Pix[i] = uint8(90 + grain[i/6400*64+i%640/10])
		default:
			img.Pix[i] = 200
		}
	}
	return img
}

const pinned = 0x8717733a4f26146c

func flat(w, h int, shade uint8) *Image {
	return &Image{w, h, bytes.Repeat([]byte{shade}, w*h)}
}

func TestWhatIsNoEyeHasNoCode(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	noise := flat(640, 480, 0)
	for i := range noise.Pix {
		noise.Pix[i] = uint8(r.IntN(256))
	}
	text := flat(640, 480, 255)
	for line := 20; line < 460; line += 16 {
		for i := range 9 * 640 {
			if r.IntN(3) == 0 && i%640%9 < 6 {
				text.Pix[line*640+i] = 0
			}
		}
	}
	for name, img := range map[string]*Image{
		"nothing": nil, "no pixels": {}, "one pixel": flat(1, 1, 0), "fewer pixels than it says": {640, 480, make([]uint8, 100)},
		"white": flat(640, 480, 255), "black": flat(640, 480, 0), "a line": flat(100000, 1, 7),
		"a strip": flat(101, 160000, 90), "noise": noise, "text": text,
		"a fingerprint": FromImage(synth.Print(1, 0, 1)), "a face": face(),
	} {
		code, quality, err := Extract(img)
		if !errors.Is(err, ErrNoEye) || !code.Empty() || len(quality.Reasons) == 0 {
			t.Errorf("%s: got %+v, %v; want no eye, and why", name, quality, err)
		}
	}
}

// face is a portrait: its eyes are much too small.
func face() *Image {
	img := image.NewGray(image.Rect(0, 0, 480, 640))
	disc := func(cx, cy, rx, ry int, shade uint8) {
		for y := -ry; y <= ry; y++ {
			for x := -rx; x <= rx; x++ {
				if x*x*ry*ry+y*y*rx*rx <= rx*rx*ry*ry {
					img.SetGray(cx+x, cy+y, color.Gray{Y: shade})
				}
			}
		}
	}
	disc(240, 320, 1000, 1000, 220)
	disc(240, 300, 130, 180, 170)
	for _, x := range []int{185, 295} {
		disc(x, 260, 24, 11, 235)
		disc(x, 260, 10, 10, 110)
		disc(x, 260, 4, 4, 30)
	}
	disc(240, 390, 50, 12, 120)
	return FromImage(img)
}

// blurred averages squares.
func blurred(img *Image, by int) *Image {
	out := &Image{img.Width, img.Height, make([]uint8, len(img.Pix))}
	for y := by; y < img.Height-by; y++ {
		for x := by; x < img.Width-by; x++ {
			sum := 0
			for dy := -by; dy <= by; dy++ {
				for _, v := range img.Pix[(y+dy)*img.Width+x-by:][:2*by+1] {
					sum += int(v)
				}
			}
			out.Pix[y*img.Width+x] = uint8(sum / (2*by + 1) / (2*by + 1))
		}
	}
	return out
}

// changed is an eye of which each pixel is made anew.
func changed(img *Image, to func(x, y int, v uint8) uint8) *Image {
	out := &Image{img.Width, img.Height, slices.Clone(img.Pix)}
	for i, v := range out.Pix {
		out.Pix[i] = to(i%img.Width, i/img.Width, v)
	}
	return out
}

func TestReasonsCanBeActedOn(t *testing.T) {
	good := FromImage(synth.Eye(1, 0, 1))
	_, quality, err := Extract(good)
	if err != nil || quality.Value < 70 || len(quality.Reasons) != 0 {
		t.Fatalf("a careful capture: got %+v, %v", quality, err)
	}
	// The iris of this eye is at (311, 265), of radius 113.
	small := working(&Image{good.Width, good.Height, good.Pix}).smaller(2)
	for want, img := range map[string]*Image{
		"blurred":   blurred(good, 5),
		"too small": {small.w, small.h, small.pix},
		"eyelids closed": changed(good, func(_, y int, v uint8) uint8 {
			if y < 212 || y > 312 {
				return 180
			}
			return v
		}),
		"poor contrast": changed(good, func(_, _ int, v uint8) uint8 { return 100 + v/8 }),
		"glare": changed(good, func(x, y int, v uint8) uint8 {
			if x > 230 && x < 390 && y > 318 && y < 372 {
				return 255
			}
			return v
		}),
		"off centre": good.cut(311-60, 640),
	} {
		_, q, err := Extract(img)
		if !slices.Contains(q.Reasons, want) || q.Value >= quality.Value || err != nil && !errors.Is(err, ErrNoEye) {
			t.Errorf("%s: got %+v, %v", want, q, err)
		}
	}
}

// cut keeps some columns.
func (img *Image) cut(from, to int) *Image {
	out := &Image{Width: to - from, Height: img.Height}
	for y := range img.Height {
		out.Pix = append(out.Pix, img.Pix[y*img.Width+from:y*img.Width+to]...)
	}
	return out
}

// An image cropped to the eye, the lids made grey and the white even, as devices send
// it for authentication, is of the eye that the whole image is of.
func TestCroppedAndMaskedIsTheSameEye(t *testing.T) {
	whole := FromImage(synth.Eye(1, 0, 1))
	want, _, err := Extract(whole)
	if err != nil {
		t.Fatal(err)
	}
	masked := changed(whole, func(x, y int, v uint8) uint8 {
		dx, dy := x-311, y-265
		switch {
		case dy < -90+dx*dx/600 || dy > 95-dx*dx/600:
			return 128
		case dx*dx+dy*dy > 115*115:
			return 200
		}
		return v
	}).cut(311-190, 311+190)
	got, quality, err := Extract(masked)
	if score := Compare(got, want); err != nil || score < 10 || quality.Value < 60 {
		t.Errorf("got a score of %v, quality %+v, %v", score, quality, err)
	}
}

func TestLargerImageIsTheSameEye(t *testing.T) {
	whole := FromImage(synth.Eye(1, 0, 1))
	want, _, err := Extract(whole)
	if err != nil {
		t.Fatal(err)
	}
	double := &Image{2 * whole.Width, 2 * whole.Height, make([]uint8, 4*len(whole.Pix))}
	for i := range double.Pix {
		double.Pix[i] = whole.Pix[i/double.Width/2*whole.Width+i%double.Width/2]
	}
	got, _, err := Extract(double)
	if score := Compare(got, want); err != nil || score < MaxScore {
		t.Errorf("got a score of %v, %v", score, err)
	}
}

func FuzzExtract(f *testing.F) {
	f.Add(encoded(f, synth.Eye(1, 0, 1).SubImage(image.Rect(190, 130, 430, 390))))
	f.Add([]byte("IIR\x00020\x00"))
	f.Add([]byte("BM"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		img, err := Decode(raw)
		if err != nil {
			return
		}
		if code, q, err := Extract(img); q.Value < 0 || q.Value > 100 || (err == nil) == code.Empty() {
			t.Fatalf("got %+v, %v", q, err)
		}
	})
}

// Pixels of any size are looked at in bounded time.
func FuzzExtractPixels(f *testing.F) {
	f.Add(uint16(120), []byte{0, 255, 0})
	f.Fuzz(func(t *testing.T, width uint16, seed []byte) {
		if len(seed) == 0 || width == 0 {
			return
		}
		w := int(width)%700 + 1
		img := flat(w, 480, 0)
		for i := range img.Pix {
			img.Pix[i] = seed[i*7/w%len(seed)]
		}
		if code, _, err := Extract(img); (err == nil) == code.Empty() {
			t.Fatalf("got %v with a code of %d bits", err, code.seen())
		}
	})
}

func BenchmarkExtract(b *testing.B) {
	img := FromImage(synth.Eye(1, 0, 2))
	for b.Loop() {
		if _, _, err := Extract(img); err != nil {
			b.Fatal(err)
		}
	}
}
