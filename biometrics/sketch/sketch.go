// Package sketch draws two fingerprints beside one another with what makes the matcher
// hold them for one finger, so that a person can judge whether it is right.
package sketch

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"image"
	"image/png"
	"math"
	"slices"
	"strings"

	"golang.org/x/image/draw"

	"github.com/plinth-id/plinth/biometrics/finger"
)

// Print is one side of a drawing.
type Print struct {
	Name     string // whose and which finger, to be shown above it
	Template finger.Template
	Image    *finger.Image // nil: only the minutiae are drawn
}

// Drawing is two prints and the minutiae that meet.
type Drawing struct {
	A, B        Print
	Pairs       []finger.Match
	Title       string // read out first
	Description string // shown below, and read out
}

// Pair is the drawing of two prints as the matcher sees them.
func Pair(a, b Print) Drawing {
	pairs := finger.Pairs(a.Template, b.Template)
	return Drawing{A: a, B: b, Pairs: pairs, Title: a.Name + " – " + b.Name,
		Description: fmt.Sprintf("%d of %d and %d minutiae meet, score %.2f of %.2f needed", len(pairs), a.Template.Len(), b.Template.Len(), finger.Compare(a.Template, b.Template), finger.Threshold)}
}

// What a drawing takes at most.
const (
	maxSide = 640 // of a print, in pixels
	maxText = 300 // characters
	gap     = 24
	head    = 34
	foot    = 34
)

// hues tell pairs apart also for those who do not see red and green (Okabe, Ito, 2008);
// each pair has its number too.
var hues = [...]string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"}

const unmatched = "#767676"

// panel is one print, laid on the drawing.
type panel struct {
	Print
	left, scale   float64
	width, height float64
	minutiae      []finger.Minutia
}

func newPanel(p Print, left float64) panel {
	w, h := max(1, p.Template.Width), max(1, p.Template.Height)
	if p.Image != nil {
		w, h = max(w, p.Image.Width), max(h, p.Image.Height)
	}
	scale := min(1, maxSide/float64(max(w, h)))
	return panel{p, left, scale, float64(w) * scale, float64(h) * scale, p.Template.Minutiae()}
}

// at is where a minutia is drawn.
func (p panel) at(i int) (x, y float64) {
	m := p.minutiae[i]
	return p.left + float64(m.X)*p.scale, head + float64(m.Y)*p.scale
}

// SVG draws. It has no script and no style, and all words in it are escaped; the same
// drawing is the same bytes.
func (d Drawing) SVG() []byte {
	a := newPanel(d.A, 0)
	b := newPanel(d.B, a.width+gap)
	pairs := d.numbered(a, b)
	wide, high := b.left+b.width, head+max(a.height, b.height)+foot
	var out bytes.Buffer
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" role="img" aria-labelledby="t d" font-family="sans-serif" font-size="14">`+"\n", wide, high)
	fmt.Fprintf(&out, "<title id=\"t\">%s</title>\n<desc id=\"d\">%s</desc>\n", escaped(d.Title), escaped(d.Description))
	fmt.Fprintf(&out, `<rect width="%.0f" height="%.0f" fill="#fff"/>`+"\n", wide, high)
	for _, p := range []panel{a, b} {
		p.draw(&out)
	}
	for n, m := range pairs {
		x1, y1 := a.at(m.A)
		x2, y2 := b.at(m.B)
		fmt.Fprintf(&out, `<path d="M%.1f %.1fL%.1f %.1f" stroke="%s" stroke-width="1" stroke-opacity=".45"/>`+"\n", x1, y1, x2, y2, hues[n%len(hues)])
	}
	a.marks(&out, pairs, func(m finger.Match) int { return m.A })
	b.marks(&out, pairs, func(m finger.Match) int { return m.B })
	fmt.Fprintf(&out, "<text x=\"4\" y=\"%.0f\" fill=\"#111\">%s</text>\n</svg>\n", high-12, escaped(d.Description))
	return out.Bytes()
}

