package finger

import "slices"

// measures are what is seen of a print that tells how it will match, or what went
// wrong with it.
type measures struct {
	area     float64 // of the ridges, in blocks
	likeness float64 // how much of what is seen are ridges, 0 to about 1
	period   float64 // its median, pixels
	minutiae float64 // how many
	worth    float64 // sum of their qualities, 100 is one
	contrast float64 // median local deviation, grey levels
	noise    float64 // how much more grey steps from pixel to pixel than ridges make it
	dark     float64 // share of the pixels that are darker than what is around
	gaps     float64 // how much grey changes along ridges, of how much it changes across
	smear    float64 // how much contrast depends on the direction of the ridges
	within   float64 // mean grey of the print
	without  float64 // and of what is around it; as within where there is too little
	aside    bool    // it leaves the picture on one side, and there is room on the other
}

// patch is what is summed over a block's pixels.
type patch struct{ sum, square, edges, dark, count int32 }

// measured looks at the picture block by block. What is at the print's rim counts
// for its area only: paper shines in.
func measured(img *Image, f *field, minutiae []Minutia) (m measures) {
	patches := patchesOf(img, f)
	var contrasts, periods []float32
	for b, in := range f.mask {
		if !in {
			continue
		}
		m.area++
		m.likeness += float64(f.likeness[b])
		periods = append(periods, f.period[b])
		if f.deep(b) {
			contrasts = append(contrasts, f.around(patches, b).deviation())
		}
	}
	m.minutiae = float64(len(minutiae))
	for _, one := range minutiae {
		m.worth += float64(one.Quality) / 100
	}
	if m.area == 0 || len(contrasts) == 0 {
		return m
	}
	m.likeness /= m.area
	slices.Sort(periods)
	slices.Sort(contrasts)
	m.period, m.contrast = float64(periods[len(periods)/2]), float64(contrasts[len(contrasts)/2])
	m.shades(f, patches)
	m.smear = smeared(f, patches)
	m.gaps = f.gaps(img, patches)
	m.aside = f.aside()
	return m
}

// deep tells whether all blocks around a block are of the print too.
func (f *field) deep(b int) bool {
	row, col := b/f.cols, b%f.cols
	if row == 0 || col == 0 || row == f.rows-1 || col == f.cols-1 {
		return false
	}
	for _, line := range [3]int{b - f.cols, b, b + f.cols} {
		if !f.mask[line-1] || !f.mask[line] || !f.mask[line+1] {
			return false
		}
	}
	return true
}

// patchesOf sums up every block: the pixels, their squares, the steps between
// neighbours, and how many are darker than the blocks around.
func patchesOf(img *Image, f *field) []patch {
	patches := make([]patch, f.cols*f.rows)
	w := img.Width
	for y := range img.Height - 1 {
		row, below := img.Pix[y*w:(y+1)*w], img.Pix[(y+1)*w:(y+2)*w]
		for from := 0; from < w-1; from += cell {
			p := &patches[y/cell*f.cols+from/cell]
			to := min(w-1, from+cell)
			for x := from; x < to; x++ {
				v := int32(row[x])
				dx, dy := int32(row[x+1])-v, int32(below[x])-v
				p.sum += v
				p.square += v * v
				p.edges += dx*dx + dy*dy
			}
			p.count += int32(to - from)
		}
	}
	for b, in := range f.mask {
		if !in {
			continue
		}
		near := f.around(patches, b)
		mean := uint8((near.sum + near.count/2) / max(1, near.count))
		x0, y0 := b%f.cols*cell, b/f.cols*cell
		for y := y0; y < min(img.Height-1, y0+cell); y++ {
			for _, v := range img.Pix[y*w+x0 : y*w+min(w-1, x0+cell)] {
				patches[b].dark += int32(bit(v < mean))
			}
		}
	}
	return patches
}

// around adds up a block and its eight neighbours.
func (f *field) around(patches []patch, b int) (all patch) {
	row, col := b/f.cols, b%f.cols
	for y := max(0, row-1); y <= min(f.rows-1, row+1); y++ {
		for _, p := range patches[y*f.cols+max(0, col-1) : y*f.cols+min(f.cols-1, col+1)+1] {
			all.sum, all.square, all.edges = all.sum+p.sum, all.square+p.square, all.edges+p.edges
			all.dark, all.count = all.dark+p.dark, all.count+p.count
		}
	}
	return all
}

// variance of the pixels.
func (p patch) variance() float32 {
	n, sum := int64(max(1, p.count)), int64(p.sum)
	return float32(n*int64(p.square)-sum*sum) / float32(n*n)
}

