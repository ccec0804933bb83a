package vc

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"fmt"
	"slices"
	"strings"

	"github.com/mr-tron/base58"
)

// The multicodec prefixes of a public key, as varints.
var (
	codecEd25519 = []byte{0xed, 0x01}
	codecP256    = []byte{0x80, 0x24}
)

// Multikey writes an Ed25519 or P-256 public key as publicKeyMultibase.
func Multikey(key crypto.PublicKey) (string, error) {
	switch key := key.(type) {
	case ed25519.PublicKey:
		if len(key) == ed25519.PublicKeySize {
			return "z" + base58.Encode(append(bytes.Clone(codecEd25519), key...)), nil
		}
	case *ecdsa.PublicKey:
		if x, y, err := coordinates(key); err == nil {
			point := append([]byte{2 | y[31]&1}, x...)
			return "z" + base58.Encode(append(bytes.Clone(codecP256), point...)), nil
		}
	}
	return "", fmt.Errorf("%w: only Ed25519 and P-256", ErrMalformedKey)
}

// ParseMultikey reads publicKeyMultibase.
func ParseMultikey(s string) (crypto.PublicKey, error) {
	digits, ok := strings.CutPrefix(s, "z")
	if !ok || len(digits) > 64 {
		return nil, fmt.Errorf("%w: not a multibase key", ErrMalformedKey)
	}
	raw, err := base58.Decode(digits)
	if err != nil {
		return nil, fmt.Errorf("%w: not a multibase key", ErrMalformedKey)
	}
	if key, ok := bytes.CutPrefix(raw, codecEd25519); ok && len(key) == ed25519.PublicKeySize {
		return ed25519.PublicKey(key), nil
	}
	if point, ok := bytes.CutPrefix(raw, codecP256); ok {
		if x, y := elliptic.UnmarshalCompressed(elliptic.P256(), point); x != nil {
			return keyP256(x.FillBytes(make([]byte, 32)), y.FillBytes(make([]byte, 32)))
		}
	}
	return nil, fmt.Errorf("%w: only Ed25519 and P-256", ErrMalformedKey)
}

// coordinates of a P-256 key, 32 bytes each.
func coordinates(key *ecdsa.PublicKey) (x, y []byte, err error) {
	if key.Curve != elliptic.P256() {
		return nil, nil, fmt.Errorf("%w: not on P-256", ErrMalformedKey)
	}
	point, err := key.Bytes()
	if err != nil {
		return nil, nil, fmt.Errorf("%w: not on P-256", ErrMalformedKey)
	}
	return point[1:33], point[33:], nil
}

// keyP256 is the key with these coordinates, when they are on the curve.
func keyP256(x, y []byte) (*ecdsa.PublicKey, error) {
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y))
	if err != nil {
		return nil, fmt.Errorf("%w: not on P-256", ErrMalformedKey)
	}
	return key, nil
}
