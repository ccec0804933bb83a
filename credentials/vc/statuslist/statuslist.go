// Package statuslist writes and reads the lists that say whether credentials still
// count: the bits of the W3C's Bitstring Status List 1.0, and the values of the IETF's
// Token Status List (draft -20) with the signed tokens that carry them. It knows no
// database and never touches the network.
package statuslist

import (
	"errors"

	"github.com/plinth-id/plinth/credentials/vc/jws"
)

// What a list can be refused for. The errors of this package wrap one of them. None
// of them says anything about the status of a credential: it stays open.
var (
	ErrMalformed   = jws.ErrMalformed
	ErrTooLarge    = jws.ErrTooLarge
	ErrUnsupported = jws.ErrUnsupported
	ErrSignature   = jws.ErrSignature
	ErrUnknownKey  = jws.ErrUnknownKey
	ErrUntrusted   = jws.ErrUntrusted
	ErrNotYetValid = jws.ErrNotYetValid
	ErrExpired     = jws.ErrExpired

	ErrMediaType = errors.New("statuslist: another kind of token than a status list")
	ErrTooShort  = errors.New("statuslist: shorter than one entry can hide in")
	ErrRange     = errors.New("statuslist: the list has no such place")
	ErrPurpose   = errors.New("statuslist: the list serves another purpose")
	ErrAddress   = errors.New("statuslist: it is the list of another address")
	ErrForeign   = errors.New("statuslist: it is the list of another issuer")
)

// maxInflated bounds the bytes of a list that we unfold: 128 million places of a bit.
const maxInflated = 16 << 20

// Value is the status of one credential in a Token Status List. Every other value means
// what the issuer says elsewhere.
type Value uint8

// The values that the draft gives a meaning, section 7.1.
const (
	Valid     Value = 0
	Invalid   Value = 1 // for good
	Suspended Value = 2 // for now
)

// List is the values of a Token Status List. The first is in the least significant
// bits of the first byte (section 4.1).
type List struct {
	bits   int
	packed []byte
}

// NewList makes a list of at least this many places of 1, 2, 4 or 8 bits, all Valid.
func NewList(bits, places int) (List, error) {
	if !width(bits) {
		return List{}, ErrUnsupported
	}
	if places <= 0 || places > maxInflated/bits*8 {
		return List{}, ErrTooLarge
	}
	return List{bits: bits, packed: make([]byte, (places*bits+7)/8)}, nil
}

func width(bits int) bool { return bits == 1 || bits == 2 || bits == 4 || bits == 8 }

// Bits is the width of a value.
func (l List) Bits() int { return l.bits }

// Len is the number of places.
func (l List) Len() int {
	if l.bits == 0 {
		return 0
	}
	return len(l.packed) * 8 / l.bits
}

// At gives the value at a place.
func (l List) At(index int64) (Value, error) {
	if index < 0 || index >= int64(l.Len()) {
		return 0, ErrRange
	}
	at, shift := l.place(index)
	return Value(l.packed[at] >> shift & l.mask()), nil
}

// Set writes the value at a place.
func (l List) Set(index int64, v Value) error {
	if index < 0 || index >= int64(l.Len()) {
		return ErrRange
	}
	if byte(v) > l.mask() {
		return ErrUnsupported
	}
	at, shift := l.place(index)
	l.packed[at] = l.packed[at]&^(l.mask()<<shift) | byte(v)<<shift
	return nil
}

func (l List) mask() byte { return byte(1<<l.bits - 1) }

func (l List) place(index int64) (at int64, shift int) {
	first := index * int64(l.bits)
	return first / 8, int(first % 8)
}
