package webp

// block is sixteen coefficients or differences, row by row.
type block [16]int32

// The turns of the transform, cos(π/8)·√2 and sin(π/8)·√2, in 4096ths.
const turnCos, turnSin = 5352, 2217

// forward is the transform whose inverse decoders do, to the nearest whole number.
func (b *block) forward() {
	var t [16]int64
	for i := range 4 {
		p := b[4*i : 4*i+4]
		sum, inner := int64(p[0]+p[3]), int64(p[1]+p[2])
		outer, middle := int64(p[0]-p[3]), int64(p[1]-p[2])
		t[4*i], t[4*i+2] = (sum+inner)<<12, (sum-inner)<<12
		t[4*i+1], t[4*i+3] = outer*turnCos+middle*turnSin, outer*turnSin-middle*turnCos
	}
	const half = 1 << 24
	for i := range 4 {
		sum, inner := t[i]+t[12+i], t[4+i]+t[8+i]
		outer, middle := t[i]-t[12+i], t[4+i]-t[8+i]
		b[i], b[8+i] = int32(((sum+inner)<<12+half)>>25), int32(((sum-inner)<<12+half)>>25)
		b[4+i] = int32((outer*turnCos + middle*turnSin + half) >> 25)
		b[12+i] = int32((outer*turnSin - middle*turnCos + half) >> 25)
	}
}

// inverse is section 14.3, bit for bit: what the decoder will see is what the next
// block is predicted from.
func (b *block) inverse() {
	const less, sin = 20091, 35468 // cos − 1 and sin, in 65536ths
	turn := func(x, y int32) (int32, int32) {
		return x*sin>>16 - (y + y*less>>16), x + x*less>>16 + y*sin>>16
	}
	for i := range 4 {
		a, c := b[i]+b[8+i], b[i]-b[8+i]
		m, d := turn(b[4+i], b[12+i])
		b[i], b[12+i], b[4+i], b[8+i] = a+d, a-d, c+m, c-m
	}
	for i := 0; i < 16; i += 4 {
		a, c := b[i]+b[i+2], b[i]-b[i+2]
		m, d := turn(b[i+1], b[i+3])
		b[i], b[i+3], b[i+1], b[i+2] = (a+d+4)>>3, (a-d+4)>>3, (c+m+4)>>3, (c-m+4)>>3
	}
}

// forwardMeans transforms the sixteen means of a macroblock once more.
func (b *block) forwardMeans() {
	for i := 0; i < 16; i += 4 {
		a, c, d, m := b[i]+b[i+3], b[i+1]+b[i+2], b[i]-b[i+3], b[i+1]-b[i+2]
		b[i], b[i+1], b[i+2], b[i+3] = a+c, d+m, a-c, d-m
	}
	for i := range 4 {
		a, c, d, m := b[i]+b[12+i], b[4+i]+b[8+i], b[i]-b[12+i], b[4+i]-b[8+i]
		b[i], b[4+i], b[8+i], b[12+i] = (a+c+1)>>1, (d+m+1)>>1, (a-c+1)>>1, (d-m+1)>>1
	}
}

// inverseMeans is section 14.2.
func (b *block) inverseMeans() {
	for i := range 4 {
		a, c, d, m := b[i]+b[12+i], b[4+i]+b[8+i], b[i]-b[12+i], b[4+i]-b[8+i]
		b[i], b[4+i], b[8+i], b[12+i] = a+c, d+m, a-c, d-m
	}
	for i := 0; i < 16; i += 4 {
		a, c, d, m := b[i]+b[i+3], b[i+1]+b[i+2], b[i]-b[i+3], b[i+1]-b[i+2]
		b[i], b[i+1], b[i+2], b[i+3] = (a+c+3)>>3, (d+m+3)>>3, (a-c+3)>>3, (d-m+3)>>3
	}
}
