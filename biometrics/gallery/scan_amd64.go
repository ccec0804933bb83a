package gallery

import "golang.org/x/sys/cpu"

var (
	hasAVX512 = cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VPOPCNTDQ
	hasAVX2   = cpu.X86.HasAVX2
)

// scanners are those that this processor can do, the fastest first.
func scanners() (all []scanner) {
	if hasAVX512 {
		all = append(all, scanner{"avx512", func(p *probe, codes []uint64, near *nearest) uint32 {
			return scanAVX512(p, &codes[0], len(codes)/codeWords, near)
		}})
	}
	if hasAVX2 {
		all = append(all, scanner{"avx2", func(p *probe, codes []uint64, near *nearest) uint32 {
			return scanAVX2(p, &codes[0], len(codes)/codeWords, near)
		}})
	}
	return append(all, scanner{"portable", scanPortable})
}

// scan calls without a pointer to a function, so that nothing escapes to the heap.
func scan(p *probe, codes []uint64, near *nearest) uint32 {
	switch {
	case len(codes) < codeWords:
		return scanPortable(p, codes, near)
	case hasAVX512:
		return scanAVX512(p, &codes[0], len(codes)/codeWords, near)
	case hasAVX2:
		return scanAVX2(p, &codes[0], len(codes)/codeWords, near)
	}
	return scanPortable(p, codes, near)
}

//go:noescape
func scanAVX512(p *probe, codes *uint64, n int, near *nearest) uint32

//go:noescape
func scanAVX2(p *probe, codes *uint64, n int, near *nearest) uint32
