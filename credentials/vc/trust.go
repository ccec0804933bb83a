package vc

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/plinth-id/plinth/credentials/vc/jsonld"
)

// maxTrust bounds a trust list: some thousands of issuers.
const maxTrust = 1 << 20

// TrustList is the issuers that a verifier believes, with their keys, so that it
// needs no network.
type TrustList struct {
	Sequence uint64          `json:"sequence,omitempty"` // a later edition has a higher one
	Issued   time.Time       `json:"issued,omitzero"`
	Expires  time.Time       `json:"expires,omitzero"`
	Issuers  []TrustedIssuer `json:"issuers"`
	Signers  []TrustedKey    `json:"signers,omitempty"` // who may sign the editions after this
}

// TrustedIssuer is an issuer by its DID or address, and the name that people know
// it by.
type TrustedIssuer struct {
	ID   string       `json:"id"`
	Name string       `json:"name"`
	Keys []TrustedKey `json:"keys,omitempty"`
	X509 [][]byte     `json:"x509,omitempty"` // anchors (DER) of the certificates it signs with
}

// TrustedKey is a public key by its full name.
type TrustedKey struct {
	ID                 string `json:"id"`
	PublicKeyMultibase string `json:"publicKeyMultibase"`
}

// ParseTrustList reads a plain trust list, which is as good as where it came from,
// and checks every key in it.
func ParseTrustList(raw []byte) (TrustList, error) {
	if len(raw) > maxTrust {
		return TrustList{}, fmt.Errorf("%w: a trust list of %d bytes, at most %d", ErrTooLarge, len(raw), maxTrust)
	}
	var t TrustList
	if err := json.Unmarshal(raw, &t); err != nil {
		return TrustList{}, fmt.Errorf("%w: the trust list is not JSON of the right form", ErrMalformed)
	}
	return t, t.check()
}

// Over tells whether the time is past until which the list is good.
func (t TrustList) Over(now time.Time) bool {
	return !t.Expires.IsZero() && !now.Before(t.Expires)
}

func (t TrustList) check() error {
	if len(t.Issuers) == 0 {
		return fmt.Errorf("%w: the trust list names no issuer", ErrMalformed)
	}
	for _, issuer := range t.Issuers {
		if !jsonld.IsIRI(issuer.ID) {
			return fmt.Errorf("%w: the issuer %q is not an absolute IRI", ErrMalformed, issuer.ID)
		}
		for _, key := range issuer.Keys {
			if !strings.HasPrefix(key.ID, issuer.ID+"#") {
				return fmt.Errorf("%w: %q of %q", ErrForeignKey, key.ID, issuer.ID)
			}
		}
		for _, der := range issuer.X509 {
			if c, err := x509.ParseCertificate(der); err != nil || !c.IsCA {
				return fmt.Errorf("%w: an anchor of %q that is not a certificate of an authority", ErrMalformedKey, issuer.ID)
			}
		}
		if err := checkKeys(issuer.Keys); err != nil {
			return err
		}
	}
	return checkKeys(t.Signers)
}

func checkKeys(keys []TrustedKey) error {
	for _, key := range keys {
		if _, err := ParseMultikey(key.PublicKeyMultibase); err != nil {
			return fmt.Errorf("key %q: %w", key.ID, err)
		}
	}
	return nil
}

// Resolve gives the key behind a verification method: it is VerifyOptions.Keys.
func (t TrustList) Resolve(_ context.Context, verificationMethod string) (crypto.PublicKey, error) {
	for _, issuer := range t.Issuers {
		for _, key := range issuer.Keys {
			if key.ID == verificationMethod {
				return ParseMultikey(key.PublicKeyMultibase)
			}
		}
	}
	return nil, ErrUnknownKey
}

// Name is what people know an issuer by; empty when it is not on the list.
func (t TrustList) Name(issuer string) string {
	for _, i := range t.Issuers {
		if i.ID == issuer {
			return i.Name
		}
	}
	return ""
}

// Anchor is a certificate that an issuer's own descend from.
type Anchor struct {
	Certificate *x509.Certificate
	Issuer      TrustedIssuer
}

// Anchors are the certificates on the list. Only those of an authority are taken:
// an issuer's own certificate must not be its anchor (HAIP 1.0).
func (t TrustList) Anchors() []Anchor {
	var all []Anchor
	for _, issuer := range t.Issuers {
		for _, der := range issuer.X509 {
			if c, err := x509.ParseCertificate(der); err == nil {
				all = append(all, Anchor{c, issuer})
			}
		}
	}
	return all
}
