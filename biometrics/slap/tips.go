package slap

import (
	"cmp"
	"math"
	"slices"
)

// tip is one finger, in blocks.
type tip struct {
	number uint8 // from 1, from left to right
	blocks []int
	angle  float64 // radians by which it leans clockwise (y downwards)
	x, y   float64 // the middle of its top, in the picture
	width  float64 // pixels
	top    float64 // how low its top is in the hand's frame
}

// How far a hand may be turned, and how exactly that is sought.
const (
	mostTurn = 50 // degrees
	stepTurn = 2
	mostGaps = 3 // between four fingers
)

// tips finds the fingers, from left to right.
func (g *grid) tips() []tip {
	var points []int
	for b, on := range g.on {
		if on {
			points = append(points, b)
		}
	}
	if len(points) == 0 {
		return nil
	}
	turn, best := 0., -1.
	for _, degrees := range turnsFromTheMiddle() {
		angle := degrees * math.Pi / 180
		_, clear := g.columns(points, angle)
		// Between equally clear ones, the less turned.
		if clear > best+.02 {
			turn, best = angle, clear
		}
	}
	var found []tip
	for range 2 {
		found = nil
		for _, part := range g.parts() {
			cuts, _ := g.columns(part, turn)
			found = append(found, g.apart(part, turn, cuts)...)
		}
		found = g.joined(found, turn)
		turn = lean(found, turn)
	}
	for i := range found {
		found[i].number = uint8(i + 1)
		found[i].place(g, turn)
	}
	g.owner = make([]uint8, len(g.on))
	for _, t := range found {
		for _, b := range t.blocks {
			g.owner[b] = t.number
		}
	}
	return found
}

func turnsFromTheMiddle() (all []float64) {
	for d := 0.; d <= mostTurn; d += stepTurn {
		all = append(all, d, -d)
	}
	return all
}

// across is where a block stands when fingers that lean clockwise by an angle are seen
// upright, in blocks from left to right, and how low.
func (g *grid) across(b int, angle float64) (x, y float64) {
	sin, cos := math.Sincos(angle)
	u, v := float64(b%g.cols-g.cols/2), float64(b/g.cols-g.rows/2)
	return u*cos + v*sin, v*cos - u*sin
}

// columns finds where fingers are apart, seen upright by an angle, and how clearly:
// for each gap up to 1, and a little for its width.
func (g *grid) columns(points []int, angle float64) (cuts []float64, clear float64) {
	const middle = 400
	var count [2 * middle]float64
	for _, b := range points {
		x, _ := g.across(b, angle)
		count[min(2*middle-1, max(0, int(math.Round(x))+middle))]++
	}
	var smooth [2 * middle]float64
	for i := 1; i < len(count)-1; i++ {
		smooth[i] = (count[i-1] + 2*count[i] + count[i+1]) / 4
	}
	type gap struct{ at, depth, wide float64 }
	var gaps []gap
	for _, peak := range peaks(smooth[:]) {
		if len(gaps) > 0 || peak.before > 0 {
			gaps = append(gaps, gap{peak.valley - middle, peak.depth, peak.wide})
		}
	}
	slices.SortFunc(gaps, func(a, b gap) int { return cmp.Compare(b.depth, a.depth) })
	// One more than there should be is told, not hidden.
	for i, gap := range gaps {
		cuts = append(cuts, gap.at)
		if i < mostGaps {
			clear += gap.depth + min(.25, gap.wide/80)
		}
	}
	slices.Sort(cuts)
	return cuts, clear
}

// rise is a peak of a profile after a valley.
type rise struct{ before, valley, depth, wide float64 }

// How wide fingers are, the least in blocks, and how deep a valley between two is.
const (
	leastWide  = 10
	mostWide   = 640 // pixels: an inch and a quarter
	leastDepth = .4
)

// peaks finds the hills of a profile that valleys part: each with the valley before it.
func peaks(profile []float64) (all []rise) {
	var hill, floor float64 // the height of the hill before; of the valley since
	var at, wide, start float64
	rising := false
	for i, v := range profile {
		x := float64(i)
		switch {
		case !rising && v >= 4 && len(all) == 0:
			rising, hill, start = true, v, x
			all = append(all, rise{})
		case rising && v > hill:
			hill = v
		case rising && v < (1-leastDepth)*hill:
			if x-start < leastWide {
				// Too narrow for a finger: the foot of the next.
				continue
			}
			rising, floor, at, wide = false, v, x, 0
		case !rising && len(all) > 0 && v < floor:
			floor, at, wide = v, x, 1
		case !rising && len(all) > 0 && v == floor:
			wide++
		case !rising && len(all) > 0 && v*(1-leastDepth) > floor && v >= 8:
			all = append(all, rise{hill, at + wide/2, 1 - floor/min(hill, v), wide})
			rising, hill, start = true, v, x
		}
	}
	return all
}

