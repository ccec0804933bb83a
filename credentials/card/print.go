package card

import (
	"bytes"
	"io"

	"github.com/plinth-id/plinth/credentials/card/pdf"
	"github.com/plinth-id/plinth/credentials/qr"
)

// paper is a canvas of PDF.
type paper struct {
	document *pdf.Document
	page     *pdf.Page
	pictures map[string]int // those of the template, which all pages share
}

func (p *paper) box(x, y, width, height float64, colour pdf.Colour) {
	p.page.Box(x, y, width, height, colour)
}

func (p *paper) line(l pdf.Line, set setLine, _ bool) {
	for i := range l.Runs {
		l.Runs[i].Font = p.document.Font(set.faces[i])
	}
	p.page.Line(l)
}

func (p *paper) code(f pdf.Figure, s qr.Symbol) {
	p.page.Modules(f, s.Side()+2*qr.Quiet, func(visit func(x, y, width int)) {
		s.Runs(func(x, y, width int) { visit(x+qr.Quiet, y+qr.Quiet, width) })
	})
}

func (p *paper) picture(f pdf.Figure, jpeg []byte) error {
	if n, known := p.pictures[string(jpeg)]; known {
		p.page.Picture(f, n)
		return nil
	}
	return p.page.JPEG(f, jpeg)
}

func (p *Printer) info(c *Content, plain bool) pdf.Info {
	return pdf.Info{Title: c.Title, Language: tag(c.language()), Author: p.label("issuer", c.language()), Created: c.Issued, Plain: plain}
}

func (p *Printer) label(key, language string) string {
	return (&sheet{printer: p}).label(key, language)
}

// PDF prints one person's document; with a signature, signed.
func (p *Printer) PDF(c Content, by *pdf.Signature) ([]byte, error) {
	if by != nil {
		return pdf.Signed(p.info(&c, false), *by, func(d *pdf.Document) error { return p.print(d, &c, nil) })
	}
	var b bytes.Buffer
	d := pdf.New(&b, p.info(&c, false))
	if err := p.print(d, &c, nil); err != nil {
		return nil, err
	}
	if err := d.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// print adds the pages of one person.
func (p *Printer) print(d *pdf.Document, c *Content, shared map[string]int) error {
	s, err := p.prepare(c)
	if err != nil {
		return err
	}
	defer s.done()
	var pages []*pdf.Page // none is written before all can be
	for _, side := range p.template.Pages {
		on := &paper{document: d, page: d.Page(p.template.Width, p.template.Height), pictures: shared}
		if err := s.draw(side, on); err != nil {
			return err
		}
		pages = append(pages, on.page)
	}
	for _, page := range pages {
		page.Close()
	}
	return nil
}

// Batch prints many people's documents into one file, for a print shop. It keeps
// nothing of a person once the pages are written.
type Batch struct {
	printer  *Printer
	document *pdf.Document
	shared   map[string]int
}

// Batch begins one. It bears a title of its own, and no tags.
func (p *Printer) Batch(to io.Writer, c Content) (*Batch, error) {
	b := &Batch{printer: p, document: pdf.New(to, p.info(&c, true)), shared: map[string]int{}}
	for _, side := range p.template.Pages {
		for _, item := range side.Items {
			if item.Kind == Picture {
				n, err := b.document.JPEG(item.Picture)
				if err != nil {
					return nil, err
				}
				b.shared[string(item.Picture)] = n
			}
		}
	}
	return b, nil
}

// Add prints one more. A person who cannot be printed leaves no page behind.
func (b *Batch) Add(c Content) error {
	return b.printer.print(b.document, &c, b.shared)
}

// Close ends the file.
func (b *Batch) Close() error { return b.document.Close() }
