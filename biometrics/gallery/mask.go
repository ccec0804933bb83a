package gallery

import (
	"math"
	"math/bits"
	"slices"
)

// beyond is how far outside of all minutiae a place may be and still be taken for
// a part of the print, in pixels (MCC, section 3.1, where it is Ω).
const beyond = 50

const (
	bearings = 64
	margins  = 70 - beyond // pixels: no place is further from its minutia than 70
)

// outside are the places of a minutia that lie beyond a straight edge of the print,
// by the bearing of the edge in the frame of the minutia and its distance.
var outside = func() (out [bearings][margins]uint64) {
	for bearing := range out {
		sin, cos := sines[bearing*256/bearings], sines[(bearing*256/bearings+64)%256]
		for distance := range out[bearing] {
			for place, m := range placeMiddle {
				if (m[0]*cos+m[1]*sin)>>waveBits > int32(distance+beyond)*quarters {
					out[bearing][distance] |= 1 << place
				}
			}
		}
	}
	return out
}()

const everywhere = 1<<places - 1

// within tells for each point which places of its neighbourhood lie within the
// print, as far as its points show it.
func within(points []point) []uint64 {
	valid := make([]uint64, len(points))
	for i := range valid {
		valid[i] = everywhere
	}
	hull := hullOf(points)
	if len(hull) < 3 {
		return valid
	}
	for i, a := range hull {
		b := hull[(i+1)%len(hull)]
		dx, dy := float64(b.x()-a.x()), float64(a.y()-b.y()) // y upwards
		long := math.Sqrt(float64(dx*dx) + float64(dy*dy))
		// Outwards is to the left of the way round.
		bearing := int(math.Round(math.Atan2(dx, -dy) * 256 / (2 * math.Pi)))
		near := long * margins
		for k, p := range points {
			// Inwards, times long. Most minutiae lie far inside.
			away := float64(float64(p.x()-a.x())*dy) + float64(float64(p.y()-a.y())*dx)
			if away < near {
				distance := max(0, int(away/long))
				valid[k] &^= outside[uint8(bearing-int(p.direction())+128/bearings)>>2][distance]
			}
		}
	}
	return valid
}

// hullOf are the corners of the smallest convex figure around points (Andrew's
// monotone chain).
func hullOf(points []point) []point {
	// x and y are the high bits: as plain numbers points are in order.
	sorted := slices.Clone(points)
	for i := range sorted {
		sorted[i] &^= 0xff
	}
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)
	if len(sorted) < 3 {
		return sorted
	}
	hull := make([]point, 0, len(sorted)+1)
	for _, p := range sorted {
		hull = appendCorner(hull, 1, p)
	}
	least := len(hull)
	for _, p := range slices.Backward(sorted[:len(sorted)-1]) {
		hull = appendCorner(hull, least, p)
	}
	return hull[:len(hull)-1]
}

// appendCorner adds a corner after those, beyond the least that stay, between which
// the way bends outwards.
func appendCorner(hull []point, least int, p point) []point {
	for len(hull) > least && turn(hull[len(hull)-2], hull[len(hull)-1], p) <= 0 {
		hull = hull[:len(hull)-1]
	}
	return append(hull, p)
}

// turn tells to which side a way over three points bends.
func turn(a, b, c point) int32 {
	return (b.x()-a.x())*(c.y()-a.y()) - (b.y()-a.y())*(c.x()-a.x())
}

// spreadOut makes of the places that count the cells that do: every layer alike.
func spreadOut(valid uint64) (c code) {
	for k := range turns {
		at := k * places
		c[at/64] |= valid << (at % 64)
		if at%64 > 64-places {
			c[at/64+1] |= valid >> (64 - at%64)
		}
	}
	return c
}

// roots are square roots of bit counts, times 1,024.
var roots = func() (r [cells + 1]int32) {
	for i := range r {
		r[i] = int32(math.Round(math.Sqrt(float64(i)) * 1024))
	}
	return r
}()

// leastValid is how many places two neighbourhoods must have in common.
const leastValid = places / 2

// similar tells how alike two neighbourhoods are where both are within their print,
// from 0 to 1,024.
func similar(a *code, b []uint64, valid uint64) int32 {
	if bits.OnesCount64(valid) < leastValid {
		return 0
	}
	mask := spreadOut(valid)
	var differ, mine, theirs int
	for w, m := range mask {
		p, q := a[w]&m, b[w]&m
		differ += bits.OnesCount64(p ^ q)
		mine += bits.OnesCount64(p)
		theirs += bits.OnesCount64(q)
	}
	if mine == 0 || theirs == 0 {
		return 0
	}
	return max(0, 1024-roots[differ]*1024/(roots[mine]+roots[theirs]))
}