// apart gives each finger its blocks.
func (g *grid) apart(points []int, angle float64, cuts []float64) []tip {
	groups := make([]tip, len(cuts)+1)
	for _, b := range points {
		x, _ := g.across(b, angle)
		n, _ := slices.BinarySearch(cuts, x)
		groups[n].blocks = append(groups[n].blocks, b)
	}
	groups = slices.DeleteFunc(groups, func(t tip) bool { return len(t.blocks) < leastPart })
	return groups
}

// direct finds by which angle a finger leans: its long axis, if it has one.
func (t *tip) direct(g *grid, about float64) {
	var mx, my, xx, yy, xy float64
	n := float64(len(t.blocks))
	for _, b := range t.blocks {
		mx, my = mx+float64(b%g.cols)/n, my+float64(b/g.cols)/n
	}
	for _, b := range t.blocks {
		x, y := float64(b%g.cols)-mx, float64(b/g.cols)-my
		xx, yy, xy = xx+x*x/n, yy+y*y/n, xy+x*y/n
	}
	spread := math.Hypot(xx-yy, 2*xy)
	t.angle = about
	// Long by a quarter.
	if long, short := xx+yy+spread, xx+yy-spread; long > 1.56*short {
		// Of the axis, from the upright, clockwise.
		axis := math.Atan2(2*xy, xx-yy)/2 + math.Pi/2
		if axis > math.Pi/2 {
			axis -= math.Pi
		}
		if math.Abs(axis-about) < math.Pi/6 {
			t.angle = axis
		}
	}
}

// span is where a part of a finger lies, seen upright, in blocks.
type span struct{ left, right, top, bottom float64 }

func (s span) middle() float64 { return (s.left + s.right) / 2 }

func (g *grid) span(blocks []int, turn float64) span {
	s := span{math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)}
	for _, b := range blocks {
		x, y := g.across(b, turn)
		s = span{min(s.left, x), max(s.right, x), min(s.top, y), max(s.bottom, y)}
	}
	return s
}

// joined puts what lies below a crease to the finger above it, and orders the fingers
// from left to right.
func (g *grid) joined(parts []tip, turn float64) []tip {
	slices.SortFunc(parts, func(a, b tip) int {
		return cmp.Compare(g.span(a.blocks, turn).top, g.span(b.blocks, turn).top)
	})
	var fingers []tip
	var heads []span // of the part of each that is highest
	for _, part := range parts {
		here := g.span(part.blocks, turn)
		at, closest := -1, math.Inf(1)
		for i, head := range heads {
			beside := math.Abs(here.middle()-head.middle()) / (head.right - head.left)
			// The crease is open by three blocks or none; leaning, the parts overlap.
			if beside < min(closest, mostBeside) && here.top > g.span(fingers[i].blocks, turn).bottom-8 {
				at, closest = i, beside
			}
		}
		if at < 0 {
			fingers, heads = append(fingers, part), append(heads, here)
			continue
		}
		fingers[at].blocks = append(fingers[at].blocks, part.blocks...)
	}
	for i := range fingers {
		fingers[i].direct(g, turn)
	}
	slices.SortFunc(fingers, func(a, b tip) int {
		return cmp.Compare(g.span(a.blocks, turn).middle(), g.span(b.blocks, turn).middle())
	})
	return fingers
}

// mostBeside is how far, in widths, the bones of one finger lie beside one another.
const mostBeside = .5

// lean is by which angle most fingers of a hand lean.
func lean(tips []tip, about float64) float64 {
	if len(tips) == 0 {
		return about
	}
	sum := 0.
	for _, t := range tips {
		sum += t.angle
	}
	return sum / float64(len(tips))
}

// place finds the top of a finger, by its own angle, and where that is in the hand.
func (t *tip) place(g *grid, hand float64) {
	lines := make(map[int][]float64)
	for _, b := range t.blocks {
		x, y := g.across(b, t.angle)
		line := int(math.Floor(y))
		lines[line] = append(lines[line], x)
	}
	var order []int
	var widths []float64
	for line, xs := range lines {
		order = append(order, line)
		widths = append(widths, slices.Max(xs)-slices.Min(xs)+1)
	}
	slices.Sort(order)
	slices.Sort(widths)
	t.width = min(mostWide, max(leastWide*cell, widths[len(widths)*4/5]*cell))
	top := order[0]
	for _, line := range order {
		if len(lines[line]) >= 4 {
			top = line
			break
		}
	}
	// The middle of the pad, not of the very top, which may lean.
	middle, n := 0., 0.
	for line, xs := range lines {
		if line >= top && float64(line-top)*cell < t.width {
			middle, n = middle+(slices.Max(xs)+slices.Min(xs))/2, n+1
		}
	}
	sin, cos := math.Sincos(t.angle)
	u, v := middle/max(1, n), float64(top)
	dx, dy := u*cos-v*sin, u*sin+v*cos
	t.x, t.y = (dx+float64(g.cols/2)+.5)*cell, (dy+float64(g.rows/2)+.5)*cell
	sin, cos = math.Sincos(hand)
	t.top = (dy*cos - dx*sin) * cell
}
