package jws

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"slices"
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

var (
	usageDocumentSigner = asn1.ObjectIdentifier{1, 0, 18013, 5, 1, 2} // id-mdl-kp-mdlDS (ISO/IEC 18013-5, annex B)
	oidExtKeyUsage      = asn1.ObjectIdentifier{2, 5, 29, 37}
)

// CheckChain follows a chain from its leaf to an anchor, and gives the path that was
// verified, which ends with the anchor. Who has signed follows from the path alone, so
// a chain in which anything else stands is refused. A leaf that has signed itself
// vouches for nothing, not even if it is an anchor; outside says that the anchor may
// not be in the chain either (HAIP 1.0).
func CheckChain(chain []*x509.Certificate, anchors *x509.CertPool, now time.Time, outside bool) ([]*x509.Certificate, error) {
	if len(chain) == 0 || anchors == nil {
		return nil, ErrUntrusted
	}
	leaf := chain[0]
	if bytes.Equal(leaf.RawIssuer, leaf.RawSubject) && leaf.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature) == nil {
		return nil, fmt.Errorf("%w: the leaf has signed itself", ErrUntrusted)
	}
	if leaf.KeyUsage != 0 && leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		return nil, fmt.Errorf("%w: its key is not for signing", ErrUntrusted)
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
		return nil, ErrUntrusted
	}
	var path []*x509.Certificate
	for _, one := range found {
		if outside && slices.ContainsFunc(chain, one[len(one)-1].Equal) {
			return nil, fmt.Errorf("%w: the anchor is in the chain", ErrUntrusted)
		}
		// Of several anchors, the nearest knows best whom it has certified.
		if along(chain, one) && (path == nil || len(one) < len(path)) {
			path = one
		}
	}
	if path == nil {
		return nil, fmt.Errorf("%w: the chain holds what is not on the way to it", ErrUntrusted)
	}
	return path, nil
}

// along tells whether a chain is a path, with or without the anchor at its end.
func along(chain, path []*x509.Certificate) bool {
	return (len(chain) == len(path) || len(chain) == len(path)-1) &&
		slices.EqualFunc(chain, path[:len(chain)], (*x509.Certificate).Equal)
}

// CheckDocumentSigner tells whether the leaf of a path may sign documents in the name
// of an issuer: it is certified for documents and nothing else, or its use is not
// limited and it names the issuer. What authorities certify for servers and clients
// must not pass for that.
func CheckDocumentSigner(path []*x509.Certificate, issuer string) error {
	leaf := path[0]
	for _, above := range path[1:max(1, len(path)-1)] {
		if limited(above) && !slices.ContainsFunc(above.UnknownExtKeyUsage, usageDocumentSigner.Equal) && !slices.Contains(above.ExtKeyUsage, x509.ExtKeyUsageAny) {
			return fmt.Errorf("%w: its authority does not certify signers of documents", ErrUntrusted)
		}
	}
	switch {
	case leaf.IsCA:
		return fmt.Errorf("%w: it is one of an authority", ErrUntrusted)
	case !limited(leaf) && !speaksFor(leaf, issuer):
		return fmt.Errorf("%w: it neither is for signing documents nor names the issuer", ErrUntrusted)
	case limited(leaf) && (len(leaf.ExtKeyUsage) > 0 || !slices.ContainsFunc(leaf.UnknownExtKeyUsage, usageDocumentSigner.Equal)):
		return fmt.Errorf("%w: it is for another use than signing documents", ErrUntrusted)
	}
	return nil
}

// limited tells whether a certificate says what it is for.
func limited(c *x509.Certificate) bool {
	return slices.ContainsFunc(c.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(oidExtKeyUsage) })
}
