// Package pdf writes PDF documents (ISO 32000) as they grow, page by page: text whose
// glyphs are already shaped, pictures, paths; tagged, so that they can be searched and
// read aloud; and signed (PAdES baseline B). It keeps no page once it is written.
package pdf

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"
	"time"
	"unicode/utf16"
)

// What a document can be refused for.
var (
	ErrFont      = errors.New("pdf: not a TrueType font that may be embedded")
	ErrPicture   = errors.New("pdf: not a picture that can be embedded")
	ErrSignature = errors.New("pdf: cannot be signed")
)

// Info is what a document says about itself.
type Info struct {
	Title, Language string // the language as in BCP 47
	Author          string
	Created         time.Time
	// Plain leaves the tags out, for sheets that only a printer reads.
	Plain bool
}

// Document is being written.
type Document struct {
	out     *counter
	info    Info
	offsets []int64 // of the objects, by number
	pages   []int
	tags    []int // the numbers of the elements below the root
	parents []int // for each page its elements, as an object
	fonts   []*Font
	field   int // of the signature; 0: none
	failed  error
}

// The objects whose numbers are known from the start.
const (
	catalogObject = iota + 1
	pagesObject
	rootTagObject
	documentTagObject
	firstFree
)

// counter knows where the next byte goes, and the hash of all before.
type counter struct {
	to  io.Writer
	at  int64
	sum hash.Hash
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	c.at += int64(n)
	c.sum.Write(p[:n])
	return n, err
}

// New begins a document.
func New(to io.Writer, info Info) *Document {
	d := &Document{out: &counter{to: to, sum: sha256.New()}, info: info, offsets: make([]int64, firstFree)}
	d.write("%%PDF-1.7\n%%\xe2\xe3\xcf\xd3\n")
	return d
}

func (d *Document) write(format string, values ...any) {
	if d.failed == nil {
		_, d.failed = fmt.Fprintf(d.out, format, values...)
	}
}

// number reserves an object.
func (d *Document) number() int {
	d.offsets = append(d.offsets, 0)
	return len(d.offsets) - 1
}

// object writes one.
func (d *Document) object(n int, format string, values ...any) {
	d.offsets[n] = d.out.at
	d.write("%d 0 obj\n"+format+"\nendobj\n", append([]any{n}, values...)...)
}

var deflaters = sync.Pool{New: func() any {
	w, err := zlib.NewWriterLevel(nil, zlib.BestSpeed)
	if err != nil {
		panic(err)
	}
	return w
}}

func deflate(raw []byte) []byte {
	var b bytes.Buffer
	w := deflaters.Get().(*zlib.Writer)
	defer deflaters.Put(w)
	w.Reset(&b)
	// Writing into memory cannot fail.
	_, _ = w.Write(raw)
	_ = w.Close()
	return b.Bytes()
}

// stream writes an object with data, which is deflated unless its entries name a filter
// already.
func (d *Document) stream(n int, entries string, data []byte, filtered bool) {
	if !filtered {
		data, entries = deflate(data), entries+" /Filter /FlateDecode"
	}
	d.offsets[n] = d.out.at
	d.write("%d 0 obj\n<<%s /Length %d>>\nstream\n", n, entries, len(data))
	if d.failed == nil {
		_, d.failed = d.out.Write(data)
	}
	d.write("\nendstream\nendobj\n")
}

// text writes a string so that nothing in it can end it.
func text(s string) string {
	units := utf16.Encode([]rune(s))
	b := make([]byte, 0, 6+4*len(units))
	b = append(b, "<FEFF"...)
	for _, u := range units {
		b = fmt.Appendf(b, "%04X", u)
	}
	return string(append(b, '>'))
}

func date(at time.Time) string { return at.UTC().Format("(D:20060102150405Z)") }

// Close writes what stands at the end: fonts, tags, pages, the table of objects. With a
// signature, the document has to be in memory: see Sign.
func (d *Document) Close() error {
	d.finish("")
	return d.failed
}

