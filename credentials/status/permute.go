package status

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
)

// permutation says where the n-th entry of a list lies. The order in which
// credentials were issued cannot be told from their places, and no place has to be
// looked for: it is a Feistel network of ten rounds over 18 bits, walked until it
// is inside of the list (Black and Rogaway 2002, cycle walking).
type permutation struct{ round cipher.Block }

const (
	rounds   = 10
	halfBits = 9
	halfMask = 1<<halfBits - 1
)

// newPermutation takes a key of 32 bytes.
func newPermutation(key []byte) (permutation, error) {
	block, err := aes.NewCipher(key)
	return permutation{block}, err
}

// at is the place of the n-th entry, 0 <= n < Size. Every n has another.
func (p permutation) at(n int) int {
	x := uint32(n)
	for {
		left, right := x>>halfBits, x&halfMask
		for r := range uint32(rounds) {
			left, right = right, left^p.mix(r, right)
		}
		if x = left<<halfBits | right; x < Size {
			return int(x)
		}
	}
}

func (p permutation) mix(round, half uint32) uint32 {
	var b [aes.BlockSize]byte
	binary.BigEndian.PutUint32(b[0:], round)
	binary.BigEndian.PutUint32(b[4:], half)
	p.round.Encrypt(b[:], b[:])
	return binary.BigEndian.Uint32(b[:]) & halfMask
}
