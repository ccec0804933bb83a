package holder

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"

	"github.com/go-jose/go-jose/v4"

	"github.com/plinth-id/plinth/internal/fault"
)

const maxKeys = 32 // that one errand takes

// Signing is one thing to be signed: by which key, and the bytes. A signature by a
// P-256 key is ECDSA with SHA-256, as r and s of 32 bytes each.
type Signing struct {
	Key  string `json:"key"` // thumbprint (RFC 7638)
	Data []byte `json:"data"`
}

// Keys are public keys of the owner, checked.
type Keys []jose.JSONWebKey

// ParseKeys reads the public keys that an errand may use.
func ParseKeys(raw []json.RawMessage) (Keys, error) {
	bad := fault.New(fault.Invalid, "The wallet sent a key that cannot be used. Reload the page.").Named("bad-key")
	if len(raw) > maxKeys {
		return nil, bad
	}
	keys := make(Keys, len(raw))
	for i, one := range raw {
		if err := json.Unmarshal(one, &keys[i]); err != nil || !keys[i].IsPublic() || !keys[i].Valid() || Algorithm(keys[i]) == "" {
			return nil, bad
		}
		keys[i] = jose.JSONWebKey{Key: keys[i].Key}
	}
	return keys, nil
}

func Algorithm(key jose.JSONWebKey) jose.SignatureAlgorithm {
	switch k := key.Key.(type) {
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			return jose.ES256
		}
	case ed25519.PublicKey:
		return jose.EdDSA
	}
	return ""
}

// Thumbprint names a key.
func Thumbprint(key jose.JSONWebKey) string {
	sum, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

func (k Keys) Find(thumbprint string) (jose.JSONWebKey, bool) {
	for _, key := range k {
		if Thumbprint(key) == thumbprint {
			return key, true
		}
	}
	return jose.JSONWebKey{}, false
}

// Waiting is something whose signature an errand waits for.
type Waiting struct {
	Key  jose.JSONWebKey `json:"key"`
	Data []byte          `json:"data"`
}

func (w Waiting) Signing() Signing { return Signing{Key: Thumbprint(w.Key), Data: w.Data} }

func Signings(all []Waiting) []Signing {
	list := make([]Signing, len(all))
	for i, w := range all {
		list[i] = w.Signing()
	}
	return list
}

var ErrSignature = fault.New(fault.Invalid, "The signature does not fit. Begin again.").Named("bad-signature")

// Signed checks that the signatures are those that were asked for: what is wrong is
// found here, and not by somebody else.
func Signed(all []Waiting, signatures [][]byte) error {
	if len(signatures) != len(all) {
		return ErrSignature.Because(fmt.Errorf("%d signatures for %d questions", len(signatures), len(all)))
	}
	for i, w := range all {
		if !fits(w.Key.Key, w.Data, signatures[i]) {
			return ErrSignature.Because(errors.New("not by the key that was asked"))
		}
	}
	return nil
}

func fits(key any, data, signature []byte) bool {
	if len(signature) != 64 {
		return false
	}
	switch key := key.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(key, data, signature)
	case *ecdsa.PublicKey:
		digest := sha256.Sum256(data)
		return ecdsa.Verify(key, digest[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:]))
	}
	return false
}

// Draft is a JWT that waits for its signature.
func Draft(key jose.JSONWebKey, header, claims map[string]any) (Waiting, error) {
	header["alg"] = Algorithm(key)
	head, err := json.Marshal(header)
	if err != nil {
		return Waiting{}, fmt.Errorf("writing what is to be signed: %w", err)
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return Waiting{}, fmt.Errorf("writing what is to be signed: %w", err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	return Waiting{Key: key, Data: []byte(encode(head) + "." + encode(body))}, nil
}

// Compact is a JWT with its signature.
func Compact(w Waiting, signature []byte) string {
	return string(w.Data) + "." + base64.RawURLEncoding.EncodeToString(signature)
}
