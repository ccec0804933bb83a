package card

import (
	"fmt"
	"strings"
	"sync"

	"github.com/plinth-id/plinth/credentials/card/pdf"
	"github.com/plinth-id/plinth/credentials/qr"
)

// Printer prints from one template. It may be used from many sides at once.
type Printer struct {
	template    Template
	faces       []typeface
	typesetters sync.Pool
}

// Font is a typeface for a script that ours does not have, in two weights.
type Font struct {
	Name          string
	Regular, Bold []byte // TrueType
}

// New makes a printer; more fonts are asked for letters that ours do not have.
func New(t Template, more ...Font) (*Printer, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	p := &Printer{template: t}
	var err error
	if p.faces, err = ownTypefaces(); err != nil {
		return nil, err
	}
	for _, f := range more {
		face, err := newTypeface(f.Name, f.Regular, f.Bold)
		if err != nil {
			return nil, err
		}
		p.faces = append(p.faces, face)
	}
	p.typesetters.New = func() any {
		t := &typesetter{wardrobe: newWardrobe(p.faces)}
		t.shaper.SetFontCacheSize(2 * len(p.faces))
		return t
	}
	return p, nil
}

// canvas is what PDF and SVG have in common.
type canvas interface {
	box(x, y, width, height float64, colour pdf.Colour)
	line(l pdf.Line, set setLine, rightToLeft bool)
	code(f pdf.Figure, s qr.Symbol)
	picture(f pdf.Figure, jpeg []byte) error
}

// sheet is one page on its way to a canvas.
type sheet struct {
	printer  *Printer
	content  *Content
	portrait *portrait
	symbol   *qr.Symbol
	setter   *typesetter
	mirrored bool
}

// prepare does once what all pages of a document need.
func (p *Printer) prepare(c *Content) (*sheet, error) {
	s := &sheet{printer: p, content: c, mirrored: p.template.Mirrored && rightToLeft[c.language()]}
	var err error
	if s.portrait, err = p.portraitOf(c.Portrait); err != nil {
		return nil, err
	}
	if c.Code != "" {
		symbol, err := qr.NewSymbol(c.Code, c.Level)
		if err != nil {
			return nil, fmt.Errorf("card: %w", err)
		}
		s.symbol = &symbol
	}
	s.setter = p.typesetters.Get().(*typesetter)
	return s, nil
}

func (s *sheet) done() { s.printer.typesetters.Put(s.setter) }

var (
	ink   = pdf.Colour{0x1a, 0x1a, 0x1a}
	faint = pdf.Colour{0x55, 0x55, 0x55}
)

func (s *sheet) draw(side Side, on canvas) error {
	t := s.printer.template
	if side.Colour != "" {
		on.box(0, 0, t.Width, t.Height, side.Colour.rgb(pdf.Colour{}))
	}
	for _, item := range side.Items {
		if s.mirrored {
			item.X = t.Width - item.X - item.Width
		}
		if err := s.item(item, on); err != nil {
			return err
		}
	}
	return nil
}

func (s *sheet) item(i Item, on canvas) error {
	figure := pdf.Figure{X: i.X, Y: i.Y, Width: i.Width, Height: i.Height, Alternative: s.label(i.Label, s.content.language())}
	switch i.Kind {
	case Box:
		on.box(i.X, i.Y, i.Width, i.Height, i.Colour.rgb(ink))
	case Code:
		if s.symbol != nil {
			return s.code(figure, on)
		}
	case Portrait:
		if s.portrait != nil {
			return on.picture(s.portrait.within(figure), s.portrait.jpeg)
		}
	case Picture:
		return on.picture(figure, i.Picture)
	case Field:
		return s.field(i, on)
	case Text:
		value, ok := s.value(i)
		if !ok {
			value = Value{Text: s.label(i.Label, s.content.language()), Language: s.content.language()}
		}
		return s.text(i, value, i.Colour.rgb(ink), on)
	}
	return nil
}

