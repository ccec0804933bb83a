// Package synth makes fingerprints of nobody, for tests, demonstrations and load.
// A seed is a finger: a field of directions with cores and deltas (Sherlock and
// Monro, 1993) into which ridges are grown from noise; an impression of it is
// turned, moved, stretched, pressed and worn as on a scanner.
package synth

import (
	"bytes"
	"image"
	"image/png"
	"math"
	"math/rand/v2"
)

// Size of every print, in pixels at 500 ppi.
const (
	Width  = 288
	Height = 352
	margin = 48 // the finger is larger than what the scanner sees
)

// Print makes one impression of the finger that a seed is. Level 1 is a careful
// capture, 2 an ordinary one, 3 a poor one. The same arguments give the same
// print on every machine of one architecture.
func Print(seed int64, impression, level int) *image.Gray {
	ridges := grow(seed)
	return impress(ridges, rand.New(rand.NewPCG(uint64(seed), uint64(impression)+1<<32)), float64(level))
}

// PNG encodes a print.
func PNG(img *image.Gray) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		panic(err) // a grey image in memory always encodes
	}
	return b.Bytes()
}

const (
	w = Width + 2*margin
	h = Height + 2*margin
)

// directions is the ridge direction at each pixel.
func directions(r *rand.Rand) []float32 {
	type point struct{ x, y, weight float64 }
	var all []point
	cx, cy := w/2+r.NormFloat64()*14, h*.42+r.NormFloat64()*16
	switch kind := r.Float64(); {
	case kind < .33: // right loop
		all = []point{{cx, cy, 1}, {cx - 85 + r.NormFloat64()*12, cy + 120 + r.NormFloat64()*16, -1}}
	case kind < .66: // left loop
		all = []point{{cx, cy, 1}, {cx + 85 + r.NormFloat64()*12, cy + 120 + r.NormFloat64()*16, -1}}
	case kind < .92: // whorl
		gap := 14 + r.Float64()*26
		all = []point{{cx, cy - gap, 1}, {cx + r.NormFloat64()*8, cy + gap, 1},
			{cx - 105 + r.NormFloat64()*12, cy + 125 + r.NormFloat64()*14, -1}, {cx + 105 + r.NormFloat64()*12, cy + 125 + r.NormFloat64()*14, -1}}
	default: // arch, nearly
		all = []point{{cx, cy + 20, 1}, {cx + r.NormFloat64()*6, cy + 110, -1}}
	}
	bend := [4]float64{r.NormFloat64() * .12, r.NormFloat64() * .12, r.Float64() * 6, r.Float64() * 6}
	out := make([]float32, w*h)
	for y := range h {
		for x := range w {
			a := 0.0
			for _, p := range all {
				a += p.weight * math.Atan2(float64(y)-p.y, float64(x)-p.x) / 2
			}
			a += bend[0]*math.Sin(float64(x)/70+bend[2]) + bend[1]*math.Sin(float64(y)/80+bend[3])
			out[y*w+x] = float32(a + math.Pi/2*float64(len(all)%2))
		}
	}
	return out
}

const (
	turns  = 48
	radius = 8
	side   = 2*radius + 1
	rounds = 9
)

// grow makes the ridges of a finger: noise, filtered again and again along the
// directions until it has become lines.
func grow(seed int64) []float32 {
	r := rand.New(rand.NewPCG(uint64(seed), 0x706c696e7468))
	field := directions(r)
	period := 8.2 + r.Float64()*1.8
	kernels := kernels(period)
	now, next := make([]float32, w*h), make([]float32, w*h)
	for i := range now {
		now[i] = float32(r.NormFloat64()) * .4
	}
	for range rounds {
		for y := radius; y < h-radius; y++ {
			for x := radius; x < w-radius; x++ {
				t := int(math.Round(float64(field[y*w+x])*turns/math.Pi)) % turns
				if t < 0 {
					t += turns
				}
				var sum float32
				k := &kernels[t]
				for dy := range side {
					row := now[(y+dy-radius)*w+x-radius:][:side]
					weights := k[dy*side:][:side]
					for i, v := range row {
						sum += v * weights[i]
					}
				}
				next[y*w+x] = max(-1, min(1, sum*3))
			}
		}
		now, next = next, now
	}
	return now
}

