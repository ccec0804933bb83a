package synth

import (
	"image"
	"math"
	"math/rand/v2"
)

// Size of every eye, in pixels.
const (
	EyeWidth  = 640
	EyeHeight = 480
)

// Eye makes one near-infrared capture of an eye. A seed is an iris; a capture of it
// differs in gaze, dilation, tilt of the head, lids, lashes, reflections, sharpness
// and noise. Level 1 is a careful capture, 2 an ordinary one, 3 a poor one. The same
// arguments give the same eye on every machine of one architecture.
func Eye(seed int64, impression, level int) *image.Gray {
	r := rand.New(rand.NewPCG(uint64(seed), uint64(impression)+1<<33))
	look := newLook(seed, r, float64(level))
	scene := look.scene(weave(seed))
	look.lashes(scene, r)
	look.reflections(scene, r, level)
	blur(scene, EyeWidth, EyeHeight, look.unsharp)
	img := image.NewGray(image.Rect(0, 0, EyeWidth, EyeHeight))
	for i, v := range scene {
		img.Pix[i] = uint8(max(0, min(255, v+float32(r.NormFloat64()*look.noise))))
	}
	return img
}

// look is how an eye is seen in one capture.
type look struct {
	x, y, iris            float64 // the circle of the iris
	pupilX, pupilY, pupil float64
	tilt                  float64 // radians
	upper, lower          float64 // where the lids cross the middle, from the centre, in radii
	slant                 float64
	dark, grey, white     float64 // pupil, iris, sclera
	skin                  float64
	unsharp, noise        float64
	stretch               float64 // how unevenly the iris follows the pupil
}

// newLook draws a capture. What belongs to the person comes from the seed alone.
func newLook(seed int64, r *rand.Rand, level float64) look {
	self := rand.New(rand.NewPCG(uint64(seed), 0x657965))
	l := look{
		iris: 112 + self.NormFloat64()*6, grey: 118 + self.NormFloat64()*12, skin: 178 + self.NormFloat64()*10,
		upper: -.92 + self.NormFloat64()*.06, lower: 1.02 + self.NormFloat64()*.05, slant: self.NormFloat64() * .04,
	}
	nasal := self.NormFloat64() * .035
	l.iris *= 1 + r.NormFloat64()*.02*level
	l.x, l.y = EyeWidth/2+r.NormFloat64()*18*level, EyeHeight/2+r.NormFloat64()*12*level
	ratio := max(.24, min(.62, .38+r.NormFloat64()*.035*level))
	l.pupil = ratio * l.iris
	l.pupilX, l.pupilY = l.x+(nasal+r.NormFloat64()*.008*level)*l.iris, l.y+(.02+r.NormFloat64()*.008*level)*l.iris
	l.tilt = max(-8, min(8, r.NormFloat64()*2.5*level)) * math.Pi / 180
	l.upper = max(-1.2, min(-.45, l.upper+r.NormFloat64()*.07*level+.03*level))
	l.lower = max(.6, min(1.3, l.lower+r.NormFloat64()*.05*level))
	l.dark, l.white = 28+r.NormFloat64()*3, 196+r.NormFloat64()*8
	l.unsharp, l.noise = .4+.45*level+math.Abs(r.NormFloat64())*.25*level, 1.5+1.5*level
	l.stretch = r.NormFloat64() * .012 * level
	return l
}

// scene is the eye without what lies in front of it.
func (l look) scene(iris []float32) []float32 {
	out := make([]float32, EyeWidth*EyeHeight)
	for y := range EyeHeight {
		for x := range EyeWidth {
			dx, dy := float64(x)-l.x, float64(y)-l.y
			if top, bottom := l.lids(dx); dy < top || dy > bottom {
				shade := l.skin - 14*math.Exp(-math.Min(math.Abs(dy-top), math.Abs(dy-bottom))/5)
				out[y*EyeWidth+x] = float32(shade + 6*math.Sin(float64(y)/9+dx/160))
				continue
			}
			out[y*EyeWidth+x] = float32(l.ball(iris, float64(x), float64(y)))
		}
	}
	return out
}

