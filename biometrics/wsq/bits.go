package wsq

import (
	"cmp"
	"slices"
)

// lengths makes a Huffman code of at most 16 bits a word for symbols that are used
// so often: how many words there are of each length, and the symbols from the
// shortest on. No word is all ones, as in JPEG (ISO/IEC 10918-1 annex K.2).
func lengths(used [huffmanSymbols]int) (counts [16]byte, symbols []byte) {
	type node struct {
		weight  int
		members []int
	}
	const reserved = huffmanSymbols // takes the word of all ones
	nodes := []node{{0, []int{reserved}}}
	var depth [huffmanSymbols + 1]int
	for s, n := range used {
		if n > 0 {
			nodes = append(nodes, node{n, []int{s}})
		}
	}
	for len(nodes) > 1 {
		slices.SortStableFunc(nodes, func(a, b node) int { return cmp.Compare(a.weight, b.weight) })
		merged := node{nodes[0].weight + nodes[1].weight, append(slices.Clone(nodes[0].members), nodes[1].members...)}
		for _, s := range merged.members {
			depth[s]++
		}
		nodes = append([]node{merged}, nodes[2:]...)
	}
	var at [huffmanSymbols + 2]int
	for _, d := range depth {
		at[d]++
	}
	shorten(at[:])
	for length, n := range at[1:17] {
		counts[length] = byte(n)
	}
	for length := 16; length >= 1; length-- {
		if counts[length-1] > 0 {
			counts[length-1]-- // the reserved one is among the longest
			break
		}
	}
	for s, n := range used {
		if n > 0 {
			symbols = append(symbols, byte(s))
		}
	}
	slices.SortStableFunc(symbols, func(a, b byte) int { return cmp.Compare(depth[a], depth[b]) })
	return counts, symbols
}

// shorten moves words that are longer than 16 bits up: two of them become one a
// bit shorter and, in the place of a shorter word, two a bit longer.
func shorten(at []int) {
	for length := len(at) - 1; length > 16; {
		if at[length] == 0 {
			length--
			continue
		}
		shorter := length - 2
		for at[shorter] == 0 {
			shorter--
		}
		at[length] -= 2
		at[length-1]++
		at[shorter+1] += 2
		at[shorter]--
	}
}

type huffmanWord struct{ bits, n int }

// canonical gives each symbol its word.
func canonical(counts [16]byte, symbols []byte) (words [huffmanSymbols]huffmanWord) {
	next, i := 0, 0
	for length, n := range counts {
		for range n {
			words[symbols[i]] = huffmanWord{next, length + 1}
			next++
			i++
		}
		next <<= 1
	}
	return words
}

// bitWriter writes entropy-coded bytes with a zero stuffed behind each 0xff.
type bitWriter struct {
	out  []byte
	word uint64
	n    int
}

func (b *bitWriter) put(bits, n int) {
	b.word = b.word<<n | uint64(bits)
	b.n += n
	for b.n >= 8 {
		b.n -= 8
		v := byte(b.word >> b.n)
		if b.out = append(b.out, v); v == 0xff {
			b.out = append(b.out, 0)
		}
	}
}

// end fills the last byte with ones.
func (b *bitWriter) end() []byte {
	if b.n > 0 {
		b.put(1<<(8-b.n)-1, 8-b.n)
	}
	return b.out
}
