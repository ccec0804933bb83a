package card

import (
	"bytes"
	"embed"
	"fmt"
	"unicode"

	"github.com/go-text/typesetting/font"
	"github.com/plinth-id/plinth/credentials/card/pdf"
)

// The fonts are Noto: Latin, Greek, Cyrillic and Devanagari in one, Arabic in another.
//
//go:embed fonts/*.ttf
var fontFiles embed.FS

// typeface is one family in two weights, as shaping and as embedding see it.
type typeface struct {
	shape [2]*font.Font // regular, bold
	embed [2]*pdf.Face
}

func newTypeface(name string, regular, bold []byte) (t typeface, err error) {
	for i, file := range [][]byte{regular, bold} {
		face, err := font.ParseTTF(bytes.NewReader(file))
		if err != nil {
			return t, fmt.Errorf("card: the font %s: %w", name, err)
		}
		t.shape[i] = face.Font
		if t.embed[i], err = pdf.ParseFace(name+[]string{"-Regular", "-Bold"}[i], file); err != nil {
			return t, err
		}
	}
	return t, nil
}

func ownTypefaces() (all []typeface, err error) {
	for _, name := range []string{"NotoSans", "NotoSansArabic"} {
		var files [2][]byte
		for i, weight := range []string{"-Regular.ttf", "-Bold.ttf"} {
			if files[i], err = fontFiles.ReadFile("fonts/" + name + weight); err != nil {
				return nil, fmt.Errorf("card: %w", err)
			}
		}
		t, err := newTypeface(name, files[0], files[1])
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

// wardrobe chooses a face for each letter. It is for one text at a time.
type wardrobe struct {
	faces   [2][]*font.Face
	known   map[*font.Font]*pdf.Face
	weight  int
	current *font.Face
	missing rune
}

func newWardrobe(all []typeface) *wardrobe {
	w := &wardrobe{known: map[*font.Font]*pdf.Face{}}
	for _, t := range all {
		for i := range t.shape {
			w.faces[i] = append(w.faces[i], font.NewFace(t.shape[i]))
			w.known[t.shape[i]] = t.embed[i]
		}
	}
	return w
}

// ResolveFace is asked by the segmenter. What belongs to no script stays in the face of
// what stands before it, so that a space does not cut a word's context.
func (w *wardrobe) ResolveFace(r rune) *font.Face {
	if w.current != nil && !unicode.IsLetter(r) {
		if _, ok := w.current.NominalGlyph(r); ok {
			return w.current
		}
	}
	for _, face := range w.faces[w.weight] {
		if _, ok := face.NominalGlyph(r); ok {
			w.current = face
			return face
		}
	}
	if !unicode.Is(unicode.Cf, r) && !unicode.IsSpace(r) && w.missing == 0 { // marks of direction need no glyph
		w.missing = r
	}
	return w.faces[w.weight][0]
}

// scriptOf names the script of a letter, which tells an operator what font to add and
// nobody whose name it was.
func scriptOf(r rune) string {
	for name, table := range unicode.Scripts {
		if unicode.Is(table, r) {
			return name
		}
	}
	return "unknown"
}
