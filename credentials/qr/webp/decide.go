package webp

import (
	"math"
	"slices"
)

// attempt is a way to write a macroblock, with what it loses and costs: in squared
// coefficients, four of which are a squared pixel.
type attempt struct {
	score  float32
	block  macroblock
	pixels [256]uint8
}

// closer is how many modes of a block are tried to the end.
const closer = 3

// decideLuma predicts a macroblock whole and in blocks, and keeps what is better.
func (f *frame) decideLuma(m *macroblock, mx, my int) {
	whole := attempt{score: math.MaxFloat32}
	e := f.luma.edgeAt(16*mx, 16*my, 16)
	for _, mode := range f.likely(&e, mx, my) {
		f.tryWhole(&whole, mode, &e, mx, my)
	}
	blocks := attempt{}
	blocks.score = f.quantiser.worth * float32(noCost[145])
	if f.tryBlocks(&blocks, whole.score, mx, my) {
		*m = blocks.block
		return
	}
	*m = whole.block
	for y := range 16 {
		copy(f.luma.pix[(16*my+y)*f.luma.stride+16*mx:][:16], whole.pixels[16*y:])
	}
}

// likely are the two modes of a whole macroblock that miss least.
func (f *frame) likely(e *edge, mx, my int) [2]int {
	var pixels [256]uint8
	miss := [4]int{}
	order := [4]int{byMean, byMotion, fromAbove, fromLeft}
	for mode := range order {
		e.square(mode, 16, pixels[:])
		for i, p := range pixels {
			d := int(f.source.luma.pix[(16*my+i/16)*f.luma.stride+16*mx+i%16]) - int(p)
			miss[mode] += d * d
		}
	}
	slices.SortStableFunc(order[:], func(a, b int) int { return miss[a] - miss[b] })
	return [2]int(order[:])
}

// residue is what a prediction misses, transformed.
func residue(from plane, x, y int, predicted []uint8, stride int) (b block) {
	for i := range b {
		b[i] = int32(from.pix[(y+i/4)*from.stride+x+i%4]) - int32(predicted[i/4*stride+i%4])
	}
	b.forward()
	return b
}

func (f *frame) tryWhole(best *attempt, mode int, e *edge, mx, my int) {
	a := attempt{block: macroblock{whole: true, luma: mode}}
	for n := range 16 {
		a.block.modes[n] = mode
	}
	e.square(mode, 16, a.pixels[:])
	var residues [16]block
	var first block
	for n := range 16 {
		at := 64*(n/4) + 4*(n%4)
		residues[n] = residue(f.source.luma, 16*mx+4*(n%4), 16*my+4*(n/4), a.pixels[at:], 16)
		first[n] = residues[n][0]
	}
	first.forwardMeans()
	bits := yesCost[145] + wholePrice[mode]
	w := walk{prices: &f.prices, steps: f.quantiser.means, worth: 4 * f.quantiser.worth, kind: means}
	bits += w.levels(&first, f.upFilled[mx][8]+f.leftFilled[8], &a.block.means)
	f.quantiser.means.restore(&a.block.means, &first, 0)
	first.inverseMeans()

	w = walk{prices: &f.prices, steps: f.quantiser.luma, worth: f.quantiser.worth, kind: lumaAfterMeans, first: 1}
	left, above := f.leftFilled, f.upFilled[mx]
	loss := int32(0)
	for n := range 16 {
		x, y := n%4, n/4
		bits += w.levels(&residues[n], left[y]+above[x], &a.block.levels[n])
		left[y] = some(&a.block.levels[n])
		above[x] = left[y]
		f.quantiser.luma.restore(&a.block.levels[n], &residues[n], 1)
		residues[n][0] = first[n]
		residues[n].inverse()
		loss += add(&residues[n], f.source.luma, 16*mx+4*x, 16*my+4*y, a.pixels[64*y+4*x:], 16)
	}
	a.score = 4*float32(loss) + f.quantiser.worth*float32(bits)
	if a.score < best.score {
		*best = a
	}
}

// add puts a residue on its prediction. It answers the squared difference that is left.
func add(b *block, from plane, x, y int, pixels []uint8, stride int) (loss int32) {
	for i := range b {
		at := i/4*stride + i%4
		pixels[at] = clamp(int32(pixels[at]) + b[i])
		d := int32(from.pix[(y+i/4)*from.stride+x+i%4]) - int32(pixels[at])
		loss += d * d
	}
	return loss
}

// tryBlocks predicts sixteen blocks one after the other, each from those before it. It
// answers false as soon as that is worse than what is known.
func (f *frame) tryBlocks(a *attempt, known float32, mx, my int) bool {
	right := f.aboveRight(mx, my)
	left, above := f.leftFilled, f.upFilled[mx]
	for n := range 16 {
		x, y := 16*mx+4*(n%4), 16*my+4*(n/4)
		e := f.luma.edgeAt(x, y, 4)
		for i := range 4 {
			switch {
			case n%4 == 3:
				e.above[4+i] = right[i]
			case y == 0:
				e.above[4+i] = beyondTop
			default:
				e.above[4+i] = f.luma.pix[(y-1)*f.luma.stride+x+4+i]
			}
		}
		up, before := f.around(&a.block, mx, n)
		a.score += f.tryBlock(a, n, &e, blockTry{x: x, y: y, context: left[n/4] + above[n%4], prices: &blockPrice[up][before]})
		left[n/4] = some(&a.block.levels[n])
		above[n%4] = left[n/4]
		if a.score >= known {
			return false
		}
	}
	return true
}

