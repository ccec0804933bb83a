package finger

import "math"

// What tells a minutia of the finger from one that the picture has made, in pixels.
const (
	walk      = 12 // how far a ridge is followed from a minutia
	shortSpur = 10 // a ridge between two minutiae that is shorter is none
	shortEnd  = 6  // one that ends sooner neither
	broken    = 14 // two ends that face each other so closely are one ridge, broken
	crowd     = 6  // closer than two ridges can be
	rim       = 10 // near the edge of the print every ridge seems to end
)

// found is a minutia on the skeleton, while it may still turn out to be none.
type found struct {
	at   int // pixel
	kind uint8
	to   float32 // radians, counter-clockwise
	dead bool
}

// skeleton is a picture of ridges that are lines, with what was found on them.
type skeleton struct {
	on     []bool
	w, h   int
	around [8]int  // offsets of the neighbours, clockwise from the north
	points []int32 // by pixel: 1 + the index of what was found there
	all    []found
}

// crossings is half the number of changes around a pixel: 1 at an ending, 2
// along a ridge, 3 at a bifurcation.
var crossings = func() (n [256]uint8) {
	for bits := range 256 {
		for k := range 8 {
			if bits>>k&1 == 0 && bits>>((k+1)%8)&1 == 1 {
				n[bits]++
			}
		}
	}
	return n
}()

// detect finds the minutiae of a skeleton and takes out those that the picture,
// not the finger, has made.
func detect(on []bool, w, h int, f *field) []Minutia {
	s := skeleton{on: on, w: w, h: h, around: [8]int{-w, -w + 1, 1, w + 1, w, w - 1, -1, -w - 1}, points: make([]int32, len(on))}
	kinds := [...]uint8{1: Ending, 3: Bifurcation, 4: 0}
	for y := 2; y < h-2; y++ {
		for x := 2; x < w-2; x++ {
			i := y*w + x
			if !on[i] {
				continue
			}
			if kind := kinds[crossings[around(on, w, i)]]; kind != 0 && inside(f, x, y) {
				s.all = append(s.all, found{at: i, kind: kind})
				s.points[i] = int32(len(s.all))
			}
		}
	}
	for i := range s.all {
		s.judge(&s.all[i])
	}
	s.faceEachOther()
	s.crowded()
	var minutiae []Minutia
	for _, m := range s.all {
		if m.dead {
			continue
		}
		x, y := m.at%w, m.at/w
		b := f.at(x, y)
		minutiae = append(minutiae, Minutia{X: int16(x), Y: int16(y), Direction: radians(snap(m.to, f.angle[b])), Kind: m.kind,
			Quality: uint8(min(100, max(0, 100*f.likeness[b])))})
	}
	return minutiae
}

// inside tells whether a pixel is well inside of the mask.
func inside(f *field, x, y int) bool {
	for _, d := range [8][2]int{{-rim, 0}, {rim, 0}, {0, -rim}, {0, rim}, {-rim, -rim}, {rim, -rim}, {-rim, rim}, {rim, rim}} {
		u, v := x+d[0], y+d[1]
		if u < 0 || v < 0 || u/cell >= f.cols || v/cell >= f.rows || !f.mask[f.at(u, v)] {
			return false
		}
	}
	return true
}

// branches are the pixels by which ridges leave a point: one for each run of
// neighbours.
func (s *skeleton) branches(i int) (out [4]int, n int) {
	for k := range s.around {
		if j := i + s.around[k]; s.on[j] && !s.on[i+s.around[(k+7)%8]] {
			// Of a run, the straight neighbour leads on.
			if next := i + s.around[(k+1)%8]; k%2 == 1 && s.on[next] {
				j = next
			}
			out[n] = j
			n++
		}
	}
	return out, n
}

// follow walks along a ridge. It stops at another minutia, at the ridge's end, or
// after so many steps.
func (s *skeleton) follow(from, first int) (end, steps int, met *found) {
	previous, i := from, first
	for steps = 1; steps < walk; steps++ {
		if m := s.points[i]; m != 0 {
			return i, steps, &s.all[m-1]
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
func (s *skeleton) angle(from, to int) float32 {
	return arc(float32(from/s.w-to/s.w), float32(to%s.w-from%s.w))
}

// judge finds the direction of a minutia, and whether a short ridge gives it
// away as a spur, a bridge or an island.
func (s *skeleton) judge(m *found) {
	branches, n := s.branches(m.at)
	var directions [4]float32
	for k, first := range branches[:n] {
		end, steps, met := s.follow(m.at, first)
		short := shortSpur
		if m.kind == Ending && met != nil && met.kind == Ending {
			short = walk // an island
		}
		if met != nil && met != m && steps < short {
			m.dead, met.dead = true, true
		}
		if met == nil && steps < shortEnd {
			m.dead = true
		}
		directions[k] = s.angle(m.at, end)
	}
	switch {
	case m.kind == Ending && n >= 1:
		m.to = directions[0]
	case m.kind == Bifurcation && n >= 3:
		m.to = between(directions[:3])
	default:
		m.dead = true
	}
}

// between is the direction of the valley between the two branches of a
// bifurcation that are closest to each other.
func between(d []float32) float32 {
	closest, to := float32(math.Pi*2), float32(0)
	for i := range d {
		a, b := d[i], d[(i+1)%len(d)]
		if gap := signed(a - b); abs(gap) < closest {
			closest, to = abs(gap), b+gap/2
		}
	}
	return to
}

// faceEachOther takes out the two ends of a broken ridge.
func (s *skeleton) faceEachOther() {
	for i := range s.all {
		a := &s.all[i]
		if a.kind != Ending {
			continue
		}
		for j := i + 1; j < len(s.all); j++ {
			b := &s.all[j]
			// They were found row by row.
			dx, dy := b.at%s.w-a.at%s.w, b.at/s.w-a.at/s.w
			if dy > broken {
				break
			}
			if b.kind != Ending || dx*dx+dy*dy > broken*broken || abs(signed(a.to-b.to)) < 3*math.Pi/4 {
				continue
			}
			// Each ridge must lead away from the gap.
			if gap := s.angle(a.at, b.at); dx*dx+dy*dy < 16 || abs(signed(gap-a.to)) > 2*math.Pi/3 {
				a.dead, b.dead = true, true
			}
		}
	}
}

// crowded takes out minutiae that stand closer than two ridges can.
func (s *skeleton) crowded() {
	for i := range s.all {
		a := &s.all[i]
		for j := i + 1; j < len(s.all); j++ {
			b := &s.all[j]
			dx, dy := b.at%s.w-a.at%s.w, b.at/s.w-a.at/s.w
			if dy >= crowd {
				break
			}
			if !a.dead && !b.dead && dx*dx+dy*dy < crowd*crowd {
				a.dead, b.dead = true, true
			}
		}
	}
}

// snap gives a direction the precision of the orientation field: the field says
// along which line, the traced ridge which way. The field's angles are measured
// with y downwards.
func snap(to, ridge float32) uint8 {
	along := -ridge
	if abs(signed(along-to)) > math.Pi/2 {
		along += math.Pi
	}
	return direction(along)
}

// signed brings an angle into −π to π.
func signed(a float32) float32 {
	for a < -math.Pi {
		a += 2 * math.Pi
	}
	for a > math.Pi {
		a -= 2 * math.Pi
	}
	return a
}
