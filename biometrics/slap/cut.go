package slap

import (
	"image"
	"math"
	"slices"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/finger"
)

// margin around a finger that is cut out, in pixels.
const margin = 16

// Where the crease under the last bone is sought, and how long that bone is if no
// crease is seen: in widths of the finger from its top.
const (
	firstCrease = .95
	lastCrease  = 1.75
	noCrease    = 1.45
)

// cut takes the last bone of a finger out of the picture, upright.
func (t tip) cut(img *finger.Image, g *grid) Cut {
	wide := int(t.width) + 2*margin
	high := int(lastCrease*t.width) + 2*margin
	sin, cos := math.Sincos(t.angle)
	from := func(u, v int) (x, y float64) {
		a, d := float64(u)-float64(wide)/2, float64(v-margin)
		return t.x + float64(a*cos) - float64(d*sin), t.y + float64(a*sin) + float64(d*cos)
	}
	out := &finger.Image{Width: wide, Height: high, Pix: make([]uint8, wide*high)}
	for v := range high {
		for u := range wide {
			x, y := from(u, v)
			out.Pix[v*wide+u] = g.pixel(img, t, x, y)
		}
	}
	out.Height = min(high, t.crease(out, g.paper)+margin/2)
	out.Pix = out.Pix[:wide*out.Height]
	c := Cut{Image: out, Angle: -t.angle * 180 / math.Pi}
	for i, corner := range [4][2]int{{0, 0}, {wide - 1, 0}, {wide - 1, out.Height - 1}, {0, out.Height - 1}} {
		x, y := from(corner[0], corner[1])
		c.Corners[i] = image.Pt(int(math.Round(x)), int(math.Round(y)))
		c.Box = c.Box.Union(image.Rectangle{Min: c.Corners[i], Max: c.Corners[i].Add(image.Pt(1, 1))})
	}
	c.Box = c.Box.Intersect(image.Rect(0, 0, img.Width, img.Height))
	return c
}

// pixel reads between four pixels. What is of another finger, or beyond the picture, is
// paper.
func (g *grid) pixel(img *finger.Image, t tip, x, y float64) uint8 {
	i, j := int(math.Floor(x)), int(math.Floor(y))
	if i < 0 || j < 0 || i+1 >= img.Width || j+1 >= img.Height {
		return g.paper
	}
	if b := min(g.rows-1, j/cell)*g.cols + min(g.cols-1, i/cell); g.owner[b] != 0 && g.owner[b] != t.number {
		return g.paper
	}
	fx, fy := x-float64(i), y-float64(j)
	p := img.Pix[j*img.Width+i:]
	q := img.Pix[(j+1)*img.Width+i:]
	upper := float64(float64(p[0])*(1-fx)) + float64(float64(p[1])*fx)
	lower := float64(float64(q[0])*(1-fx)) + float64(float64(q[1])*fx)
	return uint8(float64(upper*(1-fy)) + float64(lower*fy) + .5)
}

// crease finds the line under the last bone: the lightest rows where it can be, if they
// are much lighter than the rows of the pad.
func (t tip) crease(cut *finger.Image, paper uint8) int {
	dark := make([]float64, cut.Height)
	for v := range dark {
		for _, p := range cut.Pix[v*cut.Width+cut.Width/5 : v*cut.Width+cut.Width*4/5] {
			dark[v] += max(0, float64(paper)-float64(p))
		}
	}
	const reach = 5 // half a ridge and a valley
	smooth := make([]float64, len(dark))
	for v := range smooth {
		rows := dark[max(0, v-reach):min(len(dark), v+reach+1)]
		for _, d := range rows {
			smooth[v] += d / float64(len(rows))
		}
	}
	first, last := margin+int(firstCrease*t.width), min(len(smooth), margin+int(lastCrease*t.width))
	pad := slices.Sorted(slices.Values(smooth[margin+int(.2*t.width) : first]))
	at := first
	for v := first; v < last; v++ {
		if smooth[v] < smooth[at] {
			at = v
		}
	}
	if smooth[at] > .65*pad[len(pad)/2] {
		return margin + int(noCrease*t.width)
	}
	return at
}

// cutOff tells whether a fingertip lies at the picture's edge.
func (g *grid) cutOff(t tip) bool {
	sin, cos := math.Sincos(t.angle)
	n := 0
	for _, b := range t.blocks {
		col, row := b%g.cols, b/g.cols
		if col > 0 && row > 0 && col < g.cols-1 && row < g.rows-1 {
			continue
		}
		dx, dy := float64(col*cell)-t.x, float64(row*cell)-t.y
		if dy*cos-dx*sin < firstCrease*t.width {
			n++
		}
	}
	return n >= leastCutOff
}

// leastCutOff is how many blocks at the edge are more than a touch.
const leastCutOff = 6

// lower is how much lower than the middle finger the tips of the others are, in
// pixels, on the hand of a grown person.
var lower = map[biometrics.Position]float64{
	biometrics.RightIndex: 170, biometrics.RightMiddle: 0, biometrics.RightRing: 120, biometrics.RightLittle: 410,
	biometrics.LeftIndex: 170, biometrics.LeftMiddle: 0, biometrics.LeftRing: 120, biometrics.LeftLittle: 410,
}

// Of a hand that is the other one, the tips lie so much worse, and by so many pixels.
const (
	worse     = 4
	leastMiss = 45
)

// mirrored tells whether the tips of three or four fingers lie as the other hand's do.
func mirrored(tips []tip, want []biometrics.Position) bool {
	if len(tips) < 3 {
		return false
	}
	tops, as, turned := make([]float64, len(tips)), make([]float64, len(tips)), make([]float64, len(tips))
	for i, t := range tips {
		tops[i], as[i], turned[i] = t.top, lower[want[i]], lower[want[len(want)-1-i]]
	}
	is, other := miss(tops, as), miss(tops, turned)
	return is > worse*other && is > leastMiss*leastMiss
}

// miss is the mean square by which tips lie off a pattern that is moved and sized to
// fit them best.
func miss(tops, pattern []float64) float64 {
	n := float64(len(tops))
	var mt, mp, tp, pp float64
	for i := range tops {
		mt, mp = mt+tops[i]/n, mp+pattern[i]/n
	}
	for i := range tops {
		tp += (tops[i] - mt) * (pattern[i] - mp)
		pp += (pattern[i] - mp) * (pattern[i] - mp)
	}
	size := min(1.4, max(.4, tp/pp)) // from a child's hand to a large one
	sum := 0.
	for i := range tops {
		off := tops[i] - mt - size*(pattern[i]-mp)
		sum += off * off / n
	}
	return sum
}
