package finger

import (
	"math"
	"math/bits"
)

// Minutia Cylinder-Code: what stands around a minutia, as bits. Cells of 8×8
// places within 70 pixels, turned with the minutia, by 6 directions.
const (
	across    = 8
	layers    = 6
	reach     = 70.0
	step      = 2 * reach / across
	sigmaS    = 28.0 / 3
	sigmaD    = 2 * math.Pi / 9
	spread    = 3 * sigmaS
	bitAt     = 0.01
	words     = across * across * layers / 64
	needValid = 2 // minutiae near by, or the cylinder says nothing
)

// cylinder is the neighbourhood of one minutia.
type cylinder struct {
	bits  [words]uint64
	ones  int
	valid bool
}

// places are the middles of the cells, relative to the minutia.
var places = func() (p [across * across][2]float64) {
	for i := range across {
		for j := range across {
			p[i*across+j] = [2]float64{(float64(i) - (across-1)/2.0) * step, (float64(j) - (across-1)/2.0) * step}
		}
	}
	return p
}()

// inReach marks the cells within the circle.
var inReach = func() (in [across * across]bool) {
	for c, p := range places {
		in[c] = p[0]*p[0]+p[1]*p[1] <= reach*reach
	}
	return in
}()

func cylindersOf(minutiae []Minutia) []cylinder {
	all := make([]cylinder, len(minutiae))
	for i := range minutiae {
		all[i] = cylinderOf(minutiae, i)
	}
	return all
}

func cylinderOf(minutiae []Minutia, i int) (c cylinder) {
	m := minutiae[i]
	sin, cos := math.Sincos(float64(m.Direction))
	var value [across * across * layers]float64
	near := 0
	for j, n := range minutiae {
		dx, dy := float64(n.X-m.X), float64(m.Y-n.Y) // y upwards
		if j == i || dx*dx+dy*dy > (reach+spread)*(reach+spread) {
			continue
		}
		near++
		// In the frame of the minutia.
		u, v := dx*cos+dy*sin, -dx*sin+dy*cos
		turn := signed(float64(n.Direction - m.Direction))
		var byLayer [layers]float64
		for k := range layers {
			middle := (float64(k)+.5)*2*math.Pi/layers - math.Pi
			d := signed(turn - middle)
			byLayer[k] = normalArea(d, sigmaD, math.Pi/layers)
		}
		for cell, p := range places {
			if !inReach[cell] {
				continue
			}
			d2 := (p[0]-u)*(p[0]-u) + (p[1]-v)*(p[1]-v)
			if d2 > spread*spread {
				continue
			}
			s := math.Exp(-d2/(2*sigmaS*sigmaS)) / (sigmaS * math.Sqrt(2*math.Pi))
			for k := range layers {
				value[k*across*across+cell] += s * byLayer[k]
			}
		}
	}
	for bit, v := range value {
		if v > bitAt {
			c.bits[bit/64] |= 1 << (bit % 64)
			c.ones++
		}
	}
	c.valid = near >= needValid && c.ones > 0
	return c
}

// normalArea is the area under a normal curve within ±half of d.
func normalArea(d, sigma, half float64) float64 {
	return (math.Erf((d+half)/(sigma*math.Sqrt2)) - math.Erf((d-half)/(sigma*math.Sqrt2))) / 2
}

// roots are the square roots of the bit counts that occur.
var roots = func() (r [words*64 + 1]float32) {
	for i := range r {
		r[i] = float32(math.Sqrt(float64(i)))
	}
	return r
}()

// alike is the similarity of two neighbourhoods, 0 to 1.
func alike(a, b *cylinder) float32 {
	if !a.valid || !b.valid {
		return 0
	}
	differ := 0
	for w := range a.bits {
		differ += bits.OnesCount64(a.bits[w] ^ b.bits[w])
	}
	return max(0, 1-roots[differ]/(roots[a.ones]+roots[b.ones]))
}
