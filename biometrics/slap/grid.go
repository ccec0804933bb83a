package slap

import (
	"slices"

	"github.com/plinth-id/plinth/biometrics/finger"
)

// cell is the side of a block in pixels.
const cell = 8

// grid tells of each block of a picture whether there are ridges.
type grid struct {
	cols, rows int
	on         []bool
	owner      []uint8 // 1 + the tip that a block belongs to, once they are known
	paper      uint8
}

// What ridges look like: so much less even than the most contrasted part of the
// picture, and so much more in one direction than in others.
const (
	leastShare     = .12
	leastVariance  = 60
	leastCoherence = .28
	leastInk       = .35 // of the way from paper to the middle shade of a print
	leastPart      = 150 // blocks: a finger has 700 and more
)

// gridOf finds the ridges of a picture.
func gridOf(img *finger.Image) *grid {
	g := &grid{cols: img.Width / cell, rows: img.Height / cell}
	size := g.cols * g.rows
	sum, square := make([]float64, size), make([]float64, size)
	xx, xy, energy := make([]float64, size), make([]float64, size), make([]float64, size)
	w := img.Width
	for b := range size {
		x0, y0 := b%g.cols*cell, b/g.cols*cell
		var s, q, cx, cy, e int
		for y := max(1, y0); y < min(img.Height-1, y0+cell); y++ {
			up, mid, down := img.Pix[(y-1)*w:y*w], img.Pix[y*w:(y+1)*w], img.Pix[(y+1)*w:(y+2)*w]
			for x := max(1, x0); x < min(w-1, x0+cell); x++ {
				v := int(mid[x])
				s, q = s+v, q+v*v
				// Sobel's: smoothing against noise.
				dx := 2*(int(mid[x+1])-int(mid[x-1])) + int(up[x+1]) - int(up[x-1]) + int(down[x+1]) - int(down[x-1])
				dy := 2*(int(down[x])-int(up[x])) + int(down[x-1]) - int(up[x-1]) + int(down[x+1]) - int(up[x+1])
				cx, cy, e = cx+dx*dx-dy*dy, cy+2*dx*dy, e+dx*dx+dy*dy
			}
		}
		sum[b], square[b] = float64(s)/(cell*cell), float64(q)/(cell*cell)
		xx[b], xy[b], energy[b] = float64(cx), float64(cy), float64(e)
	}
	own := sum // of the block alone: between fingers there is often no more than one
	for _, v := range []*[]float64{&sum, &square, &xx, &xy, &energy} {
		*v = g.mean(*v)
	}
	variance := make([]float64, size)
	for b := range variance {
		variance[b] = square[b] - float64(sum[b]*sum[b])
	}
	sorted := slices.Sorted(slices.Values(variance))
	least := max(leastVariance, leastShare*sorted[len(sorted)*95/100])
	g.on = make([]bool, size)
	for b := range g.on {
		x, y := xx[b]/(energy[b]+1), xy[b]/(energy[b]+1)
		g.on[b] = variance[b] > least && float64(x*x)+float64(y*y) > leastCoherence*leastCoherence
	}
	g.paper = middleOf(own, func(b int) bool { return !g.on[b] })
	ink := middleOf(own, func(b int) bool { return g.on[b] })
	lightest := float64(g.paper) - leastInk*(float64(g.paper)-float64(ink))
	for b := range g.on {
		g.on[b] = g.on[b] && own[b] < lightest
	}
	for range 2 {
		g.vote()
	}
	g.drop()
	return g
}

// middleOf is the median shade of some blocks.
func middleOf(shade []float64, of func(b int) bool) uint8 {
	var some []float64
	for b, v := range shade {
		if of(b) {
			some = append(some, v)
		}
	}
	if len(some) == 0 {
		return 255
	}
	slices.Sort(some)
	return uint8(some[len(some)/2])
}

// mean of a block and the eight around it.
func (g *grid) mean(v []float64) []float64 {
	out := make([]float64, len(v))
	for b := range v {
		n := 0.
		g.near(b, func(c int) {
			out[b] += v[c]
			n++
		})
		out[b] /= n
	}
	return out
}

// near visits a block and those around it.
func (g *grid) near(b int, visit func(c int)) {
	row, col := b/g.cols, b%g.cols
	for y := max(0, row-1); y <= min(g.rows-1, row+1); y++ {
		for x := max(0, col-1); x <= min(g.cols-1, col+1); x++ {
			visit(y*g.cols + x)
		}
	}
}

// vote fills holes and takes single blocks away; a gap of one block stays.
func (g *grid) vote() {
	out := make([]bool, len(g.on))
	for b := range out {
		count := 0
		g.near(b, func(c int) {
			if g.on[c] {
				count++
			}
		})
		out[b] = g.on[b] && count > 3 || count > 6
	}
	g.on = out
}

// drop takes small parts away: words, dust, what is left of the last person.
func (g *grid) drop() {
	on := make([]bool, len(g.on))
	for _, part := range g.parts() {
		for _, b := range part {
			on[b] = true
		}
	}
	g.on = on
}

// parts are what hangs together of the ridges, without what is too small.
func (g *grid) parts() (all [][]int) {
	seen := make([]bool, len(g.on))
	for start, on := range g.on {
		if !on || seen[start] {
			continue
		}
		seen[start] = true
		part := []int{start}
		for i := 0; i < len(part); i++ {
			g.near(part[i], func(c int) {
				if g.on[c] && !seen[c] {
					seen[c] = true
					part = append(part, c)
				}
			})
		}
		if len(part) >= leastPart {
			all = append(all, part)
		}
	}
	return all
}
