package pdf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/jpeg"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func font(t testing.TB) []byte {
	t.Helper()
	file, err := os.ReadFile("../fonts/NotoSansArabic-Regular.ttf")
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// TestTableOfObjectsIsRight: each offset leads to the object of its number.
func TestTableOfObjectsIsRight(t *testing.T) {
	file, _ := signed(t)
	start := regexp.MustCompile(`startxref\n(\d+)\n%%EOF\n$`).FindSubmatch(file)
	at, err := strconv.Atoi(string(start[1]))
	if err != nil || !bytes.HasPrefix(file[at:], []byte("xref\n")) {
		t.Fatalf("got %q (%v), want the table", file[at:at+5], err)
	}
	lines := strings.Split(string(file[at:]), "\n")
	n, err := strconv.Atoi(strings.Fields(lines[1])[1])
	if err != nil || n < 8 {
		t.Fatalf("got %d objects (%v)", n, err)
	}
	for i := 1; i < n; i++ {
		entry := lines[2+i]
		offset, err := strconv.Atoi(entry[:10])
		if len(entry) != 19 || err != nil || !bytes.HasPrefix(file[offset:], []byte(strconv.Itoa(i)+" 0 obj\n")) {
			t.Errorf("object %d: got %q (%v)", i, entry, err)
		}
	}
}

// TestFontHoldsWhatIsUsed: a composed glyph brings its parts, under their new numbers.
func TestFontHoldsWhatIsUsed(t *testing.T) {
	face, err := ParseFace("Own", font(t))
	if err != nil {
		t.Fatal(err)
	}
	composed := -1
	for id := range face.glyphs {
		if outline := face.outline(uint16(id)); len(outline) > 10 && outline[0]&0x80 != 0 {
			composed = id
			break
		}
	}
	if composed < 0 {
		t.Fatal("the font has no composed glyph")
	}
	var b bytes.Buffer
	f := New(&b, Info{}).Font(face)
	f.use(meaning{uint16(composed), "x"})
	f.use(meaning{uint16(composed), "y"}) // another letter that looks the same
	part, err := ParseFace("Part", f.program())
	if err != nil {
		t.Fatal(err)
	}
	if part.glyphs != len(f.used) || part.glyphs < 4 {
		t.Errorf("got %d glyphs, want %d", part.glyphs, len(f.used))
	}
	for n, m := range f.used {
		if part.advance(uint16(n)) != face.advance(m.glyph) || len(part.outline(uint16(n))) < len(face.outline(m.glyph)) {
			t.Errorf("glyph %d differs from %d", n, m.glyph)
		}
		composedOf(part.outline(uint16(n)), func(id []byte) {
			if int(binary.BigEndian.Uint16(id)) >= part.glyphs {
				t.Errorf("glyph %d is made of one that is not there", n)
			}
		})
	}
}

func TestStringsCannotEnd(t *testing.T) {
	for s, want := range map[string]string{"a) /JS": "<FEFF006100290020002F004A0053>", "é": "<FEFF00E9>", "𝒜": "<FEFFD835DC9C>", "": "<FEFF>"} {
		if got := text(s); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for v, want := range map[float64]string{1.5: "1.5", -0.00001: "-0", 100: "100", 0.12345: "0.1235"} {
		if got := decimal(v); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestFontsAndPicturesAreChecked(t *testing.T) {
	if _, err := ParseFace("a /JS (x)", font(t)); !errors.Is(err, ErrFont) {
		t.Errorf("a name with spaces: got %v, want %v", err, ErrFont)
	}
	for _, file := range [][]byte{nil, []byte("OTTO00000000"), font(t)[:5000]} {
		if _, err := ParseFace("Own", file); !errors.Is(err, ErrFont) {
			t.Errorf("%d bytes: got %v, want %v", len(file), err, ErrFont)
		}
	}
	for _, file := range [][]byte{nil, []byte("GIF89a"), {0xff, 0xd8, 0xff, 0xda, 0, 2}, make([]byte, maxPicture+1)} {
		if _, err := BareJPEG(file); !errors.Is(err, ErrPicture) {
			t.Errorf("%d bytes: got %v, want %v", len(file), err, ErrPicture)
		}
	}
}

func FuzzFace(f *testing.F) {
	file := font(f)
	f.Add(file[:600])
	f.Add(file)
	f.Fuzz(func(t *testing.T, file []byte) {
		face, err := ParseFace("Own", file)
		if err != nil {
			return
		}
		font := New(&bytes.Buffer{}, Info{}).Font(face)
		for id := range min(face.glyphs, 50) {
			font.use(meaning{uint16(id), "x"})
		}
		font.program()
	})
}

func FuzzJPEG(f *testing.F) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 9, 9)), nil); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, file []byte) {
		if bare, err := BareJPEG(file); err == nil && len(bare) > len(file) {
			t.Errorf("got %d bytes of %d", len(bare), len(file))
		}
	})
}
