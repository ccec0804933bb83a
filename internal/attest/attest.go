// Package attest judges what makers of wallets sign about the wallets and keys that
// they have looked at: that it is by one whom we were told to trust.
package attest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Bounds of what a stranger may send.
const (
	maxToken = 32 << 10
	maxChain = 5
)

// The reasons for which an attestation is not believed.
var (
	ErrMalformed = errors.New("the attestation is no JWT of the kind that is needed here")
	ErrUntrusted = errors.New("the attestation is by nobody whom we trust")
	ErrSignature = errors.New("the signature of the attestation is wrong")
)

// Algorithms are those that attestations may be signed with.
var Algorithms = []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.EdDSA}

// Attesters are the makers whose word is taken: by a key, which an attestation
// names by kid, or by an authority, under which the certificate of x5c must be.
type Attesters struct {
	keys  []jose.JSONWebKey
	roots *x509.CertPool
	count int
}

// Parse reads a JWK set, or certificates in PEM.
func Parse(raw []byte) (*Attesters, error) {
	a := &Attesters{roots: x509.NewCertPool()}
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) {
		var set jose.JSONWebKeySet
		if err := json.Unmarshal(raw, &set); err != nil {
			return nil, fmt.Errorf("reading the JWK set of attesters: %w", err)
		}
		for _, key := range set.Keys {
			if !key.Valid() || !key.IsPublic() || algorithmOf(key.Key) == "" {
				return nil, errors.New("the JWK set of attesters must hold public keys of P-256, P-384 or Ed25519 only")
			}
			a.keys = append(a.keys, key)
		}
		a.count = len(a.keys)
	} else if err := a.certificates(raw); err != nil {
		return nil, err
	}
	if a.count == 0 {
		return nil, errors.New("there is no attester in it: give a JWK set, or certificates in PEM")
	}
	return a, nil
}

func (a *Attesters) certificates(raw []byte) error {
	for block, rest := pem.Decode(raw); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("a PEM block %q is no certificate", block.Type)
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return fmt.Errorf("reading the certificate of an attester: %w", err)
		}
		if !certificate.IsCA {
			return fmt.Errorf("the certificate of %s is no authority's", certificate.Subject)
		}
		a.roots.AddCert(certificate)
		a.count++
	}
	return nil
}

// header is what tells by whom an attestation is.
type header struct {
	Algorithm string          `json:"alg"`
	Type      string          `json:"typ"`
	KeyID     string          `json:"kid"`
	Chain     []string        `json:"x5c"`
	Critical  json.RawMessage `json:"crit"`
}

// Verify gives the claims of an attestation that is of a type, and by an attester.
// Whether they are good now, and for whom, the caller judges.
func (a *Attesters) Verify(token, typ string, now time.Time) ([]byte, error) {
	h, err := read(token)
	if err != nil {
		return nil, err
	}
	if h.Type != typ || h.Critical != nil {
		return nil, ErrMalformed
	}
	signed, err := jose.ParseSignedCompact(token, Algorithms)
	if err != nil {
		return nil, ErrMalformed
	}
	candidates, err := a.candidates(h, now)
	if err != nil {
		return nil, err
	}
	for _, key := range candidates {
		if algorithmOf(key) != h.Algorithm {
			continue
		}
		if payload, err := signed.Verify(key); err == nil {
			return payload, nil
		}
	}
	return nil, ErrSignature
}

func read(token string) (h header, err error) {
	encoded, _, _ := strings.Cut(token, ".")
	if len(token) > maxToken {
		return h, ErrMalformed
	}
	raw, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || json.Unmarshal(raw, &h) != nil || len(h.Chain) > maxChain {
		return h, ErrMalformed
	}
	return h, nil
}

// candidates are the keys that may have signed. A key that only the token itself
// brings is none: whoever forges an attestation can bring a key too.
func (a *Attesters) candidates(h header, now time.Time) ([]crypto.PublicKey, error) {
	if h.Chain != nil {
		leaf, err := a.leaf(h.Chain, now)
		if err != nil {
			return nil, err
		}
		return []crypto.PublicKey{leaf.PublicKey}, nil
	}
	var found []crypto.PublicKey
	for _, key := range a.keys {
		if h.KeyID == "" || key.KeyID == "" || key.KeyID == h.KeyID {
			found = append(found, key.Key)
		}
	}
	if len(found) == 0 {
		return nil, ErrUntrusted
	}
	return found, nil
}

func (a *Attesters) leaf(chain []string, now time.Time) (*x509.Certificate, error) {
	var leaf *x509.Certificate
	between := x509.NewCertPool()
	for n, encoded := range chain {
		der, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return nil, ErrMalformed
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, ErrMalformed
		}
		if n == 0 {
			leaf = certificate
		} else {
			between.AddCert(certificate)
		}
	}
	if leaf == nil {
		return nil, ErrMalformed
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: a.roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err != nil {
		return nil, ErrUntrusted
	}
	return leaf, nil
}

// algorithmOf is the one algorithm of a key; empty for one that is not taken.
func algorithmOf(public crypto.PublicKey) string {
	switch key := public.(type) {
	case ed25519.PublicKey:
		return string(jose.EdDSA)
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256():
			return string(jose.ES256)
		case elliptic.P384():
			return string(jose.ES384)
		}
	}
	return ""
}