// aboveRight is what all blocks at the right of a macroblock see above to their right:
// the foot of the macroblock there, also those that stand lower.
func (f *frame) aboveRight(mx, my int) (right [4]uint8) {
	for i := range right {
		right[i] = beyondTop
		if my > 0 {
			// At the right of the picture, its last pixel is repeated.
			x := min(16*mx+16+i, f.luma.stride-1)
			right[i] = f.luma.pix[(16*my-1)*f.luma.stride+x]
		}
	}
	return right
}

// blockTry is where a block stands, and what its modes cost there.
type blockTry struct {
	x, y, context int
	prices        *[modes]int32
}

// tryBlock writes the best version of a block into the picture, and answers its score.
// Those modes that miss most are not tried to the end.
func (f *frame) tryBlock(a *attempt, n int, e *edge, t blockTry) float32 {
	var predicted [modes][16]uint8
	var residues [modes]block
	var miss [modes]float32
	for mode := range modes {
		e.block(mode, &predicted[mode])
		residues[mode] = residue(f.source.luma, t.x, t.y, predicted[mode][:], 4)
		sum := int32(0)
		for _, c := range residues[mode] {
			sum += max(c, -c)
		}
		miss[mode] = float32(sum)*float32(f.quantiser.luma[1])/2 + f.quantiser.worth*float32(t.prices[mode])
	}
	w := walk{prices: &f.prices, steps: f.quantiser.luma, worth: f.quantiser.worth, kind: lumaAlone}
	best := float32(math.MaxFloat32)
	for range closer {
		mode := least(&miss)
		miss[mode] = math.MaxFloat32
		var levels [16]int16
		bits := t.prices[mode] + w.levels(&residues[mode], t.context, &levels)
		w.steps.restore(&levels, &residues[mode], 0)
		residues[mode].inverse()
		loss := add(&residues[mode], f.source.luma, t.x, t.y, predicted[mode][:], 4)
		if score := 4*float32(loss) + w.worth*float32(bits); score < best {
			best = score
			a.block.modes[n], a.block.levels[n] = mode, levels
			for y := range 4 {
				copy(f.luma.pix[(t.y+y)*f.luma.stride+t.x:][:4], predicted[mode][4*y:])
			}
		}
	}
	return best
}

func least(of *[modes]float32) int {
	at := 0
	for i, v := range of {
		if v < of[at] {
			at = i
		}
	}
	return at
}

// decideChroma tries the four modes for both colours together. Grey needs none.
func (f *frame) decideChroma(m *macroblock, mx, my int) {
	if f.source.grey {
		return // predicted from grey by its mean, exactly
	}
	var edges [2]edge
	for c := range 2 {
		edges[c] = f.colours[c].edgeAt(8*mx, 8*my, 8)
	}
	best := float32(math.MaxFloat32)
	for mode := range 4 {
		var levels [2][4][16]int16
		var pixels [2][64]uint8
		bits, loss := chromaPrice[mode], int32(0)
		for c := range 2 {
			edges[c].square(mode, 8, pixels[c][:])
			b, l := f.tryChroma(c, mx, my, &pixels[c], &levels[c])
			bits, loss = bits+b, loss+l
		}
		if score := 4*float32(loss) + f.quantiser.worth*float32(bits); score < best {
			best = score
			m.chroma, m.colours = mode, levels
			for c := range 2 {
				for y := range 8 {
					copy(f.colours[c].pix[(8*my+y)*f.colours[c].stride+8*mx:][:8], pixels[c][8*y:])
				}
			}
		}
	}
}

func (f *frame) tryChroma(c, mx, my int, pixels *[64]uint8, levels *[4][16]int16) (bits, loss int32) {
	w := walk{prices: &f.prices, steps: f.quantiser.chroma, worth: f.quantiser.worth, kind: chroma}
	left, above := f.leftFilled, f.upFilled[mx]
	for n := range 4 {
		x, y := n%2, n/2
		r := residue(f.source.chroma[c], 8*mx+4*x, 8*my+4*y, pixels[32*y+4*x:], 8)
		bits += w.levels(&r, left[4+2*c+y]+above[4+2*c+x], &levels[n])
		left[4+2*c+y] = some(&levels[n])
		above[4+2*c+x] = left[4+2*c+y]
		w.steps.restore(&levels[n], &r, 0)
		r.inverse()
		loss += add(&r, f.source.chroma[c], 8*mx+4*x, 8*my+4*y, pixels[32*y+4*x:], 8)
	}
	return bits, loss
}
