package wsq

// filters are the low-pass and the high-pass filter of analysis or of synthesis,
// of odd length and symmetric about their middle.
type filters struct{ low, high []float32 }

// plane is the image as coefficients, row after row.
type plane struct {
	w, h int
	data []float32
}

// synthesis are the filters that undo an analysis, by the parity of the sample that
// they are laid over: there only every other tap falls on coefficients of its kind.
type synthesis [2]struct{ low, high taps }

// taps are laid over a line from a place relative to the sample on, over every other
// element.
type taps struct {
	from    int
	weights []float32
}

// synthesis turns the filters of a file, which are those of analysis, into those
// that undo them: modulated by (−1)ⁿ, the low-pass one becomes the high-pass one.
func (f filters) synthesis() (s synthesis) {
	low, high := alternated(f.high), alternated(f.low)
	for parity := range s {
		s[parity].low, s[parity].high = halved(low, parity), halved(high, 1-parity)
	}
	return s
}

func alternated(f []float32) []float32 {
	out := make([]float32, len(f))
	middle := len(f) / 2
	for i, v := range f {
		if (i-middle)%2 != 0 {
			v = -v
		}
		out[i] = v
	}
	return out
}

// halved are the taps that fall on coefficients of their kind, from left to right;
// odd tells that the sample itself is at none of them.
func halved(filter []float32, odd int) (t taps) {
	reach := len(filter) / 2
	t.from = -reach
	if (reach+odd)%2 != 0 {
		t.from++
	}
	for j := t.from; j <= reach; j += 2 {
		t.weights = append(t.weights, filter[reach-j])
	}
	return t
}

// compose undoes one step of analysis on a region, along columns, then rows.
func (p *plane) compose(r region, f synthesis, line *scratch) {
	for x := range r.w {
		at := r.y*p.w + r.x + x
		line.gather(p.data, at, p.w, r.h, r.reverseY)
		line.synthesise(f, r.h)
		line.put(p.data, at, p.w, r.h)
	}
	for y := range r.h {
		at := (r.y+y)*p.w + r.x
		line.gather(p.data, at, 1, r.w, r.reverseX)
		line.synthesise(f, r.w)
		line.put(p.data, at, 1, r.w)
	}
}

// decompose is one step of analysis on a region, along rows, then columns.
func (p *plane) decompose(r region, f filters, line *scratch) {
	for y := range r.h {
		at := (r.y+y)*p.w + r.x
		line.take(p.data, at, 1, r.w)
		line.analyse(f, r.w)
		line.scatter(p.data, at, 1, r.w, r.reverseX)
	}
	for x := range r.w {
		at := r.y*p.w + r.x + x
		line.take(p.data, at, p.w, r.h)
		line.analyse(f, r.h)
		line.scatter(p.data, at, p.w, r.h, r.reverseY)
	}
}

// margin is the longest reach of a filter beyond the ends of a line.
const margin = 32

// scratch is one line of the plane with room for its mirrored ends.
type scratch struct{ in, out []float32 }

func newScratch(longest int) *scratch {
	return &scratch{in: make([]float32, longest+2*margin), out: make([]float32, longest)}
}

// gather reads a line whose two halves are coefficients and lays them alternately:
// low at even places, high at odd ones.
func (s *scratch) gather(data []float32, at, step, n int, reversed bool) {
	lows := (n + 1) / 2
	low, high := at, at+lows*step
	if reversed {
		low, high = at+(n-lows)*step, at
	}
	for i := 0; i < n; i += 2 {
		s.in[margin+i] = data[low]
		low += step
	}
	for i := 1; i < n; i += 2 {
		s.in[margin+i] = data[high]
		high += step
	}
	s.mirror(n)
}

// scatter writes a line back as two halves.
func (s *scratch) scatter(data []float32, at, step, n int, reversed bool) {
	lows := (n + 1) / 2
	low, high := at, at+lows*step
	if reversed {
		low, high = at+(n-lows)*step, at
	}
	for i := 0; i < n; i += 2 {
		data[low] = s.out[i]
		low += step
	}
	for i := 1; i < n; i += 2 {
		data[high] = s.out[i]
		high += step
	}
}

func (s *scratch) take(data []float32, at, step, n int) {
	for i := range n {
		s.in[margin+i] = data[at+i*step]
	}
	s.mirror(n)
}

func (s *scratch) put(data []float32, at, step, n int) {
	for i := range n {
		data[at+i*step] = s.out[i]
	}
}

// mirror continues a line beyond its ends as if these were mirrors; a line of one
// element continues as itself.
func (s *scratch) mirror(n int) {
	period := max(1, 2*n-2)
	for k := 1; k <= margin; k++ {
		before, after := k%period, (n-1+k)%period
		s.in[margin-k] = s.in[margin+min(before, period-before)]
		s.in[margin+n-1+k] = s.in[margin+min(after, period-after)]
	}
}

// synthesise makes samples of alternating coefficients: each sample is what the
// filters, laid over the coefficients around it, gather there. The sum is made in
// one order, low before high and left to right, so that every machine rounds alike.
func (s *scratch) synthesise(f synthesis, n int) {
	for parity, half := range f {
		for i := parity; i < n; i += 2 {
			sum := half.low.under(0, s.in[margin+i+half.low.from:])
			s.out[i] = half.high.under(sum, s.in[margin+i+half.high.from:])
		}
	}
}

// under adds the products of the taps with every other element of a line.
func (t *taps) under(sum float32, line []float32) float32 {
	line = line[:max(0, 2*len(t.weights)-1)]
	for k, weight := range t.weights {
		sum += float32(line[2*k] * weight) // not fused, whatever the machine has
	}
	return sum
}

// analyse filters a line: low-pass at even places, high-pass at odd ones.
func (s *scratch) analyse(f filters, n int) {
	for i := range n {
		filter := f.low
		if i&1 == 1 {
			filter = f.high
		}
		reach := len(filter) / 2
		var sum float32
		for j, v := range filter {
			sum += float32(v * s.in[margin+i-reach+j])
		}
		s.out[i] = sum
	}
}