// lids are where the upper and the lower one are, above and below the centre.
func (l look) lids(dx float64) (top, bottom float64) {
	u := dx / l.iris
	return l.iris * (l.upper + .16*u*u + l.slant*u), l.iris * (l.lower - .13*u*u + l.slant*u)
}

// ball is the shade of the eyeball at a place.
func (l look) ball(iris []float32, x, y float64) float64 {
	dx, dy := x-l.x, y-l.y
	out := math.Hypot(dx, dy) - l.iris
	white := l.white - math.Abs(dx)*.08
	if out > 6 {
		return white
	}
	in := math.Hypot(x-l.pupilX, y-l.pupilY) - l.pupil
	if in < -1 {
		return l.dark
	}
	shade := l.grey + 17*float64(l.texture(iris, x, y))
	shade -= 16 * smooth((out+16)/16) // the limbus is darker
	shade += (white - shade) * smooth((out+3)/7)
	return l.dark + (shade-l.dark)*smooth((in+1)/2)
}

// texture reads the iris where the capture shows it: between the pupil's edge and
// its own, and a little unevenly stretched.
func (l look) texture(iris []float32, x, y float64) float32 {
	at := math.Atan2(y-l.pupilY, x-l.pupilX)
	sin, cos := math.Sincos(at)
	// From the pupil's centre to the edge of the iris.
	ox, oy := l.pupilX-l.x, l.pupilY-l.y
	along := ox*cos + oy*sin
	reach := -along + math.Sqrt(max(0, along*along+l.iris*l.iris-ox*ox-oy*oy))
	depth := (math.Hypot(x-l.pupilX, y-l.pupilY) - l.pupil) / (reach - l.pupil)
	depth = max(0, min(1, depth+l.stretch*math.Sin(depth*math.Pi)))
	turn := (at - l.tilt) / (2 * math.Pi)
	return bilinear(iris, (turn-math.Floor(turn))*weaveTurn, depth*(weaveDepth-1))
}

func smooth(t float64) float64 {
	t = max(0, min(1, t))
	return t * t * (3 - 2*t)
}

// lashes grow from the upper lid, curve, and shade what is behind.
func (l look) lashes(scene []float32, r *rand.Rand) {
	for range 46 {
		dx := (r.Float64()*2 - 1) * 1.6 * l.iris
		top, _ := l.lids(dx)
		x, y := l.x+dx, l.y+top-2
		vx, vy := dx/l.iris*.5+r.NormFloat64()*.18, .55+r.Float64()*.4
		length := (.16 + r.Float64()*.2) * l.iris
		for step := 0.; step < length; step += .5 {
			dab(scene, x, y, 46, 1.5*(1-step/length)+.4)
			x, y, vy = x+vx*.5, y+vy*.5, vy-.011
		}
	}
}

// dab darkens or lightens a spot.
func dab(scene []float32, x, y, shade, size float64) {
	reach := int(size + 1.5)
	for v := int(y) - reach; v <= int(y)+reach; v++ {
		for u := int(x) - reach; u <= int(x)+reach; u++ {
			if u < 0 || v < 0 || u >= EyeWidth || v >= EyeHeight {
				continue
			}
			weight := smooth(size + .5 - math.Hypot(float64(u)-x, float64(v)-y))
			scene[v*EyeWidth+u] += float32(weight * (shade - float64(scene[v*EyeWidth+u])))
		}
	}
}

// reflections are those of the lamps, in the pupil, and of windows on poor captures.
func (l look) reflections(scene []float32, r *rand.Rand, level int) {
	for lamp := range 2 {
		dab(scene, l.pupilX+(float64(lamp)-.5)*14+r.NormFloat64()*4, l.pupilY+r.NormFloat64()*5, 255, 3+r.Float64()*3)
	}
	for range level - 1 {
		at, far := r.Float64()*2*math.Pi, (.5+r.Float64()*.4)*l.iris
		dab(scene, l.x+far*math.Cos(at), l.y+far*math.Sin(at), 250, 2+r.Float64()*5)
	}
}
