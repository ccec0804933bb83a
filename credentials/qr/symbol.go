package qr

import (
	"fmt"
	"math/bits"
)

// Quiet is the light ground that a reader needs round a code, in modules.
const Quiet = 4

// line is a row of modules, the leftmost in the lowest bit.
type line [3]uint64

func (l *line) has(x int) bool { return l[x>>6]>>(x&63)&1 == 1 }
func (l *line) set(x int)      { l[x>>6] |= 1 << (x & 63) }

// Symbol is a QR code as modules, without its quiet zone.
type Symbol struct {
	Version int
	Level   Level
	rows    []line
}

// Side is the number of modules along an edge, without the quiet zone.
func (s Symbol) Side() int { return len(s.rows) }

// Dark says whether a module is dark.
func (s Symbol) Dark(x, y int) bool { return s.rows[y].has(x) }

// Runs calls visit with each run of dark modules, row by row.
func (s Symbol) Runs(visit func(x, y, width int)) {
	for y := range s.rows {
		for x := 0; x < len(s.rows); x++ {
			start := x
			for x < len(s.rows) && s.rows[y].has(x) {
				x++
			}
			if x > start {
				visit(start, y, x-start)
			}
		}
	}
}

// NewSymbol lays a text out as the smallest QR code (ISO/IEC 18004) that holds it. The
// modules are the same that skip2/go-qrcode draws, which scores all masks module by
// module and takes ten times as long.
func NewSymbol(text string, level Level) (Symbol, error) {
	if text == "" || level < Low || level > High {
		return Symbol{}, fmt.Errorf("%w: nothing to draw", ErrMalformed)
	}
	for _, w := range widths {
		parts := w.split(text)
		length := w.length(parts)
		for version := w.from; version <= w.to && length > 0; version++ {
			if capacity := dataWords(version, level) * 8; length <= capacity {
				words := interleave(w.words(parts, capacity/8), version, level)
				return lay(words, version, level), nil
			}
		}
	}
	return Symbol{}, tooLong(text, level)
}

func tooLong(text string, level Level) error {
	capacity, unit := octets[level], "bytes"
	if isAlphanumeric(text) {
		capacity, unit = alphanumeric[level], "characters"
	}
	return fmt.Errorf("%w: %d %s, at most %d at this level of error correction", ErrTooLong, len(text), unit, capacity)
}

// lay puts the words into their places and chooses the mask that reads best.
func lay(words []byte, version int, level Level) Symbol {
	frame := frameOf(version)
	plain := make([]line, frame.side)
	for i, at := range frame.places[:min(len(frame.places), len(words)*8)] {
		if words[i>>3]<<(i&7)&0x80 != 0 {
			plain[at>>8].set(int(at & 0xff))
		}
	}
	var best []line
	least := 0
	for mask := range masks {
		rows := make([]line, frame.side)
		for y := range rows {
			for w := range rows[y] {
				free := ^frame.taken[y][w] & frame.width[w]
				rows[y][w] = frame.fixed[y][w] | (plain[y][w]^masks[mask][y%12][w])&free
			}
		}
		writeFormat(rows, level, mask)
		if p := penalty(rows); best == nil || p < least {
			best, least = rows, p
		}
	}
	return Symbol{Version: version, Level: level, rows: best}
}

// masks are the eight patterns; each repeats after twelve rows.
var masks = func() (all [8][12]line) {
	for y := range 12 {
		for x := range 192 {
			for mask, on := range [8]bool{(x+y)%2 == 0, y%2 == 0, x%3 == 0, (x+y)%3 == 0, (y/2+x/3)%2 == 0,
				x*y%2+x*y%3 == 0, (x*y%2+x*y%3)%2 == 0, ((x+y)%2+x*y%3)%2 == 0} {
				if on {
					all[mask][y].set(x)
				}
			}
		}
	}
	return all
}()

