package finger

// thin wears ridges down to lines of one pixel (Guo and Hall, 1989).
func thin(on []bool, w, h int) {
	// The border is left out, so that every pixel has eight neighbours.
	for x := range w {
		on[x], on[(h-1)*w+x] = false, false
	}
	for y := range h {
		on[y*w], on[y*w+w-1] = false, false
	}
	var points, remove []int
	for i, is := range on {
		if is {
			points = append(points, i)
		}
	}
	for changed := true; changed; {
		changed = false
		for pass := range 2 {
			remove = remove[:0]
			for _, i := range points {
				if on[i] && wears[pass][around(on, w, i)] {
					remove = append(remove, i)
				}
			}
			for _, i := range remove {
				on[i] = false
			}
			changed = changed || len(remove) > 0
		}
		kept := points[:0]
		for _, i := range points {
			if on[i] {
				kept = append(kept, i)
			}
		}
		points = kept
	}
}

// around are the eight neighbours of a pixel as bits, clockwise from the north.
func around(on []bool, w, i int) (n uint8) {
	up, mid, down := on[i-w-1:i-w+2:i-w+2], on[i-1:i+2:i+2], on[i+w-1:i+w+2:i+w+2]
	return bit(up[1]) | bit(up[2])<<1 | bit(mid[2])<<2 | bit(down[2])<<3 | bit(down[1])<<4 | bit(down[0])<<5 | bit(mid[0])<<6 | bit(up[0])<<7
}

func bit(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

func one(b bool) int { return int(bit(b)) }

// wears tells for every neighbourhood whether a pixel may go without breaking its
// line or shortening it, in each of two passes.
var wears = func() (may [2][256]bool) {
	for bits := range 256 {
		is := func(k int) bool { return bits>>(k%8)&1 == 1 }
		n, ne, e, se, s, sw, we, nw := is(0), is(1), is(2), is(3), is(4), is(5), is(6), is(7)
		c := one(!n && (ne || e)) + one(!e && (se || s)) + one(!s && (sw || we)) + one(!we && (nw || n))
		n1 := one(nw || n) + one(ne || e) + one(se || s) + one(sw || we)
		n2 := one(n || ne) + one(e || se) + one(s || sw) + one(we || nw)
		if m := min(n1, n2); c != 1 || m < 2 || m > 3 {
			continue
		}
		may[0][bits] = !((n || ne || !se) && e)
		may[1][bits] = !((s || sw || !nw) && we)
	}
	return may
}()
