package pdf

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"regexp"
	"slices"
	"unicode/utf16"
)

// Face is a TrueType font, read once for all documents.
type Face struct {
	name       string
	tables     map[string][]byte
	glyphs     int
	metrics    int // how many glyphs have a width of their own
	longPlaces bool
	unitsPerEm int
	box        [4]int16
	ascent     int16
	descent    int16
}

var nameForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,60}$`)

// ParseFace reads what embedding needs of a TrueType font: where its tables are.
func ParseFace(name string, file []byte) (*Face, error) {
	f := &Face{name: name, tables: map[string][]byte{}}
	if !nameForm.MatchString(name) {
		return nil, fmt.Errorf("%w: a name takes letters, digits and hyphens", ErrFont)
	}
	if len(file) < 12 || binary.BigEndian.Uint32(file) != 0x00010000 {
		return nil, fmt.Errorf("%w: %s", ErrFont, name)
	}
	for i := range int(binary.BigEndian.Uint16(file[4:])) {
		at := 12 + 16*i
		if at+16 > len(file) {
			return nil, fmt.Errorf("%w: %s", ErrFont, name)
		}
		start, length := uint64(binary.BigEndian.Uint32(file[at+8:])), uint64(binary.BigEndian.Uint32(file[at+12:]))
		if start+length > uint64(len(file)) {
			return nil, fmt.Errorf("%w: %s", ErrFont, name)
		}
		f.tables[string(file[at:at+4])] = file[start : start+length]
	}
	for table, least := range map[string]int{"head": 54, "hhea": 36, "maxp": 32, "hmtx": 4, "loca": 4, "glyf": 1} {
		if len(f.tables[table]) < least {
			return nil, fmt.Errorf("%w: %s has no table %s", ErrFont, name, table)
		}
	}
	head := f.tables["head"]
	f.unitsPerEm, f.longPlaces = int(binary.BigEndian.Uint16(head[18:])), head[51] == 1
	for i := range f.box {
		f.box[i] = int16(binary.BigEndian.Uint16(head[36+2*i:]))
	}
	f.ascent, f.descent = int16(binary.BigEndian.Uint16(f.tables["hhea"][4:])), int16(binary.BigEndian.Uint16(f.tables["hhea"][6:]))
	f.metrics, f.glyphs = int(binary.BigEndian.Uint16(f.tables["hhea"][34:])), int(binary.BigEndian.Uint16(f.tables["maxp"][4:]))
	places := 2
	if f.longPlaces {
		places = 4
	}
	if f.unitsPerEm == 0 || f.metrics == 0 || len(f.tables["hmtx"]) < 4*f.metrics || len(f.tables["loca"]) < places*(f.glyphs+1) {
		return nil, fmt.Errorf("%w: %s", ErrFont, name)
	}
	for id, last := 0, 0; id <= f.glyphs; id++ { // else a small file could hold large glyphs, many times
		place := f.place(id)
		if place < last || place > len(f.tables["glyf"]) {
			return nil, fmt.Errorf("%w: %s", ErrFont, name)
		}
		last = place
	}
	return f, nil
}

// place is where the program of a glyph begins.
func (f *Face) place(id int) int {
	if f.longPlaces {
		return int(binary.BigEndian.Uint32(f.tables["loca"][4*id:]))
	}
	return 2 * int(binary.BigEndian.Uint16(f.tables["loca"][2*id:]))
}

// Name is what the font is called.
func (f *Face) Name() string { return f.name }

// UnitsPerEm is how finely the font's measures are counted.
func (f *Face) UnitsPerEm() int { return f.unitsPerEm }

func (f *Face) advance(id uint16) int {
	return int(binary.BigEndian.Uint16(f.tables["hmtx"][4*min(int(id), f.metrics-1):]))
}

// bearing is where the ink of a glyph begins.
func (f *Face) bearing(id uint16) []byte {
	hmtx := f.tables["hmtx"]
	at := 4*int(id) + 2
	if int(id) >= f.metrics {
		at = 4*f.metrics + 2*(int(id)-f.metrics)
	}
	if at+2 > len(hmtx) {
		return []byte{0, 0}
	}
	return hmtx[at : at+2]
}

// outline is the program of a glyph; nil for what has no ink.
func (f *Face) outline(id uint16) []byte {
	if int(id) >= f.glyphs {
		return nil
	}
	from, to := f.place(int(id)), f.place(int(id)+1)
	if to-from < 10 {
		return nil
	}
	return f.tables["glyf"][from:to]
}

// Font is a face in a document: those of its glyphs that are used, numbered anew. One
// that stands for different letters, as dotless bases do, has a number for each.
type Font struct {
	*Face
	name, object int
	used         []meaning
	numbers      map[meaning]int
}

// meaning is a glyph and what it stands for.
type meaning struct {
	glyph uint16
	text  string
}

// Font makes a face ready for use in the document.
func (d *Document) Font(f *Face) *Font {
	for _, known := range d.fonts {
		if known.Face == f {
			return known
		}
	}
	font := &Font{Face: f, name: len(d.fonts) + 1, object: d.number(), numbers: map[meaning]int{}}
	font.use(meaning{}) // what stands for a glyph that is missing is always the first
	d.fonts = append(d.fonts, font)
	return font
}

// use gives a glyph its number, and with it those that it is made of.
func (f *Font) use(m meaning) int {
	n, known := f.numbers[m]
	if known {
		return n
	}
	n = len(f.used)
	f.numbers[m], f.used = n, append(f.used, m)
	composedOf(f.outline(m.glyph), func(part []byte) { f.use(meaning{glyph: binary.BigEndian.Uint16(part)}) })
	return n
}

// composedOf visits the numbers of the glyphs that a glyph is made of.
func composedOf(outline []byte, visit func([]byte)) {
	const wordArguments, scale, more, two, matrix = 1, 8, 0x20, 0x40, 0x80
	if len(outline) < 10 || outline[0]&0x80 == 0 {
		return
	}
	for at := 10; at+4 <= len(outline); {
		flags := binary.BigEndian.Uint16(outline[at:])
		visit(outline[at+2 : at+4])
		at += 6
		if flags&wordArguments != 0 {
			at += 2
		}
		switch {
		case flags&scale != 0:
			at += 2
		case flags&two != 0:
			at += 4
		case flags&matrix != 0:
			at += 8
		}
		if flags&more == 0 {
			return
		}
	}
}

// program is a TrueType font of the used glyphs alone.
func (f *Font) program() []byte {
	var glyf, loca, hmtx []byte
	for _, m := range f.used {
		id := m.glyph
		loca = binary.BigEndian.AppendUint32(loca, uint32(len(glyf)))
		hmtx = append(binary.BigEndian.AppendUint16(hmtx, uint16(f.advance(id))), f.bearing(id)...)
		outline := slices.Clone(f.outline(id))
		composedOf(outline, func(part []byte) {
			binary.BigEndian.PutUint16(part, uint16(f.numbers[meaning{glyph: binary.BigEndian.Uint16(part)}]))
		})
		glyf = append(glyf, outline...)
		glyf = append(glyf, make([]byte, -len(glyf)&3)...)
	}
	loca = binary.BigEndian.AppendUint32(loca, uint32(len(glyf)))
	head, hhea, maxp := slices.Clone(f.tables["head"]), slices.Clone(f.tables["hhea"]), slices.Clone(f.tables["maxp"])
	clear(head[8:12])
	head[51] = 1
	binary.BigEndian.PutUint16(hhea[34:], uint16(len(f.used)))
	binary.BigEndian.PutUint16(maxp[4:], uint16(len(f.used)))
	return directory([]table{{"glyf", glyf}, {"head", head}, {"hhea", hhea}, {"hmtx", hmtx}, {"loca", loca}, {"maxp", maxp}})
}

type table struct {
	tag  string
	data []byte
}

// directory puts tables, in the order of their names, into one file.
func directory(tables []table) []byte {
	n := len(tables)
	power := bits.Len(uint(n)) - 1
	out := binary.BigEndian.AppendUint32(nil, 0x00010000)
	for _, v := range []int{n, 16 << power, power, 16*n - 16<<power} {
		out = binary.BigEndian.AppendUint16(out, uint16(v))
	}
	var body []byte
	for _, t := range tables {
		out = append(out, t.tag...)
		data := append(slices.Clone(t.data), make([]byte, -len(t.data)&3)...)
		sum := uint32(0)
		for i := 0; i < len(data); i += 4 {
			sum += binary.BigEndian.Uint32(data[i:])
		}
		for _, v := range []int{int(sum), 12 + 16*n + len(body), len(t.data)} {
			out = binary.BigEndian.AppendUint32(out, uint32(v))
		}
		body = append(body, data...)
	}
	return append(out, body...)
}

// embed writes the font with its widths, and with what its glyphs stand for.
func (f *Font) embed(d *Document) {
	file, descriptor, descendant, unicode := d.number(), d.number(), d.number(), d.number()
	program := f.program()
	d.stream(file, fmt.Sprintf("/Length1 %d", len(program)), program, false)
	per := func(v int) int { return v * 1000 / f.unitsPerEm }
	name := fmt.Sprintf("PLIN%c%c+%s", 'A'+f.name/26%26, 'A'+f.name%26, f.Face.name)
	d.object(descriptor, "<</Type /FontDescriptor /FontName /%s /Flags 4 /FontBBox [%d %d %d %d] /ItalicAngle 0 /Ascent %d /Descent %d /CapHeight %d /StemV 80 /FontFile2 %d 0 R>>",
		name, per(int(f.box[0])), per(int(f.box[1])), per(int(f.box[2])), per(int(f.box[3])), per(int(f.ascent)), per(int(f.descent)), per(int(f.ascent)), file)
	var widths []byte
	for _, m := range f.used {
		widths = fmt.Appendf(widths, "%d ", per(f.advance(m.glyph)))
	}
	d.object(descendant, "<</Type /Font /Subtype /CIDFontType2 /BaseFont /%s /CIDSystemInfo <</Registry (Adobe) /Ordering (Identity) /Supplement 0>> /FontDescriptor %d 0 R /CIDToGIDMap /Identity /DW 0 /W [0 [%s]]>>",
		name, descriptor, widths)
	d.stream(unicode, "", f.toUnicode(), false)
	d.object(f.object, "<</Type /Font /Subtype /Type0 /BaseFont /%s /Encoding /Identity-H /DescendantFonts [%d 0 R] /ToUnicode %d 0 R>>", name, descendant, unicode)
}

// toUnicode says which text each glyph stands for: section 9.10.3.
func (f *Font) toUnicode() []byte {
	b := []byte("/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /Plinth def /CMapType 2 def 1 begincodespacerange <0000> <FFFF> endcodespacerange\n")
	for start := 0; start < len(f.used); start += 100 {
		part := f.used[start:min(start+100, len(f.used))]
		n := 0
		var lines []byte
		for i, m := range part {
			if m.text == "" {
				continue
			}
			lines = fmt.Appendf(lines, "<%04X> <", start+i)
			for _, u := range utf16.Encode([]rune(m.text)) {
				lines = fmt.Appendf(lines, "%04X", u)
			}
			lines = append(lines, ">\n"...)
			n++
		}
		if n > 0 {
			b = fmt.Appendf(b, "%d beginbfchar\n%sendbfchar\n", n, lines)
		}
	}
	return append(b, "endcmap CMapName currentdict /CMap defineresource pop end end"...)
}
