package finger

import (
	"bytes"
	"image"
	"image/draw"
	"image/jpeg"
	"math/rand/v2"
	"testing"

	"github.com/plinth-id/plinth/biometrics/synth"
)

func templateOf(t *testing.T, img image.Image) Template {
	t.Helper()
	read, err := FromImage(img, dpi)
	if err != nil {
		t.Fatal(err)
	}
	template, _, err := Extract(read)
	if err != nil {
		t.Fatal(err)
	}
	return template
}

func TestCopyOfAnImageIsFoundOut(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for seed := int64(70); seed < 74; seed++ {
		original := synth.Print(seed, 0, 2)
		enrolled := templateOf(t, original)
		var coded bytes.Buffer
		if err := jpeg.Encode(&coded, original, &jpeg.Options{Quality: 75}); err != nil {
			t.Fatal(err)
		}
		compressed, err := jpeg.Decode(&coded)
		if err != nil {
			t.Fatal(err)
		}
		noisy := image.NewGray(original.Rect)
		for i, p := range original.Pix {
			noisy.Pix[i] = uint8(max(0, min(255, int(p)+random.IntN(9)-4)))
		}
		moved := image.NewGray(original.Rect)
		draw.Draw(moved, moved.Rect, image.White, image.Point{}, draw.Src)
		draw.Draw(moved, moved.Rect, original, image.Pt(8, 0), draw.Src) // by a block: the grid of the flow stays
		for what, img := range map[string]image.Image{"itself": original, "compressed": compressed, "noisy": noisy, "moved": moved} {
			if copied := templateOf(t, img); !Copied(enrolled, copied) || !Copied(copied, enrolled) {
				t.Errorf("seed %d, %s: got another impression (%.2f), want the copy found out", seed, what, exact(enrolled, copied))
			}
		}
	}
}

func TestAnotherImpressionIsNoCopy(t *testing.T) {
	for seed := int64(80); seed < 90; seed++ {
		a, b := templateOf(t, synth.Print(seed, 0, 1)), templateOf(t, synth.Print(seed, 1, 1))
		if Copied(a, b) {
			t.Errorf("seed %d: got a copy (%.2f), want two impressions", seed, exact(a, b))
		}
	}
	if Copied(Template{}, Template{}) {
		t.Error("nothing is a copy of nothing")
	}
}
