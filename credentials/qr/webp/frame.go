package webp

// macroblock is what was decided for sixteen by sixteen pixels.
type macroblock struct {
	whole   bool // predicted in one piece; otherwise in sixteen blocks
	luma    int  // how, when whole
	modes   [16]int
	chroma  int
	means   [16]int16
	levels  [16][16]int16 // of luma
	colours [2][4][16]int16
	empty   bool // nothing but the prediction
}

// filled says which blocks at an edge of a macroblock had levels: the context of the
// next. Four of luma, two each of chroma, one of means.
type filled [9]int

// frame encodes one picture, as often as it takes.
type frame struct {
	source  *source
	luma    plane // as a decoder will see it
	colours [2]plane

	blocks     []macroblock
	step       int
	quantiser  quantiser
	prices     prices
	probs      *probabilities
	tally      tally
	upFilled   []filled
	leftFilled filled
	upModes    []int
	leftModes  [4]int
}

func newFrame(s *source) *frame {
	f := &frame{source: s, luma: newPlane(s.across*16, s.down*16), blocks: make([]macroblock, s.across*s.down),
		upFilled: make([]filled, s.across), upModes: make([]int, s.across*4), probs: &probabilities{}}
	f.colours = [2]plane{newPlane(s.across*8, s.down*8), newPlane(s.across*8, s.down*8)}
	*f.probs = defaultProbs
	for c := range f.colours {
		for i := range f.colours[c].pix {
			f.colours[c].pix[i] = 128
		}
	}
	return f
}

// encode decides everything for one step of quantisation, at the prices of the
// probabilities that the attempt before has learned.
func (f *frame) encode(step int) {
	f.step, f.quantiser = step, quantiserOf(step)
	f.prices.learn(f.probs)
	clear(f.upFilled)
	clear(f.upModes)
	for my := range f.source.down {
		f.leftFilled, f.leftModes = filled{}, [4]int{}
		for mx := range f.source.across {
			m := &f.blocks[my*f.source.across+mx]
			f.decideLuma(m, mx, my)
			f.decideChroma(m, mx, my)
			m.empty = m.levels == [16][16]int16{} && m.colours == [2][4][16]int16{} && (!m.whole || m.means == [16]int16{})
			f.remember(m, mx)
		}
	}
	f.count()
	f.probs = f.tally.adapt()
}

// remember leaves the modes and contexts for the macroblocks to the right and below.
func (f *frame) remember(m *macroblock, mx int) {
	up := &f.upFilled[mx]
	means := [2]int{up[8], f.leftFilled[8]}
	*up, f.leftFilled = filled{}, filled{}
	for i := range 4 {
		up[i], f.leftFilled[i] = some(&m.levels[12+i]), some(&m.levels[4*i+3])
		f.upModes[4*mx+i], f.leftModes[i] = m.modes[12+i], m.modes[4*i+3]
	}
	for c := range 2 {
		for i := range 2 {
			up[4+2*c+i], f.leftFilled[4+2*c+i] = some(&m.colours[c][2+i]), some(&m.colours[c][2*i+1])
		}
	}
	up[8], f.leftFilled[8] = means[0], means[1] // blocks without means leave theirs
	if m.whole {
		up[8], f.leftFilled[8] = some(&m.means), some(&m.means)
	}
}

func some(levels *[16]int16) int {
	if *levels == [16]int16{} {
		return 0
	}
	return 1
}

// count writes all tokens down in the order of section 13.
func (f *frame) count() {
	f.tally = tally{steps: f.tally.steps[:0]}
	clear(f.upFilled)
	for i := range f.blocks {
		m, mx := &f.blocks[i], i%f.source.across
		if mx == 0 {
			f.leftFilled = filled{}
		}
		if !m.empty {
			f.countBlock(m, &f.upFilled[mx])
		}
		f.remember(m, mx)
	}
}

func (f *frame) countBlock(m *macroblock, up *filled) {
	left, above := f.leftFilled, *up
	kind, first := lumaAlone, 0
	if m.whole {
		kind, first = lumaAfterMeans, 1
		f.tally.block(&m.means, means, 0, left[8]+above[8])
	}
	put := func(levels *[16]int16, kind, first, x, y int) {
		there := 0
		if f.tally.block(levels, kind, first, left[y]+above[x]) {
			there = 1
		}
		left[y], above[x] = there, there
	}
	for n := range 16 {
		put(&m.levels[n], kind, first, n%4, n/4)
	}
	for c := range 2 {
		for n := range 4 {
			put(&m.colours[c][n], chroma, 0, 4+2*c+n%2, 4+2*c+n/2)
		}
	}
}

// bitstream writes the frame: section 9 and 19.2.
func (f *frame) bitstream(smoothing int) []byte {
	head := newBoolean()
	head.number(0, 1+1+1) // colour space, clamping, no segments
	head.number(1, 1)     // the simple filter
	head.number(smoothing, 6)
	head.number(0, 3+1+2) // sharpness, no adjustments, one partition
	head.number(f.step, 7)
	head.number(0, 5) // no quantiser differs
	head.number(0, 1) // the probabilities are for this frame only
	for i, own := range f.probs {
		head.put(own != defaultProbs[i], updateProbs[i])
		if own != defaultProbs[i] {
			head.number(int(own), 8)
		}
	}
	f.writeModes(head)
	first := head.bytes()
	body := newBoolean()
	f.tally.write(body, f.probs)

	const version, shown = 1 << 1, 1 << 4 // version 1 is the simple filter
	tag := uint32(version | shown | len(first)<<5)
	w, h := f.source.width, f.source.height
	out := []byte{byte(tag), byte(tag >> 8), byte(tag >> 16), 0x9d, 0x01, 0x2a, byte(w), byte(w >> 8), byte(h), byte(h >> 8)}
	return append(append(out, first...), body.bytes()...)
}

// writeModes says of each macroblock whether it is empty, and how it is predicted.
func (f *frame) writeModes(b *boolean) {
	full := 0
	for i := range f.blocks {
		if !f.blocks[i].empty {
			full++
		}
	}
	skips := full < len(f.blocks)
	b.put(skips, 128)
	chance := uint8(min(255, max(1, full*256/len(f.blocks))))
	if skips {
		b.number(int(chance), 8)
	}
	clear(f.upModes)
	for i := range f.blocks {
		m, mx := &f.blocks[i], i%f.source.across
		if mx == 0 {
			f.leftModes = [4]int{}
		}
		if skips {
			b.put(m.empty, chance)
		}
		b.put(m.whole, 145)
		if m.whole {
			wholeTree(m.luma, b.put)
		} else {
			for n := range 16 {
				above, left := f.around(m, mx, n)
				blockTree(m.modes[n], above, left, b.put)
			}
		}
		chromaTree(m.chroma, b.put)
		for n := range 4 {
			f.upModes[4*mx+n], f.leftModes[n] = m.modes[12+n], m.modes[4*n+3]
		}
	}
}

// around gives the modes above and to the left of a block.
func (f *frame) around(m *macroblock, mx, n int) (above, left int) {
	above, left = f.upModes[4*mx+n%4], f.leftModes[n/4]
	if n >= 4 {
		above = m.modes[n-4]
	}
	if n%4 > 0 {
		left = m.modes[n-1]
	}
	return above, left
}
