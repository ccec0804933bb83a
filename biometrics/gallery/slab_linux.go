package gallery

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// newSlab takes zeroed memory from the system. Codes of a population in the heap of
// Go would make it grow to twice their size before anything is collected. In large
// pages the next finger can be fetched while one is compared: half the time of a scan.
func newSlab(words int) []uint64 {
	raw, err := unix.Mmap(-1, 0, words*8, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		panic(fmt.Sprintf("gallery: no memory for a block: %v", err))
	}
	_ = unix.Madvise(raw, unix.MADV_HUGEPAGE) // a kernel without them is slower, no more
	return unsafe.Slice((*uint64)(unsafe.Pointer(&raw[0])), words)
}

// freeSlab gives it back, without what was in it.
func freeSlab(words []uint64) {
	raw := unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), len(words)*8)
	clear(raw)
	_ = unix.Munmap(raw) // fails only for what is no mapping
}
