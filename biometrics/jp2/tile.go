package jp2

// rect is a half-open rectangle.
type rect struct{ x0, y0, x1, y1 int }

func (r rect) w() int      { return r.x1 - r.x0 }
func (r rect) h() int      { return r.y1 - r.y0 }
func (r rect) empty() bool { return r.x1 <= r.x0 || r.y1 <= r.y0 }

// resolution is one level of detail of a component of a tile.
type resolution struct {
	rect
	bands     []*band
	precincts []*precinct
}

// band is a subband: its coefficients, with one fractional bit when they are
// reversible, scaled when they are not.
type band struct {
	rect
	orient int // 0 LL, 1 HL, 2 LH, 3 HH
	bits   int // most magnitude bits
	step   float32
	whole  []int32   // reversible
	real   []float32 // irreversible
}

// precinct is what one packet of each layer speaks about.
type precinct struct {
	x, y  int // where it begins on the reference grid
	parts []part
}

// part is a precinct in one subband.
type part struct {
	band     *band
	across   int
	down     int
	blocks   []block
	included *tagTree
	zeroBits *tagTree
}

// block is a code-block.
type block struct {
	rect
	seen   bool
	zero   int // bit planes that are all zero
	passes int
	length int // Lblock
	data   []byte
}

func (d *decoder) tile(index int, data []byte) error {
	across, _ := d.tiles()
	x, y := d.tx0+index%across*d.tileW, d.ty0+index/across*d.tileH
	area := rect{max(x, d.x0), max(y, d.y0), min(x+d.tileW, d.x1), min(y+d.tileH, d.y1)}
	components := make([][]*resolution, d.components)
	for c := range components {
		var err error
		if components[c], err = d.layOut(area, d.quant[c], d.depth[c]); err != nil {
			return err
		}
	}
	if err := d.readPackets(area, components, data); err != nil {
		return err
	}
	planes := make([]plane, d.components)
	for c, resolutions := range components {
		for _, r := range resolutions {
			decodeBlocks(r, d.coding.reversible)
		}
		planes[c] = synthesise(resolutions, d.coding.reversible)
	}
	d.finish(area, planes)
	return nil
}

// layOut makes the resolutions, subbands, precincts and code-blocks of a
// component (annex B).
func (d *decoder) layOut(area rect, q quantisation, depth int) ([]*resolution, error) {
	levels := d.coding.levels
	all := make([]*resolution, levels+1)
	for r := range all {
		n := levels - r
		res := &resolution{rect: rect{ceilShift(area.x0, n), ceilShift(area.y0, n), ceilShift(area.x1, n), ceilShift(area.y1, n)}}
		orients, nb := []int{1, 2, 3}, n+1
		if r == 0 {
			orients, nb = []int{0}, n
		}
		for _, orient := range orients {
			b, err := d.newBand(area, q, bandPlace{orient: orient, level: nb, resolution: r, depth: depth})
			if err != nil {
				return nil, err
			}
			res.bands = append(res.bands, b)
		}
		if err := d.layPrecincts(res, r, n); err != nil {
			return nil, err
		}
		all[r] = res
	}
	return all, nil
}

// bandPlace says which subband it is.
type bandPlace struct{ orient, level, resolution, depth int }

func (d *decoder) newBand(area rect, q quantisation, at bandPlace) (*band, error) {
	place := func(v, high int) int {
		if at.level == 0 {
			return v
		}
		return ceilShift(v-high<<(at.level-1), at.level)
	}
	highX, highY := at.orient&1, at.orient>>1
	b := &band{orient: at.orient, rect: rect{place(area.x0, highX), place(area.y0, highY), place(area.x1, highX), place(area.y1, highY)}}
	number := 0
	if at.resolution > 0 {
		number = 3*(at.resolution-1) + at.orient
	}
	exponent, mantissa := 0, 0
	switch {
	case q.style == 1: // derived from the one of the lowest subband
		exponent, mantissa = q.exponent[0]-max(0, at.resolution-1), q.mantissa[0]
	case number < len(q.exponent):
		exponent, mantissa = q.exponent[number], q.mantissa[number]
	default:
		return nil, broken("a subband without a quantiser")
	}
	b.bits = q.guard + exponent - 1
	if b.bits < 0 || b.bits > 30 {
		return nil, broken("%d bits in a subband", b.bits)
	}
	gain := highX + highY
	b.step = float32(1+float64(mantissa)/2048) * pow2(at.depth+gain-exponent)
	if !b.empty() {
		if d.coding.reversible {
			b.whole = make([]int32, b.w()*b.h())
		} else {
			b.real = make([]float32, b.w()*b.h())
		}
	}
	return b, nil
}

func pow2(n int) float32 {
	v := float32(1)
	for ; n > 0; n-- {
		v *= 2
	}
	for ; n < 0; n++ {
		v /= 2
	}
	return v
}

func (d *decoder) layPrecincts(res *resolution, r, n int) error {
	if res.empty() {
		return nil
	}
	px, py := d.coding.precincts[r][0], d.coding.precincts[r][1]
	for y := res.y0 >> py; y < ceilShift(res.y1, py); y++ {
		for x := res.x0 >> px; x < ceilShift(res.x1, px); x++ {
			p := &precinct{x: x << (px + n), y: y << (py + n)}
			for _, b := range res.bands {
				// A precinct is half as wide in the subbands that make a resolution of two.
				bx, by := px, py
				if r > 0 {
					bx, by = px-1, py-1
				}
				within := rect{max(b.x0, x<<bx), max(b.y0, y<<by), min(b.x1, (x+1)<<bx), min(b.y1, (y+1)<<by)}
				pt := newPart(b, within, min(d.coding.blockW, bx), min(d.coding.blockH, by))
				if d.blocks += len(pt.blocks); d.blocks > maxBlocks {
					return unsupported("that many code-blocks")
				}
				p.parts = append(p.parts, pt)
			}
			if res.precincts = append(res.precincts, p); len(res.precincts) > maxPackets {
				return unsupported("that many precincts")
			}
		}
	}
	return nil
}

func newPart(b *band, within rect, bw, bh int) part {
	p := part{band: b}
	if within.empty() {
		return p
	}
	x0, y0 := within.x0>>bw, within.y0>>bh
	p.across, p.down = ceilShift(within.x1, bw)-x0, ceilShift(within.y1, bh)-y0
	if p.across*p.down > maxBlocks {
		p.blocks = make([]block, maxBlocks+1) // the caller refuses
		return p
	}
	for y := range p.down {
		for x := range p.across {
			p.blocks = append(p.blocks, block{length: 3, rect: rect{max(within.x0, (x0+x)<<bw), max(within.y0, (y0+y)<<bh),
				min(within.x1, (x0+x+1)<<bw), min(within.y1, (y0+y+1)<<bh)}})
		}
	}
	p.included, p.zeroBits = newTagTree(p.across, p.down), newTagTree(p.across, p.down)
	return p
}
