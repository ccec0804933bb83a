package finger

import (
	"math"
	"slices"
)

// cell is the side of a block of the orientation field, in pixels.
const cell = 8

// field is what is known of each block: the direction of its ridges, how clearly
// they run, how far apart they are, and whether there are any.
type field struct {
	cols, rows int
	angle      []float32 // of the ridges, 0 to π, y downwards
	coherence  []float32 // 0 to 1
	period     []float32 // pixels from ridge to ridge; 0: none found
	likeness   []float32 // how much of what is seen there are ridges, 0 to about 1
	mask       []bool
}

func newField(w, h int) *field {
	f := &field{cols: (w + cell - 1) / cell, rows: (h + cell - 1) / cell}
	size := f.cols * f.rows
	f.angle, f.coherence, f.period, f.likeness = make([]float32, size), make([]float32, size), make([]float32, size), make([]float32, size)
	f.mask = make([]bool, size)
	return f
}

// at is the block of a pixel.
func (f *field) at(x, y int) int { return y/cell*f.cols + x/cell }

// What an image is normalised to: local mean 0, local deviation near 1.
const (
	window = 12  // pixels each way: more than a ridge and a valley
	grain  = 6   // grey levels of deviation that paper has
	brink  = 2.5 // printed words and lines do not weigh more
)

// normalised is the image with local mean 0 and local deviation near 1, by running
// sums over columns, then rows.
func normalised(img *Image) []float32 {
	w, h := img.Width, img.Height
	out := make([]float32, w*h)
	sums, squares := make([]int32, w), make([]int32, w)
	column := func(y, sign int32) {
		if y < 0 || int(y) >= h {
			return
		}
		for x, p := range img.Pix[int(y)*w : int(y+1)*w] {
			v := int32(p)
			sums[x] += sign * v
			squares[x] += sign * v * v
		}
	}
	for y := range int32(window) {
		column(y, 1)
	}
	for y := range h {
		column(int32(y+window), 1)
		column(int32(y-window-1), -1)
		tall := min(h-1, y+window) - max(0, y-window) + 1
		var sum, square int64
		for x := range min(window, w) {
			sum, square = sum+int64(sums[x]), square+int64(squares[x])
		}
		row, pix := out[y*w:(y+1)*w], img.Pix[y*w:(y+1)*w]
		for x := range row {
			if x+window < w {
				sum, square = sum+int64(sums[x+window]), square+int64(squares[x+window])
			}
			if x-window-1 >= 0 {
				sum, square = sum-int64(sums[x-window-1]), square-int64(squares[x-window-1])
			}
			n := int64((min(w-1, x+window) - max(0, x-window) + 1) * tall)
			// n²·variance, a whole number.
			deviation := root(float32(n*square-sum*sum)) / float32(n)
			v := (float32(pix[x]) - float32(sum)/float32(n)) / (deviation + grain)
			row[x] = max(-brink, min(brink, v))
		}
	}
	return out
}

// orient finds the orientation field by the structure tensor of each block,
// smoothed over blocks in the double angle. Strong edges weigh by the root of
// their strength only: what is printed on the paper is stronger than any ridge.
func (f *field) orient(norm []float32, w, h int) {
	size := f.cols * f.rows
	xx, xy, energy := make([]float32, size), make([]float32, size), make([]float32, size)
	for y := 1; y < h-1; y++ {
		up, mid, down := norm[(y-1)*w:y*w], norm[y*w:(y+1)*w], norm[(y+1)*w:(y+2)*w]
		blocks := y / cell * f.cols
		for from := 1; from < w-1; {
			b, to := blocks+from/cell, min(w-1, (from/cell+1)*cell)
			var sumX, sumXY, sum float32
			for x := from; x < to; x++ {
				rise, fall := up[x+1]-down[x-1], down[x+1]-up[x-1]
				gx := 2*(mid[x+1]-mid[x-1]) + rise + fall
				gy := 2*(down[x]-up[x]) + fall - rise
				dx, dy := float32(gx*gx), float32(gy*gy)
				sumX += dx - dy
				sumXY += float32(gx * gy)
				sum += dx + dy
			}
			xx[b] += sumX
			xy[b] += 2 * sumXY
			energy[b] += sum
			from = to
		}
	}
	for b, e := range energy {
		weight := 1 / root(e+1)
		xx[b], xy[b], energy[b] = xx[b]*weight, xy[b]*weight, e*weight
	}
	for range 2 {
		xx, xy, energy = f.blurred(xx), f.blurred(xy), f.blurred(energy)
	}
	for b := range size {
		// The gradient stands across the ridge.
		f.angle[b] = half(arc(xy[b], xx[b])/2 + math.Pi/2)
		f.coherence[b] = root(float32(xx[b]*xx[b])+float32(xy[b]*xy[b])) / (energy[b] + 1e-3)
	}
}

