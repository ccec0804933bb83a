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
	angle      []float32 // of the ridges, 0 to π
	coherence  []float32 // 0 to 1
	period     []float32 // pixels from ridge to ridge
	mask       []bool
}

// normalised is the image with local mean 0 and local deviation 1.
func normalised(img *Image) []float32 {
	w, h := img.Width, img.Height
	n := w * h
	src, sq := make([]float32, n), make([]float32, n)
	for i, p := range img.Pix {
		v := float32(p)
		src[i], sq[i] = v, v*v
	}
	mean, square := boxed(src, w, h, 12), boxed(sq, w, h, 12)
	for i := range src {
		deviation := math.Sqrt(math.Max(0, float64(square[i]-mean[i]*mean[i])))
		src[i] = (src[i] - mean[i]) / float32(deviation+12)
	}
	return src
}

// boxed is the mean over a square of radius r, by running sums.
func boxed(src []float32, w, h, r int) []float32 {
	across := make([]float32, len(src))
	for y := range h {
		row, out := src[y*w:(y+1)*w], across[y*w:(y+1)*w]
		slide(row, out, w, 1, r)
	}
	out := make([]float32, len(src))
	for x := range w {
		slide(across[x:], out[x:], h, w, r)
	}
	return out
}

// slide averages n values that stand stride apart over ±r.
func slide(src, out []float32, n, stride, r int) {
	var sum float64
	count := 0
	for i := 0; i < min(r, n); i++ {
		sum += float64(src[i*stride])
		count++
	}
	for i := range n {
		if i+r < n {
			sum += float64(src[(i+r)*stride])
			count++
		}
		if i-r-1 >= 0 {
			sum -= float64(src[(i-r-1)*stride])
			count--
		}
		out[i*stride] = float32(sum / float64(count))
	}
}

// orient finds the orientation field by the structure tensor, smoothed in the
// double angle.
func orient(norm []float32, w, h int) *field {
	n := w * h
	xx, xy, energy := make([]float32, n), make([]float32, n), make([]float32, n)
	for y := 1; y < h-1; y++ {
		for x := 1; x < w-1; x++ {
			i := y*w + x
			gx := (norm[i+1]-norm[i-1])*2 + norm[i+1-w] - norm[i-1-w] + norm[i+1+w] - norm[i-1+w]
			gy := (norm[i+w]-norm[i-w])*2 + norm[i+w-1] - norm[i-w-1] + norm[i+w+1] - norm[i-w+1]
			xx[i], xy[i], energy[i] = gx*gx-gy*gy, 2*gx*gy, gx*gx+gy*gy
		}
	}
	// Twice a box comes near to a Gaussian.
	const r = 9
	xx, xy, energy = boxed(boxed(xx, w, h, r), w, h, r), boxed(boxed(xy, w, h, r), w, h, r), boxed(boxed(energy, w, h, r), w, h, r)
	f := &field{cols: (w + cell - 1) / cell, rows: (h + cell - 1) / cell}
	size := f.cols * f.rows
	f.angle, f.coherence, f.period, f.mask = make([]float32, size), make([]float32, size), make([]float32, size), make([]bool, size)
	for row := range f.rows {
		for col := range f.cols {
			i := min(row*cell+cell/2, h-1)*w + min(col*cell+cell/2, w-1)
			b := row*f.cols + col
			// The gradient stands across the ridge.
			f.angle[b] = float32(turned(math.Atan2(float64(xy[i]), float64(xx[i]))/2 + math.Pi/2))
			f.coherence[b] = float32(math.Hypot(float64(xx[i]), float64(xy[i])) / (float64(energy[i]) + .05))
		}
	}
	return f
}

// turned brings an angle into 0 to π.
func turned(a float64) float64 {
	a = math.Mod(a, math.Pi)
	if a < 0 {
		a += math.Pi
	}
	return a
}

// periods measures how far apart ridges are: along the line across them the
// values rise and fall, and the first maximum of their autocorrelation is the
// period.
func (f *field) periods(norm []float32, w, h int) {
	const (
		half  = 24 // of the line across
		width = 8  // half of how far values are averaged along the ridge
	)
	var signature [2*half + 1]float64
	for row := range f.rows {
		for col := range f.cols {
			b := row*f.cols + col
			if f.coherence[b] < .3 {
				continue
			}
			cx, cy := col*cell+cell/2, row*cell+cell/2
			sin, cos := math.Sincos(float64(f.angle[b]))
			for i := range signature {
				across := float64(i - half)
				sum, count := 0.0, 0
				for along := -width; along <= width; along += 2 {
					x := int(float64(cx) - across*sin + float64(along)*cos + .5)
					y := int(float64(cy) + across*cos + float64(along)*sin + .5)
					if x >= 0 && y >= 0 && x < w && y < h {
						sum += float64(norm[y*w+x])
						count++
					}
				}
				signature[i] = sum / float64(max(count, 1))
			}
			f.period[b] = period(signature[:])
		}
	}
	f.smoothPeriods()
}

// shortest and longest are the ridge periods of people, in pixels at 500 ppi.
const (
	shortest = 4
	longest  = 18
)

func period(s []float64) float32 {
	zero := correlation(s, 0)
	if zero < 1e-3 {
		return 0
	}
	best, at := .2*zero, 0
	for lag := shortest; lag <= longest; lag++ {
		c := correlation(s, lag)
		if c > best && c >= correlation(s, lag-1) && c >= correlation(s, lag+1) {
			best, at = c, lag
			break
		}
	}
	if at == 0 {
		return 0
	}
	before, after := correlation(s, at-1), correlation(s, at+1)
	shift := 0.0
	if curve := before - 2*best + after; curve < 0 {
		shift = (before - after) / (2 * curve)
	}
	return float32(float64(at) + shift)
}

