package mdoc

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"net/mail"
	"net/url"
	"regexp"
	"time"
)

// Root is what the certificate of an issuing authority (IACA) says.
type Root struct {
	CommonName   string
	Organization string // may be empty
	Country      string // ISO 3166-1 alpha-2
	Contact      string // a mail address or an https URL, where the authority can be asked
	CRL          string // http or https URL of the list of certificates that were revoked
	From, Until  time.Time
}

// Leaf is what the certificate of a document signer says; the rest is its authority's.
type Leaf struct {
	CommonName  string
	URL         string // of the issuer, for credentials that name it by a URL; may be empty
	Key         crypto.PublicKey
	From, Until time.Time
}

// Authority is an IACA with its key.
type Authority struct {
	Certificate *x509.Certificate
	Signer      crypto.Signer
}

var country = regexp.MustCompile(`^[A-Z]{2}$`)

// NewIACA makes the self-signed certificate of an issuing authority (table B.1).
func NewIACA(r Root, signer crypto.Signer) (*x509.Certificate, error) {
	contact, err := alternativeName(r.Contact)
	switch {
	case err != nil:
		return nil, err
	case r.CommonName == "" || !country.MatchString(r.Country):
		return nil, fmt.Errorf("%w: an authority needs a name and a country of two capital letters", ErrProfile)
	case !isURL(r.CRL, "http", "https"):
		return nil, fmt.Errorf("%w: the address of the revocation list must be a URL", ErrProfile)
	case !r.From.Before(r.Until) || r.Until.Sub(r.From) > maxAnchorLife:
		return nil, fmt.Errorf("%w: an authority's certificate holds for at most 20 years", ErrProfile)
	}
	subject := pkix.Name{Country: []string{r.Country}, CommonName: r.CommonName}
	if r.Organization != "" {
		subject.Organization = []string{r.Organization}
	}
	return create(&x509.Certificate{
		Subject: subject, NotBefore: r.From, NotAfter: r.Until,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
		CRLDistributionPoints: []string{r.CRL}, ExtraExtensions: []pkix.Extension{contact},
	}, nil, signer.Public(), signer)
}

// NewDS makes the certificate of a document signer (table B.3).
func (a Authority) NewDS(l Leaf) (*x509.Certificate, error) {
	c := a.Certificate
	switch {
	case !c.IsCA || len(c.Subject.Country) != 1 || len(c.CRLDistributionPoints) == 0:
		return nil, fmt.Errorf("%w: the authority's own certificate does not let it make others", ErrProfile)
	case l.CommonName == "" || l.CommonName == c.Subject.CommonName:
		return nil, fmt.Errorf("%w: a signer needs a name that is not its authority's", ErrProfile)
	case !l.From.Before(l.Until) || l.Until.Sub(l.From) > maxSignerLife:
		return nil, fmt.Errorf("%w: a signer's certificate holds for at most 457 days", ErrProfile)
	case l.From.Before(c.NotBefore) || l.Until.After(c.NotAfter):
		return nil, fmt.Errorf("%w: a signer's certificate holds no longer than its authority's", ErrProfile)
	}
	extensions := []pkix.Extension{{Id: oidExtKeyUsage, Critical: true}}
	var err error
	if extensions[0].Value, err = asn1.Marshal([]asn1.ObjectIdentifier{usageDocumentSigner}); err != nil {
		return nil, err
	}
	for _, e := range c.Extensions {
		if e.Id.Equal(oidIssuerAltName) {
			extensions = append(extensions, e)
		}
	}
	template := &x509.Certificate{
		Subject:   pkix.Name{Country: c.Subject.Country, Organization: c.Subject.Organization, CommonName: l.CommonName},
		NotBefore: l.From, NotAfter: l.Until, KeyUsage: x509.KeyUsageDigitalSignature,
		CRLDistributionPoints: c.CRLDistributionPoints, ExtraExtensions: extensions,
	}
	if l.URL != "" {
		at, err := url.Parse(l.URL)
		if err != nil || !isURL(l.URL, "http", "https") {
			return nil, fmt.Errorf("%w: the issuer's address is no URL", ErrProfile)
		}
		template.URIs = []*url.URL{at}
	}
	return create(template, c, l.Key, a.Signer)
}

// create signs a certificate; without a parent, by itself.
func create(template, parent *x509.Certificate, key crypto.PublicKey, signer crypto.Signer) (*x509.Certificate, error) {
	if _, _, err := algorithm(key); err != nil {
		return nil, err
	}
	serial := make([]byte, 16) // 126 random bits: positive, and never shorter than 16 bytes
	if _, err := rand.Read(serial); err != nil {
		return nil, fmt.Errorf("mdoc: drawing a serial number: %w", err)
	}
	serial[0] = serial[0]&0x7f | 0x40
	template.SerialNumber = new(big.Int).SetBytes(serial)
	var err error
	if template.SubjectKeyId, err = keyID(key); err != nil {
		return nil, err
	}
	if parent == nil {
		parent = template
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, key, signer)
	if err != nil {
		return nil, fmt.Errorf("mdoc: making a certificate: %w", err)
	}
	return x509.ParseCertificate(raw)
}

// keyID is the SHA-1 of the key, which annex B prescribes. Nothing is proved by it.
func keyID(key crypto.PublicKey) ([]byte, error) {
	var bits []byte
	switch key := key.(type) {
	case ed25519.PublicKey:
		bits = key
	case *ecdsa.PublicKey:
		var err error
		if bits, err = key.Bytes(); err != nil {
			return nil, fmt.Errorf("%w: a key that is not on its curve", ErrUnsupported)
		}
	}
	sum := sha1.Sum(bits)
	return sum[:], nil
}

// alternativeName is the extension that says where an issuer can be asked (RFC 5280,
// 4.2.1.7); crypto/x509 has no field for it.
func alternativeName(contact string) (pkix.Extension, error) {
	name := asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte(contact)}
	if address, err := mail.ParseAddress(contact); err == nil && address.Address == contact {
		name.Tag = 1
	} else if !isURL(contact, "https") {
		return pkix.Extension{}, fmt.Errorf("%w: the contact is neither a mail address nor an https URL", ErrProfile)
	}
	if bytes.ContainsFunc(name.Bytes, func(r rune) bool { return r > 0x7f }) {
		return pkix.Extension{}, fmt.Errorf("%w: the contact is not in ASCII", ErrProfile)
	}
	value, err := asn1.Marshal([]asn1.RawValue{name})
	return pkix.Extension{Id: oidIssuerAltName, Value: value}, err
}

func isURL(s string, schemes ...string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil {
		return false
	}
	for _, scheme := range schemes {
		if u.Scheme == scheme {
			return true
		}
	}
	return false
}
