package face

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/iso"
	"github.com/plinth-id/plinth/biometrics/synth"
)

// sitter is how a portrait is drawn; where its face is, is in fractions of the width.
type sitter struct {
	w, h       int
	x, y, head float64 // centre between the eyes; half the width of the head
	skin, back color.RGBA
}

func usual() sitter {
	return sitter{w: 480, h: 640, x: .5, y: .55, head: .27, skin: color.RGBA{196, 150, 122, 255}, back: color.RGBA{214, 220, 226, 255}}
}

// eyes are where they are drawn.
func (s sitter) eyes() Eyes {
	w := float64(s.w)
	return Eyes{Left: Point{w * (s.x + s.head*.46), w * s.y}, Right: Point{w * (s.x - s.head*.46), w * s.y}}
}

// draw paints a face of nobody: hair, an oval, brows, eyes, a nose and a mouth.
func (s sitter) draw() *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, s.w, s.h))
	grain := rand.New(rand.NewPCG(1, 1))
	for y := range s.h {
		for x := range s.w {
			img.SetRGBA(x, y, s.back)
		}
	}
	head := s.head * float64(s.w)
	oval := func(dx, dy, rx, ry float64, c color.RGBA) {
		cx, cy := s.x*float64(s.w)+dx*head, s.y*float64(s.w)+dy*head
		for y := int(cy - ry*head); y <= int(cy+ry*head); y++ {
			for x := int(cx - rx*head); x <= int(cx+rx*head); x++ {
				u, v := (float64(x)-cx)/(rx*head), (float64(y)-cy)/(ry*head)
				if u*u+v*v <= 1 && image.Pt(x, y).In(img.Rect) {
					img.SetRGBA(x, y, c)
				}
			}
		}
	}
	dark := color.RGBA{52, 36, 30, 255}
	oval(0, 2.9, 1.7, 1.2, color.RGBA{50, 70, 120, 255}) // shoulders
	oval(0, -.1, 1.12, 1.4, dark)                        // hair
	oval(0, .25, 1, 1.35, s.skin)
	for _, side := range []float64{-1, 1} {
		oval(side*.46, -.22, .3, .06, dark)
		oval(side*.46, 0, .24, .12, color.RGBA{235, 232, 228, 255})
		oval(side*.46, 0, .11, .11, color.RGBA{40, 30, 26, 255})
		oval(side*.12, .52, .06, .04, dark)
	}
	oval(0, .85, .36, .09, color.RGBA{150, 70, 70, 255})
	for i := 0; i < len(img.Pix); i += 4 {
		n := grain.IntN(7) - 3
		for c := range 3 {
			img.Pix[i+c] = uint8(max(0, min(255, int(img.Pix[i+c])+n)))
		}
	}
	return img
}

