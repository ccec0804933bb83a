package jws

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// JWK writes a public key with the members that it needs, and no others.
func JWK(key crypto.PublicKey) (map[string]any, error) {
	if _, err := Algorithm(key); err != nil {
		return nil, err
	}
	if key, ok := key.(ed25519.PublicKey); ok {
		return map[string]any{"kty": "OKP", "crv": "Ed25519", "x": base64.RawURLEncoding.EncodeToString(key)}, nil
	}
	curve := key.(*ecdsa.PublicKey)
	point, err := curve.Bytes()
	if err != nil {
		return nil, fmt.Errorf("%w: not on its curve", ErrKey)
	}
	half := len(point) / 2
	return map[string]any{
		"kty": "EC", "crv": curve.Params().Name,
		"x": base64.RawURLEncoding.EncodeToString(point[1 : 1+half]),
		"y": base64.RawURLEncoding.EncodeToString(point[1+half:]),
	}, nil
}

// ParseJWK reads a public key. A private one is refused, for it is private no more
// and everybody could sign with it; so is a secret shared by two.
func ParseJWK(object map[string]any) (crypto.PublicKey, error) {
	for _, private := range []string{"d", "k", "p", "q", "dp", "dq", "qi", "oth", "priv"} {
		if _, given := object[private]; given {
			return nil, fmt.Errorf("%w: it is private or secret", ErrKey)
		}
	}
	raw, err := json.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("%w: not JSON", ErrKey)
	}
	var key jose.JSONWebKey
	if err := key.UnmarshalJSON(raw); err != nil || !key.Valid() || !key.IsPublic() {
		return nil, fmt.Errorf("%w: not a public JWK", ErrKey)
	}
	if key.Use != "" && key.Use != "sig" {
		return nil, fmt.Errorf("%w: it is not for signing", ErrKey)
	}
	alg, err := Algorithm(key.Key)
	if err != nil {
		return nil, err
	}
	if key.Algorithm != "" && key.Algorithm != alg {
		return nil, fmt.Errorf("%w: it is for another algorithm", ErrKey)
	}
	return key.Key, nil
}
