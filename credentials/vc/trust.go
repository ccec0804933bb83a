package vc

import (
	"context"
	"crypto"
	"encoding/json"
	"fmt"
	"strings"
)

// maxTrust bounds a trust list: some thousands of issuers.
const maxTrust = 1 << 20

// TrustList is the issuers that a verifier believes, with their keys, so that it
// needs no network.
type TrustList struct {
	Issuers []TrustedIssuer `json:"issuers"`
}

// TrustedIssuer is an issuer by its DID, and the name that people know it by.
type TrustedIssuer struct {
	ID   string       `json:"id"`
	Name string       `json:"name"`
	Keys []TrustedKey `json:"keys"`
}

// TrustedKey is a public key by its full name.
type TrustedKey struct {
	ID                 string `json:"id"`
	PublicKeyMultibase string `json:"publicKeyMultibase"`
}

// ParseTrustList reads a trust list and checks every key in it.
func ParseTrustList(raw []byte) (TrustList, error) {
	if len(raw) > maxTrust {
		return TrustList{}, fmt.Errorf("%w: a trust list of %d bytes, at most %d", ErrTooLarge, len(raw), maxTrust)
	}
	var t TrustList
	if err := json.Unmarshal(raw, &t); err != nil {
		return TrustList{}, fmt.Errorf("%w: the trust list is not JSON of the right form", ErrMalformed)
	}
	if len(t.Issuers) == 0 {
		return TrustList{}, fmt.Errorf("%w: the trust list names no issuer", ErrMalformed)
	}
	for _, issuer := range t.Issuers {
		if !absoluteIRI.MatchString(issuer.ID) {
			return TrustList{}, fmt.Errorf("%w: the issuer %q is not an absolute IRI", ErrMalformed, issuer.ID)
		}
		for _, key := range issuer.Keys {
			if !strings.HasPrefix(key.ID, issuer.ID+"#") {
				return TrustList{}, fmt.Errorf("%w: %q of %q", ErrForeignKey, key.ID, issuer.ID)
			}
			if _, err := ParseMultikey(key.PublicKeyMultibase); err != nil {
				return TrustList{}, fmt.Errorf("key %q: %w", key.ID, err)
			}
		}
	}
	return t, nil
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
