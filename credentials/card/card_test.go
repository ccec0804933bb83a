package card

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plinth-id/plinth/credentials/qr"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// portraitOfNobody is a drawn face.
func portraitOfNobody(t testing.TB) []byte {
	t.Helper()
	const width, height = 480, 640
	picture := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			u, v := float64(x)/width*2-1, float64(y)/height*2-1
			c := color.RGBA{200, 215, 230, 255}
			if d := u*u/0.3 + v*v/0.45; d < 1 {
				shade := uint8(60 * math.Sqrt(1-d))
				c = color.RGBA{150 + shade, 110 + shade, 90 + shade, 255}
			} else if v > 0.6 {
				c = color.RGBA{40, 60, 120, 255}
			}
			if (math.Abs(u)-0.22)*(math.Abs(u)-0.22)/0.01+(v+0.1)*(v+0.1)/0.003 < 1 || u*u/0.04+(v-0.35)*(v-0.35)/0.003 < 1 {
				c = color.RGBA{60, 40, 40, 255}
			}
			picture.SetRGBA(x, y, c)
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, picture, &jpeg.Options{Quality: 85}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// amina is printed in two languages, of which the first is given.
func amina(t testing.TB, languages ...string) Content {
	t.Helper()
	names := map[string]string{"eng": "Amina Yusuf Abdalla", "fra": "Amina Yusuf Abdallâh", "ara": "أمينة يوسف عبد الله", "hin": "क्षत्रिय अमीना यूसुफ़", "spa": "Amina Yusuf de Ñuñoa"}
	address := map[string]string{"eng": "12 Palm Lane, Flat 3\nOld Town\nMombasa 80100", "ara": "12 شارع النخيل، شقة 3\nالمدينة القديمة\nمومباسا 80100", "hin": "12 पाम लेन\nमोम्बासा 80100"}
	c := Content{Title: "National identity card", Languages: languages, Portrait: portraitOfNobody(t), Issued: noon, Level: qr.Low,
		Code: strings.Repeat("NCF3QBXJA5NJRCOC004 QN4+.:/$%*-", 46)[:1400],
		Values: map[string][]Value{"birthdate": {{Text: "1984-04-18"}}, "gender": {{Text: "F"}}, "nationality": {{Text: "KE"}},
			"validUntil": {{Text: "2036-03-01"}}, "issued": {{Text: "2026-03-01"}}, "number": {{Text: "3918 5924 3819 0021"}}}}
	for _, language := range languages {
		c.Values["fullName"] = append(c.Values["fullName"], Value{names[language], language})
		if text, ok := address[language]; ok && c.Values["address"] == nil {
			c.Values["address"] = []Value{{text, language}}
		}
	}
	return c
}

func printer(t testing.TB, name string) *Printer {
	t.Helper()
	template, err := Default(name)
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(template)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestSamples writes what it prints where CARD_SAMPLES says, to be looked at.
func TestSamples(t *testing.T) {
	for _, name := range []string{ID1, Letter} {
		p := printer(t, name)
		for _, languages := range [][]string{{"eng", "ara"}, {"ara", "eng"}, {"hin", "eng"}, {"fra"}, {"spa", "hin"}} {
			c := amina(t, languages...)
			file, err := p.PDF(c, nil)
			if err != nil {
				t.Fatalf("%s in %v: %v", name, languages, err)
			}
			svg, err := p.SVG(c, 0)
			if err != nil {
				t.Fatal(err)
			}
			if dir := os.Getenv("CARD_SAMPLES"); dir != "" {
				base := filepath.Join(dir, name+"-"+strings.Join(languages, "-"))
				if err := os.WriteFile(base+".pdf", file, 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(base+".svg", svg, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// TestArabicLettersJoin: the shaping library has left letters alone in one of its
// versions (0.3.5 looks most of them up in vain), and nobody here would have seen it.
func TestArabicLettersJoin(t *testing.T) {
	p := printer(t, ID1)
	setter := p.typesetters.Get().(*typesetter)
	outputs, err := setter.shape([]rune("أمينة"), style{language: "ara", rightToLeft: true})
	if err != nil || len(outputs) != 1 {
		t.Fatalf("got %d runs (%v), want 1", len(outputs), err)
	}
	for _, letter := range "مينة" {
		alone, ok := outputs[0].Face.NominalGlyph(letter)
		for _, glyph := range outputs[0].Glyphs {
			if !ok || glyph.GlyphID == alone {
				t.Errorf("%c stands alone", letter)
			}
		}
	}
}

func TestDevanagariLettersCombine(t *testing.T) {
	setter := printer(t, ID1).typesetters.Get().(*typesetter)
	outputs, err := setter.shape([]rune("क्षत्रिय"), style{language: "hin"})
	if err != nil || len(outputs) != 1 {
		t.Fatalf("got %d runs (%v), want 1", len(outputs), err)
	}
	// Eight characters: a conjunct, then a vowel that stands before its own, then the last.
	if got := len(outputs[0].Glyphs); got > 4 {
		t.Errorf("got %d glyphs, want at most 4", got)
	}
}
