//go:build !amd64

package finger

// likes fills out with the similarity of one neighbourhood to each of a print.
func likes(out []uint8, a *cylinder, b cylinders) { likesPortable(out, a, b) }
