package card

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-text/typesetting/di"
	"github.com/go-text/typesetting/font"
	"github.com/go-text/typesetting/language"
	"github.com/go-text/typesetting/shaping"
	"github.com/plinth-id/plinth/credentials/card/pdf"
	"golang.org/x/image/math/fixed"
	"golang.org/x/text/unicode/bidi"
)

// em is the size at which text is shaped: results are in thousandths of it.
const em = 1000

// typesetter shapes text. It keeps what it has learned, and serves one at a time.
type typesetter struct {
	wardrobe  *wardrobe
	shaper    shaping.HarfbuzzShaper
	segmenter shaping.Segmenter
	wrapper   shaping.LineWrapper
}

// style is how a text is to be set: sizes in points, measures in millimetres.
type style struct {
	width, height, size float64
	bold                bool
	language            string
	rightToLeft         bool
}

// setLine is one line of a text that has been set.
type setLine struct {
	text  string
	width float64 // millimetres
	bold  bool
	mixed bool // some of it is read from right to left
	runs  []pdf.Run
	faces []*pdf.Face // of the runs
	fonts []*font.Face
}

// block is a text that has been set in its place.
type block struct {
	lines       []setLine
	size        float64 // that was found to fit
	leading     float64 // from line to line, in millimetres
	rightToLeft bool
}

const (
	leading    = 1.3 // of the size
	leastShare = 0.6 // of the size asked for, under which a text is refused
	shrinkage  = 0.92
	perPoint   = 25.4 / 72
)

// set breaks a text into lines that fit its place, and makes it smaller when it is too
// long. What is still too long is refused: half a name is another name.
func (t *typesetter) set(text string, s style) (block, error) {
	if !utf8.ValidString(text) || utf8.RuneCountInString(text) > maxValue {
		return block{}, ErrLong
	}
	s.rightToLeft = rightToLeft[s.language] && strings.ContainsFunc(text, readsLeft)
	var paragraphs [][]shaping.Output
	var runes [][]rune
	for line := range strings.SplitSeq(text, "\n") {
		line := []rune(strings.Map(printable, line))
		outputs, err := t.shape(line, s)
		if err != nil {
			return block{}, err
		}
		paragraphs, runes = append(paragraphs, outputs), append(runes, line)
	}
	for size := s.size; size >= s.size*leastShare; size *= shrinkage {
		b := block{size: size, leading: size * leading * perPoint, rightToLeft: s.rightToLeft}
		for i, outputs := range paragraphs {
			b.lines = append(b.lines, t.wrap(runes[i], outputs, s, size)...)
		}
		if b.fits(s) {
			return b, nil
		}
	}
	return block{}, fmt.Errorf("%w: %d characters in %.0f × %.0f mm", ErrNoRoom, utf8.RuneCountInString(text), s.width, s.height)
}

// readsLeft is a letter that is read from right to left. A text without any, such as a
// date or a number in groups, is not turned round in a language that is.
func readsLeft(r rune) bool {
	properties, _ := bidi.LookupRune(r)
	return properties.Class() == bidi.R || properties.Class() == bidi.AL
}

// printable turns what is no mark on paper into a space.
func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return ' '
	}
	return r
}

func (b block) fits(s style) bool {
	for _, line := range b.lines {
		if line.width > s.width+0.01 {
			return false
		}
	}
	return float64(len(b.lines))*b.leading <= s.height+0.01
}

func direction(rtl bool) di.Direction {
	if rtl {
		return di.DirectionRTL
	}
	return di.DirectionLTR
}

func (t *typesetter) shape(text []rune, s style) ([]shaping.Output, error) {
	w := t.wardrobe
	w.weight, w.current, w.missing = 0, nil, 0
	if s.bold {
		w.weight = 1
	}
	inputs := t.segmenter.Split(shaping.Input{Text: text, RunEnd: len(text), Direction: direction(s.rightToLeft),
		Size: fixed.I(em), Language: language.NewLanguage(s.language)}, w)
	if w.missing != 0 {
		return nil, fmt.Errorf("%w: %s", ErrGlyph, scriptOf(w.missing))
	}
	outputs := make([]shaping.Output, len(inputs))
	for i, input := range inputs {
		outputs[i] = t.shaper.Shape(input)
	}
	return outputs, nil
}

func (t *typesetter) wrap(text []rune, outputs []shaping.Output, s style, size float64) (lines []setLine) {
	perUnit := size * perPoint / em
	config := shaping.WrapConfig{Direction: direction(s.rightToLeft), BreakPolicy: shaping.Never}
	own := make([]shaping.Output, len(outputs))
	for i, output := range outputs { // wrapping takes the space at the end of a line away
		own[i] = output
		own[i].Glyphs = slices.Clone(output.Glyphs)
	}
	wrapped, _ := t.wrapper.WrapParagraph(config, int(s.width/perUnit), text, shaping.NewSliceIterator(own))
	for _, outputs := range wrapped {
		runs := slices.Clone(outputs)
		slices.SortStableFunc(runs, func(a, b shaping.Output) int { return int(a.VisualIndex - b.VisualIndex) })
		line, at := setLine{bold: s.bold}, 0.0
		first, last := len(text), 0
		for _, output := range runs {
			face := t.wardrobe.known[output.Face.Font]
			line.mixed = line.mixed || output.Direction == di.DirectionRTL
			line.runs = append(line.runs, pdf.Run{X: at, Glyphs: glyphs(text, output, face)})
			line.faces, line.fonts = append(line.faces, face), append(line.fonts, output.Face)
			at += float64(output.Advance) / 64 * perUnit
			first, last = min(first, output.Runes.Offset), max(last, output.Runes.Offset+output.Runes.Count)
		}
		if first < last {
			line.text = strings.TrimRight(string(text[first:last]), " ")
		}
		line.width = at
		lines = append(lines, line)
	}
	return lines
}

// glyphs takes over where shaping has put each glyph, in units of its font. Of those
// that make one letter, the widest stands for it.
func glyphs(text []rune, run shaping.Output, face *pdf.Face) []pdf.Glyph {
	all := make([]pdf.Glyph, 0, len(run.Glyphs))
	at, widest := fixed.Int26_6(0), 0
	units := func(v fixed.Int26_6) int { return int(v) * face.UnitsPerEm() / (64 * em) }
	for i, g := range run.Glyphs {
		all = append(all, pdf.Glyph{ID: uint16(g.GlyphID), X: units(at + g.XOffset), Y: units(g.YOffset)})
		at += g.XAdvance
		if i == 0 || run.Glyphs[i-1].ClusterIndex != g.ClusterIndex || g.XAdvance > run.Glyphs[widest].XAdvance {
			widest = i
		}
		if i+1 == len(run.Glyphs) || run.Glyphs[i+1].ClusterIndex != g.ClusterIndex {
			all[widest].Text = string(text[g.ClusterIndex:min(len(text), g.ClusterIndex+g.RuneCount)])
		}
	}
	return all
}
