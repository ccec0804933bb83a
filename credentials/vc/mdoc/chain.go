package mdoc

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"time"
)

// What annex B asks of certificates.
const (
	maxSignerLife = 457 * 24 * time.Hour
	maxAnchorLife = 20 * 366 * 24 * time.Hour
)

var (
	usageDocumentSigner = asn1.ObjectIdentifier{1, 0, 18013, 5, 1, 2}
	oidKeyUsage         = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidIssuerAltName    = asn1.ObjectIdentifier{2, 5, 29, 18}
	oidExtKeyUsage      = asn1.ObjectIdentifier{2, 5, 29, 37}
)

// chain reads the certificates that came along, the signer's first.
func (s sign1) chain() ([]*x509.Certificate, error) {
	var raws [][]byte
	switch x5chain := s.Unprotected[int64(headerX5Chain)].(type) {
	case []byte:
		raws = [][]byte{x5chain}
	case []any:
		for _, each := range x5chain {
			raw, _ := each.([]byte)
			raws = append(raws, raw)
		}
	}
	if len(raws) == 0 || len(raws) > maxCertificates {
		return nil, fmt.Errorf("%w: no certificates of the signer, or too many", ErrMalformed)
	}
	chain := make([]*x509.Certificate, len(raws))
	for k, raw := range raws {
		c, err := x509.ParseCertificate(raw)
		if err != nil {
			return nil, fmt.Errorf("%w: a certificate that cannot be read", ErrMalformed)
		}
		chain[k] = c
	}
	return chain, nil
}

// trust leads from the signer's certificate to an anchor, as both were when the
// document was signed (9.3.1): what has expired since is a matter of time, not of trust.
func trust(chain, anchors []*x509.Certificate, signed time.Time) ([]*x509.Certificate, error) {
	leaf := chain[0]
	if err := signerProfile(leaf); err != nil {
		return nil, err
	}
	if signed.Before(leaf.NotBefore) || signed.After(leaf.NotAfter) {
		return nil, fmt.Errorf("%w: it did not hold when it signed", ErrUntrusted)
	}
	o := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: signed, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
	for _, c := range anchors {
		o.Roots.AddCert(c)
	}
	for _, c := range chain[1:] {
		o.Intermediates.AddCert(c)
	}
	found, err := leaf.Verify(o)
	if err != nil {
		var critical x509.UnhandledCriticalExtension
		if errors.As(err, &critical) {
			return nil, fmt.Errorf("%w: a critical extension that is not known", ErrProfile)
		}
		return nil, ErrUntrusted
	}
	anchor := found[0][len(found[0])-1]
	if !slices.Equal(leaf.Subject.Country, anchor.Subject.Country) {
		return nil, fmt.Errorf("%w: it names another country than its anchor", ErrProfile)
	}
	return found[0], nil
}

// signerProfile checks what table B.3 asks of a document signer, and what would make a
// certificate for another purpose pass for one. How long it holds is for its issuer to
// observe; a reader who refused would punish the holder.
func signerProfile(c *x509.Certificate) error {
	usage := slices.ContainsFunc(c.UnknownExtKeyUsage, usageDocumentSigner.Equal)
	switch {
	case c.IsCA:
		return fmt.Errorf("%w: it is one of an authority", ErrProfile)
	case c.KeyUsage != x509.KeyUsageDigitalSignature || !critical(c, oidKeyUsage):
		return fmt.Errorf("%w: its key is not for signatures alone", ErrProfile)
	case !usage || !critical(c, oidExtKeyUsage):
		return fmt.Errorf("%w: it is not for signing documents", ErrProfile)
	case len(c.AuthorityKeyId) == 0 || bytes.Equal(c.RawIssuer, c.RawSubject):
		return fmt.Errorf("%w: it names no authority", ErrProfile)
	}
	return nil
}

func critical(c *x509.Certificate, oid asn1.ObjectIdentifier) bool {
	for _, e := range c.Extensions {
		if e.Id.Equal(oid) {
			return e.Critical
		}
	}
	return false
}

// inTime checks a span against now.
func inTime(now, from, until time.Time) error {
	switch {
	case now.Before(from):
		return ErrNotYetValid
	case now.After(until):
		return ErrExpired
	}
	return nil
}
