package jp2

// What is known of a coefficient while its code-block is decoded.
const (
	significant = 1 << iota
	negative
	visited // in this bit plane
	refined
)

// bitPlanes is a code-block at work; its flags have a border of one.
type bitPlanes struct {
	mq
	w, h   int
	stride int
	flags  []uint8
	around []uint8 // which of the eight neighbours are significant
	value  []int32 // magnitudes with one fractional bit
	zero   *[256]uint8
}

// mostPast is how far beyond its bytes a code-block is decoded; encoders leave out
// the last few, which are ones.
const mostPast = 64

// decodeBlocks turns the code-blocks of a resolution into coefficients.
func decodeBlocks(r *resolution, reversible bool) {
	var t bitPlanes
	for _, p := range r.precincts {
		for i := range p.parts {
			part := &p.parts[i]
			for j := range part.blocks {
				if b := &part.blocks[j]; b.passes > 0 {
					t.decode(b, part.band)
					t.store(b, part.band, reversible)
				}
			}
		}
	}
}

// decode runs the coding passes of a code-block (annex D).
func (t *bitPlanes) decode(b *block, in *band) {
	t.w, t.h = b.w(), b.h()
	t.stride = t.w + 2
	t.flags = cleared(t.flags, t.stride*(t.h+2))
	t.around = cleared(t.around, t.stride*(t.h+2))
	t.value = cleared(t.value, t.w*t.h)
	t.zero = zeroContexts[in.orient]
	t.start(b.data)
	plane := in.bits - b.zero - 1
	kind := 2 // the first pass is a cleanup
	for range b.passes {
		if t.past > mostPast {
			return // nothing but filling: few bytes must not cost much work
		}
		one := int32(1) << (plane + 1)
		switch kind {
		case 0:
			t.propagate(one)
		case 1:
			t.refine(one)
		case 2:
			t.cleanUp(one)
		}
		if kind++; kind == 3 {
			kind = 0
			plane--
		}
	}
}

func cleared[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	s = s[:n]
	clear(s)
	return s
}

// become makes a coefficient significant and reads its sign.
func (t *bitPlanes) become(f, v int, one int32) {
	lean := func(f int) int {
		switch t.flags[f] & (significant | negative) {
		case significant:
			return 1
		case significant | negative:
			return -1
		}
		return 0
	}
	h := min(1, max(-1, lean(f-1)+lean(f+1)))
	up := min(1, max(-1, lean(f-t.stride)+lean(f+t.stride)))
	// Table D.3: the context by both, mirrored when they lean to the negative side.
	flip := uint8(0)
	if h < 0 || h == 0 && up < 0 {
		h, up, flip = -h, -up, 1
	}
	context := contextSign + 3*h + up // (0,0) 9, (0,1) 10, (1,-1) 11, (1,0) 12, (1,1) 13
	t.flags[f] |= significant
	t.tell(f)
	t.value[v] = one | one>>1
	if t.mq.decode(context)^flip == 1 {
		t.flags[f] |= negative
	}
}

// tell lets the neighbours of a coefficient know that it is significant: bits 0 and
// 1 the horizontal ones, 2 and 3 the vertical ones, 4 to 7 the diagonal ones.
func (t *bitPlanes) tell(f int) {
	up, down := t.around[f-t.stride-1:f-t.stride+2], t.around[f+t.stride-1:f+t.stride+2]
	t.around[f-1] |= 1 << 1
	t.around[f+1] |= 1 << 0
	up[0] |= 1 << 7
	up[1] |= 1 << 3
	up[2] |= 1 << 6
	down[0] |= 1 << 5
	down[1] |= 1 << 2
	down[2] |= 1 << 4
}

// propagate is the pass over the insignificant ones with a significant neighbour,
// in the order of scanning: stripes of four rows, column by column.
func (t *bitPlanes) propagate(one int32) {
	for top := 0; top < t.h; top += 4 {
		for x := range t.w {
			for y := top; y < min(top+4, t.h); y++ {
				f := (y+1)*t.stride + x + 1
				if t.flags[f]&significant != 0 {
					continue
				}
				n := t.around[f]
				if n == 0 {
					continue
				}
				if t.mq.decode(int(t.zero[n])) == 1 {
					t.become(f, y*t.w+x, one)
				}
				t.flags[f] |= visited
			}
		}
	}
}

