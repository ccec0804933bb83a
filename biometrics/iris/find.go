package iris

import (
	"math"
	"slices"
)

// eye is what was found of one.
type eye struct {
	pupil, limbus circle
	// Middle shades of the three.
	dark, grey, white int
	upper, lower      lid
}

// Limits of what is looked for, in pixels at the working scale.
const (
	leastPupil  = 10
	mostPupil   = 150
	leastLimbus = 50
	mostLimbus  = 340
	candidates  = 14
	followed    = 8
	level       = 5 // what a pixel by which the limbus is not level with the pupil must be worth
)

// find looks for the pupil and the limbus: two dark discs, one in the other. Places
// to which many edges point are tried; those with the clearest circles are kept.
func find(full *plane) (eye, bool) {
	half := full.smaller(2)
	centres := votes(half.smaller(2))
	pupils := discs(half, centres)
	best, value, found := eye{}, 0, false
	for _, p := range pupils {
		e, v, ok := follow(full, half, p.circle)
		if ok && v > value {
			best, value, found = e, v, true
		}
	}
	if !found {
		return eye{}, false
	}
	best.lids(half)
	// Where no lid hides it, the limbus above and below tells how high the eye is.
	if which := best.visible(); len(which) > 0 {
		around := newFan(which, mostLimbus+20)
		around.home, around.hold = best.pupil.y, level
		best.limbus = refine(full, best.limbus, around, 8)
	}
	return best, true
}

// visible are the directions in which the limbus is not behind a lid.
func (e *eye) visible() (which []int) {
	for _, d := range every(8) {
		x, y := e.limbus.x+(e.limbus.r*compass[d][0])>>14, e.limbus.y+(e.limbus.r*compass[d][1])>>14
		if !e.hides(x, y) {
			which = append(which, d)
		}
	}
	return which
}

// guess is a circle that may be a pupil's edge, and how clear it is.
type guess struct {
	circle
	value int
}

// discs are the clear circles about the centres, at half the scale, the clearest
// first. About one centre there may be several: that of the pupil and the limbus.
func discs(half *plane, centres [][2]int) []guess {
	const least, most = leastPupil / 2, mostPupil / 2
	var all []guess
	around := newFan(every(directions/32), most+4)
	for _, c := range centres {
		var at [most + 2]guess
		for _, d := range [][2]int{{0, 0}, {-2, 0}, {2, 0}, {0, -2}, {0, 2}, {-2, -2}, {2, -2}, {-2, 2}, {2, 2}} {
			x, y := 2*c[0]+d[0], 2*c[1]+d[1]
			around.spread(half, x, y)
			for r := least; r <= most; r++ {
				if mean, share := around.ringStep(r, 3); mean*share > at[r].value {
					at[r] = guess{circle{x, y, r}, mean * share}
				}
			}
		}
		for r := least; r <= most; r++ {
			if v := at[r].value; v > at[r-1].value && v >= at[r+1].value {
				all = append(all, at[r])
			}
		}
	}
	slices.SortStableFunc(all, func(a, b guess) int { return b.value - a.value })
	var kept []guess
	for _, g := range all {
		same := func(k guess) bool { return abs(k.x-g.x)+abs(k.y-g.y)+abs(k.r-g.r) <= 4 }
		if len(kept) < followed && !slices.ContainsFunc(kept, same) {
			kept = append(kept, g)
		}
	}
	return kept
}

func abs(v int) int { return max(v, -v) }

// every is each so-manieth direction.
func every(step int) (which []int) {
	for d := 0; d < directions; d += step {
		which = append(which, d)
	}
	return which
}

// sides are the directions in which lids seldom hide the limbus: 45 degrees up to 50
// down, to the right first.
func sides() (which []int) {
	for d := -64; d <= 72; d += 6 {
		which = append(which, (d+directions)%directions)
	}
	for d := 256 - 72; d <= 256+64; d += 6 {
		which = append(which, d)
	}
	return which
}

