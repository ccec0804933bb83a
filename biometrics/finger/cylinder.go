package finger

import (
	"math"
	"math/bits"
	"slices"
)

// Minutia Cylinder-Code: what stands around a minutia, as bits. Cells of 8×8
// places within 70 pixels, turned with the minutia, by 6 directions; one word a
// direction.
const (
	across     = 8
	layers     = 6
	reach      = 70.0
	step       = 2 * reach / across
	sigmaPlace = 28.0 / 3
	sigmaTurn  = 2 * math.Pi / 9
	spread     = 28 // pixels from where a minutia no longer counts for a cell: 3 sigmaPlace
	needNear   = 2  // minutiae near by, or the cylinder says nothing
	hullGrown  = 30 // pixels around the outermost minutiae that count as seen
)

// cylinder is the neighbourhood of one minutia. The zero one is like no other.
type cylinder struct {
	bits [layers]uint64
	seen uint64 // places that the print covers
}

// The sizes of tables in fixed point.
const (
	quarter = 4 // of a pixel
	unit    = 1 << 10
)

var (
	// inReach marks the places within the circle.
	inReach = func() (in uint64) {
		for c := range across * across {
			x, y := middle(c/across), middle(c%across)
			if x*x+y*y <= reach*reach {
				in |= 1 << c
			}
		}
		return in
	}()
	// leastSeen is how many places two prints must both cover, or their cylinders
	// say nothing of each other.
	leastSeen = bits.OnesCount64(inReach) / 2
	// bell is a normal curve over quarters of a pixel, 1 at its top.
	bell = func() (b [spread*quarter + 1]int32) {
		for i := range b {
			d := float64(i) / quarter
			b[i] = int32(math.Round(unit * math.Exp(-d*d/(2*sigmaPlace*sigmaPlace))))
		}
		return b
	}()
	// shares tells for each turn how much of it falls to each direction.
	shares = func() (s [circle][layers]int32) {
		area := func(d float64) float64 { return math.Erf(d/(sigmaTurn*math.Sqrt2)) / 2 }
		for turn := range circle {
			for k := range layers {
				d := float64(int8(turn))*2*math.Pi/circle - ((float64(k)+.5)*2*math.Pi/layers - math.Pi)
				d = math.Mod(d+3*math.Pi, 2*math.Pi) - math.Pi
				s[turn][k] = int32(math.Round(unit * (area(d+math.Pi/layers) - area(d-math.Pi/layers))))
			}
		}
		return s
	}()
	// bitAt is the sum from which a cell is set: 0.01 of normal curves in place.
	bitAt = int32(math.Round(.01 * sigmaPlace * math.Sqrt(2*math.Pi) * unit * unit))
)

// middle is that of a row or column of places, relative to the minutia.
func middle(i int) float64 { return (float64(i) - (across-1)/2.0) * step }

// point is a minutia as comparison sees it.
type point struct {
	x, y float32
	to   uint8 // direction, 1/256 of a turn
}

func cylindersOf(points []point) cylinders {
	all := newCylinders(len(points))
	ring := hull(points)
	for i := range points {
		all.set(i, cylinderOf(points, i, ring))
	}
	return all
}

func cylinderOf(points []point, i int, ring []edge) (c cylinder) {
	m := points[i]
	sin, cos := sines[m.to], cosines[m.to]
	var sums [layers][across * across]int32
	near := 0
	for j, n := range points {
		dx, dy := n.x-m.x, m.y-n.y // y upwards
		if j == i || float32(dx*dx)+float32(dy*dy) > (reach+spread)*(reach+spread) {
			continue
		}
		near++
		// In the frame of the minutia.
		place(&sums, float32(dx*cos)+float32(dy*sin), float32(dy*cos)-float32(dx*sin), &shares[n.to-m.to])
	}
	c.seen = covered(m, ring)
	if near < needNear || bits.OnesCount64(c.seen) < leastSeen {
		return cylinder{}
	}
	for k := range layers {
		for cell, sum := range sums[k] {
			if sum > bitAt {
				c.bits[k] |= 1 << cell
			}
		}
		c.bits[k] &= c.seen
	}
	return c
}

// place adds a minutia at a place in the frame of another.
func place(sums *[layers][across * across]int32, u, v float32, share *[layers]int32) {
	var rows, cols [across]int32
	for i := range across {
		at := float32((float32(i) - (across-1)/2.0) * step)
		rows[i], cols[i] = height(at-u), height(at-v)
	}
	for row, high := range rows {
		if high == 0 {
			continue
		}
		for col, wide := range cols {
			if wide == 0 {
				continue
			}
			v := high * wide / unit
			for k := range layers {
				sums[k][row*across+col] += v * share[k]
			}
		}
	}
}

func height(d float32) int32 {
	if i := int(float32(abs(d)*quarter) + .5); i < len(bell) {
		return bell[i]
	}
	return 0
}

// edge is one side of a convex hull: a point on it, and its unit normal outwards.
type edge struct{ x, y, outX, outY float32 }

// hull is the convex hull of points (Andrew's monotone chain).
func hull(points []point) []edge {
	sorted := slices.Clone(points)
	slices.SortFunc(sorted, func(a, b point) int {
		if a.x != b.x {
			return int(a.x - b.x)
		}
		return int(a.y - b.y)
	})
	sorted = slices.CompactFunc(sorted, func(a, b point) bool { return a.x == b.x && a.y == b.y })
	turns := func(o, a, b point) float32 {
		return float32((a.x-o.x)*(b.y-o.y)) - float32((a.y-o.y)*(b.x-o.x))
	}
	var ring []point
	for range 2 {
		start := len(ring)
		for _, p := range sorted {
			for len(ring) >= start+2 && turns(ring[len(ring)-2], ring[len(ring)-1], p) <= 0 {
				ring = ring[:len(ring)-1]
			}
			ring = append(ring, p)
		}
		ring = ring[:max(start, len(ring)-1)]
		slices.Reverse(sorted)
	}
	var edges []edge
	for i, a := range ring {
		b := ring[(i+1)%len(ring)]
		dx, dy := b.x-a.x, b.y-a.y
		if long := root(float32(dx*dx) + float32(dy*dy)); long > 0 {
			edges = append(edges, edge{a.x, a.y, dy / long, -dx / long})
		}
	}
	return edges
}

// covered are the places around a minutia that lie within the hull, or close to it.
func covered(m point, ring []edge) (seen uint64) {
	sin, cos := sines[m.to], cosines[m.to]
	for c := range across * across {
		if inReach>>c&1 == 0 {
			continue
		}
		u, v := float32((float32(c/across)-(across-1)/2.0)*step), float32((float32(c%across)-(across-1)/2.0)*step)
		x, y := m.x+float32(u*cos)-float32(v*sin), m.y-float32(u*sin)-float32(v*cos)
		in := true
		for _, e := range ring {
			if float32((x-e.x)*e.outX)+float32((y-e.y)*e.outY) > hullGrown {
				in = false
				break
			}
		}
		if in {
			seen |= 1 << c
		}
	}
	return seen
}
