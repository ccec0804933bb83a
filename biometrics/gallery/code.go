package gallery

import (
	"math"
	"slices"

	"github.com/plinth-id/plinth/biometrics/finger"
)

// A code tells what stands around one minutia, in few bits: the strongest of the
// cells of its Minutia Cylinder-Code (Cappelli, Ferrara, Maltoni, 2010). Of 8×8×6
// cells 312 lie within reach. Always the same number of bits is set, so that a
// plain count of those that differ compares any two.
const (
	across    = 8
	turns     = 6
	places    = 52 // of 8×8 within reach
	cells     = places * turns
	codeWords = 5 // 320 bits hold them all
	strongest = 80
	mostCodes = 48 // a finger
)

type code [codeWords]uint64

// point is where a coded minutia is and how it is directed, in one word:
// x and y (12 bits each), direction in 1/256 of a turn.
type point uint32

func (p point) x() int32         { return int32(p >> 20) }
func (p point) y() int32         { return int32(p >> 8 & 0xfff) }
func (p point) direction() uint8 { return uint8(p) }

// Lengths are counted in quarters of a pixel: the middles of cells, 17.5 pixels
// apart, are whole numbers then. All is done in integers, so that every platform
// makes the same codes.
const (
	quarters   = 4
	halfStep   = 35      // quarters: half of a cell
	spread     = 28      // pixels: a minutia is felt so far
	reach      = 70 + 28 // pixels
	waveBits   = 12
	weightBits = 8
)

var (
	// sines of 256 directions, times 2^waveBits; a cosine is 64 further.
	sines = func() (s [256]int32) {
		for i := range s {
			s[i] = int32(math.Round(math.Sin(2*math.Pi*float64(i)/256) * (1 << waveBits)))
		}
		return s
	}()
	// near is how much a minutia weighs by its squared distance in pixels.
	near = func() (n [spread*spread + 1]int32) {
		const sigma = 28.0 / 3
		for i := range n {
			n[i] = int32(math.Round(math.Exp(-float64(i)/(2*sigma*sigma)) * (1 << waveBits)))
		}
		return n
	}()
	// facing is how much it weighs in each layer by its direction.
	facing = func() (f [256][turns]int32) {
		const sigma, half = 2 * math.Pi / 9, math.Pi / turns
		for i := range f {
			for k := range turns {
				d := 2*math.Pi*float64(i)/256 - ((float64(k)+.5)*2*math.Pi/turns - math.Pi)
				d = math.Remainder(d, 2*math.Pi)
				area := math.Erf((d+half)/(sigma*math.Sqrt2)) - math.Erf((d-half)/(sigma*math.Sqrt2))
				f[i][k] = int32(math.Round(area / 2 * (1 << waveBits)))
			}
		}
		return f
	}()
	// placeAt numbers the places within reach by row and column; -1 is out of it.
	placeAt, placeMiddle = func() (at [across][across]int8, middle [places][2]int32) {
		n := int8(0)
		for i := range int32(across) {
			for j := range int32(across) {
				a, b := 2*i-(across-1), 2*j-(across-1) // in half steps
				if at[i][j] = -1; a*a+b*b <= across*across {
					at[i][j], middle[n] = n, [2]int32{a * halfStep, b * halfStep}
					n++
				}
			}
		}
		return at, middle
	}()
)

// encode makes the codes of a print, at most mostCodes of its best minutiae, and
// tells where these stand.
func encode(t finger.Template) (codes []code, points []point) {
	all := pointsOf(t)
	var value [cells]int32
	for i := range all {
		if len(codes) == mostCodes {
			break
		}
		clear(value[:])
		if surround(all, i, &value) < 2 {
			continue
		}
		if c, ok := pick(&value); ok {
			codes, points = append(codes, c), append(points, all[i])
		}
	}
	return codes, points
}

func pointsOf(t finger.Template) []point {
	minutiae := t.Minutiae()
	all := make([]point, len(minutiae))
	for i, m := range minutiae {
		turn := uint8(int(math.Round(float64(m.Direction) * 256 / (2 * math.Pi))))
		all[i] = point(uint32(min(m.X, 0xfff))<<20 | uint32(min(m.Y, 0xfff))<<8 | uint32(turn))
	}
	return all
}

// surround lets every minutia near to one weigh on its cells, and counts them.
func surround(all []point, i int, value *[cells]int32) (count int) {
	x, y, direction := all[i].x(), all[i].y(), all[i].direction()
	sin, cos := sines[direction], sines[direction+64]
	for j, n := range all {
		dx, dy := n.x()-x, y-n.y() // y upwards
		if j == i || dx*dx+dy*dy > reach*reach {
			continue
		}
		count++
		// In the frame of the minutia, in quarters of a pixel.
		const half = 1 << (waveBits - 3)
		u := (dx*cos + dy*sin + half) >> (waveBits - 2)
		v := (dy*cos - dx*sin + half) >> (waveBits - 2)
		weigh(u, v, &facing[n.direction()-direction], value)
	}
	return count
}

func weigh(u, v int32, layers *[turns]int32, value *[cells]int32) {
	for row := firstCell(u); row < across; row++ {
		du := (2*row-(across-1))*halfStep - u
		if du > spread*quarters {
			break
		}
		for column := firstCell(v); column < across; column++ {
			dv := (2*column-(across-1))*halfStep - v
			if dv > spread*quarters {
				break
			}
			place, d := placeAt[row][column], (du*du+dv*dv)/(quarters*quarters)
			if place < 0 || d > spread*spread {
				continue
			}
			for k, layer := range layers {
				value[int(place)+k*places] += near[d] * layer >> weightBits
			}
		}
	}
}

// firstCell is the first row or column whose middle a minutia at u may reach.
func firstCell(u int32) int32 {
	return max(0, (u-spread*quarters+(across-1)*halfStep+2*halfStep-1)/(2*halfStep))
}

// pick sets the bits of the strongest cells; of equal ones the first. A minutia
// with too few around it has no code: sparse codes would be like one another.
func pick(value *[cells]int32) (c code, ok bool) {
	var most int32
	filled := 0
	for _, v := range value {
		most = max(most, v)
		if v > 0 {
			filled++
		}
	}
	if filled < strongest {
		return c, false
	}
	shift := 0
	for most>>shift > 255 {
		shift++
	}
	var levels [256]uint16 // how many cells are how strong, roughly
	for _, v := range value {
		levels[v>>shift]++
	}
	left, edge := strongest, 255
	for ; int(levels[edge]) < left; edge-- {
		left -= int(levels[edge])
	}
	var tied [cells]int32 // those at the edge, to be put in order: the strongest last
	n := 0
	for at, v := range value {
		switch level := int(v >> shift); {
		case level > edge:
			c[at/64] |= 1 << (at % 64)
		case level == edge:
			tied[n] = (v&(1<<shift-1))<<9 | int32(cells-at)
			n++
		}
	}
	slices.Sort(tied[:n])
	for _, key := range tied[n-left : n] {
		at := cells - int(key&511)
		c[at/64] |= 1 << (at % 64)
	}
	return c, true
}
