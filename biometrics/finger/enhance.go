package finger

import "math"

// The filters: a Gaussian along the ridge, then a cosine wave under a Gaussian
// across it (an oriented Gabor filter, taken apart), for 32 directions and the
// periods that ridges have. Both run along lines of the grid: one pixel at a time
// on the longer axis, between two pixels on the other.
const (
	turns       = 32
	sigmaAlong  = 5.0
	sigmaAcross = 4.0
	reachAlong  = 10 // in steps on the longer axis
	reachAcross = 9
	pad         = 16 // around the picture, so that no filter leaves it
)

var filterPeriods = [...]float64{5, 6, 7, 8, 9, 10, 11.5, 13, 15, 17}

// tap is a weight at a place relative to a pixel.
type tap struct {
	x, y   int
	weight float32
}

// filters along the ridge by direction, and across it by direction and period.
var filtersAlong, filtersAcross = func() (a [turns][]tap, c [turns][len(filterPeriods)][]tap) {
	for t := range turns {
		angle := float64(t) * math.Pi / turns
		bell := func(sigma float64) func(float64) float64 {
			return func(d float64) float64 { return math.Exp(-d * d / (2 * sigma * sigma)) }
		}
		a[t] = line(angle, reachAlong, 2, bell(sigmaAlong))
		scale(a[t], func(float64) float64 { return 1 }, angle)
		for p, period := range filterPeriods {
			wave := func(d float64) float64 { return math.Cos(2 * math.Pi * d / period) }
			under := bell(sigmaAcross)
			// No answer to an even grey.
			var even, all float64
			for d := -12.; d <= 12; d += .25 {
				even, all = even+under(d)*wave(d), all+under(d)
			}
			c[t][p] = line(angle+math.Pi/2, reachAcross, 1, func(d float64) float64 { return under(d) * (wave(d) - even/all) })
			scale(c[t][p], wave, angle+math.Pi/2)
		}
	}
	return a, c
}()

// line lists the taps of a filter along a line at an angle (y downwards).
func line(angle float64, reach, step int, weight func(distance float64) float64) (taps []tap) {
	sin, cos := math.Sincos(angle)
	for k := -reach; k <= reach; k += step {
		x, y := float64(k), float64(k)*sin/cos
		if math.Abs(cos) < math.Abs(sin) {
			x, y = float64(k)*cos/sin, float64(k)
		}
		v := weight(math.Hypot(x, y))
		x0, y0 := math.Floor(x+1e-9), math.Floor(y+1e-9)
		right, down := x-x0, y-y0
		taps = append(taps, tap{int(x0), int(y0), float32(v * (1 - right) * (1 - down))})
		if right > 1e-6 {
			taps = append(taps, tap{int(x0) + 1, int(y0), float32(v * right)})
		}
		if down > 1e-6 {
			taps = append(taps, tap{int(x0), int(y0) + 1, float32(v * down)})
		}
	}
	return taps
}

// scale makes a filter answer a wave along its line with 1.
func scale(taps []tap, wave func(distance float64) float64, angle float64) {
	sin, cos := math.Sincos(angle)
	var gain float64
	for _, t := range taps {
		gain += float64(t.weight) * wave(float64(t.x)*cos+float64(t.y)*sin)
	}
	for i := range taps {
		taps[i].weight = rounded(float64(taps[i].weight) / gain)
	}
}

func nearestPeriod(p float32) int {
	best := 0
	for i, candidate := range filterPeriods {
		if abs(float32(candidate)-p) < abs(float32(filterPeriods[best])-p) {
			best = i
		}
	}
	return best
}

// canvas is a picture with room around it.
type padded struct {
	w, h, stride int
	pix          []float32
}

func newPadded(w, h int) padded {
	// A block at the edge may reach over it by a block.
	p := padded{w: w, h: h, stride: w + 2*pad + cell}
	p.pix = make([]float32, p.stride*(h+2*pad+cell))
	return p
}

// filter writes a filtered block; where the taps lead is the same for all of it.
func (p padded) filter(src padded, col, row int, taps []tap, offsets []int) []int {
	offsets = offsets[:0]
	for _, t := range taps {
		offsets = append(offsets, t.y*p.stride+t.x)
	}
	for y := row * cell; y < min(p.h, (row+1)*cell); y++ {
		at := (y+pad)*p.stride + col*cell + pad
		var s0, s1, s2, s3, s4, s5, s6, s7 float32
		for i, offset := range offsets {
			v, k := (*[cell]float32)(src.pix[at+offset:]), taps[i].weight
			s0 += float32(k * v[0])
			s1 += float32(k * v[1])
			s2 += float32(k * v[2])
			s3 += float32(k * v[3])
			s4 += float32(k * v[4])
			s5 += float32(k * v[5])
			s6 += float32(k * v[6])
			s7 += float32(k * v[7])
		}
		*(*[cell]float32)(p.pix[at:]) = [cell]float32{s0, s1, s2, s3, s4, s5, s6, s7}
	}
	return offsets
}

// enhanced is the picture filtered block by block along and across its ridges; 0
// where no period was found.
func enhanced(norm []float32, w, h int, f *field) []float32 {
	src, mid, out := newPadded(w, h), newPadded(w, h), newPadded(w, h)
	for y := range h {
		copy(src.pix[(y+pad)*src.stride+pad:], norm[y*w:(y+1)*w])
	}
	var offsets []int
	for row := range f.rows {
		for col := range f.cols {
			b := row*f.cols + col
			offsets = mid.filter(src, col, row, filtersAlong[f.bin(b)], offsets)
		}
	}
	for row := range f.rows {
		for col := range f.cols {
			if b := row*f.cols + col; f.period[b] > 0 {
				offsets = out.filter(mid, col, row, filtersAcross[f.bin(b)][nearestPeriod(f.period[b])], offsets)
			}
		}
	}
	flat := make([]float32, w*h)
	for y := range h {
		copy(flat[y*w:(y+1)*w], out.pix[(y+pad)*out.stride+pad:][:w])
	}
	return flat
}

// bin is the filter direction of a block.
func (f *field) bin(b int) int { return int(float32(f.angle[b]*(turns/math.Pi))+.5) % turns }

// dark marks the pixels on ridges.
func dark(filtered []float32, w, h int, f *field) []bool {
	on := make([]bool, w*h)
	for y := range h {
		for x := range w {
			on[y*w+x] = filtered[y*w+x] < 0 && f.mask[f.at(x, y)]
		}
	}
	return on
}