// code draws the QR code with its quiet zone, always dark on white.
func (s *sheet) code(f pdf.Figure, on canvas) error {
	side := min(f.Width, f.Height)
	f.X, f.Y, f.Width, f.Height = f.X+(f.Width-side)/2, f.Y+(f.Height-side)/2, side, side
	if module := side / float64(s.symbol.Side()+2*qr.Quiet); module < leastModule {
		return fmt.Errorf("%w: a code of version %d has modules of %.2f mm there, and needs %.2f", ErrNoRoom, s.symbol.Version, module, leastModule)
	}
	on.box(f.X, f.Y, side, side, pdf.Colour{255, 255, 255})
	on.code(f, *s.symbol)
	return nil
}

// leastModule is what a card printer of 300 dpi draws with three dots.
const leastModule = 0.25

// value finds what a path stands for. A path is a name, and is not interpreted.
func (s *sheet) value(i Item) (Value, bool) {
	values := s.content.Values[i.Path]
	if i.Path == "" || i.Nth >= len(values) || strings.TrimSpace(values[i.Nth].Text) == "" {
		return Value{}, false
	}
	v := values[i.Nth]
	if v.Language == "" {
		v.Language = s.content.language()
	}
	return v, true
}

// label gives a text of the template, in a language or else in English.
func (s *sheet) label(key, language string) string {
	texts := s.printer.template.Labels[key]
	if text, ok := texts[language]; ok {
		return text
	}
	return texts["eng"]
}

// field sets a label above a value, in all languages of the document.
func (s *sheet) field(i Item, on canvas) error {
	v, ok := s.value(i)
	if !ok {
		return nil
	}
	var labels []string
	for _, language := range s.content.Languages[:min(2, len(s.content.Languages))] {
		if text := s.label(i.Label, language); text != "" && (len(labels) == 0 || labels[0] != text) {
			labels = append(labels, text)
		}
	}
	top := i
	top.Size, top.Bold = max(minSize, i.Size*labelShare), false
	top.Height = top.Size * leading * perPoint
	if err := s.text(top, Value{Text: strings.Join(labels, " · "), Language: s.content.language()}, faint, on); err != nil {
		return err
	}
	i.Y, i.Height = i.Y+top.Height, i.Height-top.Height
	return s.text(i, v, i.Colour.rgb(ink), on)
}

// labelShare is the size of a label beside that of its value.
const labelShare = 0.62

func (s *sheet) text(i Item, v Value, colour pdf.Colour, on canvas) error {
	if v.Text == "" {
		return nil
	}
	b, err := s.setter.set(v.Text, style{width: i.Width, height: i.Height, size: i.Size, bold: i.Bold, language: v.Language})
	if err != nil {
		return fmt.Errorf("%w: %s", err, i.Path+i.Label)
	}
	// Text keeps to the side where the document begins, so that labels and values of
	// two scripts stand in one line.
	right := i.Align == End
	if rightToLeft[s.content.language()] && s.printer.template.Mirrored {
		right = !right
	}
	ground := i.Y + b.size*perPoint*ascent
	for _, line := range b.lines {
		x := i.X
		switch {
		case i.Align == Centre:
			x += (i.Width - line.width) / 2
		case right:
			x += i.Width - line.width
		}
		for n := range line.runs {
			line.runs[n].X += x
		}
		on.line(pdf.Line{Y: ground, Size: b.size, Colour: colour, Language: tag(v.Language), Text: line.text, Runs: line.runs, RightToLeft: line.mixed}, line, b.rightToLeft)
		ground += b.leading
	}
	return nil
}

// ascent is where the ground line is, from the top of a line.
const ascent = 1.02

// tag is a language as documents name it: the shorter name where there is one.
func tag(language string) string {
	if short, ok := map[string]string{"eng": "en", "fra": "fr", "ara": "ar", "spa": "es", "hin": "hi", "por": "pt", "swa": "sw", "amh": "am", "urd": "ur", "fas": "fa"}[language]; ok {
		return short
	}
	return language
}
