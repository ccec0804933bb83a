//go:build !amd64

package iris

// count counts at every rotation the bits that differ, and those seen in both.
func count(f *fanned, b *Code, differ, both *[rotations]int) { countPortable(f, b, differ, both) }
