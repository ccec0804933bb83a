package jp2

// mq is the arithmetic decoder of annex C with the contexts of annex D.
type mq struct {
	raw   []byte
	at    int
	c     uint32
	a     uint32
	count int
	past  int       // bytes that were asked for beyond the end
	state [19]uint8 // index of the estimate
	more  [19]uint8 // the more probable symbol
}

// The contexts that are named.
const (
	contextSign    = 9
	contextRefine  = 14
	contextRun     = 17
	contextUniform = 18
)

// estimate is a row of table C.2.
type estimate struct {
	qe           uint32
	nmps, nlps   uint8
	switchSymbol bool
}

var estimates = [47]estimate{
	{0x5601, 1, 1, true}, {0x3401, 2, 6, false}, {0x1801, 3, 9, false}, {0x0ac1, 4, 12, false}, {0x0521, 5, 29, false},
	{0x0221, 38, 33, false}, {0x5601, 7, 6, true}, {0x5401, 8, 14, false}, {0x4801, 9, 14, false}, {0x3801, 10, 14, false},
	{0x3001, 11, 17, false}, {0x2401, 12, 18, false}, {0x1c01, 13, 20, false}, {0x1601, 29, 21, false}, {0x5601, 15, 14, true},
	{0x5401, 16, 14, false}, {0x5101, 17, 15, false}, {0x4801, 18, 16, false}, {0x3801, 19, 17, false}, {0x3401, 20, 18, false},
	{0x3001, 21, 19, false}, {0x2801, 22, 19, false}, {0x2401, 23, 20, false}, {0x2201, 24, 21, false}, {0x1c01, 25, 22, false},
	{0x1801, 26, 23, false}, {0x1601, 27, 24, false}, {0x1401, 28, 25, false}, {0x1201, 29, 26, false}, {0x1101, 30, 27, false},
	{0x0ac1, 31, 28, false}, {0x09c1, 32, 29, false}, {0x08a1, 33, 30, false}, {0x0521, 34, 31, false}, {0x0441, 35, 32, false},
	{0x02a1, 36, 33, false}, {0x0221, 37, 34, false}, {0x0141, 38, 35, false}, {0x0111, 39, 36, false}, {0x0085, 40, 37, false},
	{0x0049, 41, 38, false}, {0x0025, 42, 39, false}, {0x0015, 43, 40, false}, {0x0009, 44, 41, false}, {0x0005, 45, 42, false},
	{0x0001, 45, 43, false}, {0x5601, 46, 46, false},
}

func (m *mq) start(raw []byte) {
	*m = mq{raw: raw}
	m.state[0], m.state[contextRun], m.state[contextUniform] = 4, 3, 46
	m.c = uint32(m.byteAt(0)) << 16
	m.byteIn()
	m.c <<= 7
	m.count -= 7
	m.a = 0x8000
}

// byteAt gives ones beyond the end, as the standard wants.
func (m *mq) byteAt(i int) byte {
	if i < len(m.raw) {
		return m.raw[i]
	}
	return 0xff
}

func (m *mq) byteIn() {
	if m.byteAt(m.at) == 0xff {
		if next := m.byteAt(m.at + 1); next > 0x8f {
			if m.at >= len(m.raw) {
				m.past++
			}
			m.c += 0xff00
			m.count = 8
		} else {
			m.at++
			m.c += uint32(next) << 9
			m.count = 7
		}
		return
	}
	m.at++
	m.c += uint32(m.byteAt(m.at)) << 8
	m.count = 8
}

func (m *mq) decode(context int) uint8 {
	e := &estimates[m.state[context]]
	m.a -= e.qe
	d := m.more[context]
	if m.c>>16 < e.qe {
		lower := m.a < e.qe
		m.a = e.qe
		if lower {
			m.state[context] = e.nmps
		} else {
			d = m.less(context, e)
		}
		m.renormalise()
		return d
	}
	m.c -= e.qe << 16
	if m.a&0x8000 != 0 {
		return d
	}
	if m.a < e.qe {
		d = m.less(context, e)
	} else {
		m.state[context] = e.nmps
	}
	m.renormalise()
	return d
}

// less is the less probable symbol.
func (m *mq) less(context int, e *estimate) uint8 {
	d := 1 - m.more[context]
	if e.switchSymbol {
		m.more[context] = d
	}
	m.state[context] = e.nlps
	return d
}

func (m *mq) renormalise() {
	for {
		if m.count == 0 {
			m.byteIn()
		}
		m.a <<= 1
		m.c <<= 1
		m.count--
		if m.a&0x8000 != 0 {
			return
		}
	}
}
