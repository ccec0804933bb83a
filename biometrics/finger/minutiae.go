package finger

import "math"

// walk is how far a ridge is followed from a minutia, in pixels.
const walk = 16

// found is a minutia on the skeleton, while it may still turn out to be none.
type found struct {
	at   int // pixel
	kind uint8
	dir  float64
	dead bool
}

// neighbours of a pixel, clockwise from the north.
func neighbours(w int) [8]int { return [8]int{-w, -w + 1, 1, w + 1, w, w - 1, -1, -w - 1} }

// crossings is half the number of changes around a pixel: 1 at an ending, 2
// along a ridge, 3 at a bifurcation.
func crossings(on []bool, around [8]int, i int) int {
	n := 0
	for k := range around {
		n += one(!on[i+around[k]] && on[i+around[(k+1)%8]])
	}
	return n
}

// detect finds the minutiae of a skeleton and takes out those that the picture,
// not the finger, has made.
func detect(on []bool, w, h int, f *field) []Minutia {
	around := neighbours(w)
	points := make(map[int]*found)
	var all []*found
	for y := 2; y < h-2; y++ {
		for x := 2; x < w-2; x++ {
			i := y*w + x
			if !on[i] {
				continue
			}
			kind := uint8(0)
			switch crossings(on, around, i) {
			case 1:
				kind = Ending
			case 3:
				kind = Bifurcation
			}
			if kind != 0 && inside(f, x, y) {
				m := &found{at: i, kind: kind}
				points[i] = m
				all = append(all, m)
			}
		}
	}
	s := skeleton{on: on, w: w, h: h, around: around, points: points}
	for _, m := range all {
		s.judge(m)
	}
	s.faceEachOther(all)
	s.crowded(all)
	var minutiae []Minutia
	for _, m := range all {
		if m.dead {
			continue
		}
		x, y := m.at%w, m.at/w
		minutiae = append(minutiae, Minutia{X: int16(x), Y: int16(y), Direction: float32(snap(m.dir, float64(f.angle[f.at(x, y)]))),
			Kind: m.kind, Quality: quality(f, x, y)})
	}
	return minutiae
}

// inside tells whether a pixel is well inside of the mask: at its edge every
// ridge seems to end.
func inside(f *field, x, y int) bool {
	const margin = 14
	for _, d := range [8][2]int{{-margin, 0}, {margin, 0}, {0, -margin}, {0, margin}, {-10, -10}, {10, -10}, {-10, 10}, {10, 10}} {
		u, v := x+d[0], y+d[1]
		if u < 0 || v < 0 || u/cell >= f.cols || v/cell >= f.rows || !f.mask[f.at(u, v)] {
			return false
		}
	}
	return true
}

type skeleton struct {
	on     []bool
	w, h   int
	around [8]int
	points map[int]*found
}

// branches are the pixels by which ridges leave a point: one for each run of
// neighbours.
func (s *skeleton) branches(i int) []int {
	var out []int
	for k := range s.around {
		if j := i + s.around[k]; s.on[j] && !s.on[i+s.around[(k+7)%8]] {
			// Of a run, the straight neighbour leads on.
			if next := i + s.around[(k+1)%8]; k%2 == 1 && s.on[next] {
				j = next
			}
			out = append(out, j)
		}
	}
	return out
}

// follow walks along a ridge. It stops at another minutia, at the ridge's end, or
// after so many steps.
func (s *skeleton) follow(from, first int) (end, steps int, met *found) {
	previous, i := from, first
	for steps = 1; steps < walk; steps++ {
		if m, ok := s.points[i]; ok {
			return i, steps, m
		}
		next := -1
		for _, d := range s.around {
			j := i + d
			if s.on[j] && j != previous && !s.touches(j, previous) {
				next = j
				break
			}
		}
		if next < 0 {
			for _, d := range s.around {
				if j := i + d; s.on[j] && j != previous && j != from {
					next = j
					break
				}
			}
		}
		if x := i % s.w; next < 0 || x < 2 || x >= s.w-2 || i/s.w < 2 || i/s.w >= s.h-2 {
			return i, steps, nil
		}
		previous, i = i, next
	}
	return i, steps, nil
}

