package sbi

import (
	"crypto"
	"crypto/rsa"
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

// Why a signature is worth nothing.
var (
	ErrSignature = errors.New("sbi: the signature is not valid")
	ErrUntrusted = errors.New("sbi: the signer's certificate leads to none that is trusted")
)

// Bounds of what is read.
const (
	maxSigned = 24 << 20 // a JWS: the largest sample we read, in base64url twice
	maxChain  = 8

	mostRSABits = 8192
)

// The specification names RS256 and, among its keys, curve 25519; there is no
// "none", and nothing with a shared secret.
var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.EdDSA}

// signed is a JWS whose signature has been verified with the key of its first
// certificate. Who that is says chain.
type signed struct {
	payload []byte
	header  jose.Header
	key     crypto.PublicKey
	last    *x509.Certificate // that the signer names: where it wants to be believed from
}

// open verifies a signature.
func open(compact string) (signed, error) {
	if len(compact) > maxSigned {
		return signed{}, fmt.Errorf("%w: too long", ErrProtocol)
	}
	parsed, err := jose.ParseSignedCompact(compact, algorithms)
	if err != nil {
		return signed{}, fmt.Errorf("%w: not a JWS of an algorithm that is taken", ErrSignature)
	}
	header := parsed.Signatures[0].Protected
	// Only the leaf is wanted here, whoever issued it: its verification comes after
	// the moment of signing is known.
	leaf, last, err := ends(compact)
	if err != nil {
		return signed{}, err
	}
	if public, ok := leaf.PublicKey.(*rsa.PublicKey); ok && (public.N.BitLen() < leastRSABits || public.N.BitLen() > mostRSABits) {
		return signed{}, fmt.Errorf("%w: its RSA key is of a length that is not taken", ErrSignature)
	}
	payload, err := parsed.Verify(leaf.PublicKey)
	if err != nil {
		return signed{}, ErrSignature
	}
	return signed{payload: payload, header: header, key: leaf.PublicKey, last: last}, nil
}

// ends are the first and the last certificate that a signature names.
func ends(compact string) (leaf, last *x509.Certificate, err error) {
	head, _, _ := strings.Cut(compact, ".")
	raw, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		return nil, nil, ErrSignature
	}
	var header struct {
		X5C [][]byte `json:"x5c"` // of standard base64, as encoding/json reads bytes
	}
	if err := json.Unmarshal(raw, &header); err != nil || len(header.X5C) == 0 || len(header.X5C) > maxChain {
		return nil, nil, fmt.Errorf("%w: it names no certificate", ErrSignature)
	}
	if leaf, err = x509.ParseCertificate(header.X5C[0]); err == nil {
		last, err = x509.ParseCertificate(header.X5C[len(header.X5C)-1])
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%w: its certificate cannot be read", ErrSignature)
	}
	return leaf, last, nil
}

// chain is the way from the signer's certificate to a trusted one, as it stood at
// the moment of signing.
func (s signed) chain(roots *x509.CertPool, at time.Time) ([]*x509.Certificate, error) {
	if roots == nil {
		return nil, ErrUntrusted
	}
	chains, err := s.header.Certificates(x509.VerifyOptions{Roots: roots, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrUntrusted, reason(err))
	}
	leaf := chains[0][0]
	if leaf.IsCA || leaf.KeyUsage != 0 && leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		return nil, fmt.Errorf("%w: it is not a certificate for signatures", ErrUntrusted)
	}
	return chains[0], nil
}

// reason names what is wrong with a certificate, without what stands in it.
func reason(err error) string {
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		return "it was not valid at the time of signing"
	}
	return "no trusted issuer"
}

// decode reads one JSON value and no more.
func decode(raw []byte, into any) error {
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("%w: not the JSON that is wanted", ErrProtocol)
	}
	return nil
}

// unpadded reads base64url, with or without its filling.
func unpadded(text string) ([]byte, error) {
	if len(text) > maxSigned {
		return nil, fmt.Errorf("%w: too long", ErrProtocol)
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return nil, fmt.Errorf("%w: not base64url", ErrProtocol)
	}
	return raw, nil
}

// ParseCertificates reads certificates, one or more as PEM or one as DER.
func ParseCertificates(raw []byte) ([]*x509.Certificate, error) {
	if len(raw) > maxWords {
		return nil, fmt.Errorf("%w: too long", ErrProtocol)
	}
	var all []*x509.Certificate
	for rest := raw; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%w: a certificate cannot be read", ErrProtocol)
		}
		all = append(all, c)
	}
	if len(all) > 0 {
		return all, nil
	}
	c, err := x509.ParseCertificate(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: no certificate in PEM or DER", ErrProtocol)
	}
	return []*x509.Certificate{c}, nil
}
