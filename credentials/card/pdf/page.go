package pdf

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strconv"
)

// perMillimetre is the unit of PDF, 1/72 inch, in a millimetre.
const perMillimetre = 72 / 25.4

// Page is being drawn. Its measures are millimetres from the upper left corner.
type Page struct {
	document      *Document
	width, height float64
	content       bytes.Buffer
	number        int
	tags          []int // elements, in the order of their marks
	fonts         map[*Font]bool
	pictures      []int
	pending       []picture // that are written with the page
}

type picture struct {
	number int
	jpeg   jpegFile
	bits   []byte // in its place: one bit a point, side by side
	side   int
}

// Page begins one.
func (d *Document) Page(width, height float64) *Page {
	p := &Page{document: d, width: width, height: height, number: d.number(), fonts: map[*Font]bool{}}
	p.put("%s 0 0 %s 0 %s cm\n", decimal(perMillimetre), decimal(-perMillimetre), decimal(height*perMillimetre))
	return p
}

func (p *Page) put(format string, values ...any) { fmt.Fprintf(&p.content, format, values...) }

// decimal writes a number as PDF has them: without exponent, no longer than needed.
func decimal(v float64) string {
	b := strconv.AppendFloat(nil, v, 'f', 4, 64)
	b = bytes.TrimRight(b, "0")
	return string(bytes.TrimSuffix(b, []byte{'.'}))
}

// Colour is red, green and blue.
type Colour [3]uint8

func (p *Page) fill(c Colour) {
	p.put("%s %s %s rg\n", decimal(float64(c[0])/255), decimal(float64(c[1])/255), decimal(float64(c[2])/255))
}

// begin opens marked content: an element of its own, or decoration that is not read.
func (p *Page) begin(kind, entries string) {
	if p.document.info.Plain {
		return
	}
	if kind == "" {
		p.put("/Artifact BMC\n")
		return
	}
	tag := p.document.number()
	p.document.object(tag, "<</Type /StructElem /S /%s /P %d 0 R /Pg %d 0 R /K %d%s>>", kind, documentTagObject, p.number, len(p.tags), entries)
	p.put("/%s <</MCID %d>> BDC\n", kind, len(p.tags))
	p.tags = append(p.tags, tag)
}

func (p *Page) end() {
	if !p.document.info.Plain {
		p.put("EMC\n")
	}
}

// Box fills a rectangle. It is decoration.
func (p *Page) Box(x, y, width, height float64, c Colour) {
	p.begin("", "")
	p.fill(c)
	p.put("%s %s %s %s re f\n", decimal(x), decimal(y), decimal(width), decimal(height))
	p.end()
}

// Figure is what a picture is to those who cannot see it.
type Figure struct {
	X, Y, Width, Height float64
	Alternative         string
}

func (p *Page) beginFigure(f Figure) {
	left, foot := f.X*perMillimetre, (p.height-f.Y-f.Height)*perMillimetre
	p.begin("Figure", fmt.Sprintf(" /Alt %s /A <</O /Layout /BBox [%s %s %s %s]>>", text(f.Alternative),
		decimal(left), decimal(foot), decimal(left+f.Width*perMillimetre), decimal(foot+f.Height*perMillimetre)))
}

// perModule is how many points of its picture a module of a code is wide: readers of
// documents take pictures out and look for codes in them.
const perModule = 4

// Modules draws a code of so many modules from the runs of its dark ones, as a picture
// of one bit a point: sharp at any size, and found by whoever reads the file.
func (p *Page) Modules(f Figure, modules int, runs func(visit func(x, y, width int))) {
	row := (modules*perModule + 7) / 8
	bits := bytes.Repeat([]byte{0xff}, row*modules*perModule)
	runs(func(x, y, width int) {
		first := bits[y*perModule*row:][:row]
		for at := x * perModule; at < (x+width)*perModule; at++ {
			first[at/8] &^= 0x80 >> (at % 8)
		}
	})
	for y := range modules * perModule {
		if y%perModule != 0 {
			copy(bits[y*row:][:row], bits[(y-1)*row:])
		}
	}
	n := p.document.number()
	p.pending = append(p.pending, picture{number: n, bits: bits, side: modules * perModule})
	p.Picture(f, n)
}

// Glyph is one glyph of a font, where shaping has put it: in units of the font, from
// the start of the run.
type Glyph struct {
	ID   uint16
	X, Y int
	Text string // what it stands for; empty when one beside it stands for it
}

// Run is text in one font, in the order in which it is seen.
type Run struct {
	Font   *Font
	X      float64 // of its start
	Glyphs []Glyph
}

// Line is text on one line, as one paragraph to those who listen.
type Line struct {
	Y        float64 // of the ground line
	Size     float64 // in points
	Colour   Colour
	Language string
	Text     string // what the runs say, in the order in which it is read
	Runs     []Run
	// RightToLeft: some of it is read so. Programs that look for text turn what they
	// find between glyphs round, and what stands beside them too: it must not.
	RightToLeft bool
}