// numbered are the pairs from top to bottom of the first print; what names minutiae
// that are not there is left out.
func (d Drawing) numbered(a, b panel) []finger.Match {
	pairs := slices.DeleteFunc(slices.Clone(d.Pairs), func(m finger.Match) bool {
		return m.A < 0 || m.B < 0 || m.A >= len(a.minutiae) || m.B >= len(b.minutiae)
	})
	slices.SortFunc(pairs, func(m, n finger.Match) int {
		p, q := a.minutiae[m.A], a.minutiae[n.A]
		return cmp.Or(cmp.Compare(p.Y, q.Y), cmp.Compare(p.X, q.X), cmp.Compare(m.A, n.A), cmp.Compare(m.B, n.B))
	})
	return pairs[:min(len(pairs), finger.MaxMinutiae)]
}

// draw is what lies under the minutiae.
func (p panel) draw(out *bytes.Buffer) {
	fmt.Fprintf(out, `<text x="%.1f" y="22" fill="#111">%s</text>`+"\n", p.left+4, escaped(p.Name))
	if p.Image != nil && p.Image.Width > 0 && len(p.Image.Pix) >= p.Image.Width*p.Image.Height {
		fmt.Fprintf(out, `<image x="%.1f" y="%d" width="%.1f" height="%.1f" opacity=".55" href="data:image/png;base64,%s"/>`+"\n",
			p.left, head, float64(p.Image.Width)*p.scale, float64(p.Image.Height)*p.scale, p.pixels())
	}
	fmt.Fprintf(out, `<rect x="%.1f" y="%d" width="%.1f" height="%.1f" fill="none" stroke="#999"/>`+"\n", p.left, head, p.width, p.height)
}

// pixels is the picture as a PNG, not larger than it is shown.
func (p panel) pixels() string {
	img := p.Image.Gray()
	if p.scale < 1 {
		small := image.NewGray(image.Rect(0, 0, max(1, int(float64(img.Rect.Dx())*p.scale)), max(1, int(float64(img.Rect.Dy())*p.scale))))
		draw.ApproxBiLinear.Scale(small, small.Rect, img, img.Rect, draw.Src, nil)
		img = small
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		panic(err) // a grey image in memory always encodes
	}
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

// marks draws the minutiae: an ending is round, a bifurcation square, another kind a
// rhombus; a line shows the direction. One that met is large and has its number.
func (p panel) marks(out *bytes.Buffer, pairs []finger.Match, side func(finger.Match) int) {
	met := make(map[int]int)
	for n, m := range pairs {
		met[side(m)] = n
	}
	for i, m := range p.minutiae {
		if _, is := met[i]; !is {
			p.mark(out, i, m, unmatched, 3)
		}
	}
	for n, m := range pairs {
		i := side(m)
		p.mark(out, i, p.minutiae[i], hues[n%len(hues)], 5)
		x, y := p.at(i)
		fmt.Fprintf(out, `<text x="%.1f" y="%.1f" font-size="11" fill="#111" stroke="#fff" stroke-width="2" paint-order="stroke">%d</text>`+"\n", x+6, y-5, n+1)
	}
}

func (p panel) mark(out *bytes.Buffer, i int, m finger.Minutia, hue string, size float64) {
	x, y := p.at(i)
	sin, cos := math.Sincos(float64(m.Direction))
	var shape string
	switch m.Kind {
	case finger.Ending:
		shape = fmt.Sprintf(`<circle cx="%.1f" cy="%.1f" r="%.0f"`, x, y, size)
	case finger.Bifurcation:
		shape = fmt.Sprintf(`<rect x="%.1f" y="%.1f" width="%.0f" height="%.0f"`, x-size, y-size, 2*size, 2*size)
	default:
		shape = fmt.Sprintf(`<path d="M%.1f %.1fl%.0f %.0fl-%.0f %.0fl-%.0f -%.0fz"`, x, y-size, size, size, size, size, size, size)
	}
	// y is downwards in a picture, directions are counter-clockwise.
	fmt.Fprintf(out, `%s fill="none" stroke="%s" stroke-width="1.6"/><path d="M%.1f %.1fl%.1f %.1f" stroke="%s" stroke-width="1.6"/>`+"\n",
		shape, hue, x, y, 2.6*size*cos, -2.6*size*sin, hue)
}

// escaped is text of which nothing can become markup, not too long.
func escaped(text string) string {
	if runes := []rune(text); len(runes) > maxText {
		text = string(runes[:maxText]) + "…"
	}
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder takes everything
	return b.String()
}
