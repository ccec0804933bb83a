package synth

import (
	"image"
	"math"
	"math/rand/v2"
)

// Flaw is what can go wrong at a capture.
type Flaw string

// The flaws.
const (
	Dry       Flaw = "dry"     // thin ridges, full of gaps
	Wet       Flaw = "wet"     // thick ridges that run into one another
	Partial   Flaw = "partial" // only a part of the finger was laid on
	Moved     Flaw = "moved"   // smeared in one direction
	Faint     Flaw = "faint"   // hardly darker than the paper
	OffCentre Flaw = "off centre"
	Inverted  Flaw = "inverted" // light ridges on a dark ground
)

// Flaws are all of them.
var Flaws = []Flaw{Dry, Wet, Partial, Moved, Faint, OffCentre, Inverted}

// Flawed makes one impression of a finger with a flaw, from 0, none, to 1, where
// hardly anything is left.
func Flawed(seed int64, impression, level int, flaw Flaw, amount float64) *image.Gray {
	amount = max(0, min(1, amount))
	r := rand.New(rand.NewPCG(uint64(seed), uint64(impression)+1<<32))
	own := rand.New(rand.NewPCG(uint64(seed), uint64(impression)+3<<32))
	p := press{}
	switch flaw {
	case OffCentre:
		side := 1 - 2*float64(own.IntN(2))
		p.shiftX, p.shiftY = side*Width*.62*amount, Height*.25*amount*(own.Float64()-.5)
	case Dry, Wet:
		p.damp = skin(own, flaw, amount)
	}
	shades := pressed(grow(seed), r, float64(level), p)
	switch flaw {
	case Wet:
		darken(shades, 1-.45*amount)
	case Dry:
		lighten(shades, 1-.35*amount)
	case Partial:
		cut(shades, own, amount)
	case Moved:
		smear(shades, own.Float64()*math.Pi, 1+24*amount)
	case Faint:
		lighten(shades, 1-.95*amount)
	case Inverted:
		for i := range shades {
			shades[i] = 255 - shades[i]
		}
	}
	return noisy(shades, r, float64(level))
}

// skin is how much higher (drier) or lower (wetter) the ridges stand at each pixel.
func skin(r *rand.Rand, flaw Flaw, amount float64) []float64 {
	const grain = 3 // pixels
	cols := Width/grain + 2
	fine := make([]float64, cols*(Height/grain+2))
	for i := range fine {
		fine[i] = r.NormFloat64()
	}
	broad := cloud(r)
	out := make([]float64, Width*Height)
	for y := range Height {
		for x := range Width {
			u, v := float64(x)/grain, float64(y)/grain
			i, j := int(u), int(v)
			fx, fy := u-float64(i), v-float64(j)
			f := (fine[j*cols+i]*(1-fx)+fine[j*cols+i+1]*fx)*(1-fy) + (fine[(j+1)*cols+i]*(1-fx)+fine[(j+1)*cols+i+1]*fx)*fy
			b := broad[(y/8)*(Width/8+1)+x/8]
			if flaw == Dry {
				out[y*Width+x] = amount * (.35 + .75*f + .25*b)
			} else {
				out[y*Width+x] = -amount * (.6 + .6*math.Abs(f) + .4*b)
			}
		}
	}
	return out
}

// darken brings the light parts of the print down, as moisture between ridges does.
func darken(shades []float64, share float64) {
	for i, s := range shades {
		if s < 236 {
			shades[i] = 40 + (s-40)*share
		}
	}
}

// lighten brings everything nearer to paper.
func lighten(shades []float64, share float64) {
	for i, s := range shades {
		shades[i] = 240 - (240-s)*share
	}
}

// cut leaves what lies on one side of a line.
func cut(shades []float64, r *rand.Rand, amount float64) {
	sin, cos := math.Sincos(r.Float64() * 2 * math.Pi)
	reach := math.Abs(cos)*128 + math.Abs(sin)*158
	for y := range Height {
		for x := range Width {
			if far := (float64(x)-Width/2)*cos + (float64(y)-Height/2)*sin; far > reach*(1-2*amount*.9) {
				shades[y*Width+x] = 240
			}
		}
	}
}

// smear is the mean along a line of so many pixels: the finger slid while it was
// seen, and rested at one end.
func smear(shades []float64, angle, length float64) {
	sin, cos := math.Sincos(angle)
	from := append([]float64(nil), shades...)
	steps := max(1, int(length))
	for y := range Height {
		for x := range Width {
			sum, all := 0.0, 0.0
			for k := range steps {
				u, v := x+int(math.Round(float64(k)*cos)), y+int(math.Round(float64(k)*sin))
				weight := 1.
				if k == 0 {
					weight = 1 + length/6
				}
				if u >= 0 && v >= 0 && u < Width && v < Height {
					sum, all = sum+weight*from[v*Width+u], all+weight
				}
			}
			shades[y*Width+x] = sum / all
		}
	}
}
