package synth

import (
	"image"
	"math"
	"math/rand/v2"
)

// Size of a slap: 3.2 by 3 inches at 500 ppi.
const (
	SlapWidth  = 1600
	SlapHeight = 1500
)

// Hand is fingers to lay on a scanner together.
type Hand struct {
	seed    int64
	fingers map[int]Finger
}

// FingerOf is the seed of a finger of a hand, for Print; fingers are numbered from 1
// to 10 as in ISO/IEC 19794-2.
func FingerOf(seed int64, finger int) int64 { return seed*16 + int64(finger) }

// GrowHand grows some fingers of a person.
func GrowHand(seed int64, fingers ...int) *Hand {
	h := &Hand{seed, make(map[int]Finger)}
	for _, f := range fingers {
		h.fingers[f] = Grow(FingerOf(seed, f))
	}
	return h
}

// Finger is one of the fingers that have grown.
func (h *Hand) Finger(finger int) Finger { return h.fingers[finger] }

// Laid is how fingers lie on the scanner.
type Laid struct {
	Fingers        []int // in any order
	Impression     int
	Level          int     // as of Print
	Turn           float64 // degrees, counter-clockwise
	Apart          float64 // 1 is ordinary, .9 close together; 0 means 1
	ShiftX, ShiftY float64 // pixels
}

// place is where the pad of a finger lies in the frame of its hand, in pixels from
// the middle, and how it leans.
type place struct{ x, y, lean, size float64 }

var places = map[int]place{
	1: {230, 0, -8, 1.12},
	2: {-440, 0, -6, 1}, 3: {-150, -190, -1, 1.02}, 4: {140, -50, 4, 1}, 5: {410, 230, 9, .84},
}

// placed is of either hand: the left one is the right one in a mirror.
func placed(finger int) place {
	if finger <= 5 {
		return places[finger]
	}
	p := places[finger-5]
	return place{-p.x, p.y, -p.lean, p.size}
}

// Slap lays fingers on the scanner.
func (h *Hand) Slap(l Laid) *image.Gray {
	r := rand.New(rand.NewPCG(uint64(h.seed), uint64(l.Impression)+5<<32))
	level := float64(l.Level)
	shades := make([]float64, SlapWidth*SlapHeight)
	for i := range shades {
		shades[i] = 240
	}
	apart := l.Apart
	if apart == 0 {
		apart = 1
	}
	sin, cos := math.Sincos(-l.Turn * math.Pi / 180)
	for _, finger := range l.Fingers {
		at := placed(finger)
		x, y := at.x*apart, at.y+r.NormFloat64()*12
		middleX := SlapWidth/2 + l.ShiftX + x*cos - y*sin
		middleY := SlapHeight/2 + l.ShiftY + x*sin + y*cos
		lean := at.lean*max(0, min(1, apart*4-3)) - l.Turn + r.NormFloat64()*2
		touch(shades, r, h.fingers[finger].ridges, level, [4]float64{middleX, middleY, lean * math.Pi / 180, at.size})
	}
	img := image.NewGray(image.Rect(0, 0, SlapWidth, SlapHeight))
	for i, shade := range shades {
		img.Pix[i] = uint8(max(0, min(255, shade+r.NormFloat64()*5*level)))
	}
	return img
}

// What of a finger lies on the scanner: its pad, below the crease a part of the next
// bone, in pixels.
const (
	padWide, padHigh  = 118.0, 160.0 // half
	creaseHigh        = 22.0
	belowHigh, farOut = 210.0, 420.0
)

// touch lays one finger at x and y, leaning clockwise by an angle, of a size.
func touch(shades []float64, r *rand.Rand, ridges []float32, level float64, at [4]float64) {
	sin, cos := math.Sincos(at[2])
	stretch := [4]float64{r.NormFloat64() * 1.1 * level, r.NormFloat64() * 1.1 * level, r.Float64() * 6, r.Float64() * 6}
	pressure, bow := r.NormFloat64()*.08*level, r.Float64()*6
	dry := cloud(r)
	for y := max(0, int(at[1]-farOut)); y < min(SlapHeight, int(at[1]+farOut)); y++ {
		for x := max(0, int(at[0]-farOut)); x < min(SlapWidth, int(at[0]+farOut)); x++ {
			dx, dy := float64(x)-at[0], float64(y)-at[1]
			u, v := dx*cos+dy*sin, dy*cos-dx*sin
			edge := outline(u/at[3], v/at[3])
			if edge > 1.06 {
				continue
			}
			ridge := math.Cos(2*math.Pi*(v/9.6+1.2*math.Sin(u/75+bow)+.35*math.Sin(u/23+v/31))) * 1.2
			if v < at[3]*(padHigh+creaseHigh/2) {
				ridge = sample(ridges, u+stretch[0]*math.Sin(v/60+stretch[2])+w/2, v+stretch[1]*math.Sin(u/55+stretch[3])+h/2)
			}
			ridge += pressure
			shade := 232.0
			if ridge < 0 {
				shade -= 190 * math.Min(1, -ridge*2.2)
			}
			if wear := dry[(y/8%(Height/8))*(Width/8+1)+x/8%(Width/8)]; wear > 1.5-.25*level {
				shade += (236 - shade) * math.Min(.8, (wear-1.5+.25*level)*.8)
			}
			if edge > 1 {
				shade += (240 - shade) * math.Min(1, (edge-1)*18)
			}
			shades[y*SlapWidth+x] = min(shades[y*SlapWidth+x], shade)
		}
	}
}

// outline is below 1 where a finger touches the scanner.
func outline(u, v float64) float64 {
	switch {
	case v < 0:
		return math.Hypot(u/padWide, v/padHigh)
	case v < padHigh+creaseHigh/2:
		return math.Pow(math.Pow(math.Abs(u)/padWide, 4)+math.Pow(v/padHigh, 4), .25)
	}
	below := padHigh + creaseHigh + belowHigh/2
	return math.Pow(math.Pow(math.Abs(u)/(padWide*.95), 6)+math.Pow(math.Abs(v-below)/(belowHigh/2), 6), 1./6)
}
