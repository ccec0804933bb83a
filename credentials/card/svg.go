package card

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"strconv"

	"github.com/go-text/typesetting/font"
	"github.com/plinth-id/plinth/credentials/card/pdf"
	"github.com/plinth-id/plinth/credentials/qr"
)

// drawing is a canvas of SVG. Letters are drawn, since a device may lack a script; over
// them lies the text itself, unseen, to be read aloud, searched and copied.
type drawing struct {
	b      bytes.Buffer
	glyphs map[string]font.GlyphOutline
	names  []string // of the glyphs, in the order of their use
}

// SVG draws one page of one person's document, from 0. There is nothing in it that
// runs, and nothing that is fetched.
func (p *Printer) SVG(c Content, page int) ([]byte, error) {
	if page < 0 || page >= len(p.template.Pages) {
		return nil, fmt.Errorf("%w: there is no page %d", ErrTemplate, page)
	}
	s, err := p.prepare(&c)
	if err != nil {
		return nil, err
	}
	defer s.done()
	d := &drawing{glyphs: map[string]font.GlyphOutline{}}
	width, height := number(p.template.Width), number(p.template.Height)
	d.put(`<svg xmlns="http://www.w3.org/2000/svg" width="`, width, `mm" height="`, height, `mm" viewBox="0 0 `, width, " ", height,
		`" font-family="'Noto Sans','Noto Sans Arabic','Noto Sans Devanagari',sans-serif" xml:lang="`)
	d.text(tag(c.language()))
	d.put(`"><title>`)
	d.text(c.Title)
	d.put(`</title><rect width="`, width, `" height="`, height, `" fill="#ffffff"/>`)
	if err := s.draw(p.template.Pages[page], d); err != nil {
		return nil, err
	}
	d.define()
	d.put(`</svg>`)
	return d.b.Bytes(), nil
}

func (d *drawing) put(parts ...string) {
	for _, s := range parts {
		d.b.WriteString(s)
	}
}

// text is escaped for content and attributes alike.
func (d *drawing) text(s string) {
	// Writing into memory cannot fail.
	_ = xml.EscapeText(&d.b, []byte(s))
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 32) }

func hex(c pdf.Colour) string { return fmt.Sprintf("#%02x%02x%02x", c[0], c[1], c[2]) }

func (d *drawing) box(x, y, width, height float64, colour pdf.Colour) {
	d.put(`<rect x="`, number(x), `" y="`, number(y), `" width="`, number(width), `" height="`, number(height), `" fill="`, hex(colour), `"/>`)
}

// line gives the text the width that we have found, so that it lies over what is drawn.
func (d *drawing) line(l pdf.Line, set setLine, rightToLeft bool) {
	if len(l.Runs) == 0 || l.Text == "" {
		return
	}
	d.put(`<g fill="`, hex(l.Colour), `" aria-hidden="true">`)
	for i, r := range l.Runs {
		d.run(l, r, set.fonts[i], set.faces[i].Name())
	}
	x, direction := l.Runs[0].X, "ltr"
	if rightToLeft {
		x, direction = x+set.width, "rtl"
	}
	d.put(`</g><text x="`, number(x), `" y="`, number(l.Y), `" font-size="`, number(l.Size*perPoint), `" fill-opacity="0" direction="`, direction,
		`" textLength="`, number(set.width), `" lengthAdjust="spacingAndGlyphs" xml:lang="`)
	d.text(l.Language)
	d.put(`">`)
	d.text(l.Text)
	d.put(`</text>`)
}

func (d *drawing) run(l pdf.Line, r pdf.Run, face *font.Face, name string) {
	scale := number(l.Size * perPoint / float64(face.Upem()))
	d.put(`<g transform="translate(`, number(r.X), " ", number(l.Y), ") scale(", scale, " -", scale, `)">`)
	for _, g := range r.Glyphs {
		outline, ok := face.GlyphData(font.GID(g.ID)).(font.GlyphOutline)
		if !ok || len(outline.Segments) == 0 {
			continue
		}
		id := name + "-" + strconv.Itoa(int(g.ID))
		if _, known := d.glyphs[id]; !known {
			d.glyphs[id], d.names = outline, append(d.names, id)
		}
		d.put(`<use href="#`, id, `" x="`, strconv.Itoa(g.X), `" y="`, strconv.Itoa(g.Y), `"/>`)
	}
	d.put(`</g>`)
}

// define writes the glyphs that were used.
func (d *drawing) define() {
	d.put(`<defs>`)
	for _, id := range d.names {
		d.put(`<path id="`, id, `" d="`)
		for _, segment := range d.glyphs[id].Segments {
			d.put([]string{"M", "L", "Q", "C"}[segment.Op])
			for i, point := range segment.ArgsSlice() {
				if i > 0 {
					d.put(" ")
				}
				d.put(number(float64(point.X)), " ", number(float64(point.Y)))
			}
		}
		d.put(`z"/>`)
	}
	d.put(`</defs>`)
}

func (d *drawing) code(f pdf.Figure, s qr.Symbol) {
	scale := f.Width / float64(s.Side()+2*qr.Quiet)
	d.put(`<g transform="translate(`, number(f.X), " ", number(f.Y), ") scale(", number(scale), `)" shape-rendering="crispEdges" role="img"><title>`)
	d.text(f.Alternative)
	d.put(`</title><path d="`)
	d.b.Write(s.Path(d.b.AvailableBuffer(), qr.Quiet, qr.Quiet))
	d.put(`"/></g>`)
}

func (d *drawing) picture(f pdf.Figure, jpeg []byte) error {
	bare, err := pdf.BareJPEG(jpeg)
	if err != nil {
		return err
	}
	d.put(`<image x="`, number(f.X), `" y="`, number(f.Y), `" width="`, number(f.Width), `" height="`, number(f.Height), `" href="data:image/jpeg;base64,`,
		base64.StdEncoding.EncodeToString(bare), `"><title>`)
	d.text(f.Alternative)
	d.put(`</title></image>`)
	return nil
}
