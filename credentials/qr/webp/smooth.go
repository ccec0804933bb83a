package webp

// smoothing finds the level of the simple filter (section 15.2) that brings the picture
// closest to its source: at the seams of blocks, where coarse steps show.
func (f *frame) smoothing() int {
	best, least := 0, f.distance(f.luma.pix)
	for level, worse := 2, 0; level < 64 && worse < 3; level, worse = level+2, worse+1 {
		if d := f.distance(f.smooth(level).pix); d < least {
			best, least, worse = level, d, 0
		}
	}
	return best
}

func (f *frame) distance(pix []uint8) (sum int) {
	for y := range f.source.height {
		for x := range f.source.width {
			at := y*f.luma.stride + x
			d := int(pix[at]) - int(f.source.luma.pix[at])
			sum += d * d
		}
	}
	return sum
}

// smooth gives the luma as a decoder shows it at a level of the filter.
func (f *frame) smooth(level int) plane {
	p := plane{pix: append([]uint8(nil), f.luma.pix...), stride: f.luma.stride}
	if level == 0 {
		return p
	}
	inner := 3 * level // twice the level and the limit within, which is the level too
	for i := range f.blocks {
		m, x, y := &f.blocks[i], i%f.source.across*16, i/f.source.across*16
		from := 0
		if x == 0 {
			from = 4
		}
		p.seams(m, y*p.stride+x, from, inner, p.stride, 1)
		from = 0
		if y == 0 {
			from = 4
		}
		p.seams(m, y*p.stride+x, from, inner, 1, p.stride)
	}
	return p
}

// seams smooths the seams of a macroblock that run along one direction; those within
// only where something was written.
func (p plane) seams(m *macroblock, start, from, limit, along, across int) {
	for at := from; at < 16; at += 4 {
		here := limit
		if at == 0 {
			here += 4
		} else if m.whole && m.empty {
			return
		}
		for n := range 16 {
			p.seam(start+at*across+n*along, across, here)
		}
	}
}

func (p plane) seam(at, across, limit int) {
	p1, p0 := int(p.pix[at-2*across]), int(p.pix[at-across])
	q0, q1 := int(p.pix[at]), int(p.pix[at+across])
	if max(p0-q0, q0-p0)*2+max(p1-q1, q1-p1)/2 > limit {
		return
	}
	a := 3*(q0-p0) + min(127, max(-128, p1-q1))
	right, left := min(15, max(-16, (a+4)>>3)), min(15, max(-16, (a+3)>>3))
	p.pix[at-across], p.pix[at] = clamp(int32(p0+left)), clamp(int32(q0-right))
}
