package jws

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"time"
)

const maxChain = 8

// readChain reads x5c, which is plain base64 of DER (RFC 7515, 4.1.6).
func readChain(v any) ([]*x509.Certificate, error) {
	if v == nil {
		return nil, nil
	}
	items, ok := v.([]any)
	if !ok || len(items) == 0 || len(items) > maxChain {
		return nil, fmt.Errorf("%w: x5c is not a chain of at most %d", ErrMalformed, maxChain)
	}
	ders := make([][]byte, len(items))
	for i, item := range items {
		text, ok := item.(string)
		der, err := base64.StdEncoding.Strict().DecodeString(text)
		if !ok || err != nil {
			return nil, fmt.Errorf("%w: x5c is not base64", ErrMalformed)
		}
		ders[i] = der
	}
	return ParseChain(ders)
}

// ParseChain reads a chain of certificates in DER.
func ParseChain(ders [][]byte) ([]*x509.Certificate, error) {
	if len(ders) == 0 || len(ders) > maxChain {
		return nil, fmt.Errorf("%w: not a chain of at most %d", ErrMalformed, maxChain)
	}
	chain := make([]*x509.Certificate, len(ders))
	for i, der := range ders {
		var err error
		if chain[i], err = x509.ParseCertificate(der); err != nil {
			return nil, fmt.Errorf("%w: a chain of something other than certificates", ErrMalformed)
		}
	}
	return chain, nil
}

// EncodeChain writes certificates as x5c has them.
func EncodeChain(chain []*x509.Certificate) []string {
	all := make([]string, len(chain))
	for i, certificate := range chain {
		all[i] = base64.StdEncoding.EncodeToString(certificate.Raw)
	}
	return all
}

// CheckChain follows a chain from its leaf to an anchor. A leaf that has signed
// itself vouches for nothing, not even if it is an anchor; outside says that the
// anchor may not be in the chain either (HAIP 1.0).
func CheckChain(chain []*x509.Certificate, anchors *x509.CertPool, now time.Time, outside bool) error {
	if len(chain) == 0 || anchors == nil {
		return ErrUntrusted
	}
	leaf := chain[0]
	if bytes.Equal(leaf.RawIssuer, leaf.RawSubject) && leaf.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature) == nil {
		return fmt.Errorf("%w: the leaf has signed itself", ErrUntrusted)
	}
	if leaf.KeyUsage != 0 && leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		return fmt.Errorf("%w: its key is not for signing", ErrUntrusted)
	}
	between := x509.NewCertPool()
	for _, certificate := range chain[1:] {
		between.AddCert(certificate)
	}
	found, err := leaf.Verify(x509.VerifyOptions{
		Roots: anchors, Intermediates: between, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return ErrUntrusted
	}
	for _, certificate := range chain {
		for _, path := range found {
			if outside && path[len(path)-1].Equal(certificate) {
				return fmt.Errorf("%w: the anchor is in the chain", ErrUntrusted)
			}
		}
	}
	return nil
}
