package keys

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
)

// A sealed blob is
//
//	suite (1 byte, 1 = AES-256-GCM) ‖ key id (8 bytes) ‖ nonce (12) ‖ ciphertext and tag
//
// The suite lets a later algorithm stand beside this one, the key id an older
// key beside the current one.
const (
	suiteGCM = 1
	idBytes  = 8
	header   = 1 + idBytes
)

// ErrSealed says that a blob was not sealed by this key for this place: it was
// damaged, forged, or moved from elsewhere.
var ErrSealed = errors.New("keys: the sealed data cannot be opened here")

func aead(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func seal(key, plain, ad []byte) ([]byte, error) {
	if len(ad) == 0 {
		return nil, errors.New("keys: sealing needs to say for which place")
	}
	a, err := aead(key)
	if err != nil {
		return nil, err
	}
	return a.Seal(nil, nil, plain, ad), nil
}

func unseal(key, sealed, ad []byte) ([]byte, error) {
	a, err := aead(key)
	if err != nil {
		return nil, err
	}
	plain, err := a.Open(nil, nil, sealed, ad)
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

// sealAs seals with the header in front; the header is part of what is authenticated.
func sealAs(id [idBytes]byte, key, plain, ad []byte) ([]byte, error) {
	head := append([]byte{suiteGCM}, id[:]...)
	body, err := seal(key, plain, append(head[:header:header], ad...))
	if err != nil {
		return nil, err
	}
	return append(head, body...), nil
}

// headOf splits a blob into the id of its key and the rest.
func headOf(blob []byte) (id [idBytes]byte, body []byte, err error) {
	if len(blob) < header || blob[0] != suiteGCM {
		return id, nil, ErrSealed
	}
	copy(id[:], blob[1:header])
	return id, blob[header:], nil
}

func openAs(blob, key, ad []byte) ([]byte, error) {
	_, body, err := headOf(blob)
	if err != nil {
		return nil, err
	}
	return unseal(key, body, append(blob[:header:header], ad...))
}
