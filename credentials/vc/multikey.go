package vc

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/mr-tron/base58"
)

// The multicodec prefix of an Ed25519 key, as a varint.
var codecEd25519 = []byte{0xed, 0x01}

// curves are those of ECDSA that proofs are made on, with their multicodec prefixes.
var curves = []struct {
	elliptic.Curve
	codec []byte
	name  string // in a JWK
}{{elliptic.P256(), []byte{0x80, 0x24}, "P-256"}, {elliptic.P384(), []byte{0x81, 0x24}, "P-384"}}

var errKeyKind = fmt.Errorf("%w: only Ed25519, P-256 and P-384", ErrMalformedKey)

// Multikey writes a public key (Ed25519, P-256, P-384) as publicKeyMultibase.
func Multikey(key crypto.PublicKey) (string, error) {
	switch key := key.(type) {
	case ed25519.PublicKey:
		if len(key) == ed25519.PublicKeySize {
			return "z" + base58.Encode(append(bytes.Clone(codecEd25519), key...)), nil
		}
	case *ecdsa.PublicKey:
		for _, curve := range curves {
			if x, y, err := coordinates(key); err == nil && key.Curve == curve.Curve {
				point := append([]byte{2 | y[len(y)-1]&1}, x...)
				return "z" + base58.Encode(append(bytes.Clone(curve.codec), point...)), nil
			}
		}
	}
	return "", errKeyKind
}

// ParseMultikey reads publicKeyMultibase.
func ParseMultikey(s string) (crypto.PublicKey, error) {
	digits, ok := strings.CutPrefix(s, "z")
	if !ok || len(digits) > 80 {
		return nil, fmt.Errorf("%w: not a multibase key", ErrMalformedKey)
	}
	raw, err := base58.Decode(digits)
	if err != nil {
		return nil, fmt.Errorf("%w: not a multibase key", ErrMalformedKey)
	}
	return parseMulticodec(raw)
}

func parseMulticodec(raw []byte) (crypto.PublicKey, error) {
	if key, ok := bytes.CutPrefix(raw, codecEd25519); ok && len(key) == ed25519.PublicKeySize {
		return ed25519.PublicKey(key), nil
	}
	for _, curve := range curves {
		if point, ok := bytes.CutPrefix(raw, curve.codec); ok {
			if x, y := elliptic.UnmarshalCompressed(curve.Curve, point); x != nil {
				size := len(point) - 1
				return keyAt(curve.Curve, x.FillBytes(make([]byte, size)), y.FillBytes(make([]byte, size)))
			}
		}
	}
	return nil, errKeyKind
}

// coordinates of a key, each of the length of the curve's field.
func coordinates(key *ecdsa.PublicKey) (x, y []byte, err error) {
	point, err := key.Bytes()
	if err != nil || key.Curve != elliptic.P256() && key.Curve != elliptic.P384() {
		return nil, nil, errKeyKind
	}
	half := len(point) / 2
	return point[1 : 1+half], point[1+half:], nil
}

// keyAt is the key with these coordinates, when they are on the curve.
func keyAt(curve elliptic.Curve, x, y []byte) (*ecdsa.PublicKey, error) {
	key, err := ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, x, y))
	if err != nil {
		return nil, fmt.Errorf("%w: not on its curve", ErrMalformedKey)
	}
	return key, nil
}

// jwk is a public key as a JWK. D is read so that a private key can be refused.
type jwk struct {
	Crv string          `json:"crv"`
	Kty string          `json:"kty"`
	X   string          `json:"x"`
	Y   string          `json:"y,omitempty"`
	D   json.RawMessage `json:"d,omitempty"`
}

func newJWK(key crypto.PublicKey) (jwk, error) {
	b64 := base64.RawURLEncoding.EncodeToString
	switch key := key.(type) {
	case ed25519.PublicKey:
		return jwk{Kty: "OKP", Crv: "Ed25519", X: b64(key)}, nil
	case *ecdsa.PublicKey:
		if x, y, err := coordinates(key); err == nil {
			return jwk{Kty: "EC", Crv: key.Curve.Params().Name, X: b64(x), Y: b64(y)}, nil
		}
	}
	return jwk{}, errKeyKind
}

func (k jwk) public() (crypto.PublicKey, error) {
	x, errX := base64.RawURLEncoding.Strict().DecodeString(k.X)
	y, errY := base64.RawURLEncoding.Strict().DecodeString(k.Y)
	switch {
	case k.D != nil:
		return nil, fmt.Errorf("%w: a private key", ErrMalformedKey)
	case errX != nil || errY != nil:
	case k.Kty == "OKP" && k.Crv == "Ed25519" && len(x) == ed25519.PublicKeySize && len(y) == 0:
		return ed25519.PublicKey(x), nil
	case k.Kty == "EC":
		for _, curve := range curves {
			if k.Crv == curve.name && len(x) == (curve.Params().BitSize+7)/8 && len(y) == len(x) {
				return keyAt(curve.Curve, x, y)
			}
		}
	}
	return nil, errKeyKind
}