// finish ends the document; form is what the catalogue says of a signature.
func (d *Document) finish(form string) {
	for _, f := range d.fonts {
		f.embed(d)
	}
	kids := references(d.pages)
	d.object(pagesObject, "<</Type /Pages /Count %d /Kids [%s]>>", len(d.pages), kids)
	tagged := ""
	if !d.info.Plain {
		d.writeTags()
		tagged = fmt.Sprintf(" /MarkInfo <</Marked true>> /StructTreeRoot %d 0 R", rootTagObject)
	}
	meta := d.number()
	d.stream(meta, "/Type /Metadata /Subtype /XML", d.metadata(), true)
	d.object(catalogObject, "<</Type /Catalog /Pages %d 0 R /Lang %s /ViewerPreferences <</DisplayDocTitle true>> /Metadata %d 0 R%s%s>>",
		pagesObject, text(d.info.Language), meta, tagged, form)
	info := d.number()
	d.object(info, "<</Title %s /Author %s /Producer (Plinth) /CreationDate %s>>", text(d.info.Title), text(d.info.Author), date(d.info.Created))
	d.writeTable(info)
}

// writeTable lists where each object begins.
func (d *Document) writeTable(info int) {
	start := d.out.at
	d.write("xref\n0 %d\n0000000000 65535 f \n", len(d.offsets))
	for _, at := range d.offsets[1:] {
		if at == 0 {
			d.write("0000000000 65535 f \n")
		} else {
			d.write("%010d 00000 n \n", at)
		}
	}
	id := d.out.sum.Sum(nil)[:16]
	d.write("trailer\n<</Size %d /Root %d 0 R /Info %d 0 R /ID [<%X> <%X>]>>\nstartxref\n%d\n%%%%EOF\n", len(d.offsets), catalogObject, info, id, id, start)
}

// annotation is where a page, the first, has the field of the signature.
func (d *Document) annotation(page int) string {
	if d.field == 0 || page > 0 {
		return ""
	}
	return fmt.Sprintf(" /Annots [%d 0 R]", d.field)
}

func references(numbers []int) string {
	var b []byte
	for i, n := range numbers {
		if i > 0 {
			b = append(b, ' ')
		}
		b = fmt.Appendf(b, "%d 0 R", n)
	}
	return string(b)
}

// writeTags ties the elements of all pages together: section 14.7 of the standard.
func (d *Document) writeTags() {
	tree := d.number()
	var nums []byte
	for page, n := range d.parents {
		nums = fmt.Appendf(nums, "%d %d 0 R ", page, n)
	}
	d.object(tree, "<</Nums [%s]>>", nums)
	d.object(documentTagObject, "<</Type /StructElem /S /Document /P %d 0 R /K [%s]>>", rootTagObject, references(d.tags))
	d.object(rootTagObject, "<</Type /StructTreeRoot /K %d 0 R /ParentTree %d 0 R /ParentTreeNextKey %d>>", documentTagObject, tree, len(d.parents))
}

// metadata repeats the title and language in XMP, where archives look for them.
func (d *Document) metadata() []byte {
	var b bytes.Buffer
	b.WriteString(`<?xpacket begin="` + "\ufeff" + `" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">` +
		`<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"><dc:title><rdf:Alt><rdf:li xml:lang="x-default">`)
	escape(&b, d.info.Title)
	b.WriteString(`</rdf:li></rdf:Alt></dc:title><dc:language><rdf:Bag><rdf:li>`)
	escape(&b, d.info.Language)
	b.WriteString(`</rdf:li></rdf:Bag></dc:language><dc:creator><rdf:Seq><rdf:li>`)
	escape(&b, d.info.Author)
	b.WriteString(`</rdf:li></rdf:Seq></dc:creator><xmp:CreateDate>` + d.info.Created.UTC().Format(time.RFC3339) +
		`</xmp:CreateDate></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>`)
	return b.Bytes()
}
