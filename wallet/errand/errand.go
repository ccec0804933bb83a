// Package errand is what a wallet is sent for: to fetch a credential from an issuer
// (OpenID4VCI), or to show some to a verifier (OpenID4VP). An errand has no keys:
// where something must be signed it stops, says what, and goes on with the
// signatures. So the same steps serve a wallet whose keys are in a file and one
// whose keys never leave a browser.
package errand

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/plinth-id/plinth/internal/fault"
)

// Runner runs errands. HTTP bounds what others may send us, and where a link may lead.
type Runner struct {
	HTTP    *http.Client
	Now     func() time.Time
	Anchors func() *x509.CertPool // authorities that certify verifiers; nil: none is trusted
}

// Signing is one thing to be signed: by which key, and the bytes. A signature by a
// P-256 key is ECDSA with SHA-256, as r and s of 32 bytes each.
type Signing struct {
	Key  string `json:"key"` // thumbprint (RFC 7638)
	Data []byte `json:"data"`
}

// Turn is what an errand says when it stops.
type Turn struct {
	Sign  []Signing   `json:"sign,omitempty"`  // it goes on with these signatures
	Open  string      `json:"open,omitempty"`  // an address for the owner's browser
	Card  *Card       `json:"card,omitempty"`  // to be kept before going on
	Later *Later      `json:"later,omitempty"` // the issuer is not done yet
	Sent  *Sent       `json:"sent,omitempty"`  // a verifier has been answered
	Said  []Disclosed `json:"said,omitempty"`  // with what
	Done  bool        `json:"done,omitempty"`
}

const (
	maxKeys = 32 // that one errand takes
	life    = time.Hour
)

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
		if err := json.Unmarshal(one, &keys[i]); err != nil || !keys[i].IsPublic() || !keys[i].Valid() || algorithm(keys[i]) == "" {
			return nil, bad
		}
		keys[i] = jose.JSONWebKey{Key: keys[i].Key}
	}
	return keys, nil
}

func algorithm(key jose.JSONWebKey) jose.SignatureAlgorithm {
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

func (k Keys) find(thumbprint string) (jose.JSONWebKey, bool) {
	for _, key := range k {
		if Thumbprint(key) == thumbprint {
			return key, true
		}
	}
	return jose.JSONWebKey{}, false
}

// waiting is something whose signature an errand waits for.
type waiting struct {
	Key  jose.JSONWebKey `json:"key"`
	Data []byte          `json:"data"`
}

func (w waiting) signing() Signing { return Signing{Key: Thumbprint(w.Key), Data: w.Data} }

func signings(all []waiting) []Signing {
	list := make([]Signing, len(all))
	for i, w := range all {
		list[i] = w.signing()
	}
	return list
}

var errSignature = fault.New(fault.Invalid, "The signature does not fit. Begin again.").Named("bad-signature")

// signed checks that the signatures are those that were asked for: what is wrong is
// found here, and not by somebody else.
func signed(all []waiting, signatures [][]byte) error {
	if len(signatures) != len(all) {
		return errSignature.Because(fmt.Errorf("%d signatures for %d questions", len(signatures), len(all)))
	}
	for i, w := range all {
		if !fits(w.Key.Key, w.Data, signatures[i]) {
			return errSignature.Because(errors.New("not by the key that was asked"))
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

// draft is a JWT that waits for its signature.
func draft(key jose.JSONWebKey, header, claims map[string]any) (waiting, error) {
	header["alg"] = algorithm(key)
	head, err := json.Marshal(header)
	if err != nil {
		return waiting{}, fmt.Errorf("writing what is to be signed: %w", err)
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return waiting{}, fmt.Errorf("writing what is to be signed: %w", err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	return waiting{Key: key, Data: []byte(encode(head) + "." + encode(body))}, nil
}

// compact is a JWT with its signature.
func compact(w waiting, signature []byte) string {
	return string(w.Data) + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// bounded gives what a person waits for an end.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, time.Minute)
}
