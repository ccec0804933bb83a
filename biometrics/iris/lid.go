package iris

// lid is a parabola: y = height + slant·u + curve·u², with u = x/r from the centre of
// the limbus, all in 1/64 of its radius; seen tells whether there is one across it.
type lid struct {
	seen                 bool
	height, slant, curve int
}

// at is where the lid is, at u.
func (l lid) at(u int) int { return l.height + l.slant*u/64 + l.curve*u*u/4096 }

// lids looks for the edges of both lids across the iris, at half the scale.
func (e *eye) lids(half *plane) {
	limbus, pupil := circle{e.limbus.x / 2, e.limbus.y / 2, e.limbus.r / 2}, circle{e.pupil.x / 2, e.pupil.y / 2, e.pupil.r / 2}
	for side, found := range []*lid{&e.upper, &e.lower} {
		best := 0
		for curve := 0; curve <= 40; curve += 5 {
			for slant := -16; slant <= 16; slant += 8 {
				for height := 16; height <= 64; height += 2 {
					l := lid{true, -height, slant, curve}
					if side == 1 {
						l = lid{true, height, slant, -curve}
					}
					if value := l.edge(half, limbus, pupil); value > best {
						best, *found = value, l
					}
				}
			}
		}
	}
}

const (
	leastOfLid = 8  // samples of a lid's edge within the iris
	clearLid   = 10 // a step that is a lid's
)

// edge tells how clear a step there is along a lid, where it crosses the iris and is
// not near the pupil; 0 where there is none. Lids are lighter or darker than the iris.
func (l lid) edge(p *plane, limbus, pupil circle) int {
	sum, n, up, down := 0, 0, 0, 0
	for u := -60; u <= 60; u += 4 {
		dx, dy := u*limbus.r/64, l.at(u)*limbus.r/64
		x, y := limbus.x+dx, limbus.y+dy
		if within(pupil, x, y, -pupil.r/10) { // through an eye that is nearly closed no pupil is found
			return 0
		}
		if (dx*dx+dy*dy)*64 > limbus.r*limbus.r*58 || within(pupil, x, y, 4) || x < 0 || x >= p.w || y < 3 || y+3 >= p.h {
			continue
		}
		at := y*p.w + x
		step := (int(p.pix[at+p.w]) + int(p.pix[at+2*p.w]) + int(p.pix[at+3*p.w]) -
			int(p.pix[at-p.w]) - int(p.pix[at-2*p.w]) - int(p.pix[at-3*p.w])) / 3
		if n++; step >= clear_ {
			down++
		} else if step <= -clear_ {
			up++
		}
		sum += max(-clipped, min(clipped, step))
	}
	if sum = abs(sum); n < leastOfLid || sum < clearLid*n || 4*max(up, down) < 3*n {
		return 0
	}
	return sum * min(n, 16) / n
}

// within tells whether a place is in a circle, or less than so many pixels from it.
func within(c circle, x, y, margin int) bool {
	dx, dy, r := x-c.x, y-c.y, c.r+margin
	return dx*dx+dy*dy < r*r
}

// hides tells whether a lid, or its shadow, lies before a place.
func (e *eye) hides(x, y int) bool {
	u, v := (x-e.limbus.x)*64/e.limbus.r, (y-e.limbus.y)*64/e.limbus.r
	const shadow = 3
	return e.upper.seen && v < e.upper.at(u)+shadow || e.lower.seen && v > e.lower.at(u)-shadow
}