func correlation(s []float64, lag int) float64 {
	sum := 0.0
	for i := 0; i+lag < len(s); i++ {
		sum += s[i] * s[i+lag]
	}
	return sum / float64(len(s)-lag)
}

// smoothPeriods fills gaps and takes the median of the neighbourhood.
func (f *field) smoothPeriods() {
	out := make([]float32, len(f.period))
	var near []float32
	for row := range f.rows {
		for col := range f.cols {
			near = near[:0]
			for dy := -3; dy <= 3; dy++ {
				for dx := -3; dx <= 3; dx++ {
					y, x := row+dy, col+dx
					if y >= 0 && x >= 0 && y < f.rows && x < f.cols && f.period[y*f.cols+x] > 0 {
						near = append(near, f.period[y*f.cols+x])
					}
				}
			}
			if len(near) >= 3 {
				out[row*f.cols+col] = median(near)
			}
		}
	}
	f.period = out
}

// segment marks where there are ridges: clear direction, plausible period and
// enough contrast, then opened and closed, and of what remains the largest part.
func (f *field) segment(img *Image) {
	contrasts := make([]float64, len(f.mask))
	for row := range f.rows {
		for col := range f.cols {
			contrasts[row*f.cols+col] = contrast(img, col*cell, row*cell)
		}
	}
	enough := f.visible(contrasts)
	clear := func(least float32) []bool {
		out := make([]bool, len(f.mask))
		for b := range out {
			out[b] = f.coherence[b] > least && f.period[b] >= shortest && f.period[b] <= longest && contrasts[b] > enough
		}
		return out
	}
	f.mask = clear(certain)
	f.vote(5, 2)
	f.vote(4, 2)
	f.largest()
	f.grow(clear(likely))
	f.vote(5, 2)
	f.largest()
}

// Ridges that run so clearly are ridges; where they run less clearly, those that
// join on to them.
const (
	certain = .32
	likely  = .14
)

// grow adds what may be ridges and joins on to the mask.
func (f *field) grow(may []bool) {
	var queue []int
	for b, in := range f.mask {
		if in {
			queue = append(queue, b)
		}
	}
	for len(queue) > 0 {
		b := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		row, col := b/f.cols, b%f.cols
		for _, n := range [4][2]int{{row - 1, col}, {row + 1, col}, {row, col - 1}, {row, col + 1}} {
			if n[0] < 0 || n[1] < 0 || n[0] >= f.rows || n[1] >= f.cols {
				continue
			}
			if m := n[0]*f.cols + n[1]; may[m] && !f.mask[m] {
				f.mask[m] = true
				queue = append(queue, m)
			}
		}
	}
}

// What tells ridges from the paper around them, in grey levels.
const (
	plain = 14. // of a good print
	faint = 4.  // of the faintest that is taken for one
)

// visible is the contrast that ridges have at least in this image: a faint print
// is one all over.
func (f *field) visible(contrasts []float64) float64 {
	sorted := slices.Sorted(slices.Values(contrasts))
	return min(plain, max(faint, .35*sorted[len(sorted)*9/10]))
}

// contrast is the standard deviation around a block.
func contrast(img *Image, x0, y0 int) float64 {
	var sum, sq float64
	n := 0
	for y := max(0, y0-cell); y < min(img.Height, y0+2*cell); y += 2 {
		for x := max(0, x0-cell); x < min(img.Width, x0+2*cell); x += 2 {
			v := float64(img.Pix[y*img.Width+x])
			sum, sq, n = sum+v, sq+v*v, n+1
		}
	}
	if n == 0 {
		return 0
	}
	mean := sum / float64(n)
	return math.Sqrt(math.Max(0, sq/float64(n)-mean*mean))
}

// vote lets each block go with its neighbours, of which there are nine.
func (f *field) vote(needed, rounds int) {
	for range rounds {
		out := make([]bool, len(f.mask))
		for row := range f.rows {
			for col := range f.cols {
				count := 0
				for dy := -1; dy <= 1; dy++ {
					for dx := -1; dx <= 1; dx++ {
						y, x := row+dy, col+dx
						if y >= 0 && x >= 0 && y < f.rows && x < f.cols && f.mask[y*f.cols+x] {
							count++
						}
					}
				}
				out[row*f.cols+col] = count >= needed
			}
		}
		f.mask = out
	}
}

// largest keeps the largest connected part.
func (f *field) largest() {
	label := make([]int, len(f.mask))
	best, bestSize, next := 0, 0, 0
	var queue []int
	for start := range f.mask {
		if !f.mask[start] || label[start] != 0 {
			continue
		}
		next++
		label[start] = next
		queue = append(queue[:0], start)
		size := 0
		for len(queue) > 0 {
			b := queue[len(queue)-1]
			queue = queue[:len(queue)-1]
			size++
			row, col := b/f.cols, b%f.cols
			for _, n := range [4][2]int{{row - 1, col}, {row + 1, col}, {row, col - 1}, {row, col + 1}} {
				if n[0] < 0 || n[1] < 0 || n[0] >= f.rows || n[1] >= f.cols {
					continue
				}
				if m := n[0]*f.cols + n[1]; f.mask[m] && label[m] == 0 {
					label[m] = next
					queue = append(queue, m)
				}
			}
		}
		if size > bestSize {
			best, bestSize = next, size
		}
	}
	for b := range f.mask {
		f.mask[b] = best != 0 && label[b] == best
	}
}

// at is the block of a pixel.
func (f *field) at(x, y int) int { return y/cell*f.cols + x/cell }
