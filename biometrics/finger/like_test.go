package finger

import (
	"math/rand/v2"
	"testing"
)

// What the processor does eight at a time is what it does one by one.
func TestEveryPathFindsTheSameLikeness(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	word := func() uint64 {
		switch r.IntN(4) {
		case 0:
			return 0
		case 1:
			return ^uint64(0)
		}
		one, other := r.Uint64(), r.Uint64()
		return one & other
	}
	for round := range 400 {
		n := 1 + round%MaxMinutiae
		all := newCylinders(n)
		for i := range n {
			left, right := word(), word()
			one := cylinder{seen: left | right}
			for k := range one.bits {
				one.bits[k] = word() & one.seen
			}
			all.set(i, one)
		}
		one := all.at(r.IntN(n))
		got, want := make([]uint8, likesRow), make([]uint8, likesRow)
		likes(got, &one, all)
		likesPortable(want, &one, all)
		for j := range n {
			if got[j] != want[j] {
				t.Fatalf("%d of %d: got %d, want %d", j, n, got[j], want[j])
			}
		}
	}
}