// penalty scores what could mislead a reader: long runs, squares, what looks like a
// finder, and imbalance. It counts as go-qrcode does, 64 modules at a time.
func penalty(rows []line) int {
	dark, squares, runs := 0, 0, 0
	var within line // which modules have a right neighbour
	for x := range len(rows) - 1 {
		within.set(x)
	}
	sideways, downwards := make([]line, len(rows)), make([]line, len(rows))
	for y := range rows {
		next := rows[y].shifted(1)
		for w := range next {
			dark += bits.OnesCount64(rows[y][w])
			sideways[y][w] = ^(rows[y][w] ^ next[w]) & within[w]
			if y+1 < len(rows) {
				downwards[y][w] = ^(rows[y][w] ^ rows[y+1][w])
			}
		}
		runs += longRuns(sideways[y])
	}
	edge := within
	edge.set(len(rows) - 1)
	var before line
	for y := range len(rows) - 1 {
		var long line
		for w := range long {
			squares += bits.OnesCount64(sideways[y][w] & sideways[y+1][w] & downwards[y][w])
			if y+5 < len(rows) {
				long[w] = downwards[y][w] & downwards[y+1][w] & downwards[y+2][w] & downwards[y+3][w] & downwards[y+4][w] & edge[w]
			}
			runs += bits.OnesCount64(long[w]) + 3*bits.OnesCount64(long[w]&^before[w])
		}
		before = long
	}
	modules := len(rows) * len(rows)
	imbalance := max(modules/2-dark, dark-modules/2) / (modules / 20)
	return runs + 3*squares + 40*finders(rows) + 10*imbalance
}

// shifted gives the line with each module moved n to the left.
func (l line) shifted(n int) line {
	return line{l[0]>>n | l[1]<<(64-n), l[1]>>n | l[2]<<(64-n), l[2] >> n}
}

// longRuns scores the runs of six and more, given which modules equal their right
// neighbour: three for each, and one for each module past the fifth.
func longRuns(equal line) (score int) {
	long := equal
	for n := 1; n < 5; n++ {
		next := equal.shifted(n)
		for w := range long {
			long[w] &= next[w]
		}
	}
	first := line{long[0] &^ (long[0] << 1), long[1] &^ (long[1]<<1 | long[0]>>63), long[2] &^ (long[2]<<1 | long[1]>>63)}
	for w := range long {
		score += bits.OnesCount64(long[w]) + 3*bits.OnesCount64(first[w])
	}
	return score
}

// A finder is dark, light, three dark, light, dark; with four light before or after.
const finder, finderAfter, finderBefore = 0x5d, 0x05d, 0x5d0

// finders counts what looks like one. Lines that hold none, nearly all, are passed over
// in one step.
func finders(rows []line) (count int) {
	var columns line
	for y := range rows {
		// Before the picture begins, everything is light.
		var like [11]line
		for n := range like {
			like[n] = line{rows[y][0] << n, rows[y][1]<<n | rows[y][0]>>1>>(63-n), rows[y][2]<<n | rows[y][1]>>1>>(63-n)}
		}
		if found := resembles(&like); found != (line{}) || rows[y].tail(len(rows)) == finder {
			count += scan11(len(rows), func(x int) bool { return rows[y].has(x) })
		}
		for n := range like {
			like[n] = line{}
			if y >= n {
				like[n] = rows[y-n]
			}
		}
		found := resembles(&like)
		if y == len(rows)-1 { // after the picture, everything is light as well
			tail := matching(like[:7], finder)
			for w := range found {
				found[w] |= tail[w]
			}
		}
		for w := range columns {
			columns[w] |= found[w]
		}
	}
	for x := range rows {
		if columns.has(x) {
			count += scan11(len(rows), func(y int) bool { return rows[y].has(x) })
		}
	}
	return count
}

// tail gives the last seven modules of a line.
func (l *line) tail(side int) (last int) {
	for x := side - 7; x < side; x++ {
		last <<= 1
		if l.has(x) {
			last |= 1
		}
	}
	return last
}

// resembles tells where a finder ends, given the line as it was n modules earlier.
func resembles(like *[11]line) (found line) {
	after, before := matching(like[:], finderAfter), matching(like[:], finderBefore)
	for w := range found {
		found[w] = after[w] | before[w]
	}
	return found
}

func matching(like []line, pattern int) line {
	found := line{^uint64(0), ^uint64(0), ^uint64(0)}
	for n := range like {
		for w := range found {
			found[w] &= like[n][w] ^ -uint64(1-pattern>>n&1)
		}
	}
	return found
}

// scan11 counts the finders of one line; what is counted once is not counted again as
// part of the next.
func scan11(side int, dark func(int) bool) (count int) {
	seen := 0
	for i := range side {
		seen <<= 1
		if dark(i) {
			seen |= 1
		}
		if last := seen & 0x7ff; last == finderAfter || last == finderBefore || i == side-1 && seen&0x7f == finder {
			count, seen = count+1, 0xff
		}
	}
	return count
}