func encoded(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	quick := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := quick.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// record is a face record that says where the eyes are.
func record(t testing.TB, img image.Image, e Eyes) []byte {
	t.Helper()
	raw, err := iso.WriteImage(iso.Image{Position: biometrics.FullFace, Codec: iso.PNG, Quality: 80,
		Width: img.Bounds().Dx(), Height: img.Bounds().Dy(), Data: encoded(t, img)})
	if err != nil {
		t.Fatal(err)
	}
	at := recordHeader + aboutCapture + 1 + qualityBlock
	var points []byte
	for code, p := range map[byte]Point{leftEye: e.Left, rightEye: e.Right} {
		points = append(points, mpeg4, code)
		points = binary.BigEndian.AppendUint16(points, uint16(p.X))
		points = binary.BigEndian.AppendUint16(points, uint16(p.Y))
		points = append(points, 0, 0)
	}
	binary.BigEndian.PutUint16(raw[at:], 2)
	raw = slices.Insert(raw, at+aboutFace, points...)
	for _, length := range []int{8, recordHeader} {
		binary.BigEndian.PutUint32(raw[length:], binary.BigEndian.Uint32(raw[length:])+uint32(len(points)))
	}
	return raw
}

func TestGoodPortraitHasNoReasons(t *testing.T) {
	for name, change := range map[string]func(*sitter){
		"usual":     func(*sitter) {},
		"dark skin": func(s *sitter) { s.skin = color.RGBA{112, 76, 58, 255} },
		"pale":      func(s *sitter) { s.skin = color.RGBA{228, 196, 178, 255} },
		"smaller":   func(s *sitter) { s.head = .22 },
	} {
		s := usual()
		change(&s)
		q, err := Check(FromImage(s.draw()))
		if err != nil || q.Value != 100 || len(q.Reasons) != 0 {
			t.Errorf("%s: got %+v, %v; want nothing to be said against it", name, q, err)
		}
	}
}

func TestLandmarksOfARecordAreJudged(t *testing.T) {
	s := usual()
	good, err := Decode(record(t, s.draw(), s.eyes()))
	if err != nil {
		t.Fatal(err)
	}
	want := s.eyes()
	if good.Eyes == nil || math.Abs(good.Eyes.Left.X-want.Left.X) > 1 || math.Abs(good.Eyes.Right.Y-want.Right.Y) > 1 {
		t.Fatalf("got eyes %+v, want %+v", good.Eyes, want)
	}
	if q, err := Check(good); err != nil || len(q.Reasons) != 0 {
		t.Errorf("got %+v, %v", q, err)
	}
	for want, eyes := range map[string]Eyes{
		"too far away": {Left: Point{280, 260}, Right: Point{200, 260}},
		"too close":    {Left: Point{335, 260}, Right: Point{145, 260}},
		"head tilted":  {Left: Point{295, 280}, Right: Point{185, 240}},
		"off centre":   {Left: Point{375, 260}, Right: Point{265, 260}},
	} {
		img, err := Decode(record(t, s.draw(), eyes))
		if err != nil {
			t.Fatal(err)
		}
		if q, err := Check(img); err != nil || !slices.Equal(q.Reasons, []string{want}) {
			t.Errorf("got %+v, %v; want %q", q, err, want)
		}
	}
	none, err := Decode(record(t, s.draw(), Eyes{Left: Point{5000, 10}, Right: Point{1, 1}}))
	if err != nil || none.Eyes != nil {
		t.Errorf("eyes outside of the picture: got %+v, %v", none.Eyes, err)
	}
}

// repainted is a picture of which each pixel is made anew.
func repainted(img *image.RGBA, to func(x, y int, c color.RGBA) color.RGBA) *image.RGBA {
	out := image.NewRGBA(img.Rect)
	for y := range img.Rect.Dy() {
		for x := range img.Rect.Dx() {
			out.SetRGBA(x, y, to(x, y, img.RGBAAt(x, y)))
		}
	}
	return out
}

func each(c color.RGBA, to func(int) int) color.RGBA {
	at := func(v uint8) uint8 { return uint8(max(0, min(255, to(int(v))))) }
	return color.RGBA{at(c.R), at(c.G), at(c.B), 255}
}

func blurred(img *image.RGBA, by int) *image.RGBA {
	return repainted(img, func(x, y int, _ color.RGBA) color.RGBA {
		var sum [3]int
		n := 0
		for v := max(0, y-by); v <= min(img.Rect.Dy()-1, y+by); v++ {
			for u := max(0, x-by); u <= min(img.Rect.Dx()-1, x+by); u++ {
				c := img.RGBAAt(u, v)
				sum[0], sum[1], sum[2], n = sum[0]+int(c.R), sum[1]+int(c.G), sum[2]+int(c.B), n+1
			}
		}
		return color.RGBA{uint8(sum[0] / n), uint8(sum[1] / n), uint8(sum[2] / n), 255}
	})
}

func TestReasonsCanBeActedOn(t *testing.T) {
	good := usual().draw()
	little := usual()
	little.w, little.h = 300, 400
	r := rand.New(rand.NewPCG(2, 2))
	for want, img := range map[string]image.Image{
		"too small":     little.draw(),
		"too dark":      repainted(good, func(_, _ int, c color.RGBA) color.RGBA { return each(c, func(v int) int { return v / 4 }) }),
		"too bright":    repainted(good, func(_, _ int, c color.RGBA) color.RGBA { return each(c, func(v int) int { return v*2 + 10 }) }),
		"poor contrast": repainted(good, func(_, _ int, c color.RGBA) color.RGBA { return each(c, func(v int) int { return 100 + v/6 }) }),
		"light from one side": repainted(good, func(x, _ int, c color.RGBA) color.RGBA {
			return each(c, func(v int) int { return v * (60 + max(0, min(40, 240-x))) / 100 })
		}),
		"blurred":   blurred(good, 5),
		"no colour": FromImage(good).greyOnly(),
		"background not plain": repainted(good, func(x, y int, c color.RGBA) color.RGBA {
			if y < 160 && (x < 64 || x > 416) && (x/20+y/20)%2 == 0 {
				return each(c, func(v int) int { return v/3 + r.IntN(3) })
			}
			return c
		}),
	} {
		q, err := Check(FromImage(img))
		if err != nil || !slices.Contains(q.Reasons, want) || q.Value >= 100 {
			t.Errorf("%s: got %+v, %v", want, q, err)
		}
	}
}

func (img *Image) greyOnly() *image.Gray {
	return &image.Gray{Pix: img.grey, Stride: img.Width, Rect: image.Rect(0, 0, img.Width, img.Height)}
}

func TestWhatIsNoPortraitIsRefused(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	fill := func(shade func(x, y int) uint8) *image.Gray {
		img := image.NewGray(image.Rect(0, 0, 600, 800))
		for i := range img.Pix {
			img.Pix[i] = shade(i%600, i/600)
		}
		return img
	}
	for name, img := range map[string]*Image{
		"nothing": nil, "no pixels": {}, "one pixel": FromImage(image.NewGray(image.Rect(0, 0, 1, 1))),
		"a line": FromImage(image.NewGray(image.Rect(0, 0, 60000, 61))),
		"white":  FromImage(fill(func(_, _ int) uint8 { return 255 })),
		"noise":  FromImage(fill(func(_, _ int) uint8 { return uint8(r.IntN(256)) })),
		"text": FromImage(fill(func(x, y int) uint8 {
			if y%24 < 12 && x%14 < 9 && (x/14*31+y/24*17)%5 != 0 {
				return 20
			}
			return 250
		})),
		"a slope":       FromImage(fill(func(_, y int) uint8 { return uint8(y * 255 / 800) })),
		"a fingerprint": FromImage(synth.Print(1, 0, 1)),
	} {
		if q, err := Check(img); !errors.Is(err, ErrNoFace) || len(q.Reasons) == 0 {
			t.Errorf("%s: got %+v, %v; want no face, and why", name, q, err)
		}
	}
}

func TestOnlyFaceRecordsAreRead(t *testing.T) {
	raw, err := iso.WriteImage(iso.Image{Position: biometrics.LeftThumb, Codec: iso.PNG, Width: 600, Height: 800, Data: encoded(t, usual().draw())})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Decode(raw); !errors.Is(err, biometrics.ErrNotAnImage) {
		t.Errorf("a record of a finger: got %v", err)
	}
	if _, err := Decode(raw[:100]); !errors.Is(err, biometrics.ErrNotAnImage) {
		t.Errorf("half a record: got %v", err)
	}
}

func FuzzCheck(f *testing.F) {
	s := usual()
	s.w, s.h = 90, 120
	f.Add(record(f, s.draw(), s.eyes()))
	f.Add(encoded(f, s.draw()))
	f.Add([]byte("FAC\x00030\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		img, err := Decode(raw)
		if err != nil {
			return
		}
		if q, _ := Check(img); q.Value < 0 || q.Value > 100 {
			t.Fatalf("got %+v", q)
		}
		if out, err := Portrait(img, Options{Width: 60, Height: 80, Bytes: 1500, Grey: true}); err == nil && len(out) > 1500 {
			t.Fatalf("got %d bytes", len(out))
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	img := FromImage(usual().draw())
	for b.Loop() {
		if _, err := Check(img); err != nil {
			b.Fatal(err)
		}
	}
}
