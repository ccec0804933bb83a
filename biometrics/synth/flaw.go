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
	Worn      Flaw = "worn"    // by work or age: patches without ridges, creases
	Partial   Flaw = "partial" // only a part of the finger was laid on
	Moved     Flaw = "moved"   // smeared in one direction
	Faint     Flaw = "faint"   // hardly darker than the paper
	OffCentre Flaw = "off centre"
	Inverted  Flaw = "inverted" // light ridges on a dark ground
)

// Flaws are all of them.
var Flaws = []Flaw{Dry, Wet, Worn, Partial, Moved, Faint, OffCentre, Inverted}

// Spoil is how much of each flaw a print has, from 0, none, to 1, where hardly
// anything is left.
type Spoil map[Flaw]float64

// Flawed makes one impression of the finger that a seed is, with flaws.
func Flawed(seed int64, impression, level int, of Spoil) *image.Gray {
	return Grow(seed).Flawed(impression, level, of)
}

// Finger is one that has grown: its impressions cost less than Print, which grows it
// for each.
type Finger struct {
	seed   int64
	ridges []float32
}

// Grow makes the finger that a seed is.
func Grow(seed int64) Finger { return Finger{seed, grow(seed)} }

// Flawed makes one impression with flaws.
func (f Finger) Flawed(impression, level int, of Spoil) *image.Gray {
	r := rand.New(rand.NewPCG(uint64(f.seed), uint64(impression)+1<<32))
	own := rand.New(rand.NewPCG(uint64(f.seed), uint64(impression)+3<<32))
	p := press{}
	if amount := of[OffCentre]; amount > 0 {
		side := 1 - 2*float64(own.IntN(2))
		p.shiftX, p.shiftY = side*Width*.62*amount, Height*.25*amount*(own.Float64()-.5)
	}
	for _, flaw := range Flaws[:3] {
		if amount := of[flaw]; amount > 0 {
			p.damp = skin(p.damp, own, flaw, amount)
		}
	}
	if amount := of[Worn]; amount > 0 {
		crease(p.damp, own, amount)
	}
	shades := pressed(f.ridges, r, float64(level), p)
	for _, flaw := range Flaws {
		if amount := of[flaw]; amount > 0 {
			spoil(shades, own, flaw, amount)
		}
	}
	return noisy(shades, r, float64(level))
}

// spoil does what a flaw does to the picture.
func spoil(shades []float64, r *rand.Rand, flaw Flaw, amount float64) {
	switch flaw {
	case Wet:
		darken(shades, 1-.45*amount)
	case Dry:
		lighten(shades, 1-.35*amount)
	case Partial:
		cut(shades, r, amount)
	case Moved:
		smear(shades, r.Float64()*math.Pi, 1+24*amount)
	case Faint:
		lighten(shades, 1-.95*amount)
	case Inverted:
		for i := range shades {
			shades[i] = 255 - shades[i]
		}
	}
}

// skin adds how much higher (drier) or lower (wetter) the ridges stand at each pixel.
func skin(to []float64, r *rand.Rand, flaw Flaw, amount float64) []float64 {
	grain := 3. // pixels
	if flaw == Worn {
		grain = 4.5 // half a ridge's period: what spoils ridges most
	}
	cols := int(Width/grain) + 2
	fine := make([]float64, cols*(int(Height/grain)+2))
	for i := range fine {
		fine[i] = r.NormFloat64()
	}
	broad := cloud(r)
	if to == nil {
		to = make([]float64, Width*Height)
	}
	for y := range Height {
		for x := range Width {
			u, v := float64(x)/grain, float64(y)/grain
			i, j := int(u), int(v)
			fx, fy := u-float64(i), v-float64(j)
			f := (fine[j*cols+i]*(1-fx)+fine[j*cols+i+1]*fx)*(1-fy) + (fine[(j+1)*cols+i]*(1-fx)+fine[(j+1)*cols+i+1]*fx)*fy
			b := broad[(y/8)*(Width/8+1)+x/8]
			switch flaw {
			case Dry:
				to[y*Width+x] += amount * (.35 + .75*f + .25*b)
			case Wet:
				to[y*Width+x] -= amount * (.6 + .6*math.Abs(f) + .4*b)
			default:
				to[y*Width+x] += amount * f * max(0, 2.4+1.6*b)
			}
		}
	}
	return to
}

// crease draws white lines through the ridges.
func crease(to []float64, r *rand.Rand, amount float64) {
	for range int(12 * amount) {
		sin, cos := math.Sincos(r.Float64() * math.Pi)
		x0, y0, wide := r.Float64()*Width, r.Float64()*Height, 1.5+r.Float64()*2.5
		for y := range Height {
			for x := range Width {
				if math.Abs((float64(x)-x0)*cos+(float64(y)-y0)*sin) < wide {
					to[y*Width+x] += 2
				}
			}
		}
	}
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
