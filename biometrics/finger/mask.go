package finger

// Ridges that fill so much of what is seen are ridges; where they fill less, those
// that join on to them.
const (
	certain = .25
	likely  = .14
)

// The least that is a part of a print, and the most that is a hole in one, in blocks.
const (
	leastSeed = 30
	leastPart = 60
	mostHole  = 12
)

// liken measures for each block how much of the picture is left when it has been
// filtered along its ridges: of a print most, of paper, words and lines little.
func (f *field) liken(norm, filtered []float32, w, h int) {
	size := f.cols * f.rows
	before, after := make([]float32, size), make([]float32, size)
	for y := range h {
		from, to := norm[y*w:(y+1)*w], filtered[y*w:(y+1)*w]
		for x, v := range from {
			b := y/cell*f.cols + x/cell
			before[b] += float32(v * v)
			after[b] += float32(to[x] * to[x])
		}
	}
	before, after = f.blurred(before), f.blurred(after)
	for b := range size {
		f.likeness[b] = after[b] / (before[b] + 3)
	}
}

// segment marks where there are ridges.
func (f *field) segment() {
	f.mask = f.ridged(certain)
	f.vote(5, 2)
	f.vote(4, 2)
	f.flip(true, leastSeed)
	f.grow(f.ridged(likely))
	f.vote(5, 2)
	f.flip(true, leastPart)
	f.flip(false, mostHole)
}

func (f *field) ridged(least float32) []bool {
	out := make([]bool, len(f.mask))
	for b := range out {
		out[b] = f.likeness[b] > least && f.period[b] >= shortest && f.period[b] <= longest
	}
	return out
}

// vote lets each block go with its neighbours, of which there are nine.
func (f *field) vote(needed, rounds int) {
	for range rounds {
		out := make([]bool, len(f.mask))
		for row := range f.rows {
			for col := range f.cols {
				count := 0
				for y := max(0, row-1); y <= min(f.rows-1, row+1); y++ {
					for x := max(0, col-1); x <= min(f.cols-1, col+1); x++ {
						count += one(f.mask[y*f.cols+x])
					}
				}
				out[row*f.cols+col] = count >= needed
			}
		}
		f.mask = out
	}
}

// grow adds what may be ridges and joins on to the mask.
func (f *field) grow(may []bool) {
	var queue []int
	for b, in := range f.mask {
		if in {
			queue = append(queue, b)
		}
	}
	for i := 0; i < len(queue); i++ {
		for _, n := range f.beside(queue[i]) {
			if n >= 0 && may[n] && !f.mask[n] {
				f.mask[n] = true
				queue = append(queue, n)
			}
		}
	}
}

// flip turns connected parts of the mask (or of what is outside) over that are
// smaller than so many blocks.
func (f *field) flip(of bool, least int) {
	seen := make([]bool, len(f.mask))
	var part []int
	for start := range f.mask {
		if f.mask[start] != of || seen[start] {
			continue
		}
		seen[start] = true
		part = append(part[:0], start)
		for i := 0; i < len(part); i++ {
			for _, n := range f.beside(part[i]) {
				if n >= 0 && f.mask[n] == of && !seen[n] {
					seen[n] = true
					part = append(part, n)
				}
			}
		}
		if len(part) < least {
			for _, b := range part {
				f.mask[b] = !of
			}
		}
	}
}

// beside are the four neighbours of a block; −1 where there is none.
func (f *field) beside(b int) (n [4]int) {
	n = [4]int{b - f.cols, b + f.cols, b - 1, b + 1}
	if b < f.cols {
		n[0] = -1
	}
	if b >= f.cols*(f.rows-1) {
		n[1] = -1
	}
	if b%f.cols == 0 {
		n[2] = -1
	}
	if b%f.cols == f.cols-1 {
		n[3] = -1
	}
	return n
}
