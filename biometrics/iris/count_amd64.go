package iris

import "golang.org/x/sys/cpu"

var hasAVX512 = cpu.X86.HasAVX512F && cpu.X86.HasAVX512VPOPCNTDQ

// count counts at every rotation the bits that differ, and those seen in both.
func count(f *fanned, b *Code, differ, both *[rotations]int) {
	if !hasAVX512 {
		countPortable(f, b, differ, both)
		return
	}
	var counts [rotations][8]uint64
	countAVX512(&f.turned[0][0], &f.masked[0][0], b, &counts)
	for shift := range counts {
		c := &counts[shift]
		sum := c[0] + c[1] + c[2] + c[3] + c[4] + c[5] + c[6] + c[7]
		differ[shift], both[shift] = int(sum&0xffff), int(sum>>16)
	}
}

//go:noescape
func countAVX512(turned, masked *uint64, b *Code, counts *[rotations][8]uint64)
