package finger

import (
	"errors"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/synth"
)

func artificial(t testing.TB, seed int64, level int, of synth.Spoil) *Image {
	t.Helper()
	return pressed(t, synth.Grow(seed), level, of)
}

func pressed(t testing.TB, grown synth.Finger, level int, of synth.Spoil) *Image {
	t.Helper()
	img, err := FromImage(grown.Flawed(1, level, of), dpi)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// Each flaw is called by its name, on most prints that have it; and a good print has
// no reason at all.
func TestReasonsNameWhatIsWrong(t *testing.T) {
	const prints = 4
	var fingers [prints]synth.Finger
	for i := range fingers {
		fingers[i] = synth.Grow(700 + int64(i))
	}
	for _, c := range []struct {
		of     synth.Spoil
		reason string
	}{
		{synth.Spoil{}, ""}, {synth.Spoil{synth.Dry: 1}, dry}, {synth.Spoil{synth.Wet: .9}, wet}, {synth.Spoil{synth.Worn: .7}, unclear},
		{synth.Spoil{synth.Partial: .62}, partial}, {synth.Spoil{synth.Moved: .6}, moved}, {synth.Spoil{synth.Faint: .9}, faint},
		{synth.Spoil{synth.OffCentre: .6}, offCentre}, {synth.Spoil{synth.Inverted: 1}, inverted},
	} {
		named, lowest := 0, 100
		for _, grown := range fingers {
			q, err := quality(t, pressed(t, grown, 2, c.of))
			if err != nil {
				t.Errorf("%v: %v", c.of, err)
			}
			lowest = min(lowest, q.Value)
			if slices.Contains(q.Reasons, c.reason) || c.reason == "" && len(q.Reasons) == 0 {
				named++
			} else {
				t.Logf("%v: got %d %v, want %q", c.of, q.Value, q.Reasons, c.reason)
			}
		}
		if named < prints-1 {
			t.Errorf("%v: %d of %d are called %q", c.of, named, prints, c.reason)
		}
		if c.reason == "" && lowest < 80 {
			t.Errorf("a good print has quality %d, want at least 80", lowest)
		}
	}
}

// The more of a flaw, the less quality.
func TestQualityFallsWithTheFlaw(t *testing.T) {
	grown := synth.Grow(720)
	for _, flaw := range []synth.Flaw{synth.Dry, synth.Wet, synth.Worn, synth.Partial, synth.Faint} {
		before := 101
		for _, amount := range []float64{0, .5, .8, .95} {
			q, err := quality(t, pressed(t, grown, 2, synth.Spoil{flaw: amount}))
			if err != nil {
				q.Value = 0
			}
			if q.Value > before+2 {
				t.Errorf("%s by %.2f: got %d after %d", flaw, amount, q.Value, before)
			}
			before = q.Value
		}
		if before > 93 {
			t.Errorf("%s by .95: got %d", flaw, before)
		}
	}
}

// What is no finger, or not as large as it says, is told so.
func TestBadInputHasItsReason(t *testing.T) {
	whole := artificial(t, 730, 1, nil)
	print := func(ppi float64) *Image {
		img := image.NewGray(image.Rect(0, 0, int(float64(whole.Width)*ppi/dpi), int(float64(whole.Height)*ppi/dpi)))
		draw.CatmullRom.Scale(img, img.Rect, whole.Gray(), whole.Gray().Rect, draw.Src, nil)
		return &Image{Width: img.Rect.Dx(), Height: img.Rect.Dy(), Pix: img.Pix}
	}
	even := func(shade uint8) *Image {
		img := &Image{Width: 320, Height: 400, Pix: make([]uint8, 320*400)}
		for i := range img.Pix {
			img.Pix[i] = shade
		}
		return img
	}
	for name, c := range map[string]struct {
		img    *Image
		reason string
	}{
		"white": {even(255), noFinger}, "black": {even(0), noFinger}, "text": {text(), noFinger}, "a face": {face(), noFinger},
		"1000 ppi said to be 500": {print(1000), misstated}, "200 ppi said to be 500": {print(200), misstated}, "250 ppi said to be 500": {print(250), misstated},
		"a tenth of a finger": {artificial(t, 731, 1, synth.Spoil{synth.Partial: .8}), partial},
	} {
		q, err := quality(t, c.img)
		if !slices.Contains(q.Reasons, c.reason) || err != nil && q.Value != 0 || q.Value >= 50 || c.reason == noFinger && !errors.Is(err, biometrics.ErrNoFinger) {
			t.Errorf("%s: got %d %v, %v; want %q", name, q.Value, q.Reasons, err, c.reason)
		}
	}
}

// text is a printed page.
func text() *Image {
	small := image.NewGray(image.Rect(0, 0, 200, 260))
	draw.Draw(small, small.Rect, image.White, image.Point{}, draw.Src)
	pen := font.Drawer{Dst: small, Src: image.Black, Face: basicfont.Face7x13}
	for line := 1; line < 20; line++ {
		pen.Dot = fixed.P(4, 13*line)
		pen.DrawString("the quick brown fox jumps over")
	}
	large := image.NewGray(image.Rect(0, 0, 400, 520))
	draw.CatmullRom.Scale(large, large.Rect, small, small.Rect, draw.Src, nil)
	return &Image{Width: 400, Height: 520, Pix: large.Pix}
}

// face is one, roughly: shading, eyes, a mouth, hair.
func face() *Image {
	r := rand.New(rand.NewPCG(3, 4))
	img := image.NewGray(image.Rect(0, 0, 480, 600))
	for y := range 600 {
		for x := range 480 {
			dx, dy := float64(x-240)/170, float64(y-310)/230
			v := 205.
			if d := math.Hypot(dx, dy); d < 1 {
				v = 170 - 40*d + 18*dx
				for _, eye := range [2]float64{-.4, .4} {
					v -= 110 * math.Exp(-(math.Pow((dx-eye)/.13, 2) + math.Pow((dy+.2)/.06, 2)))
				}
				v -= 70 * math.Exp(-(math.Pow(dx/.3, 2) + math.Pow((dy-.5)/.05, 2)))
			}
			if dy < -.55 && math.Hypot(dx, dy) < 1.15 {
				v = 60 + 25*r.NormFloat64()
			}
			img.SetGray(x, y, color.Gray{uint8(v)})
		}
	}
	return &Image{Width: 480, Height: 600, Pix: img.Pix}
}

func BenchmarkQuality(b *testing.B) {
	img := artificial(b, 740, 2, nil)
	w, h := img.Width, img.Height
	norm, f := normalised(img), newField(w, h)
	f.orient(norm, w, h)
	f.periods(norm, w, h)
	for i := range f.mask {
		f.mask[i] = f.period[i] > 0
	}
	for b.Loop() {
		measured(img, f, nil)
	}
}
