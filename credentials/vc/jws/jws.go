// Package jws signs and checks what stands in JOSE tokens: JSON Web Signatures
// in their compact form, with the few algorithms that sign credentials, and the
// JSON inside of them. Who may sign is for the caller to say.
package jws

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// What a token can be refused for. The errors of this package wrap one of them
// and never repeat what the token claims.
var (
	ErrMalformed   = errors.New("jws: not a well-formed token")
	ErrTooLarge    = errors.New("jws: larger or deeper than is taken")
	ErrUnsupported = errors.New("jws: uses a feature that is not supported")
	ErrSignature   = errors.New("jws: the signature does not fit")
	ErrUnknownKey  = errors.New("jws: the signing key is unknown")
	ErrUntrusted   = errors.New("jws: the certificate leads to no anchor that is trusted")
	ErrKey         = errors.New("jws: not a public key that signs credentials")
	ErrNotYetValid = errors.New("jws: not valid yet")
	ErrExpired     = errors.New("jws: expired")
)

// The bounds of a token. A portrait of a passport's size fits well.
const (
	maxToken  = 1 << 20
	maxHeader = 64 << 10
	maxDepth  = 16
	maxValues = 8192
)

// taken are the algorithms that are understood. None of them is symmetric, so that
// no public key can be taken for a secret.
var taken = []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.ES512, jose.EdDSA}

// Algorithm is the one that goes with a public key.
func Algorithm(key crypto.PublicKey) (string, error) {
	switch key := key.(type) {
	case ed25519.PublicKey:
		if len(key) == ed25519.PublicKeySize {
			return string(jose.EdDSA), nil
		}
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256():
			return string(jose.ES256), nil
		case elliptic.P384():
			return string(jose.ES384), nil
		case elliptic.P521():
			return string(jose.ES512), nil
		}
	}
	return "", fmt.Errorf("%w: only Ed25519, P-256, P-384 and P-521", ErrKey)
}
