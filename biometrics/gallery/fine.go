package gallery

import (
	"math"
	"slices"
)

// strong is how many pairs of minutiae speak for a finger in the second stage.
const strong = 24

// pairing is a minutia of a probe that may be one of another print.
type pairing struct {
	a, b  point
	value int32 // how alike their neighbourhoods are, to 1,024
}

// agreement tells how many minutiae of two prints have like neighbourhoods and lie
// to one another in the same way. It is the second stage: what the codes alone say
// counted for each minutia; now they must agree with each other.
func (f *sought) agreement(s slot) uint16 {
	var space [strong]pairing
	pairs := f.pairs(s, space[:0])
	var total int64
	for i, p := range pairs {
		for _, q := range pairs[:i] {
			if fit := consistent(p, q); fit > 0 {
				total += int64(fit) * int64(p.value) * int64(q.value) >> 16
			}
		}
	}
	return uint16(min(none-1, math.Sqrt(float64(total))))
}

// pairs are those with the most similar neighbourhoods, where both prints have one;
// no minutia is in two.
func (f *sought) pairs(s slot, found []pairing) []pairing {
	var keys [mostCodes]int32
	n := 0
	var points [mostCodes]point
	theirs := points[:len(s.codes)/codeWords]
	for i := range theirs {
		theirs[i] = s.point(i)
	}
	valid := within(theirs)
	var near nearest
	for k := range f.probes {
		scan(&f.probes[k], s.codes, &near)
		for lane := range min(lanes, len(f.codes)-k*lanes) {
			i, j := k*lanes+lane, int(near[lane]&63)
			value := similar(&f.codes[i], s.codes[j*codeWords:(j+1)*codeWords], f.valid[i]&valid[j])
			keys[n] = value<<16 | int32(i)<<8 | int32(j)
			n++
		}
	}
	slices.Sort(keys[:n])
	var taken [mostCodes]bool
	for _, key := range slices.Backward(keys[:n]) {
		if i, j := key>>8&0xff, key&0xff; key>>16 > 0 && !taken[j] && len(found) < strong {
			taken[j] = true
			found = append(found, pairing{f.points[i], theirs[j], key >> 16})
		}
	}
	return found
}

// Two pairs may differ so much and still be of one finger: skin is soft, and the
// more so the further apart.
const (
	mostTurned = 20      // of 256
	mostMoved2 = 12 * 12 // pixels, squared
	softness2  = 6 * 6   // of the distance, squared: one in six
)

// consistent tells how well two pairs agree on how one print lies on the other, from
// 0 to 256: seen from one minutia, the other must be at the same place and turned
// alike.
func consistent(p, q pairing) int32 {
	turned := int32(int8(p.a.direction() - q.a.direction() - p.b.direction() + q.b.direction()))
	turned = max(turned, -turned)
	if turned >= mostTurned {
		return 0
	}
	u, v := seen(p.a, q.a)
	r, t := seen(p.b, q.b)
	far := u*u + v*v
	off, most := (u-r)*(u-r)+(v-t)*(v-t), mostMoved2+far/softness2
	if off >= most {
		return 0
	}
	return (256 - 256*off/most) * (mostTurned - turned) / mostTurned
}

// seen is where one minutia is in the frame of another, in pixels.
func seen(from, to point) (u, v int32) {
	sin, cos := sines[from.direction()], sines[from.direction()+64]
	dx, dy := to.x()-from.x(), from.y()-to.y()
	return (dx*cos + dy*sin) >> waveBits, (dy*cos - dx*sin) >> waveBits
}
