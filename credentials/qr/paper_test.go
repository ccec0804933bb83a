package qr

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"math"
	"strings"
	"testing"

	"golang.org/x/image/webp"
)

// portrait is a picture with about as much in it as a face has.
func portrait(width, height int) image.Image {
	picture := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			u, v := float64(x)/float64(width)*2-1, float64(y)/float64(height)*2-1
			light := 140 + 50*u - 30*v + 12*math.Sin(9*u)*math.Cos(7*v)
			if d := u*u/0.4 + v*v/0.55; d < 1 {
				light = 110 + 90*math.Sqrt(1-d) + 25*u + 14*math.Sin(13*v+5*u)
			}
			if d := (math.Abs(u)-0.25)*(math.Abs(u)-0.25)/0.012 + (v+0.1)*(v+0.1)/0.003; d < 1 {
				light = 30 + 100*d
			}
			if d := u*u/0.05 + (v-0.4)*(v-0.4)/0.004; d < 1 {
				light = 80
			}
			grey := uint8(min(255, max(0, light)))
			picture.Set(x, y, color.RGBA{grey, grey - grey/8, grey - grey/6, 255})
		}
	}
	return picture
}

// plain is a paper of four fields, full of two languages.
func plain() Paper {
	_, claims := amina()
	return Paper{Identity: Identity169{Version: "1.2", Language: "eng", FullName: "Amina Yusuf", DateOfBirth: "19840418", Gender: 2}, Claims: claims, Target: FullCard}
}

func full() Paper {
	p := plain()
	p.Identity.ID, p.Identity.SecondFullName, p.Identity.SecondLanguage = "3918592438", "أمينة يوسف", "ara"
	p.Identity.Address, p.Identity.Nationality = "12 Palm Lane, Flat 3\nOld Town\nMombasa 80100", "KE"
	p.Identity.Phone, p.Identity.Email, p.Identity.CountryOfIssuance = "+254 700 000 001", "amina@example.org", "KE"
	return p
}

// TestFullBilingualCodeWithFaceFitsVersion23 is the promise of the card.
func TestFullBilingualCodeWithFaceFitsVersion23(t *testing.T) {
	for name, p := range map[string]Paper{"four fields": plain(), "full": full()} {
		p.Face = portrait(480, 640)
		text, plan, err := p.Encode(issuerKey, []byte("1"))
		if err != nil {
			t.Fatal(err)
		}
		if plan.Version > 23 || plan.Level != Low || plan.Millimetres > 38.7 || len(text) > 1588 {
			t.Errorf("%s: got %+v", name, plan)
		}
		s, err := NewSymbol(text, plan.Level)
		if err != nil || s.Version != plan.Version {
			t.Errorf("%s: got version %d (%v), want %d as planned", name, s.Version, err, plan.Version)
		}
		d, err := Decode(text)
		if err != nil || d.Verify(keys, noon) != nil {
			t.Fatalf("%s: got %v, want a good signature", name, err)
		}
		face := d.Identity.Biometrics[KeyFace]
		if len(face) != 1 || face[0].Format != 0 || face[0].SubFormat != 4 {
			t.Fatalf("%s: got %d faces, want one WebP", name, len(face))
		}
		picture, err := webp.Decode(bytes.NewReader(face[0].Data))
		if err != nil || picture.Bounds().Dx() < 48 || picture.Bounds().Dx()*4 != picture.Bounds().Dy()*3 {
			t.Errorf("%s: got a face of %v (%v)", name, picture.Bounds(), err)
		}
		if d.Claims.Status == nil || d.Identity.Version != "1.2" {
			t.Errorf("%s: got status %v of version %s", name, d.Claims.Status, d.Identity.Version)
		}
	}
}

func TestSmallerTargetHasSmallerFace(t *testing.T) {
	before := math.MaxInt
	for _, version := range []int{23, 20, 18} {
		p := plain()
		p.Target.Version, p.Face = version, portrait(480, 640)
		text, plan, err := p.Encode(issuerKey, []byte("1"))
		if err != nil {
			t.Fatal(err)
		}
		if plan.Version > version || len(text) >= before {
			t.Errorf("got version %d and %d characters, want at most %d and fewer than %d", plan.Version, len(text), version, before)
		}
		before = len(text)
	}
}

// TestWhatCannotFitIsRefusedWithCounts is negative test 20 of our digest.
func TestWhatCannotFitIsRefusedWithCounts(t *testing.T) {
	small := full()
	small.Target.Version = 9
	paper := full()
	paper.Target = Target{Level: Medium, Millimetres: 20}
	face := full()
	face.Target.Version, face.Face = 15, portrait(480, 640)
	for name, c := range map[string]struct {
		paper Paper
		says  string
	}{
		"without a face": {small, "version 9"}, "on little paper": {paper, "bytes"}, "with a face": {face, "a face needs"},
	} {
		text, _, err := c.paper.Encode(issuerKey, []byte("1"))
		if !errors.Is(err, ErrTooLong) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "bytes") || text != "" && c.paper.Face != nil {
			t.Errorf("%s: got %v, want %v with counts", name, err, ErrTooLong)
		}
		if err != nil && strings.Contains(err.Error(), "Amina") {
			t.Errorf("%s: the error says who it is", name)
		}
	}
}

func TestPlanIsWhatIsDrawn(t *testing.T) {
	for _, c := range []struct {
		text    string
		target  Target
		version int
		modules int
		mm      float64
		reading Reading
	}{
		{strings.Repeat("A", 1588), Target{}, 23, 117, 38.61, Variable},
		{strings.Repeat("A", 1588), Target{Module: 0.5}, 23, 117, 58.5, Variable},
		{strings.Repeat("A", 395), Target{}, 10, 65, 21.45, Good},
		{strings.Repeat("A", 311), Target{Level: Medium}, 10, 65, 21.45, Good},
		{strings.Repeat("a", 2953), Target{}, 40, 185, 61.05, Poor},
	} {
		p, err := c.target.Plan(c.text)
		if err != nil {
			t.Fatal(err)
		}
		if p.Version != c.version || p.Modules != c.modules || math.Abs(p.Millimetres-c.mm) > 0.01 || p.Reading != c.reading || p.Capacity < p.Length {
			t.Errorf("got %+v, want version %d, %d modules, %v mm, %s", p, c.version, c.modules, c.mm, c.reading)
		}
	}
	if got := FullCard.Characters(); got != 1588 {
		t.Errorf("got %d characters, want 1588", got)
	}
	if got := (Target{Millimetres: 40}).largest(); got != 24 {
		t.Errorf("got version %d, want 24", got)
	}
}
