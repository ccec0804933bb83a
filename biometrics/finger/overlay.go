package finger

import "math"

// When two minutiae that lie on one another count as one.
const (
	nearEnough = 13.0
	turnEnough = .45
	seeds      = 6
)

// overlaid lays one print over the other by each of the best pairs, and tells
// how many minutiae meet, of those that could: 0 to about 1.
func (s *scratch) overlaid(a, b Template) float64 {
	best := 0.0
	for _, seed := range s.pairs[:min(seeds, len(s.pairs))] {
		best = max(best, s.meet(a, b, seed))
	}
	return best
}

func (s *scratch) meet(a, b Template, seed pair) float64 {
	p, q := a.minutiae[seed.a], b.minutiae[seed.b]
	turn := float64(q.Direction - p.Direction)
	sin, cos := math.Sincos(turn)
	clear(s.usedB[:])
	met, overlapA := 0.0, 0
	boxA := extent(b.minutiae)
	for _, m := range a.minutiae {
		dx, dy := float64(m.X-p.X), float64(p.Y-m.Y)
		x, y := float64(q.X)+dx*cos-dy*sin, float64(q.Y)-(dx*sin+dy*cos)
		if x < boxA[0]-nearEnough || x > boxA[2]+nearEnough || y < boxA[1]-nearEnough || y > boxA[3]+nearEnough {
			continue
		}
		overlapA++
		direction := float64(m.Direction) + turn
		// Far from the seed, skin has stretched.
		slack := nearEnough * min(1.4, .6+math.Sqrt(dx*dx+dy*dy)/160)
		at, closest := -1, slack*slack
		for j, n := range b.minutiae {
			if s.usedB[j] {
				continue
			}
			awayX, awayY := float64(n.X)-x, float64(n.Y)-y
			if d := awayX*awayX + awayY*awayY; d < closest && math.Abs(signed(float64(n.Direction)-direction)) < turnEnough {
				at, closest = j, d
			}
		}
		if at >= 0 {
			s.usedB[at] = true
			met += 1 - math.Sqrt(closest)/(2*slack)
		}
	}
	overlapB := 0
	boxB := extent(a.minutiae)
	for _, n := range b.minutiae {
		dx, dy := float64(n.X-q.X), float64(q.Y-n.Y)
		x, y := float64(p.X)+dx*cos+dy*sin, float64(p.Y)-(-dx*sin+dy*cos)
		if x >= boxB[0]-nearEnough && x <= boxB[2]+nearEnough && y >= boxB[1]-nearEnough && y <= boxB[3]+nearEnough {
			overlapB++
		}
	}
	// A small overlap proves little, however well it fits.
	return met / (math.Sqrt(float64(overlapA*overlapB)) + 6)
}

// extent is the box around minutiae.
func extent(minutiae []Minutia) [4]float64 {
	box := [4]float64{math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)}
	for _, m := range minutiae {
		x, y := float64(m.X), float64(m.Y)
		box = [4]float64{min(box[0], x), min(box[1], y), max(box[2], x), max(box[3], y)}
	}
	return box
}
