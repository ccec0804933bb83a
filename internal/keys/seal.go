package keys

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"errors"
	"fmt"
)

// A sealed blob is
//
//	suite (1 byte, 1 = XAES-256-GCM) ‖ key id (8 bytes) ‖ nonce (24) ‖ ciphertext and tag
//
// The suite lets a later algorithm stand beside this one, the key id an older
// key beside the current one. XAES-256-GCM (C2SP) derives an AES-256-GCM key for
// each blob from the first half of its nonce: plain AES-GCM with random nonces
// may seal 2³² times under one key, which the cookies of a country reach in days.
const (
	suiteXAES = 1
	idBytes   = 8
	header    = 1 + idBytes
	saltBytes = 12 // the half of the nonce that the key is derived from
)

// ErrSealed says that a blob was not sealed by this key for this place: it was
// damaged, forged, or moved from elsewhere.
var ErrSealed = errors.New("keys: the sealed data cannot be opened here")

// derive is the key of one blob: CMAC in counter mode (SP 800-108), where every
// message is one full block, so that only the first CMAC subkey is used.
func derive(key, salt []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	var subkey [aes.BlockSize]byte
	block.Encrypt(subkey[:], subkey[:])
	carry := subkey[0] >> 7
	for i := range subkey {
		var next byte
		if i+1 < len(subkey) {
			next = subkey[i+1] >> 7
		}
		subkey[i] = subkey[i]<<1 | next
	}
	subkey[len(subkey)-1] ^= carry * 0x87
	derived := make([]byte, 0, 32)
	for counter := range byte(2) {
		message := append([]byte{0, counter + 1, 'X', 0}, salt...)
		subtle.XORBytes(message, message, subkey[:])
		block.Encrypt(message, message)
		derived = append(derived, message...)
	}
	inner, err := aes.NewCipher(derived)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(inner) // it draws and carries the second half of the nonce
}

func seal(key, plain, ad []byte) ([]byte, error) {
	if len(ad) == 0 {
		return nil, errors.New("keys: sealing needs to say for which place")
	}
	salt := random(saltBytes)
	a, err := derive(key, salt)
	if err != nil {
		return nil, err
	}
	return a.Seal(salt, nil, plain, ad), nil
}

func unseal(key, sealed, ad []byte) ([]byte, error) {
	if len(sealed) < saltBytes {
		return nil, ErrSealed
	}
	a, err := derive(key, sealed[:saltBytes])
	if err != nil {
		return nil, err
	}
	plain, err := a.Open(nil, nil, sealed[saltBytes:], ad)
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

// sealAs seals with the header in front; the header is part of what is authenticated.
func sealAs(id [idBytes]byte, key, plain, ad []byte) ([]byte, error) {
	if len(ad) == 0 {
		return seal(key, plain, nil)
	}
	head := append([]byte{suiteXAES}, id[:]...)
	body, err := seal(key, plain, append(head[:header:header], ad...))
	if err != nil {
		return nil, err
	}
	return append(head, body...), nil
}

// headOf reads the id of the key that a blob was sealed by.
func headOf(blob []byte) (id [idBytes]byte, err error) {
	if len(blob) < header || blob[0] != suiteXAES {
		return id, ErrSealed
	}
	return [idBytes]byte(blob[1:header]), nil
}

// openAs opens a blob whose header headOf has read.
func openAs(blob, key, ad []byte) ([]byte, error) {
	return unseal(key, blob[header:], append(blob[:header:header], ad...))
}