func (s *skeleton) touches(i, j int) bool {
	dx, dy := i%s.w-j%s.w, i/s.w-j/s.w
	return max(dx, -dx) <= 1 && max(dy, -dy) <= 1
}

// angle is the direction from one pixel to another, counter-clockwise.
func (s *skeleton) angle(from, to int) float64 {
	return whole(math.Atan2(float64(from/s.w-to/s.w), float64(to%s.w-from%s.w)))
}

// judge finds the direction of a minutia, and whether a short ridge gives it
// away as a spur, a bridge or an island.
func (s *skeleton) judge(m *found) {
	branches := s.branches(m.at)
	var directions []float64
	for _, first := range branches {
		end, steps, met := s.follow(m.at, first)
		short := 10
		if m.kind == Ending && met != nil && met.kind == Ending {
			short = walk // an island
		}
		if met != nil && met != m && steps < short {
			m.dead, met.dead = true, true
		}
		if met == nil && steps < 6 {
			m.dead = true
		}
		directions = append(directions, s.angle(m.at, end))
	}
	switch {
	case m.kind == Ending && len(directions) >= 1:
		m.dir = directions[0]
	case m.kind == Bifurcation && len(directions) >= 3:
		m.dir = between(directions[:3])
	default:
		m.dead = true
	}
}

// between is the direction of the valley between the two branches of a
// bifurcation that are closest to each other.
func between(d []float64) float64 {
	best, dir := math.Inf(1), 0.0
	for i := range d {
		a, b := d[i], d[(i+1)%len(d)]
		if gap := math.Abs(signed(a - b)); gap < best {
			best, dir = gap, whole(b+signed(a-b)/2)
		}
	}
	return dir
}

// faceEachOther takes out the two ends of a broken ridge.
func (s *skeleton) faceEachOther(all []*found) {
	for i, a := range all {
		if a.kind != Ending {
			continue
		}
		for _, b := range all[i+1:] {
			if b.kind != Ending {
				continue
			}
			dx, dy := float64(b.at%s.w-a.at%s.w), float64(b.at/s.w-a.at/s.w)
			distance := math.Hypot(dx, dy)
			if distance > 14 || math.Abs(signed(a.dir-b.dir)) < 3*math.Pi/4 {
				continue
			}
			// Each ridge must lead away from the gap.
			if gap := s.angle(a.at, b.at); distance < 4 || math.Abs(signed(gap-a.dir)) > 2*math.Pi/3 {
				a.dead, b.dead = true, true
			}
		}
	}
}

// crowded takes out minutiae that stand closer than two ridges can.
func (s *skeleton) crowded(all []*found) {
	for i, a := range all {
		for _, b := range all[i+1:] {
			dx, dy := b.at%s.w-a.at%s.w, b.at/s.w-a.at/s.w
			if !a.dead && !b.dead && dx*dx+dy*dy < 36 {
				a.dead, b.dead = true, true
			}
		}
	}
}

// snap gives a direction the precision of the orientation field: the field says
// along which line, the traced ridge which way. The field's angles are measured
// with y downwards.
func snap(dir, ridge float64) float64 {
	along := whole(-ridge)
	if math.Abs(signed(along-dir)) > math.Pi/2 {
		along = whole(along + math.Pi)
	}
	return along
}

// whole brings an angle into 0 to 2π.
func whole(a float64) float64 {
	a = math.Mod(a, 2*math.Pi)
	if a < 0 {
		a += 2 * math.Pi
	}
	// Rounding to float32 later must not reach 2π.
	if a > 2*math.Pi-1e-6 {
		a = 0
	}
	return a
}

// signed brings an angle into −π to π.
func signed(a float64) float64 {
	a = math.Mod(a+math.Pi, 2*math.Pi)
	if a < 0 {
		a += 2 * math.Pi
	}
	return a - math.Pi
}

func quality(f *field, x, y int) uint8 {
	return uint8(min(100, max(0, 100*f.coherence[f.at(x, y)])))
}
