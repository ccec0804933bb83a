package finger

import "golang.org/x/sys/cpu"

var hasAVX512 = cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512VPOPCNTDQ

// likes fills out, which has room for a multiple of eight, with the similarity of one
// neighbourhood to each of a print.
func likes(out []uint8, a *cylinder, b cylinders) {
	if !hasAVX512 || b.n == 0 {
		likesPortable(out, a, b)
		return
	}
	_ = out[b.stride-1]
	likesAVX512(&out[0], a, &b.words[0], b.stride, leastSeen)
}

//go:noescape
func likesAVX512(out *uint8, a *cylinder, words *uint64, stride, leastSeen int)
