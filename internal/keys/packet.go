package keys

import (
	"crypto/hpke"
	"errors"
	"fmt"
)

// ErrUnknownKey says that something was sealed to a key that is not ours.
var ErrUnknownKey = errors.New("keys: sealed to a key that is not ours")

// maxPacket bounds what OpenPacket takes; the largest packet is 20 MB.
// sealOverhead is at least the encapsulated key (1120 bytes) and the tag.
const (
	maxPacket    = 21 << 20
	sealOverhead = 2 << 10
)

// ErrTooLarge says that a packet is larger than any that would be opened.
var ErrTooLarge = errors.New("keys: too large to be sealed to a packet key")

// PacketKey is the public key that packets are sealed to, and its id.
func (r *Ring) PacketKey() (id string, public []byte) {
	k, err := r.current(Packets)
	if err != nil {
		return "", nil
	}
	return k.ID, k.Public
}

// SealTo seals to a public packet key (RFC 9180 base mode: X-Wing, HKDF-SHA-256,
// AES-256-GCM).
func SealTo(public, plain, info []byte) ([]byte, error) {
	if len(plain) > maxPacket-sealOverhead {
		return nil, ErrTooLarge
	}
	key, err := hpke.MLKEM768X25519().NewPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("reading the packet key: %w", err)
	}
	return hpke.Seal(key, hpke.HKDFSHA256(), hpke.AES256GCM(), info, plain)
}

// OpenPacket opens what was sealed to the packet key with this id.
func (r *Ring) OpenPacket(keyID string, sealed, info []byte) ([]byte, error) {
	if len(sealed) > maxPacket {
		return nil, ErrSealed
	}
	k := r.find(Packets, func(k *domainKey) bool { return k.ID == keyID })
	if k == nil {
		return nil, ErrUnknownKey
	}
	private, err := hpke.MLKEM768X25519().NewPrivateKey(k.secret())
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", k, err)
	}
	plain, err := hpke.Open(private, hpke.HKDFSHA256(), hpke.AES256GCM(), info, sealed)
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}