// refine is the pass over those that were significant before.
func (t *bitPlanes) refine(one int32) {
	for top := 0; top < t.h; top += 4 {
		for x := range t.w {
			for y := top; y < min(top+4, t.h); y++ {
				f := (y+1)*t.stride + x + 1
				if t.flags[f]&(significant|visited) != significant {
					continue
				}
				context := contextRefine
				switch {
				case t.flags[f]&refined != 0:
					context += 2
				case t.around[f] != 0:
					context++
				}
				v := y*t.w + x
				if t.mq.decode(context) == 1 {
					t.value[v] += one >> 1
				} else {
					t.value[v] -= one >> 1
				}
				t.flags[f] |= refined
			}
		}
	}
}

// cleanUp is the pass over all the rest.
func (t *bitPlanes) cleanUp(one int32) {
	for top := 0; top < t.h; top += 4 {
		for x := range t.w {
			t.cleanColumn(x, top, one)
		}
	}
}

func (t *bitPlanes) cleanColumn(x, top int, one int32) {
	y := top
	if top+4 <= t.h && t.quiet(x, top) {
		if t.mq.decode(contextRun) == 0 {
			return
		}
		y += int(t.mq.decode(contextUniform)<<1 | t.mq.decode(contextUniform))
		t.become((y+1)*t.stride+x+1, y*t.w+x, one)
		y++
	}
	for ; y < min(top+4, t.h); y++ {
		f := (y+1)*t.stride + x + 1
		if t.flags[f]&(significant|visited) == 0 && t.mq.decode(int(t.zero[t.around[f]])) == 1 {
			t.become(f, y*t.w+x, one)
		}
		t.flags[f] &^= visited
	}
}

// quiet tells whether nothing in or about a column of four is significant yet.
func (t *bitPlanes) quiet(x, top int) bool {
	for y := top; y < top+4; y++ {
		f := (y+1)*t.stride + x + 1
		if t.flags[f]&(significant|visited) != 0 || t.around[f] != 0 {
			return false
		}
	}
	return true
}

// store writes the coefficients into their subband.
func (t *bitPlanes) store(b *block, in *band, reversible bool) {
	for y := range t.h {
		at := (b.y0-in.y0+y)*in.w() + b.x0 - in.x0
		for x := range t.w {
			v := t.value[y*t.w+x]
			minus := t.flags[(y+1)*t.stride+x+1]&negative != 0
			if reversible {
				if v >>= 1; minus {
					v = -v
				}
				in.whole[at+x] = v
				continue
			}
			real := float32(v) * 0.5 * in.step
			if minus {
				real = -real
			}
			in.real[at+x] = real
		}
	}
}

// zeroContexts are the contexts of table D.1 for each subband.
var zeroContexts = func() (all [4]*[256]uint8) {
	for orient := range all {
		all[orient] = new([256]uint8)
		for n := range 256 {
			h, v := n&1+n>>1&1, n>>2&1+n>>3&1
			d := n>>4&1 + n>>5&1 + n>>6&1 + n>>7&1
			switch orient {
			case 1:
				all[orient][n] = straight(v, h, d)
			case 3:
				all[orient][n] = diagonal(h+v, d)
			default:
				all[orient][n] = straight(h, v, d)
			}
		}
	}
	return all
}()

func straight(h, v, d int) uint8 {
	switch {
	case h == 2:
		return 8
	case h == 1 && v >= 1:
		return 7
	case h == 1 && d >= 1:
		return 6
	case h == 1:
		return 5
	case v > 0:
		return uint8(2 + v)
	}
	return uint8(min(d, 2))
}

func diagonal(hv, d int) uint8 {
	switch {
	case d >= 3:
		return 8
	case d == 2:
		return uint8(6 + min(hv, 1))
	case d == 1:
		return uint8(3 + min(hv, 2))
	}
	return uint8(min(hv, 2))
}
