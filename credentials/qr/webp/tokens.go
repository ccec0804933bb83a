package webp

// The planes of section 13.3, and how the probabilities are laid out.
const (
	lumaAfterMeans = iota // luma whose first coefficient stands among the means
	means
	chroma
	lumaAlone
	planes
)

const (
	contexts = 3
	branches = 11
	rows     = planes * 8 * contexts // a row for each plane, band and context
)

type probabilities [rows * branches]uint8

// bandRow gives the first of the three rows for a coefficient by its place.
var bandRow = [17]int{0, 3, 6, 9, 18, 12, 15, 18, 18, 18, 18, 18, 18, 18, 18, 21, 0}

// zigzag is the order in which coefficients are written.
var zigzag = [16]int{0, 1, 4, 8, 5, 2, 3, 6, 9, 12, 13, 10, 7, 11, 14, 15}

func rowOf(kind, place, context int) int { return kind*8*contexts + bandRow[place] + context }

const maxLevel = 2047

// The tokens: 0, 1, 2, 3, 4, then six ranges that begin here and have extra bits.
var rangeStart = [6]int{5, 7, 11, 19, 35, 67}

var extraBits = [6][]uint8{
	{159}, {165, 145}, {173, 148, 140}, {176, 155, 140, 135}, {180, 157, 141, 134, 130},
	{254, 254, 243, 230, 196, 177, 153, 140, 133, 130, 129},
}

const tokens = 11

// path is the way through the tree to a token: pairs of a branch and a decision.
var path = [tokens][][2]uint8{
	{{1, 0}},
	{{1, 1}, {2, 0}},
	{{1, 1}, {2, 1}, {3, 0}, {4, 0}},
	{{1, 1}, {2, 1}, {3, 0}, {4, 1}, {5, 0}},
	{{1, 1}, {2, 1}, {3, 0}, {4, 1}, {5, 1}},
	{{1, 1}, {2, 1}, {3, 1}, {6, 0}, {7, 0}},
	{{1, 1}, {2, 1}, {3, 1}, {6, 0}, {7, 1}},
	{{1, 1}, {2, 1}, {3, 1}, {6, 1}, {8, 0}, {9, 0}},
	{{1, 1}, {2, 1}, {3, 1}, {6, 1}, {8, 0}, {9, 1}},
	{{1, 1}, {2, 1}, {3, 1}, {6, 1}, {8, 1}, {10, 0}},
	{{1, 1}, {2, 1}, {3, 1}, {6, 1}, {8, 1}, {10, 1}},
}

// tokenOf and extraCost say of each level which token it is, and what its sign and
// extra bits cost.
var tokenOf, extraCost = func() (token [maxLevel + 1]uint8, extra [maxLevel + 1]int32) {
	for level := 1; level <= maxLevel; level++ {
		extra[level] = 256
		token[level] = uint8(min(level, 4))
		for i, start := range rangeStart {
			if level < start {
				break
			}
			token[level], extra[level] = uint8(5+i), 256
			for n, chance := range extraBits[i] {
				bit := (level-start)>>(len(extraBits[i])-1-n)&1 == 1
				extra[level] += cost(bit, chance)
			}
		}
	}
	return token, extra
}()

// prices are what tokens cost under given probabilities.
type prices struct {
	token     [rows][tokens]int32
	end, more [rows]int32 // that nothing follows, that something does
}

func (p *prices) learn(probs *probabilities) {
	for row := range rows {
		chances := probs[row*branches : (row+1)*branches]
		p.end[row], p.more[row] = cost(false, chances[0]), cost(true, chances[0])
		for t := range tokens {
			p.token[row][t] = 0
			for _, step := range path[t] {
				p.token[row][t] += cost(step[1] == 1, chances[step[0]])
			}
		}
	}
}

// tally writes tokens down before their probabilities are known, and counts how often
// each branch went each way.
type tally struct {
	steps []uint32 // what was decided, above by which probability
	count [rows * branches][2]int32
}

// fixed marks a step whose probability does not adapt.
const fixed = 1 << 30

func (t *tally) branch(at int, yes uint32) {
	t.steps = append(t.steps, uint32(at)<<1|yes)
	t.count[at][yes]++
}

func bit(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

// block writes the levels of a block, in zigzag order, from the first place on. It
// answers whether there was any.
func (t *tally) block(levels *[16]int16, kind, first, context int) bool {
	last := 15
	for last >= first && levels[last] == 0 {
		last--
	}
	row := rowOf(kind, first, context)
	if last < first {
		t.branch(row*branches, 0)
		return false
	}
	open := true // whether an end may stand here: not after a zero
	for place := first; place <= last; place++ {
		if open {
			t.branch(row*branches, 1)
		}
		level := int(levels[place])
		size := max(level, -level)
		token := tokenOf[size]
		for _, step := range path[token] {
			t.branch(row*branches+int(step[0]), uint32(step[1]))
		}
		if token > 4 {
			chances := extraBits[token-5]
			for n, chance := range chances {
				t.steps = append(t.steps, fixed|uint32(chance)<<1|uint32(size-rangeStart[token-5])>>(len(chances)-1-n)&1)
			}
		}
		if size > 0 {
			t.steps = append(t.steps, fixed|128<<1|bit(level < 0))
		}
		open = size > 0
		row = rowOf(kind, place+1, min(size, 2))
	}
	if last < 15 {
		t.branch(row*branches, 0)
	}
	return true
}

// adapt gives the probabilities that make the tally and their own announcement shortest.
func (t *tally) adapt() *probabilities {
	probs := defaultProbs
	for i, n := range t.count {
		total := n[0] + n[1]
		if total == 0 {
			continue
		}
		own := uint8(min(255, max(1, (n[0]*256+total/2)/total)))
		old := cost(false, updateProbs[i]) + n[0]*cost(false, probs[i]) + n[1]*cost(true, probs[i])
		if cost(true, updateProbs[i])+8*256+n[0]*cost(false, own)+n[1]*cost(true, own) < old {
			probs[i] = own
		}
	}
	return &probs
}

// write gives the tokens to a stream.
func (t *tally) write(b *boolean, probs *probabilities) {
	for _, step := range t.steps {
		if step&fixed != 0 {
			b.put(step&1 == 1, uint8(step>>1))
		} else {
			b.put(step&1 == 1, probs[step>>1])
		}
	}
}