// composed says that there are glyphs whose text stands with others, as in Indic
// scripts: programs that look for text take the gap for a space.
func (l Line) composed() bool {
	for _, r := range l.Runs {
		for _, g := range r.Glyphs {
			if g.Text == "" {
				return !l.RightToLeft
			}
		}
	}
	return false
}

// Line writes text. What it says stands in its element as well, since of shaped scripts
// the glyphs alone cannot be read back with certainty.
func (p *Page) Line(l Line) {
	p.begin("P", " /Lang "+text(l.Language)+" /ActualText "+text(l.Text))
	composed := l.composed()
	if composed {
		p.put("/Span <</ActualText %s>> BDC\n", text(l.Text))
	}
	p.fill(l.Colour)
	p.put("BT\n")
	for _, r := range l.Runs {
		p.fonts[r.Font] = true
		p.put("/F%d %s Tf\n", r.Font.name, decimal(l.Size))
		p.run(l, r)
	}
	p.put("ET\n")
	if composed {
		p.put("EMC\n")
	}
	p.end()
}

// run shows glyphs; where one is not where the last has ended, it is moved there.
func (p *Page) run(l Line, r Run) {
	// The page is turned over, so text is turned back; and points are not millimetres.
	perUnit := l.Size / float64(r.Font.unitsPerEm) / perMillimetre
	open, at, height := false, 0, 0
	for _, g := range r.Glyphs {
		id := r.Font.use(meaning{g.ID, g.Text})
		if !open || g.Y != height {
			if open {
				p.put("] TJ\n")
			}
			p.put("%s 0 0 %s %s %s Tm [", decimal(1/perMillimetre), decimal(-1/perMillimetre), decimal(r.X+float64(g.X)*perUnit), decimal(l.Y-float64(g.Y)*perUnit))
			open, at, height = true, g.X, g.Y
		}
		if g.X != at {
			p.put("%d ", (at-g.X)*1000/r.Font.unitsPerEm)
		}
		p.put("<%04X>", id)
		at = g.X + r.Font.advance(g.ID)
	}
	if open {
		p.put("] TJ\n")
	}
}

// JPEG draws a picture that is on this page alone.
func (p *Page) JPEG(f Figure, file []byte) error {
	bare, err := parseJPEG(file)
	if err != nil {
		return err
	}
	n := p.document.number()
	p.pending = append(p.pending, picture{number: n, jpeg: bare})
	p.Picture(f, n)
	return nil
}

// Picture draws one that was added to the document.
func (p *Page) Picture(f Figure, picture int) {
	p.beginFigure(f)
	p.put("q %s 0 0 %s %s %s cm /I%d Do Q\n", decimal(f.Width), decimal(-f.Height), decimal(f.X), decimal(f.Y+f.Height), picture)
	p.pictures = append(p.pictures, picture)
	p.end()
}

// Close writes the page.
func (p *Page) Close() {
	d := p.document
	var fonts, pictures []byte
	for _, f := range d.fonts {
		if p.fonts[f] {
			fonts = fmt.Appendf(fonts, "/F%d %d 0 R ", f.name, f.object)
		}
	}
	for _, n := range p.pictures {
		pictures = fmt.Appendf(pictures, "/I%d %d 0 R ", n, n)
	}
	for _, picture := range p.pending {
		if picture.bits != nil {
			d.stream(picture.number, fmt.Sprintf("/Type /XObject /Subtype /Image /Width %d /Height %d /BitsPerComponent 1 /ColorSpace /DeviceGray", picture.side, picture.side), picture.bits, false)
			continue
		}
		d.writeJPEG(picture.number, picture.jpeg)
	}
	content := d.number()
	d.stream(content, "", p.content.Bytes(), false)
	tagged := ""
	if !d.info.Plain {
		tagged = fmt.Sprintf(" /StructParents %d /Tabs /S", len(d.parents))
		elements := d.number()
		d.object(elements, "[%s]", references(p.tags))
		d.parents = append(d.parents, elements)
		d.tags = append(d.tags, p.tags...)
	}
	d.object(p.number, "<</Type /Page /Parent %d 0 R /MediaBox [0 0 %s %s] /Contents %d 0 R /Resources <</Font <<%s>> /XObject <<%s>>>>%s%s>>",
		pagesObject, decimal(p.width*perMillimetre), decimal(p.height*perMillimetre), content, fonts, pictures, tagged, d.annotation(len(d.pages)))
	d.pages = append(d.pages, p.number)
}

func escape(b *bytes.Buffer, s string) {
	// Writing into memory cannot fail.
	_ = xml.EscapeText(b, []byte(s))
}
