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
	near := func(middle, spread float64) float64 { return middle + r.NormFloat64()*spread }
	cx, cy := near(w/2, 22), near(h*.44, 26)
	switch kind := r.Float64(); {
	case kind < .6: // a loop, to either side
		side := 1 - 2*float64(r.IntN(2))
		all = []point{{cx, cy, 1}, {cx + side*near(88, 22), cy + near(115, 28), -1}}
	case kind < .9: // a whorl, round or long, upright or aslant
		gap, lean := 10+r.Float64()*34, r.NormFloat64()*.5
		sin, cos := math.Sincos(lean)
		all = []point{{cx - gap*sin, cy - gap*cos, 1}, {cx + gap*sin, cy + gap*cos, 1},
			{cx - near(105, 20), cy + near(122, 28), -1}, {cx + near(105, 20), cy + near(122, 28), -1}}
	default: // an arch, nearly
		all = []point{{cx, cy + 20, 1}, {near(cx, 8), cy + near(105, 22), -1}}
	}
	var bend [4][3]float64 // amplitude, wavelength, phase: across, down, and both
	for i := range bend {
		bend[i] = [3]float64{r.NormFloat64() * .13, near(72, 12), r.Float64() * 2 * math.Pi}
	}
	out := make([]float32, w*h)
	for y := range h {
		for x := range w {
			a := 0.0
			for _, p := range all {
				a += p.weight * math.Atan2(float64(y)-p.y, float64(x)-p.x) / 2
			}
			for i, at := range [4]float64{float64(x), float64(y), float64(x+y) * .7, float64(x-y) * .7} {
				a += bend[i][0] * math.Sin(at/bend[i][1]+bend[i][2])
			}
			out[y*w+x] = float32(a + math.Pi/2*float64(len(all)%2))
		}
	}
	return out
}

const (
	turns    = 48
	radius   = 9 // of the filters, and of the rim that they leave out
	rounds   = 8
	softness = 3.4 // deviation of the filters in pixels
)

// tap is a weight at an offset from a pixel.
type tap struct {
	offset int
	weight float32
}

// grow makes the ridges of a finger: noise, smoothed along the directions and
// sharpened into waves across them again and again until it has become lines.
func grow(seed int64) []float32 {
	r := rand.New(rand.NewPCG(uint64(seed), 0x706c696e7468))
	field := directions(r)
	period := 8.2 + r.Float64()*1.8
	var along, across [turns][]tap
	for t := range turns {
		angle := float64(t) * math.Pi / turns
		along[t] = line(angle, func(d float64) float64 { return math.Exp(-d * d / (2 * softness * softness)) })
		across[t] = line(angle+math.Pi/2, func(d float64) float64 {
			return math.Exp(-d*d/(2*softness*softness)) * math.Cos(2*math.Pi*d/period)
		})
	}
	bins := make([]uint8, w*h)
	for i, a := range field {
		bins[i] = uint8((int(math.Round(float64(a)*turns/math.Pi))%turns + turns) % turns)
	}
	now, mid := make([]float32, w*h), make([]float32, w*h)
	for i := range now {
		now[i] = float32(r.NormFloat64()) * .4
	}
	for range rounds {
		filter(mid, now, bins, &along, 1)
		filter(now, mid, bins, &across, 3)
	}
	return now
}

// line is a filter along a line, between the two pixels that it passes at each step;
// its weights amount to 1.
func line(angle float64, weight func(distance float64) float64) (taps []tap) {
	sin, cos := math.Sincos(angle)
	longer := max(math.Abs(cos), math.Abs(sin))
	sum := 0.0
	for k := -radius + 1; k < radius; k++ {
		x, y := float64(k)*cos/longer, float64(k)*sin/longer
		x0, y0 := math.Floor(x+1e-9), math.Floor(y+1e-9)
		v := weight(math.Hypot(x, y))
		sum += math.Abs(v)
		for _, near := range [3][2]float64{{0, 0}, {1, 0}, {0, 1}} {
			share := max(0, 1-math.Abs(x-x0-near[0])) * max(0, 1-math.Abs(y-y0-near[1]))
			if share > 1e-6 {
				taps = append(taps, tap{int(y0+near[1])*w + int(x0+near[0]), float32(v * share)})
			}
		}
	}
	for i := range taps {
		taps[i].weight /= float32(sum)
	}
	return taps
}

// filter runs the filter of each pixel's direction over it.
func filter(out, in []float32, bins []uint8, filters *[turns][]tap, gain float32) {
	for y := radius; y < h-radius; y++ {
		for i := y*w + radius; i < (y+1)*w-radius; i++ {
			var sum float32
			for _, t := range filters[bins[i]] {
				sum += in[i+t.offset] * t.weight
			}
			out[i] = max(-1, min(1, sum*gain))
		}
	}
}

// impress presses a finger on a scanner.
func impress(ridges []float32, r *rand.Rand, level float64) *image.Gray {
	return noisy(pressed(ridges, r, level, press{}), r, level)
}

// press is what is unusual about the way a finger is laid on: nothing, if zero.
type press struct {
	shiftX, shiftY float64   // of the finger, in pixels
	damp           []float64 // what is added to the height of the ridges, by pixel
}

// pressed is the shade that each pixel should have.
func pressed(ridges []float32, r *rand.Rand, level float64, p press) []float64 {
	turn := r.NormFloat64() * .05 * level
	sin, cos := math.Sincos(turn)
	moveX, moveY := r.NormFloat64()*5*level, r.NormFloat64()*6*level
	stretch := [4]float64{r.NormFloat64() * 1.1 * level, r.NormFloat64() * 1.1 * level, r.Float64() * 6, r.Float64() * 6}
	pressure := r.NormFloat64() * .08 * level
	spanX, spanY := 128+r.NormFloat64()*4*level, 158+r.NormFloat64()*5*level
	dry := cloud(r)
	shades := make([]float64, Width*Height)
	for y := range Height {
		for x := range Width {
			dx, dy := float64(x)-Width/2-p.shiftX, float64(y)-Height/2-p.shiftY
			u := dx*cos - dy*sin + moveX + stretch[0]*math.Sin(dy/60+stretch[2])
			v := dx*sin + dy*cos + moveY + stretch[1]*math.Sin(dx/55+stretch[3])
			ridge := sample(ridges, u+w/2, v+h/2) + pressure
			if p.damp != nil {
				ridge += p.damp[y*Width+x]
			}
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
			shades[y*Width+x] = shade
		}
	}
	return shades
}

// noisy is what the scanner makes of shades.
func noisy(shades []float64, r *rand.Rand, level float64) *image.Gray {
	img := image.NewGray(image.Rect(0, 0, Width, Height))
	for i, shade := range shades {
		img.Pix[i] = uint8(max(0, min(255, shade+r.NormFloat64()*5*level)))
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
