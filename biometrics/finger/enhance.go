package finger

import (
	"math"
	"sync"
)

// The filters: cosine waves across the ridge under a Gaussian, for 32 directions
// and the periods that ridges have.
const (
	turns  = 32
	radius = 9
	side   = 2*radius + 1
	sigma  = 4.0
)

var filterPeriods = [...]float32{5, 6, 7, 8, 9, 10, 11.5, 13, 15, 17}

var filters = sync.OnceValue(func() *[len(filterPeriods)][turns][side * side]float32 {
	var all [len(filterPeriods)][turns][side * side]float32
	for p, period := range filterPeriods {
		for t := range turns {
			sin, cos := math.Sincos(float64(t) * math.Pi / turns)
			k := &all[p][t]
			sum := 0.0
			for y := -radius; y <= radius; y++ {
				for x := -radius; x <= radius; x++ {
					across := -float64(x)*sin + float64(y)*cos
					v := math.Exp(-float64(x*x+y*y)/(2*sigma*sigma)) * math.Cos(2*math.Pi*across/float64(period))
					k[(y+radius)*side+x+radius] = float32(v)
					sum += v
				}
			}
			// No answer to an even grey.
			for i := range k {
				k[i] -= float32(sum / float64(side*side))
			}
		}
	}
	return &all
})

// ridges tells for each pixel of the mask whether it is on a ridge: where the
// filter that fits the block's direction and period finds it dark.
func ridges(norm []float32, w, h int, f *field) []bool {
	bank := filters()
	out := make([]bool, w*h)
	for row := range f.rows {
		for col := range f.cols {
			b := row*f.cols + col
			if !f.mask[b] {
				continue
			}
			k := &bank[nearestPeriod(f.period[b])][int(float64(f.angle[b])*turns/math.Pi+.5)%turns]
			for y := row * cell; y < min(h, (row+1)*cell); y++ {
				for x := col * cell; x < min(w, (col+1)*cell); x++ {
					out[y*w+x] = filtered(norm, w, h, x, y, k) < 0
				}
			}
		}
	}
	return out
}

func nearestPeriod(p float32) int {
	best := 0
	for i, candidate := range filterPeriods {
		if abs(candidate-p) < abs(filterPeriods[best]-p) {
			best = i
		}
	}
	return best
}

func abs(v float32) float32 { return max(v, -v) }

func filtered(norm []float32, w, h, x, y int, k *[side * side]float32) float32 {
	var sum float32
	if x >= radius && y >= radius && x < w-radius && y < h-radius {
		// Four sums that do not wait for one another, in an order of their own.
		var s0, s1, s2, s3 float32
		for dy := range side {
			row := norm[(y+dy-radius)*w+x-radius:][:side:side]
			weights := k[dy*side:][:side:side]
			for i := 0; i < side-3; i += 4 {
				s0 += float32(row[i] * weights[i])
				s1 += float32(row[i+1] * weights[i+1])
				s2 += float32(row[i+2] * weights[i+2])
				s3 += float32(row[i+3] * weights[i+3])
			}
			s0 += float32(row[side-3] * weights[side-3])
			s1 += float32(row[side-2] * weights[side-2])
			s2 += float32(row[side-1] * weights[side-1])
		}
		return (s0 + s1) + (s2 + s3)
	}
	for dy := -radius; dy <= radius; dy++ {
		for dx := -radius; dx <= radius; dx++ {
			if u, v := x+dx, y+dy; u >= 0 && v >= 0 && u < w && v < h {
				sum += float32(norm[v*w+u] * k[(dy+radius)*side+dx+radius])
			}
		}
	}
	return sum
}

// thin wears ridges down to lines of one pixel (Guo and Hall, 1989).
func thin(on []bool, w, h int) {
	// The border is left out, so that every pixel has eight neighbours.
	for x := range w {
		on[x], on[(h-1)*w+x] = false, false
	}
	for y := range h {
		on[y*w], on[y*w+w-1] = false, false
	}
	var points, remove []int
	for i, is := range on {
		if is {
			points = append(points, i)
		}
	}
	for changed := true; changed; {
		changed = false
		for pass := range 2 {
			remove = remove[:0]
			for _, i := range points {
				if on[i] && wears(on, w, i, pass) {
					remove = append(remove, i)
				}
			}
			for _, i := range remove {
				on[i] = false
			}
			changed = changed || len(remove) > 0
		}
		kept := points[:0]
		for _, i := range points {
			if on[i] {
				kept = append(kept, i)
			}
		}
		points = kept
	}
}

// wears tells whether a pixel may go without breaking its line or shortening it.
func wears(on []bool, w, i, pass int) bool {
	n, ne, e, se := on[i-w], on[i-w+1], on[i+1], on[i+w+1]
	s, sw, we, nw := on[i+w], on[i+w-1], on[i-1], on[i-w-1]
	c := one(!n && (ne || e)) + one(!e && (se || s)) + one(!s && (sw || we)) + one(!we && (nw || n))
	if c != 1 {
		return false
	}
	n1 := one(nw || n) + one(ne || e) + one(se || s) + one(sw || we)
	n2 := one(n || ne) + one(e || se) + one(s || sw) + one(we || nw)
	if m := min(n1, n2); m < 2 || m > 3 {
		return false
	}
	if pass == 0 {
		return !((n || ne || !se) && e)
	}
	return !((s || sw || !nw) && we)
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}
