package face

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"testing"
)

func TestPortraitFitsIntoItsBudget(t *testing.T) {
	img := FromImage(usual().draw())
	for name, o := range map[string]Options{
		"a card": {Width: 413, Height: 531, Bytes: 60_000},
		"a code": {Width: 90, Height: 115, Bytes: 1_500, Grey: true},
		"little": {Width: 90, Height: 115, Bytes: 1_000, Grey: true},
		"square": {Width: 200, Height: 200, Bytes: 8_000},
	} {
		raw, err := Portrait(img, o)
		if err != nil || len(raw) > o.Bytes {
			t.Errorf("%s: got %d bytes, %v; want at most %d", name, len(raw), err, o.Bytes)
			continue
		}
		out, err := jpeg.Decode(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		b := out.Bounds()
		if b.Dx() > o.Width || b.Dy() > o.Height || b.Dx()*o.Height/o.Width-b.Dy() > 1 || b.Dy()-b.Dx()*o.Height/o.Width > 2 {
			t.Errorf("%s: got %v, want the proportions of %d by %d", name, b, o.Width, o.Height)
		}
		if _, grey := out.(*image.Gray); grey != o.Grey {
			t.Errorf("%s: got %T", name, out)
		}
		if 3*len(raw) < o.Bytes && b.Dx() < o.Width {
			t.Errorf("%s: %d bytes of %d were used for %v", name, len(raw), o.Bytes, b)
		}
	}
}

func TestPortraitHasTheEyesWhereTheyBelong(t *testing.T) {
	s := sitter{w: 1200, h: 900, x: .3, y: .35, head: .1, skin: usual().skin, back: usual().back}
	img := FromImage(s.draw())
	at := s.eyes()
	img.Eyes = &at
	crop := img.crop(413. / 531)
	m := at.middle()
	x, y := (m.X-float64(crop.Min.X))/float64(crop.Dx()), (m.Y-float64(crop.Min.Y))/float64(crop.Dy())
	apart := at.apart() / float64(crop.Dx())
	if x < .49 || x > .51 || y < .44 || y > .46 || apart < .24 || apart > .26 {
		t.Errorf("got the eyes at %.2f, %.2f, %.2f apart; want .5, .45, .25", x, y, apart)
	}
	// Near an edge the portrait stays within the picture.
	corner := Eyes{Left: Point{1190, 10}, Right: Point{1100, 10}}
	img.Eyes = &corner
	if crop := img.crop(413. / 531); !crop.In(img.pixels.Rect) || crop.Empty() {
		t.Errorf("got %v of %v", crop, img.pixels.Rect)
	}
}

func TestImpossiblePortraitIsRefused(t *testing.T) {
	img := FromImage(usual().draw())
	for _, o := range []Options{{}, {Width: 90, Height: 115, Bytes: 100}, {Width: 1 << 20, Height: 1 << 20, Bytes: 1 << 20}} {
		if _, err := Portrait(img, o); !errors.Is(err, ErrBudget) {
			t.Errorf("%+v: got %v", o, err)
		}
	}
	for _, none := range []*Image{nil, {}} {
		if _, err := Portrait(none, Options{Width: 90, Height: 115, Bytes: 2000}); !errors.Is(err, ErrNoFace) {
			t.Errorf("no picture: got %v", err)
		}
	}
	thin := image.NewRGBA(image.Rect(0, 0, 1, 4000))
	thin.Set(0, 0, color.White)
	if _, err := Portrait(FromImage(thin), Options{Width: 90, Height: 115, Bytes: 2000}); !errors.Is(err, ErrBudget) {
		t.Errorf("one column: got %v", err)
	}
}