// blurred smooths over the neighbouring blocks by 1 2 1.
func (f *field) blurred(v []float32) []float32 {
	across, out := make([]float32, len(v)), make([]float32, len(v))
	for row := range f.rows {
		at := row * f.cols
		for col := range f.cols {
			across[at+col] = (v[at+max(0, col-1)] + 2*v[at+col] + v[at+min(f.cols-1, col+1)]) / 4
		}
	}
	for row := range f.rows {
		up, at, down := max(0, row-1)*f.cols, row*f.cols, min(f.rows-1, row+1)*f.cols
		for col := range f.cols {
			out[at+col] = (across[up+col] + 2*across[at+col] + across[down+col]) / 4
		}
	}
	return out
}

// shortest and longest are the ridge periods of people, in pixels at 500 ppi.
const (
	shortest = 4
	longest  = 18
)

// periods measures how far apart ridges are, at every other block: along the line
// across them the values rise and fall, and the first maximum of their
// autocorrelation is the period.
func (f *field) periods(norm []float32, w, h int) {
	const (
		reach = 24 // of the line across
		width = 8  // half of how far values are averaged along the ridge
	)
	var signature [2*reach + 1]float32
	for row := 0; row < f.rows; row += 2 {
		for col := 0; col < f.cols; col += 2 {
			b := row*f.cols + col
			if f.coherence[b] < .15 {
				continue
			}
			x0, y0 := float32(col*cell+cell/2)+.5, float32(row*cell+cell/2)+.5
			t := direction(f.angle[b])
			sin, cos := sines[t], cosines[t]
			for i := range signature {
				across := float32(i - reach)
				x1, y1 := x0-float32(across*sin), y0+float32(across*cos)
				var sum float32
				count := 0
				for along := float32(-width); along <= width; along += 2 {
					x, y := int(x1+float32(along*cos)), int(y1+float32(along*sin))
					if x >= 0 && y >= 0 && x < w && y < h {
						sum += norm[y*w+x]
						count++
					}
				}
				signature[i] = sum / float32(max(count, 1))
			}
			f.period[b] = period(signature[:])
		}
	}
	f.smoothPeriods()
}

func period(s []float32) float32 {
	zero := correlation(s, 0)
	if zero < 1e-3 {
		return 0
	}
	least := zero / 5
	before, here := correlation(s, shortest-1), correlation(s, shortest)
	for lag := shortest; lag <= longest; lag++ {
		after := correlation(s, lag+1)
		if here > least && here >= before && here >= after {
			shift := float32(0)
			if curve := before - 2*here + after; curve < 0 {
				shift = (before - after) / (2 * curve)
			}
			return float32(lag) + shift
		}
		before, here = here, after
	}
	return 0
}

func correlation(s []float32, lag int) float32 {
	var sum float32
	late := s[lag:]
	for i, v := range late {
		sum += float32(s[i] * v)
	}
	return sum / float32(len(late))
}

// smoothPeriods gives every block the median of those that were measured around it.
func (f *field) smoothPeriods() {
	out := make([]float32, len(f.period))
	var near []float32
	for row := range f.rows {
		for col := range f.cols {
			near = near[:0]
			for y := max(0, row-3); y <= min(f.rows-1, row+3); y++ {
				for x := max(0, col-3); x <= min(f.cols-1, col+3); x++ {
					if p := f.period[y*f.cols+x]; p > 0 {
						near = append(near, p)
					}
				}
			}
			if len(near) >= 3 {
				slices.Sort(near)
				out[row*f.cols+col] = near[len(near)/2]
			}
		}
	}
	f.period = out
}
