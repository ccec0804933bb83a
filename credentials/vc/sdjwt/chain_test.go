package sdjwt

import (
	"crypto"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"net/url"
	"testing"
	"time"

	"github.com/plinth-id/plinth/credentials/vc/jws"
)

// certify makes a certificate of a key; without a parent it signs itself.
func certify(t *testing.T, c x509.Certificate, key crypto.Signer, parent *x509.Certificate, parentKey crypto.Signer) *x509.Certificate {
	t.Helper()
	if parent == nil {
		parent, parentKey = &c, key
	}
	c.SerialNumber = big.NewInt(noon.Unix())
	if c.NotAfter.IsZero() {
		c.NotBefore, c.NotAfter = noon.AddDate(-1, 0, 0), noon.AddDate(5, 0, 0)
	}
	der, err := x509.CreateCertificate(rand.Reader, &c, parent, key.Public(), parentKey)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func authority(name string) x509.Certificate {
	return x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
}

func TestChainLeadsToAnAnchor(t *testing.T) {
	rootKey, middleKey, key := newKey(t, elliptic.P384()), newKey(t, elliptic.P256()), newKey(t, elliptic.P256())
	root := certify(t, authority("Root"), rootKey, nil, nil)
	middle := certify(t, authority("Middle"), middleKey, root, rootKey)
	at, _ := url.Parse(issuerID)
	signing := x509.Certificate{Subject: pkix.Name{CommonName: "The Registry", Country: []string{"KE"}}, KeyUsage: x509.KeyUsageDigitalSignature, URIs: []*url.URL{at}}
	leaf := certify(t, signing, key, middle, middleKey)
	pool := x509.NewCertPool()
	pool.AddCert(root)
	self := certify(t, signing, key, nil, nil)
	pinned := x509.NewCertPool()
	pinned.AddCert(self)
	other := certify(t, authority("Other"), newKey(t, elliptic.P256()), nil, nil)
	both := pool.Clone()
	both.AddCert(other)
	documents := []asn1.ObjectIdentifier{{1, 0, 18013, 5, 1, 2}}
	strangers := x509.NewCertPool()
	strangers.AddCert(certify(t, authority("Root"), newKey(t, elliptic.P256()), nil, nil))
	direct := func(change func(*x509.Certificate)) []*x509.Certificate {
		c := signing
		change(&c)
		return []*x509.Certificate{certify(t, c, key, root, rootKey)}
	}
	for what, c := range map[string]struct {
		chain  []*x509.Certificate
		trust  jws.Trust
		want   error
		issuer string
	}{
		"through a middle":          {[]*x509.Certificate{leaf, middle}, jws.Trust{Anchors: pool}, nil, issuerID},
		"as HAIP has it":            {[]*x509.Certificate{leaf, middle}, jws.Trust{Anchors: pool, HAIP: true}, nil, issuerID},
		"with the anchor":           {[]*x509.Certificate{leaf, middle, root}, jws.Trust{Anchors: pool}, nil, issuerID},
		"with the anchor, in HAIP":  {[]*x509.Certificate{leaf, middle, root}, jws.Trust{Anchors: pool, HAIP: true}, ErrUntrusted, ""},
		"the middle is missing":     {[]*x509.Certificate{leaf}, jws.Trust{Anchors: pool}, ErrUntrusted, ""},
		"to a stranger":             {[]*x509.Certificate{leaf, middle}, jws.Trust{Anchors: strangers}, ErrUntrusted, ""},
		"signed by itself":          {[]*x509.Certificate{self}, jws.Trust{Anchors: pinned}, ErrUntrusted, ""},
		"ended":                     {direct(func(c *x509.Certificate) { c.NotBefore, c.NotAfter = noon.AddDate(-2, 0, 0), noon.AddDate(-1, 0, 0) }), jws.Trust{Anchors: pool}, ErrUntrusted, ""},
		"not for signing":           {direct(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyAgreement }), jws.Trust{Anchors: pool}, ErrUntrusted, ""},
		"the leaf is not first":     {[]*x509.Certificate{middle, leaf}, jws.Trust{Anchors: pool}, ErrUntrusted, ""},
		"named by its host":         {direct(func(c *x509.Certificate) { c.URIs, c.DNSNames = nil, []string{"id.example.org"} }), jws.Trust{Anchors: pool}, nil, issuerID},
		"in the name of another":    {direct(func(c *x509.Certificate) { c.URIs = nil }), jws.Trust{Anchors: pool}, ErrUntrusted, ""},
		"of a document signer":      {direct(func(c *x509.Certificate) { c.URIs, c.UnknownExtKeyUsage = nil, documents }), jws.Trust{Anchors: pool}, nil, "CN=The Registry,C=KE"},
		"of a server":               {direct(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), jws.Trust{Anchors: pool}, ErrUntrusted, ""},
		"of a client":               {direct(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), jws.Trust{Anchors: pool}, ErrUntrusted, ""},
		"with another's anchor":     {[]*x509.Certificate{leaf, middle, other}, jws.Trust{Anchors: both}, ErrUntrusted, ""},
		"with both anchors":         {[]*x509.Certificate{leaf, middle, root, other}, jws.Trust{Anchors: both}, ErrUntrusted, ""},
		"no anchors, and no keys":   {[]*x509.Certificate{leaf, middle}, jws.Trust{}, ErrUnknownKey, ""},
		"no anchors, but HAIP":      {[]*x509.Certificate{leaf, middle}, jws.Trust{HAIP: true}, ErrUntrusted, ""},
		"no chain, but HAIP":        {nil, jws.Trust{Anchors: pool, HAIP: true}, ErrUntrusted, ""},
		"no chain, and no keys":     {nil, jws.Trust{Anchors: pool}, ErrUnknownKey, ""},
		"another key than the leaf": {[]*x509.Certificate{certify(t, signing, newKey(t, elliptic.P256()), root, rootKey)}, jws.Trust{Anchors: pool}, ErrSignature, ""},
	} {
		t.Run(what, func(t *testing.T) {
			issuer, err := NewIssuer(IssuerConfig{Key: key, ID: issuerID, Chain: c.chain})
			if err != nil {
				t.Fatal(err)
			}
			token, err := issuer.Issue(amina(nil))
			if err != nil {
				t.Fatal(err)
			}
			got, err := Verify(t.Context(), token, Options{Trust: c.trust, Now: func() time.Time { return noon }})
			if !errors.Is(err, c.want) || got.Issuer != c.issuer || (got.Chain != nil) != (c.want == nil) || c.want == nil && !got.Chain[len(got.Chain)-1].Equal(root) {
				t.Errorf("got %q (%v), want %q (%v)", got.Issuer, err, c.issuer, c.want)
			}
		})
	}
}
