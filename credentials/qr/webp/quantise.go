package webp

import "math"

// steps are the sizes of the first coefficient and of the others.
type steps [2]int32

// quantiser holds the sizes for one step of section 9.6, and what a bit is worth.
type quantiser struct {
	luma, means, chroma steps
	worth               float32 // in squared coefficients per 256th of a bit
}

// worthOfBit was found by trial on portraits: the best fidelity at a given length.
const worthOfBit = 0.085

func quantiserOf(step int) quantiser {
	q := quantiser{
		luma:   steps{stepsDC[step], stepsAC[step]},
		means:  steps{2 * stepsDC[step], max(8, stepsAC[step]*155/100)},
		chroma: steps{stepsDC[min(step, 117)], stepsAC[step]},
	}
	size := float32(q.luma[1])
	q.worth = worthOfBit * size * size / 256
	return q
}

// choice is one way to go on from a place: with which level, from which context.
type choice struct {
	level int16
	from  int8
}

// walk finds the levels of one block.
type walk struct {
	prices      *prices
	steps       steps
	worth       float32
	kind, first int
}

// levels chooses those levels of a block that cost and lose least together: a path
// through places and contexts, since each level sets the price of the next. It
// answers the price of the bits.
func (w walk) levels(coefficients *block, context int, levels *[16]int16) int32 {
	*levels = [16]int16{}
	last, energy := w.first-1, float32(0)
	for place := w.first; place < 16; place++ {
		c := coefficients[zigzag[place]]
		energy += float32(c * c)
		if 2*max(c, -c) > w.steps[min(place, 1)] {
			last = place
		}
	}
	row := rowOf(w.kind, w.first, context)
	best, end, bestContext := energy+w.worth*float32(w.prices.end[row]), w.first-1, 0
	var trail [16][contexts]choice
	score := [contexts]float32{math.MaxFloat32, math.MaxFloat32, math.MaxFloat32}
	score[context] = 0
	spared := energy // what is lost by ending here
	for place := w.first; place <= last; place++ {
		c := coefficients[zigzag[place]]
		spared -= float32(c * c)
		score = w.step(place, c, score, &trail[place])
		for to := 1; to < contexts; to++ {
			total := score[to] + spared
			if place < 15 {
				total += w.worth * float32(w.prices.end[rowOf(w.kind, place+1, to)])
			}
			if total < best {
				best, end, bestContext = total, place, to
			}
		}
	}
	for place, at := end, bestContext; place >= w.first; place-- {
		levels[place] = trail[place][at].level
		at = int(trail[place][at].from)
	}
	return w.price(levels, end, context)
}

// step extends the best path to each context by one coefficient: rounded down, rounded
// up, or left out.
func (w walk) step(place int, c int32, score [contexts]float32, trail *[contexts]choice) (next [contexts]float32) {
	next = [contexts]float32{math.MaxFloat32, math.MaxFloat32, math.MaxFloat32}
	size, step := max(c, -c), w.steps[min(place, 1)]
	down := min(size/step, maxLevel-1)
	base := rowOf(w.kind, place, 0)
	try := func(level int32) {
		loss := float32(size - level*step)
		loss *= loss
		to := min(level, 2)
		token, extra := tokenOf[level], extraCost[level]
		for from := range contexts {
			if score[from] == math.MaxFloat32 {
				continue
			}
			bits := w.prices.token[base+from][token] + extra
			if from > 0 || place == w.first {
				bits += w.prices.more[base+from]
			}
			if total := score[from] + loss + w.worth*float32(bits); total < next[to] {
				signed := int16(level)
				if c < 0 {
					signed = -signed
				}
				next[to], trail[to] = total, choice{signed, int8(from)}
			}
		}
	}
	try(0)
	if down > 0 {
		try(down)
	}
	if 4*(size-down*step) > step {
		try(down + 1)
	}
	return next
}

// price is what the chosen levels cost, up to the last that is not zero.
func (w walk) price(levels *[16]int16, last, context int) int32 {
	row := rowOf(w.kind, w.first, context)
	if last < w.first {
		return w.prices.end[row]
	}
	total, open := int32(0), true
	for place := w.first; place <= last; place++ {
		if open {
			total += w.prices.more[row]
		}
		size := int(max(levels[place], -levels[place]))
		total += w.prices.token[row][tokenOf[size]] + extraCost[size]
		open = size > 0
		row = rowOf(w.kind, place+1, min(size, 2))
	}
	if last < 15 {
		total += w.prices.end[row]
	}
	return total
}

// restore turns levels back into coefficients. It answers whether there was any.
func (s steps) restore(levels *[16]int16, into *block, first int) bool {
	some := false
	for place := first; place < 16; place++ {
		into[zigzag[place]] = int32(levels[place]) * s[min(place, 1)]
		some = some || levels[place] != 0
	}
	return some
}
