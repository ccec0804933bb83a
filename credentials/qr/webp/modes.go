package webp

// The trees of section 11: each calls put with the decisions on the way to a mode.

func wholeTree(mode int, put func(bool, uint8)) {
	sideways := mode == fromLeft || mode == byMotion
	put(sideways, 156)
	if sideways {
		put(mode == byMotion, 128)
	} else {
		put(mode == fromAbove, 163)
	}
}

func chromaTree(mode int, put func(bool, uint8)) {
	put(mode != byMean, 142)
	if mode == byMean {
		return
	}
	put(mode != fromAbove, 114)
	if mode != fromAbove {
		put(mode == byMotion, 183)
	}
}

// blockPath is the way to each mode of a block: pairs of a branch and a decision.
var blockPath = [modes][][2]uint8{
	byMean:         {{0, 0}},
	byMotion:       {{0, 1}, {1, 0}},
	fromAbove:      {{0, 1}, {1, 1}, {2, 0}},
	fromLeft:       {{0, 1}, {1, 1}, {2, 1}, {3, 0}, {4, 0}},
	rightDown:      {{0, 1}, {1, 1}, {2, 1}, {3, 0}, {4, 1}, {5, 0}},
	verticalRight:  {{0, 1}, {1, 1}, {2, 1}, {3, 0}, {4, 1}, {5, 1}},
	leftDown:       {{0, 1}, {1, 1}, {2, 1}, {3, 1}, {6, 0}},
	verticalLeft:   {{0, 1}, {1, 1}, {2, 1}, {3, 1}, {6, 1}, {7, 0}},
	horizontalDown: {{0, 1}, {1, 1}, {2, 1}, {3, 1}, {6, 1}, {7, 1}, {8, 0}},
	horizontalUp:   {{0, 1}, {1, 1}, {2, 1}, {3, 1}, {6, 1}, {7, 1}, {8, 1}},
}

func blockTree(mode, above, left int, put func(bool, uint8)) {
	chances := blockModeProbs[(above*modes+left)*9:]
	for _, step := range blockPath[mode] {
		put(step[1] == 1, chances[step[0]])
	}
}

// What the modes cost, in 256ths of a bit.
var wholePrice, chromaPrice, blockPrice = func() (whole, chroma [4]int32, block [modes][modes][modes]int32) {
	for mode := range 4 {
		wholeTree(mode, func(yes bool, chance uint8) { whole[mode] += cost(yes, chance) })
		chromaTree(mode, func(yes bool, chance uint8) { chroma[mode] += cost(yes, chance) })
	}
	for above := range modes {
		for left := range modes {
			for mode := range modes {
				blockTree(mode, above, left, func(yes bool, chance uint8) { block[above][left][mode] += cost(yes, chance) })
			}
		}
	}
	return whole, chroma, block
}()
