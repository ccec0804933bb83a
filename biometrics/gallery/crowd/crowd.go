// Package crowd makes fingers of nobody, as minutiae without images: a population
// in minutes, to measure a gallery with. Minutiae lie as far apart as ridges allow
// and run along a field of directions with cores and deltas (Sherlock and Monro,
// 1993), as those of synth do.
package crowd

import (
	"math"
	"math/rand/v2"

	"github.com/plinth-id/plinth/biometrics/finger"
)

// Size of every print, in pixels at 500 ppi, as synth makes them.
const (
	width, height = 288, 352
	spanX, spanY  = 128, 158 // of what a scanner sees of a finger
	margin        = 24       // the finger is larger
)

// Print makes the minutiae of one impression of the finger that a seed is. Level 1
// is a careful capture, 2 an ordinary one, 3 a poor one: turned, moved, stretched,
// minutiae missed, invented and misplaced. Impression 0 at level 0 is the finger itself.
func Print(seed uint64, impression, level int) (finger.Template, error) {
	all := grow(rand.New(rand.NewPCG(seed, 1)))
	return finger.New(width, height, impress(all, rand.New(rand.NewPCG(seed, uint64(impression)+2)), float64(level)))
}

// ridge is a place where ridges end or part, from the middle of the finger.
type ridge struct {
	x, y, direction float64
	kind            uint8
}

// field is the direction of ridges.
type field struct {
	poles []pole
	bend  [4]float64
}

type pole struct{ x, y, weight float64 }

func fieldOf(r *rand.Rand) (f field) {
	x, y := r.NormFloat64()*14, -28+r.NormFloat64()*16
	away := 105 + r.NormFloat64()*12
	switch kind := r.Float64(); {
	case kind < .33:
		f.poles = []pole{{x, y, 1}, {x - away + 20, y + 120, -1}}
	case kind < .66:
		f.poles = []pole{{x, y, 1}, {x + away - 20, y + 120, -1}}
	case kind < .92:
		gap := 14 + r.Float64()*26
		f.poles = []pole{{x, y - gap, 1}, {x, y + gap, 1}, {x - away, y + 125, -1}, {x + away, y + 125, -1}}
	default:
		f.poles = []pole{{x, y + 20, 1}, {x, y + 110, -1}}
	}
	f.bend = [4]float64{r.NormFloat64() * .12, r.NormFloat64() * .12, r.Float64() * 6, r.Float64() * 6}
	return f
}

func (f field) at(x, y float64) float64 {
	a := f.bend[0]*math.Sin(x/70+f.bend[2]) + f.bend[1]*math.Sin(y/80+f.bend[3])
	for _, p := range f.poles {
		a += p.weight * math.Atan2(y-p.y, x-p.x) / 2
	}
	return a
}

// apart is the least distance of two minutiae.
const apart = 9

func grow(r *rand.Rand) (all []ridge) {
	f := fieldOf(r)
	want := 64 + int(r.NormFloat64()*9)
	for tries := 0; len(all) < want && tries < 4000; tries++ {
		x, y := (2*r.Float64()-1)*(spanX+margin), (2*r.Float64()-1)*(spanY+margin)
		if math.Hypot(x/(spanX+margin), y/(spanY+margin)) > 1 || crowded(all, x, y) {
			continue
		}
		// Of the two ways along a ridge neighbours mostly point the same.
		way := math.Pi * float64(r.IntN(2))
		if math.Sin(x/60+f.bend[2])+math.Cos(y/70+f.bend[3])+r.NormFloat64()*.8 > 0 {
			way = math.Pi
		}
		all = append(all, ridge{x, y, f.at(x, y) + way, uint8(1 + r.IntN(2))})
	}
	return all
}

func crowded(all []ridge, x, y float64) bool {
	for _, m := range all {
		if math.Hypot(m.x-x, m.y-y) < apart {
			return true
		}
	}
	return false
}

func impress(all []ridge, r *rand.Rand, level float64) (minutiae []finger.Minutia) {
	turn := r.NormFloat64() * .05 * level
	sin, cos := math.Sincos(turn)
	moveX, moveY := r.NormFloat64()*5*level, r.NormFloat64()*6*level
	stretch := [4]float64{r.NormFloat64() * 1.1 * level, r.NormFloat64() * 1.1 * level, r.Float64() * 6, r.Float64() * 6}
	seen := func(m ridge, quality int) {
		x, y := m.x*cos-m.y*sin+moveX, m.x*sin+m.y*cos+moveY
		x, y = x+stretch[0]*math.Sin(y/60+stretch[2])+r.NormFloat64()*.6*level, y+stretch[1]*math.Sin(x/55+stretch[3])+r.NormFloat64()*.6*level
		if math.Hypot(x/spanX, y/spanY) > 1 {
			return
		}
		// y runs down the image, directions run counter-clockwise.
		direction := math.Mod(-(m.direction+turn)+r.NormFloat64()*.04*level, 2*math.Pi)
		if direction < 0 {
			direction += 2 * math.Pi
		}
		direction = float64(float32(direction))
		if direction >= 2*math.Pi {
			direction = 0
		}
		minutiae = append(minutiae, finger.Minutia{X: int16(x + width/2), Y: int16(y + height/2), Direction: float32(direction), Kind: m.kind, Quality: uint8(quality)})
	}
	for _, m := range all {
		if r.Float64() >= .06*level {
			seen(m, 50+r.IntN(50))
		}
	}
	for range len(all) * int(level) / 16 { // what is seen and is not there
		seen(ridge{(2*r.Float64() - 1) * spanX, (2*r.Float64() - 1) * spanY, r.Float64() * 2 * math.Pi, uint8(1 + r.IntN(2))}, 20+r.IntN(60))
	}
	return minutiae
}
