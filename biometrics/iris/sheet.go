package iris

import "math"

// rows are those of the rubber sheet (Daugman 2004): eight for each band of the code.
const rows = 8 * bands

// sheet is the iris unrolled: directions across, from the pupil to the limbus down.
type sheet struct {
	shade [rows * directions]uint8
	seen  [rows * directions]bool
	// How many of its places lie behind lids and lashes, in reflections, outside of
	// the image.
	lidded, glaring, outside int
}

// From where to where the iris is read, in 1/1024 of the way from the pupil to the
// limbus: the edges themselves are blurred.
const (
	innermost = 40
	outermost = 900
)

// unroll reads the iris. Each direction goes from the edge of the pupil to that of
// the limbus, which have centres of their own: what the pupil's size does to the
// iris is undone.
func unroll(p *plane, e *eye) *sheet {
	s := &sheet{}
	limits := e.limits()
	for d := range directions {
		cos, sin := compass[d][0], compass[d][1]
		x0, y0 := e.pupil.x*unit+e.pupil.r*cos, e.pupil.y*unit+e.pupil.r*sin
		x1, y1 := e.limbus.x*unit+e.limbus.r*cos, e.limbus.y*unit+e.limbus.r*sin
		for row := range rows {
			depth := innermost + (2*row+1)*(outermost-innermost)/(2*rows)
			s.read(p, e, limits, row*directions+d, x0+(x1-x0)/1024*depth, y0+(y1-y0)/1024*depth)
		}
	}
	s.widen()
	return s
}

// limits are the shades of lashes and of reflections.
func (e *eye) limits() [2]int {
	dark := e.dark + (e.grey-e.dark)*3/8
	bright := e.grey + max(24, (e.white-e.grey)*3/4)
	return [2]int{dark, bright}
}

// read takes one place, between pixels, and tells whether it is iris that is seen.
func (s *sheet) read(p *plane, e *eye, limits [2]int, to, x, y int) {
	u, v := x>>14, y>>14
	if u < 0 || v < 0 || u+1 >= p.w || v+1 >= p.h {
		s.outside++
		return
	}
	fx, fy := (x>>6)&255, (y>>6)&255
	at := v*p.w + u
	top := int(p.pix[at])*(256-fx) + int(p.pix[at+1])*fx
	low := int(p.pix[at+p.w])*(256-fx) + int(p.pix[at+p.w+1])*fx
	shade := (top*(256-fy) + low*fy) >> 16
	s.shade[to] = uint8(shade)
	switch {
	case shade > limits[1]:
		s.glaring++
		fallthrough
	case e.hides(u, v), shade < limits[0]:
		s.lidded++
	default:
		s.seen[to] = true
	}
}

// widen takes away what is beside something hidden: reflections have a glow and
// lashes a shadow.
func (s *sheet) widen() {
	const around, along = 4, 1
	was := s.seen
	for row := range rows {
		for d := range directions {
			if was[row*directions+d] {
				continue
			}
			for dr := max(0, row-along); dr <= min(rows-1, row+along); dr++ {
				for dd := d - around; dd <= d+around; dd++ {
					s.seen[dr*directions+(dd+directions)%directions] = false
				}
			}
		}
	}
}

// The filter along the rings: log-Gabor (Field 1987; Masek 2003), which answers
// neither to the mean shade nor to slow shadows.
const (
	bandwidth = .35 // σ/f0
	tap       = 80  // places on either side that it reaches
	strength  = 1 << 14
)

// waves are those in a full turn. Neighbouring bands are read at two scales: they look
// alike, and would say the same twice.
var waves = [2]float64{18, 32}

// filters hold the even and the odd part of the wavelets.
var filters = [2][2*tap + 1][2]int64{wavelet(waves[0]), wavelet(waves[1])}

func wavelet(waves float64) (taps [2*tap + 1][2]int64) {
	spread := math.Log(bandwidth)
	for i := range taps {
		var even, odd float64
		for f := 1; f < directions/2; f++ {
			away := math.Log(float64(f)/waves) / spread
			gain := math.Exp(-float64(away*away) / 2)
			sin, cos := math.Sincos(float64(2*math.Pi*float64(f)*float64(i-tap)) / directions)
			even, odd = even+float64(gain*cos), odd+float64(gain*sin)
		}
		taps[i] = [2]int64{int64(math.Round(even * strength / directions)), int64(math.Round(odd * strength / directions))}
	}
	return taps
}

// level is the mean of the seen places of a band in each direction, about the band's
// own mean, in 1/16 of a shade; weight is how many of eight were seen.
func (s *sheet) level(band int) (levels, weights [directions]int64) {
	var total, n int64
	for d := range directions {
		for row := band * 8; row < band*8+8; row++ {
			if s.seen[row*directions+d] {
				levels[d] += int64(s.shade[row*directions+d])
				weights[d]++
			}
		}
		total, n = total+levels[d], n+weights[d]
	}
	if n == 0 {
		return levels, weights
	}
	mean := total * 16 / n
	for d := range directions {
		if weights[d] < 3 {
			levels[d], weights[d] = 0, 0
			continue
		}
		levels[d] = levels[d]*16/weights[d] - mean
	}
	return levels, weights
}

// code writes the phase of each place, and what of it can be trusted.
func (s *sheet) code() (c Code) {
	for band := range bands {
		levels, weights := s.level(band)
		var answers [columns][2]int64
		var trusted [columns]bool
		var power [2]int64 // of 128 answers below 2^27
		n := 0
		for column := range columns {
			at := column * directions / columns
			var seen int64
			for i, t := range filters[band%2] {
				d := (at + i - tap + directions) % directions
				answers[column][0] += t[0] * levels[d]
				answers[column][1] += t[1] * levels[d]
				if off := i - tap; off >= -reach && off <= reach && weights[d] > 0 {
					seen++
				}
			}
			if trusted[column] = seen*100 >= (2*reach+1)*leastSeen; trusted[column] {
				n++
				for part, a := range answers[column] {
					power[part] += a * a
				}
			}
		}
		if n == 0 {
			continue
		}
		for part := range 2 {
			fragile := math.Sqrt(float64(power[part])/float64(n)) * weak
			for column := range columns {
				if a := float64(answers[column][part]); trusted[column] && math.Abs(a) > fragile {
					c.set(column, 2*band+part, a > 0)
				}
			}
		}
	}
	return c
}

const (
	reach     = 16  // places on either side that weigh most in the filter
	leastSeen = 70  // per cent of them that must have been seen
	weak      = .06 // of the deviation: answers nearer to 0 fall either way (Hollingsworth 2009)
)

// set writes a bit that was seen.
func (c *Code) set(column, row int, one bool) {
	word, bit := column/perWord, column%perWord*perColumn+row
	c.mask[word] |= 1 << bit
	if one {
		c.bits[word] |= 1 << bit
	}
}