// votes are the places at a quarter of the scale to which most edges point, from
// light to dark.
func votes(p *plane) (centres [][2]int) {
	if p.w < 12 || p.h < 12 {
		return nil
	}
	tally := make([]int32, p.w*p.h)
	for y := 1; y < p.h-1; y++ {
		for x := 1; x < p.w-1; x++ {
			cast(p, tally, x, y)
		}
	}
	smoothed := make([]int32, len(tally))
	for y := 1; y < p.h-1; y++ {
		for x := 1; x < p.w-1; x++ {
			sum := int32(0)
			for dy := -1; dy <= 1; dy++ {
				at := (y+dy)*p.w + x
				sum += tally[at-1] + tally[at] + tally[at+1]
			}
			smoothed[y*p.w+x] = sum
		}
	}
	for range candidates {
		at := 0
		for i, v := range smoothed {
			if v > smoothed[at] {
				at = i
			}
		}
		if smoothed[at] == 0 {
			break
		}
		x, y := at%p.w, at/p.w
		centres = append(centres, [2]int{x, y})
		for dy := max(0, y-3); dy <= min(p.h-1, y+3); dy++ {
			for dx := max(0, x-3); dx <= min(p.w-1, x+3); dx++ {
				smoothed[dy*p.w+dx] = 0
			}
		}
	}
	return centres
}

// cast lets one edge vote, against its gradient, for centres at every distance that
// a pupil's edge can have. Large circles have more edge: their votes weigh less.
func cast(p *plane, tally []int32, x, y int) {
	at := y*p.w + x
	a, b, c := p.pix[at-p.w-1:at-p.w+2], p.pix[at-1:at+2], p.pix[at+p.w-1:at+p.w+2]
	gx := int(a[2]) + 2*int(b[2]) + int(c[2]) - int(a[0]) - 2*int(b[0]) - int(c[0])
	gy := int(c[0]) + 2*int(c[1]) + int(c[2]) - int(a[0]) - 2*int(a[1]) - int(a[2])
	square := gx*gx + gy*gy
	if square < 32*32 {
		return
	}
	size := math.Sqrt(float64(square))
	dx, dy := int(float64(-gx*unit)/size), int(float64(-gy*unit)/size)
	for r := leastPupil / 4; r <= mostPupil/4; r++ {
		u, v := (x*unit+unit/2+r*dx)>>14, (y*unit+unit/2+r*dy)>>14
		if uint(u) >= uint(p.w) || uint(v) >= uint(p.h) {
			return
		}
		tally[v*p.w+u] += int32(1200 / (r + 16))
	}
}

// follow looks for the limbus about a pupil, makes both exact, and judges whether
// they are an eye's. The value compares one place with another.
func follow(full, half *plane, p circle) (e eye, value int, ok bool) {
	e.pupil = refine(full, p.scaled(2), newFan(every(8), mostPupil+12), 4)
	limbus, found := limbusAbout(half, circle{e.pupil.x / 2, e.pupil.y / 2, e.pupil.r / 2})
	if !found {
		return e, 0, false
	}
	lateral := newFan(sides(), mostLimbus+20)
	lateral.home, lateral.hold = e.pupil.y, level
	e.limbus = refine(full, limbus.scaled(2), lateral, 8)
	around := newFan(every(8), mostPupil+12)
	around.spread(full, e.pupil.x, e.pupil.y)
	step, share := around.ringStep(e.pupil.r, 4)
	lateral.spread(full, e.limbus.x, e.limbus.y)
	edge, left, right := lateral.twoSides(e.limbus.r, 8)
	if share < 75 || left < 55 || right < 55 {
		return e, 0, false
	}
	return e, step*share + edge*(left+right)/2, e.plausible(full)
}

// limbusAbout finds the circle about a pupil at which the sides become lighter, at
// half the scale. The two need not have one centre.
func limbusAbout(half *plane, p circle) (circle, bool) {
	best, value := circle{}, 0
	f := newFan(sides(), mostLimbus/2+8)
	reach := max(4, min(12, p.r/3))
	for dy := -reach; dy <= reach; dy += 2 {
		for dx := -reach; dx <= reach; dx += 2 {
			f.spread(half, p.x+dx, p.y+dy)
			off := max(dx, -dx, dy, -dy)
			for r := max(leastLimbus/2, p.r*5/4+off, p.r+off+9); r <= min(mostLimbus/2, p.r*10); r++ {
				mean, left, right := f.twoSides(r, 5)
				if v := mean * min(left, right) * (64 - abs(dy)) / 64; v > value {
					best, value = circle{p.x + dx, p.y + dy, r}, v
				}
			}
		}
	}
	return best, value > 0
}

