//go:build !linux

package gallery

func newSlab(words int) []uint64 { return make([]uint64, words) }

func freeSlab(words []uint64) { clear(words) }
