package finger

import (
	"math"
	"slices"

	"github.com/plinth-id/plinth/biometrics"
)

// flow is the direction of the ridges on a coarse grid: less than minutiae say, but
// of all of the print. Each is a 1/16 of a half turn (y downwards); outside of the
// print, none.
type flow struct {
	cols, rows int
	to         []uint8
}

const (
	flowCell  = 24 // pixels
	flowTurns = 16
	none      = 255
)

// flow sums up the field.
func (f *field) flow() flow {
	const blocks = flowCell / cell
	out := flow{cols: (f.cols + blocks - 1) / blocks, rows: (f.rows + blocks - 1) / blocks}
	out.to = make([]uint8, out.cols*out.rows)
	for i := range out.to {
		var x, y float32
		n := 0
		for d := range blocks * blocks {
			row, col := i/out.cols*blocks+d/blocks, i%out.cols*blocks+d%blocks
			if row < f.rows && col < f.cols && f.mask[row*f.cols+col] {
				twice := direction(2 * f.angle[row*f.cols+col])
				x, y, n = x+cosines[twice], y+sines[twice], n+1
			}
		}
		out.to[i] = none
		if n > blocks*blocks/2 {
			out.to[i] = uint8(int(float32(half(arc(y, x)/2)*(flowTurns/math.Pi))+.5) % flowTurns)
		}
	}
	return out
}

// parseFlow reads the flow of a print of that size: columns, rows, and the cells.
func parseFlow(raw []byte, width, height int) (flow, error) {
	f := flow{cols: int(raw[0]), rows: int(raw[1]), to: slices.Clone(raw[2:])}
	if f.cols*flowCell >= width+flowCell || f.rows*flowCell >= height+flowCell || len(f.to) != f.cols*f.rows {
		return flow{}, biometrics.ErrBadTemplate
	}
	for _, to := range f.to {
		if to >= flowTurns && to != none {
			return flow{}, biometrics.ErrBadTemplate
		}
	}
	return f, nil
}

// agree tells how well two flows run together where both are known when one lies on
// the other: 0 for strangers, near 1 for mates. A small overlap says little.
func (a flow) agree(b flow, l laid) float32 {
	// What is doubted: how many cells of no agreement are added.
	const doubt = 12
	if len(a.to) == 0 || len(b.to) == 0 {
		return unknownFlow
	}
	sin, cos := sines[l.turn], cosines[l.turn]
	var same float32
	n := 0
	for row := range a.rows {
		dy := l.py - float32(row*flowCell+flowCell/2)
		for col := range a.cols {
			from := a.to[row*a.cols+col]
			if from == none {
				continue
			}
			dx := float32(col*flowCell+flowCell/2) - l.px
			x := l.qx + float32(dx*cos) - float32(dy*sin)
			y := l.qy - float32(dx*sin) - float32(dy*cos)
			if x < 0 || y < 0 {
				continue
			}
			u, v := int(x)/flowCell, int(y)/flowCell
			if u >= b.cols || v >= b.rows || b.to[v*b.cols+u] == none {
				continue
			}
			// Turning counter-clockwise lowers an angle that is measured with y downwards.
			// Twice the difference, in 1/256 of a turn.
			twice := (from-b.to[v*b.cols+u])*(circle/flowTurns) - 2*l.turn
			same += cosines[twice]
			n++
		}
	}
	return max(0, same/float32(n+doubt))
}

// unknownFlow is taken where a template brings no flow, as those of ISO/IEC 19794-2:
// what strangers who come near to a match have.
const unknownFlow = .5