// twoSides is ringStep for a fan of two halves, with the share of clear rays in each,
// of those within the image. Of a side outside of it nothing is known against it.
func (f *fan) twoSides(r, width int) (mean, left, right int) {
	var seen, clearly [2]int
	n := f.rays / 2
	sum := 0
	for ray := range f.rays {
		s, ok := f.step(ray, r, width)
		if !ok {
			continue
		}
		side := ray / n
		seen[side]++
		sum += max(-clipped, min(clipped, s))
		if s >= clear_ {
			clearly[side]++
		}
	}
	var shares [2]int
	for side := range shares {
		other := 1 - side
		switch {
		case 4*seen[side] >= n:
			shares[side] = 100 * clearly[side] / seen[side]
		case 4*seen[other] >= 3*n:
			shares[side] = 75 * clearly[other] / seen[other]
		default:
			return 0, 0, 0
		}
	}
	return 16 * sum / (seen[0] + seen[1]), shares[1], shares[0]
}

// refine moves a circle by single pixels to where its edge is steepest.
func refine(p *plane, c circle, f *fan, width int) circle {
	for range 6 {
		best, value := c, math.MinInt
		for _, d := range [][2]int{{0, 0}, {-1, 0}, {1, 0}, {0, -1}, {0, 1}} {
			f.spread(p, c.x+d[0], c.y+d[1])
			for r := c.r - 3; r <= c.r+3; r++ {
				if v, _ := f.ringStep(r, width); v-f.hold*abs(c.y+d[1]-f.home) > value {
					best, value = circle{c.x + d[0], c.y + d[1], r}, v-f.hold*abs(c.y+d[1]-f.home)
				}
			}
		}
		if best == c {
			break
		}
		c = best
	}
	return c
}

// plausible asks whether what lies in and about the circles is a pupil, an iris and
// the white of an eye: a dark disc of one shade, something lighter about it, and
// something lighter still beside it. Noise, text and ridges have steps too.
func (e *eye) plausible(p *plane) bool {
	apart := abs(e.pupil.x-e.limbus.x) + abs(e.pupil.y-e.limbus.y)
	if e.limbus.r < leastLimbus || e.pupil.r < leastPupil || e.pupil.r*100 > e.limbus.r*80 || e.pupil.r*100 < e.limbus.r*14 ||
		apart*10 > e.limbus.r*3 {
		return false
	}
	var pupil, iris, white [256]int
	core := e.pupil.r * 8 / 10
	for dy := -core; dy <= core; dy += max(1, core/16) {
		for dx := -core; dx <= core; dx += max(1, core/16) {
			if dx*dx+dy*dy <= core*core {
				p.count(&pupil, e.pupil.x+dx, e.pupil.y+dy)
			}
		}
	}
	for _, d := range sides() {
		cos, sin := compass[d][0], compass[d][1]
		for r := e.pupil.r * 12 / 10; r < e.limbus.r*9/10; r++ {
			p.count(&iris, e.limbus.x+(r*cos)>>14, e.limbus.y+(r*sin)>>14)
		}
		for r := e.limbus.r * 108 / 100; r < e.limbus.r*120/100; r++ {
			p.count(&white, e.limbus.x+(r*cos)>>14, e.limbus.y+(r*sin)>>14)
		}
	}
	e.dark, e.grey, e.white = middle(&pupil, 50), middle(&iris, 50), middle(&white, 50)
	spread := middle(&pupil, 70) - middle(&pupil, 30)
	wide := middle(&iris, 75) - middle(&iris, 25)
	return e.grey-e.dark >= 10 && e.white-e.grey >= 6 && spread*3 <= e.grey-e.dark+12 && wide <= (e.white-e.dark)/2
}

// count adds a pixel to a histogram.
func (p *plane) count(histogram *[256]int, x, y int) {
	if uint(x) < uint(p.w) && uint(y) < uint(p.h) {
		histogram[p.pix[y*p.w+x]]++
	}
}

// middle is the value below which so many per cent lie.
func middle(histogram *[256]int, percent int) int {
	total := 0
	for _, n := range histogram {
		total += n
	}
	sum := 0
	for v, n := range histogram {
		if sum += n; sum*100 >= total*percent {
			return v
		}
	}
	return 255
}
