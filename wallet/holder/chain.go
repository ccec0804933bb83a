package holder

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// HeldTogether checks a chain that leads to no authority that we know: it must be one
// even so, and of now.
func HeldTogether(chain []*x509.Certificate, now time.Time) error {
	if len(chain) == 0 {
		return errors.New("no certificate")
	}
	for i, c := range chain {
		if now.Before(c.NotBefore) || now.After(c.NotAfter) {
			return errors.New("a certificate is not of now")
		}
		if i+1 < len(chain) && c.CheckSignatureFrom(chain[i+1]) != nil {
			return errors.New("the certificates are no chain")
		}
	}
	return nil
}

// signedBy notes the certificates of the signer, by which its status lists are known.
func (f *Facts) signedBy(chain []*x509.Certificate) {
	for i := range f.Status {
		for _, c := range chain {
			f.Status[i].Chain = append(f.Status[i].Chain, c.Raw)
		}
	}
}

// SelfSigned tells whether a certificate vouches for itself, which is no word at all.
func SelfSigned(c *x509.Certificate) bool {
	return bytes.Equal(c.RawIssuer, c.RawSubject) && c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

const maxChain = 6

// ChainOf reads the certificates in the header of a token.
func ChainOf(object string) ([]*x509.Certificate, error) {
	head, _, _ := strings.Cut(object, ".")
	raw, err := base64.RawURLEncoding.DecodeString(head)
	var header struct {
		Chain [][]byte `json:"x5c"`
	}
	if err != nil || json.Unmarshal(raw, &header) != nil || len(header.Chain) > maxChain {
		return nil, errors.New("the certificates cannot be read")
	}
	chain := make([]*x509.Certificate, len(header.Chain))
	for i, der := range header.Chain {
		if chain[i], err = x509.ParseCertificate(der); err != nil {
			return nil, errors.New("the certificates cannot be read")
		}
	}
	return chain, nil
}
