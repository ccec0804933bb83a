//go:build !amd64

package gallery

func scanners() []scanner { return []scanner{{"portable", scanPortable}} }

func scan(p *probe, codes []uint64, near *nearest) uint32 { return scanPortable(p, codes, near) }