func kernels(period float64) (all [turns][side * side]float32) {
	for t := range turns {
		sin, cos := math.Sincos(float64(t) * math.Pi / turns)
		weight := 0.0
		for y := -radius; y <= radius; y++ {
			for x := -radius; x <= radius; x++ {
				across := -float64(x)*sin + float64(y)*cos
				v := math.Exp(-float64(x*x+y*y)/(2*3.4*3.4)) * math.Cos(2*math.Pi*across/period)
				all[t][(y+radius)*side+x+radius] = float32(v)
				weight += math.Abs(v)
			}
		}
		for i := range all[t] {
			all[t][i] /= float32(weight)
		}
	}
	return all
}

// impress presses a finger on a scanner.
func impress(ridges []float32, r *rand.Rand, level float64) *image.Gray {
	img := image.NewGray(image.Rect(0, 0, Width, Height))
	turn := r.NormFloat64() * .05 * level
	sin, cos := math.Sincos(turn)
	moveX, moveY := r.NormFloat64()*5*level, r.NormFloat64()*6*level
	stretch := [4]float64{r.NormFloat64() * 1.1 * level, r.NormFloat64() * 1.1 * level, r.Float64() * 6, r.Float64() * 6}
	pressure := r.NormFloat64() * .08 * level
	spanX, spanY := 128+r.NormFloat64()*4*level, 158+r.NormFloat64()*5*level
	dry := cloud(r)
	for y := range Height {
		for x := range Width {
			dx, dy := float64(x)-Width/2, float64(y)-Height/2
			u := dx*cos - dy*sin + moveX + stretch[0]*math.Sin(dy/60+stretch[2])
			v := dx*sin + dy*cos + moveY + stretch[1]*math.Sin(dx/55+stretch[3])
			ridge := sample(ridges, u+w/2, v+h/2) + pressure
			edge := math.Hypot(dx/spanX, dy/spanY)
			shade := 232.0
			if ridge < 0 {
				shade = 232 - 190*math.Min(1, -ridge*2.2)
			}
			if wear := dry[(y/8)*(Width/8+1)+x/8]; wear > 1.5-.25*level {
				shade += (236 - shade) * math.Min(.8, (wear-1.5+.25*level)*.8)
			}
			if edge > 1 {
				shade += (240 - shade) * math.Min(1, (edge-1)*18)
			}
			shade += r.NormFloat64() * 5 * level
			img.Pix[y*img.Stride+x] = uint8(max(0, min(255, shade)))
		}
	}
	return img
}

// cloud is smooth noise over blocks of 8 pixels.
func cloud(r *rand.Rand) []float64 {
	cols, rows := Width/8+1, Height/8+1
	now := make([]float64, cols*rows)
	for i := range now {
		now[i] = r.NormFloat64() * 2.4
	}
	for range 2 {
		out := make([]float64, len(now))
		for y := range rows {
			for x := range cols {
				sum, n := 0.0, 0.0
				for dy := -1; dy <= 1; dy++ {
					for dx := -1; dx <= 1; dx++ {
						if u, v := x+dx, y+dy; u >= 0 && v >= 0 && u < cols && v < rows {
							sum, n = sum+now[v*cols+u], n+1
						}
					}
				}
				out[y*cols+x] = sum / n
			}
		}
		now = out
	}
	return now
}

// sample reads between pixels.
func sample(v []float32, x, y float64) float64 {
	x, y = max(0, min(w-2, x)), max(0, min(h-2, y))
	i, j := int(x), int(y)
	fx, fy := x-float64(i), y-float64(j)
	a, b := float64(v[j*w+i]), float64(v[j*w+i+1])
	c, d := float64(v[(j+1)*w+i]), float64(v[(j+1)*w+i+1])
	return (a*(1-fx)+b*fx)*(1-fy) + (c*(1-fx)+d*fx)*fy
}
