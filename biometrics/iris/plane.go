package iris

import "math"

// Everything that decides about bits is computed in whole numbers, or in floats that
// are converted after each product: a processor that multiplies and adds in one step
// must not make another code.

// plane is a grey image at one scale.
type plane struct {
	w, h int
	pix  []uint8
}

// widest is the side to which larger images are brought.
const widest = 800

// working is the image at the scale that is worked at.
func working(img *Image) *plane {
	p := &plane{img.Width, img.Height, img.Pix}
	if by := img.reduction(); by > 1 {
		p = p.smaller(by)
	}
	return p
}

// reduction is how many pixels of an image make one at that scale.
func (img *Image) reduction() int { return (max(img.Width, img.Height) + widest - 1) / widest }

// smaller averages squares of so many pixels a side.
func (p *plane) smaller(by int) *plane {
	out := &plane{w: p.w / by, h: p.h / by}
	out.pix = make([]uint8, out.w*out.h)
	sums := make([]int, out.w)
	for y := range out.h {
		clear(sums)
		for dy := range by {
			row := p.pix[(y*by+dy)*p.w:][:out.w*by]
			for x := range sums {
				for _, v := range row[x*by:][:by] {
					sums[x] += int(v)
				}
			}
		}
		for x, sum := range sums {
			out.pix[y*out.w+x] = uint8((sum + by*by/2) / (by * by))
		}
	}
	return out
}

// Directions about a centre, as fixed-point cosines and sines; y runs downwards.
const (
	directions = 512
	unit       = 1 << 14
)

var compass = func() (table [directions][2]int) {
	for i := range table {
		sin, cos := math.Sincos(float64(float64(i) * (2 * math.Pi / directions)))
		table[i] = [2]int{int(math.Round(cos * unit)), int(math.Round(sin * unit))}
	}
	return table
}()

// circle is in pixels.
type circle struct{ x, y, r int }

func (c circle) scaled(by int) circle { return circle{c.x * by, c.y * by, c.r * by} }

// fan holds running sums of the grey along rays from one centre, so that the step at
// any distance costs four look-ups.
type fan struct {
	rays  int
	reach int
	sums  []int32 // reach+1 for each ray
	ends  []int   // how far each ray stays within the image
	which []int   // the direction of each ray
	// A circle is held to a height, by so much for a pixel.
	home, hold int
}

// newFan has room for rays in some directions.
func newFan(which []int, reach int) *fan {
	return &fan{rays: len(which), reach: reach, which: which,
		sums: make([]int32, len(which)*(reach+1)), ends: make([]int, len(which))}
}

// spread casts the rays from a centre.
func (f *fan) spread(p *plane, x, y int) {
	for i, d := range f.which {
		sums := f.sums[i*(f.reach+1):][:f.reach+1]
		cos, sin := compass[d][0], compass[d][1]
		u, v := x*unit+unit/2, y*unit+unit/2
		sum, end := int32(0), f.reach
		for r := range f.reach {
			px, py := u>>14, v>>14
			if uint(px) >= uint(p.w) || uint(py) >= uint(p.h) {
				end = r
				break
			}
			sum += int32(p.pix[py*p.w+px])
			sums[r+1] = sum
			u, v = u+cos, v+sin
		}
		f.ends[i] = end
	}
}

// step is by how much a ray becomes lighter at a distance, from the mean of so many
// pixels before it to that of as many after; false where the ray does not reach.
func (f *fan) step(ray, r, width int) (int, bool) {
	if r < width || r+width > f.ends[ray] {
		return 0, false
	}
	sums := f.sums[ray*(f.reach+1):]
	return int(sums[r+width]-2*sums[r]+sums[r-width]) / width, true
}

// Steps larger than this say no more: a reflection beside the edge must not outweigh
// the rest of the circle.
const (
	clipped = 40
	clear_  = 6 // a step that is seen
)

// ringStep is the mean step over all rays at a distance, and the share of rays, in
// per cent of all, on which it is clear.
func (f *fan) ringStep(r, width int) (mean, share int) {
	sum, seen, clearly := 0, 0, 0
	for ray := range f.rays {
		s, ok := f.step(ray, r, width)
		if !ok {
			continue
		}
		seen++
		sum += max(-clipped, min(clipped, s))
		if s >= clear_ {
			clearly++
		}
	}
	if 2*seen < f.rays {
		return 0, 0
	}
	return 16 * sum / seen, 100 * clearly / f.rays
}
