package finger

import "slices"

// When two minutiae that lie on one another count as one: pixels, 1/256 of a turn.
const (
	nearEnough = 13
	turnEnough = 18
	seeds      = 4 // pairs by which one print is laid over the other
	prior      = 8 // minutiae that might have met: a small overlap proves little
)

// laid is how one print lies on the other: turned counter-clockwise, the point
// (px, py) of a on (qx, qy) of b.
type laid struct {
	turn           uint8 // 1/256
	px, py, qx, qy float32
}

// overlaid lays one print over the other by each of the best pairs, and tells how
// many minutiae meet, of those that could, and how well the ridges run together: 0
// to about 1. The pairs that met at best are left in s.met.
func (s *scratch) overlaid(a, b *Template) float32 {
	var best float32
	s.met = s.met[:0]
	for _, seed := range s.pairs[:min(seeds, len(s.pairs))] {
		p, q := a.points[seed.a], b.points[seed.b]
		l := laid{q.to - p.to, p.x, p.y, q.x, q.y}
		share := s.meet(a, b, l, nearEnough)
		if len(s.meeting) >= 4 {
			// Once more, by all that met, and not so far.
			l = s.refit(a, b)
			share = s.meet(a, b, l, nearEnough*4/5)
		}
		if share <= best {
			continue
		}
		if v := share * a.flow.agree(b.flow, l); v > best {
			best = v
			s.met, s.meeting = s.meeting, s.met
		}
	}
	return best
}

// refit is the motion that lays the pairs that met on one another best.
func (s *scratch) refit(a, b *Template) laid {
	var l laid
	for _, p := range s.meeting {
		m, n := a.points[p.a], b.points[p.b]
		l.px, l.py, l.qx, l.qy = l.px+m.x, l.py+m.y, l.qx+n.x, l.qy+n.y
	}
	k := float32(len(s.meeting))
	l.px, l.py, l.qx, l.qy = l.px/k, l.py/k, l.qx/k, l.qy/k
	var along, across float32
	for _, p := range s.meeting {
		m, n := a.points[p.a], b.points[p.b]
		ux, uy, vx, vy := m.x-l.px, l.py-m.y, n.x-l.qx, l.qy-n.y
		along += float32(ux*vx) + float32(uy*vy)
		across += float32(ux*vy) - float32(uy*vx)
	}
	l.turn = direction(arc(across, along))
	return l
}

// meet lays a on b and finds the minutiae that meet, each with the nearest. It tells
// their share of those that could.
func (s *scratch) meet(a, b *Template, l laid, near float32) float32 {
	sin, cos := sines[l.turn], cosines[l.turn]
	clear(s.usedB[:])
	s.meeting = s.meeting[:0]
	var met float32
	couldA, couldB := 0, 0
	for i, m := range a.points {
		dx, dy := m.x-l.px, l.py-m.y
		x, y := l.qx+float32(dx*cos)-float32(dy*sin), l.qy-float32(dx*sin)-float32(dy*cos)
		if !b.box.holds(x, y) {
			continue
		}
		couldA++
		// Far from where they are laid on one another, skin has stretched.
		slack := near * min(1.4, .6+root(float32(dx*dx)+float32(dy*dy))/160)
		at, closest := -1, slack*slack
		to := m.to + l.turn
		for _, n := range b.across.from(x - slack) {
			awayX, awayY := n.x-x, n.y-y
			if awayX > slack {
				break
			}
			d := float32(awayX*awayX) + float32(awayY*awayY)
			if d < closest && !s.usedB[n.index] && apart(n.to, to) < turnEnough {
				at, closest = int(n.index), d
			}
		}
		if at >= 0 {
			s.usedB[at] = true
			met += 1 - root(closest)/(2*slack)
			s.meeting = append(s.meeting, pair{a: i, b: at})
		}
	}
	for _, n := range b.points {
		dx, dy := n.x-l.qx, l.qy-n.y
		if a.box.holds(l.px+float32(dx*cos)+float32(dy*sin), l.py+float32(dx*sin)-float32(dy*cos)) {
			couldB++
		}
	}
	return met / (root(float32(couldA*couldB)) + prior)
}

// row are the minutiae of a print from left to right, so that only those near a place
// need be looked at.
type row struct {
	points []placed
	first  [maxSide/rowStep + 2]uint8 // by rowStep pixels: the first that is not left of there
}

type placed struct {
	point
	index uint8
}

const rowStep = 16

func rowOf(points []point) (r row) {
	for i, p := range points {
		r.points = append(r.points, placed{p, uint8(i)})
	}
	slices.SortStableFunc(r.points, func(a, b placed) int { return int(a.x) - int(b.x) })
	at := 0
	for k := range r.first {
		for at < len(r.points) && r.points[at].x < float32(k*rowStep) {
			at++
		}
		r.first[k] = uint8(at)
	}
	return r
}

// from are those that may be right of a place.
func (r *row) from(x float32) []placed {
	return r.points[r.first[min(max(0, int(x)), maxSide)/rowStep]:]
}

// apart is the angle between two directions, in 1/256 of a turn.
func apart(a, b uint8) uint8 { return min(a-b, b-a) }

// box is where the minutiae of a print are, with what a minutia may be off.
type box struct{ left, top, right, bottom float32 }

func boxOf(points []point) (b box) {
	for i, p := range points {
		if i == 0 {
			b = box{p.x, p.y, p.x, p.y}
		}
		b = box{min(b.left, p.x), min(b.top, p.y), max(b.right, p.x), max(b.bottom, p.y)}
	}
	return box{b.left - nearEnough, b.top - nearEnough, b.right + nearEnough, b.bottom + nearEnough}
}

func (b *box) holds(x, y float32) bool {
	return x >= b.left && x <= b.right && y >= b.top && y <= b.bottom
}
