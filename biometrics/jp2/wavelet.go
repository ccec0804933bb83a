package jp2

// plane is the samples of a component of a tile: whole when reversible.
type plane struct {
	rect
	whole []int32
	real  []float32
}

// synthesise puts the subbands together, resolution after resolution (annex F).
func synthesise(resolutions []*resolution, reversible bool) plane {
	low := resolutions[0].bands[0]
	p := plane{rect: low.rect, whole: low.whole, real: low.real}
	for _, r := range resolutions[1:] {
		next := plane{rect: r.rect}
		if reversible {
			next.whole = compose(p.whole, p.rect, r, lift53)
		} else {
			next.real = compose(p.real, p.rect, r, lift97)
		}
		p = next
	}
	return p
}

// coefficient is what both wavelets work on.
type coefficient interface{ int32 | float32 }

// of gives the coefficients of a subband of the kind that is asked for.
func of[T coefficient](b *band) []T {
	switch v := any(b.whole).(type) {
	case []T:
		return v
	}
	return any(b.real).([]T)
}

// compose makes a resolution of the one below and its three subbands.
func compose[T coefficient](low []T, at rect, r *resolution, lift func(line []T, odd bool)) []T {
	w, h := max(0, r.w()), max(0, r.h())
	out := make([]T, w*h)
	if w == 0 || h == 0 {
		return out
	}
	weave := func(from []T, in rect, highX, highY int) {
		iw := in.w()
		for y := range max(0, in.h()) {
			for x := range max(0, iw) {
				out[(2*(in.y0+y)+highY-r.y0)*w+2*(in.x0+x)+highX-r.x0] = from[y*iw+x]
			}
		}
	}
	weave(low, at, 0, 0)
	for _, b := range r.bands {
		weave(of[T](b), b.rect, b.orient&1, b.orient>>1)
	}
	for y := range h {
		lift(out[y*w:(y+1)*w], r.x0&1 == 1)
	}
	column := make([]T, h)
	for x := range w {
		for y := range h {
			column[y] = out[y*w+x]
		}
		lift(column, r.y0&1 == 1)
		for y := range h {
			out[y*w+x] = column[y]
		}
	}
	return out
}

// mirrored is the place that a line shows beyond its ends.
func mirrored(i, n int) int {
	if i < 0 {
		i = -i
	}
	if i >= n {
		i = 2*n - 2 - i
	}
	return i
}

// lift53 undoes the reversible 5/3 wavelet on a line; odd says that it begins with
// a high-pass coefficient.
func lift53(line []int32, odd bool) {
	n, even, high := len(line), 0, 1
	if odd {
		even, high = 1, 0
	}
	if n == 1 {
		if odd {
			line[0] >>= 1
		}
		return
	}
	for i := even; i < n; i += 2 {
		line[i] -= (line[mirrored(i-1, n)] + line[mirrored(i+1, n)] + 2) >> 2
	}
	for i := high; i < n; i += 2 {
		line[i] += (line[mirrored(i-1, n)] + line[mirrored(i+1, n)]) >> 1
	}
}

// lift97 undoes the irreversible 9/7 wavelet on a line.
func lift97(line []float32, odd bool) {
	const (
		alpha = -1.586134342059924
		beta  = -0.052980118572961
		gamma = 0.882911075530934
		delta = 0.443506852043971
		k     = 1.230174104914001
	)
	n, even, high := len(line), 0, 1
	if odd {
		even, high = 1, 0
	}
	if n == 1 {
		if odd {
			line[0] /= 2
		}
		return
	}
	for i := even; i < n; i += 2 {
		line[i] *= k
	}
	for i := high; i < n; i += 2 {
		line[i] *= 1 / k
	}
	step := func(from int, by float32) {
		for i := from; i < n; i += 2 {
			line[i] -= float32(by * (line[mirrored(i-1, n)] + line[mirrored(i+1, n)]))
		}
	}
	step(even, delta)
	step(high, gamma)
	step(even, beta)
	step(high, alpha)
}