func (p patch) deviation() float32 { return root(p.variance()) }

// gaps tells how much the grey of a print changes along its ridges, where it should
// stay, of all that it changes.
func (f *field) gaps(img *Image, patches []patch) float64 {
	const step = 5 // pixels: as long as a gap
	w := img.Width
	var along, all float64
	for b, in := range f.mask {
		if !in || !f.deep(b) {
			continue
		}
		to := direction(f.angle[b])
		dx, dy := int(float32(step*cosines[to])+8.5)-8, int(float32(step*sines[to])+8.5)-8
		sum, n := int64(0), 0
		x0, y0 := b%f.cols*cell, b/f.cols*cell
		for y := y0; y < min(img.Height, y0+cell); y += 2 {
			for x := x0; x < min(w, x0+cell); x += 2 {
				// Deep in the print there is a block on each side.
				if u, v := x+dx, y+dy; u < w && v < img.Height {
					d := int64(img.Pix[y*w+x]) - int64(img.Pix[v*w+u])
					sum, n = sum+d*d, n+1
				}
			}
		}
		along += float64(sum) / float64(max(1, n))
		all += float64(f.around(patches, b).variance())
	}
	// Two pixels far apart differ by twice the variance.
	return along / (2*all + 1)
}

// shades compares dark and light, inside and outside of the print.
func (m *measures) shades(f *field, patches []patch) {
	var in, inside, out, outside, edges, squares, dark, deep float64
	for b, p := range patches {
		switch {
		case !f.mask[b]:
			out, outside = out+float64(p.sum), outside+float64(p.count)
			continue
		case f.deep(b):
			dark, deep, edges = dark+float64(p.dark), deep+float64(p.count), edges+float64(p.edges)
			squares += float64(float64(p.count) * float64(f.around(patches, b).variance()))
		}
		in, inside = in+float64(p.sum), inside+float64(p.count)
	}
	m.within = in / max(1, inside)
	m.without = m.within
	if outside > inside/20 {
		m.without = out / outside
	}
	m.dark = dark / max(1, deep)
	// (2π)²: a wave of this period steps by so much a pixel, of its variance.
	m.noise = edges / (squares + 1) * m.period * m.period / 39.478418
}

// aside tells whether the print touches one side of the picture along a third of it,
// while on the other side there is room.
func (f *field) aside() bool {
	left, right, top, bottom := f.cols, -1, f.rows, -1
	var touches [4]int // left, right, top, bottom
	for b, in := range f.mask {
		if in {
			col, row := b%f.cols, b/f.cols
			left, right, top, bottom = min(left, col), max(right, col), min(top, row), max(bottom, row)
			touches[0] += one(col == 0)
			touches[1] += one(col >= f.cols-2)
			touches[2] += one(row == 0)
			touches[3] += one(row >= f.rows-2)
		}
	}
	beyond := func(touching, side, room, across int) bool { return 3*touching > side && 7*room > across }
	return beyond(touches[0], f.rows, f.cols-1-right, f.cols) || beyond(touches[1]/2, f.rows, left, f.cols) ||
		beyond(touches[2], f.cols, f.rows-1-bottom, f.rows) || beyond(touches[3]/2, f.cols, top, f.rows)
}

// smeared tells how much less contrast ridges in one direction have than those
// across it: contrast = a + b·cos 2θ + c·sin 2θ is fitted, and the share of (b, c) in
// a is told.
func smeared(f *field, patches []patch) float64 {
	var n, c, s, cc, cs, ss, v, vc, vs float64
	for b, in := range f.mask {
		if !in || !f.deep(b) {
			continue
		}
		twice := direction(2 * f.angle[b])
		x, y, d := float64(cosines[twice]), float64(sines[twice]), float64(f.around(patches, b).deviation())
		n, c, s = n+1, c+x, s+y
		cc, cs, ss = cc+float64(x*x), cs+float64(x*y), ss+float64(y*y)
		v, vc, vs = v+d, vc+float64(d*x), vs+float64(d*y)
	}
	// Around their means.
	cc, cs, ss = cc-float64(c*c)/n, cs-float64(c*s)/n, ss-float64(s*s)/n
	vc, vs = vc-float64(v*c)/n, vs-float64(v*s)/n
	det := float64(cc*ss) - float64(cs*cs)
	// An arch has nearly one direction only: nothing is known then.
	if det < .01*n*n || v <= 0 {
		return 0
	}
	p, q := (float64(vc*ss)-float64(vs*cs))/det, (float64(vs*cc)-float64(vc*cs))/det
	return float64(root(float32(float64(p*p)+float64(q*q)))) * n / v
}
