package jp2

import (
	"math/bits"
	"slices"
)

// packet is one contribution to the code-blocks of a precinct.
type packet struct {
	layer, resolution, component, index int
	precinct                            *precinct
}

// readPackets reads the packets of a tile in their order (B.12).
func (d *decoder) readPackets(area rect, components [][]*resolution, data []byte) error {
	var all []packet
	for c, resolutions := range components {
		for r, res := range resolutions {
			if d.packets += len(res.precincts) * d.coding.layers; d.packets > maxPackets {
				return unsupported("that many packets")
			}
			for i, p := range res.precincts {
				p.x, p.y = max(p.x, area.x0), max(p.y, area.y0)
				for l := range d.coding.layers {
					all = append(all, packet{l, r, c, i, p})
				}
			}
		}
	}
	order := progressions[d.coding.order]
	slices.SortStableFunc(all, func(a, b packet) int { return slices.Compare(order(a), order(b)) })
	in := &packetReader{raw: data, sop: d.coding.sop, eph: d.coding.eph}
	for _, p := range all {
		if len(in.raw) == 0 {
			return nil // cut off by its writer: what is there is shown
		}
		if err := in.read(p); err != nil {
			return err
		}
	}
	return nil
}

// progressions are the sort keys of the five orders.
var progressions = [5]func(packet) []int{
	func(p packet) []int { return []int{p.layer, p.resolution, p.component, p.index} },
	func(p packet) []int { return []int{p.resolution, p.layer, p.component, p.index} },
	func(p packet) []int {
		return []int{p.resolution, p.precinct.y, p.precinct.x, p.component, p.index, p.layer}
	},
	func(p packet) []int {
		return []int{p.precinct.y, p.precinct.x, p.component, p.resolution, p.index, p.layer}
	},
	func(p packet) []int {
		return []int{p.component, p.precinct.y, p.precinct.x, p.resolution, p.index, p.layer}
	},
}

// packetReader reads packet after packet.
type packetReader struct {
	raw      []byte
	sop, eph bool
}

func (in *packetReader) read(p packet) error {
	if in.sop && len(in.raw) >= 6 && in.raw[0] == 0xff && in.raw[1] == markerSOP&0xff {
		in.raw = in.raw[6:]
	}
	h := &headerBits{raw: in.raw}
	var sent []piece
	if h.bit() == 1 {
		for i := range p.precinct.parts {
			more, err := p.precinct.parts[i].header(h, p.layer)
			if err != nil {
				return err
			}
			sent = append(sent, more...)
		}
	}
	h.align()
	if h.short {
		in.raw = nil // the last packet may be cut off in its header
		return nil
	}
	in.raw = in.raw[h.at:]
	if in.eph && len(in.raw) >= 2 && in.raw[0] == 0xff && in.raw[1] == markerEPH&0xff {
		in.raw = in.raw[2:]
	}
	for _, s := range sent {
		n := min(s.length, len(in.raw))
		s.to.data = append(s.to.data, in.raw[:n]...)
		s.to.passes += s.passes
		in.raw = in.raw[n:]
	}
	return nil
}

// piece is what a packet brings to one code-block.
type piece struct {
	to             *block
	passes, length int
}

// header reads what a packet brings to the code-blocks of one subband (B.10).
func (p *part) header(h *headerBits, layer int) ([]piece, error) {
	var sent []piece
	for i := range p.blocks {
		b := &p.blocks[i]
		x, y := i%p.across, i/p.across
		switch {
		case b.seen && h.bit() == 0:
			continue
		case !b.seen:
			if !p.included.below(h, x, y, layer+1) {
				continue
			}
			zero := 0
			for !p.zeroBits.below(h, x, y, zero+1) {
				if zero++; zero > p.band.bits || h.short {
					return nil, broken("a code-block without bits")
				}
			}
			b.seen, b.zero = true, zero
		}
		n := passes(h)
		for h.bit() == 1 {
			if b.length++; b.length > 31 || h.short {
				return nil, broken("a code-block that is too long")
			}
		}
		length := h.take(b.length + bits.Len(uint(n)) - 1)
		if b.passes+n > 3*(p.band.bits-b.zero)-2 {
			return nil, broken("more passes than bits")
		}
		sent = append(sent, piece{b, n, length})
	}
	return sent, nil
}

// passes reads a number of coding passes (table B.4).
func passes(h *headerBits) int {
	if h.bit() == 0 {
		return 1
	}
	if h.bit() == 0 {
		return 2
	}
	if n := h.take(2); n < 3 {
		return 3 + n
	}
	if n := h.take(5); n < 31 {
		return 6 + n
	}
	return 37 + h.take(7)
}

// headerBits reads the bits of a packet header: after a byte of all ones, the
// next has seven.
type headerBits struct {
	raw   []byte
	at    int
	last  byte
	left  int
	short bool
}

func (h *headerBits) bit() int {
	if h.left == 0 {
		if h.at >= len(h.raw) {
			h.short = true
			return 0
		}
		h.left = 8
		if h.last == 0xff {
			h.left = 7
		}
		h.last = h.raw[h.at]
		h.at++
	}
	h.left--
	return int(h.last>>h.left) & 1
}

func (h *headerBits) take(n int) (v int) {
	for range n {
		v = v<<1 | h.bit()
	}
	return v
}

// align goes to the next byte, past the one stuffed behind all ones.
func (h *headerBits) align() {
	if h.last == 0xff && h.at < len(h.raw) {
		h.at++
	}
	h.left = 0
}

// tagTree codes a grid of numbers by the minima of its quarters (B.10.2).
type tagTree struct {
	across []int // of each level, leaves first
	nodes  [][]tagNode
}

type tagNode struct {
	least int // what is known of its value
	known bool
}

func newTagTree(w, h int) *tagTree {
	t := &tagTree{}
	for {
		t.across = append(t.across, w)
		t.nodes = append(t.nodes, make([]tagNode, w*h))
		if w*h <= 1 {
			return t
		}
		w, h = (w+1)/2, (h+1)/2
	}
}

// below reads on until it is known whether the number at a place is below a limit.
func (t *tagTree) below(h *headerBits, x, y, limit int) bool {
	least := 0
	for level := len(t.nodes) - 1; level >= 0; level-- {
		n := &t.nodes[level][y>>level*t.across[level]+x>>level]
		n.least = max(n.least, least)
		for !n.known && n.least < limit {
			if h.bit() == 1 {
				n.known = true
			} else if n.least++; h.short {
				return false
			}
		}
		if !n.known {
			return false // its children are not smaller
		}
		least = n.least
	}
	return least < limit
}
