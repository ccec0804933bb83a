package jws

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"net/url"
	"slices"
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// certified is a certificate with its key.
type certified struct {
	*x509.Certificate
	key *ecdsa.PrivateKey
}

// certify makes a certificate under another; without one, it signs itself.
func certify(t *testing.T, name string, by *certified, change func(*x509.Certificate)) certified {
	t.Helper()
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, KeyUsage: x509.KeyUsageDigitalSignature, NotBefore: noon.AddDate(-1, 0, 0), NotAfter: noon.AddDate(1, 0, 0)}
	if change != nil {
		change(c)
	}
	key := newKey(t, elliptic.P256())
	if by == nil {
		by = &certified{c, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, by.Certificate, key.Public(), by.key)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certified{made, key}
}

func authority(c *x509.Certificate) {
	c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
}

func path(all ...certified) []*x509.Certificate {
	chain := make([]*x509.Certificate, len(all))
	for k, c := range all {
		chain[k] = c.Certificate
	}
	return chain
}

// TestOnlyThePathThatWasVerifiedCounts: what else is in a chain would let any who is
// trusted appear as another.
func TestOnlyThePathThatWasVerifiedCounts(t *testing.T) {
	library, nation := certify(t, "Library", nil, authority), certify(t, "Nation", nil, authority)
	middle := certify(t, "Middle", &library, authority)
	near, far := certify(t, "Near", &library, nil), certify(t, "Far", &middle, nil)
	pool := func(all ...certified) *x509.CertPool {
		p := x509.NewCertPool()
		for _, c := range all {
			p.AddCert(c.Certificate)
		}
		return p
	}
	both := pool(library, nation)
	for name, c := range map[string]struct {
		chain   []*x509.Certificate
		anchors *x509.CertPool
		outside bool
		want    []*x509.Certificate // nil: refused
	}{
		"straight":                  {path(near), both, true, path(near, library)},
		"through a middle":          {path(far, middle), both, true, path(far, middle, library)},
		"with its anchor":           {path(far, middle, library), both, false, path(far, middle, library)},
		"its anchor, outside":       {path(near, library), both, true, nil},
		"another's anchor":          {path(near, nation), both, false, nil},
		"another's anchor, outside": {path(near, nation), both, true, nil},
		"both anchors":              {path(near, library, nation), both, false, nil},
		"another's, then its own":   {path(near, nation, library), both, false, nil},
		"a leaf of another":         {path(near, certify(t, "Other", &nation, nil)), both, false, nil},
		"a middle that is not used": {path(near, middle), both, false, nil},
		"twice the leaf":            {path(near, near), both, false, nil},
		"the nearest anchor":        {path(far, middle), pool(library, middle), false, path(far, middle)},
	} {
		got, err := CheckChain(c.chain, c.anchors, noon, c.outside)
		if !slices.EqualFunc(got, c.want, (*x509.Certificate).Equal) || (c.want == nil) != errors.Is(err, ErrUntrusted) {
			t.Errorf("%s: got a path of %d (%v), want one of %d", name, len(got), err, len(c.want))
		}
	}
}

func TestOnlySignersOfDocumentsSignThem(t *testing.T) {
	const issuer = "https://id.example.org"
	at, err := url.Parse(issuer)
	if err != nil {
		t.Fatal(err)
	}
	documents, others := []asn1.ObjectIdentifier{usageDocumentSigner}, []asn1.ObjectIdentifier{{1, 0, 18013, 5, 1, 6}}
	root := certify(t, "Root", nil, authority)
	servers := certify(t, "Servers", &root, func(c *x509.Certificate) {
		authority(c)
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	})
	signers := certify(t, "Signers", &root, func(c *x509.Certificate) {
		authority(c)
		c.UnknownExtKeyUsage = documents
	})
	for name, c := range map[string]struct {
		by     []certified
		change func(*x509.Certificate)
		want   string // who has signed; empty: refused
	}{
		"for documents":             {[]certified{root}, func(c *x509.Certificate) { c.UnknownExtKeyUsage = documents }, "CN=Leaf"},
		"for documents, and named":  {[]certified{root}, func(c *x509.Certificate) { c.UnknownExtKeyUsage, c.URIs = documents, []*url.URL{at} }, issuer},
		"unlimited, by its address": {[]certified{root}, func(c *x509.Certificate) { c.URIs = []*url.URL{at} }, issuer},
		"unlimited, by its host":    {[]certified{root}, func(c *x509.Certificate) { c.DNSNames = []string{"id.example.org"} }, issuer},
		"unlimited, of nobody":      {[]certified{root}, nil, ""},
		"unlimited, of another":     {[]certified{root}, func(c *x509.Certificate) { c.DNSNames = []string{"library.example"} }, ""},
		"for servers": {[]certified{root}, func(c *x509.Certificate) {
			c.DNSNames, c.ExtKeyUsage = []string{"id.example.org"}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}, ""},
		"for clients": {[]certified{root}, func(c *x509.Certificate) {
			c.URIs, c.ExtKeyUsage = []*url.URL{at}, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		}, ""},
		"for anything": {[]certified{root}, func(c *x509.Certificate) {
			c.URIs, c.ExtKeyUsage = []*url.URL{at}, []x509.ExtKeyUsage{x509.ExtKeyUsageAny}
		}, ""},
		"for documents and servers": {[]certified{root}, func(c *x509.Certificate) {
			c.UnknownExtKeyUsage, c.ExtKeyUsage = documents, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}, ""},
		"for readers":                 {[]certified{root}, func(c *x509.Certificate) { c.URIs, c.UnknownExtKeyUsage = []*url.URL{at}, others }, ""},
		"an authority":                {[]certified{root}, func(c *x509.Certificate) { c.URIs, c.IsCA, c.BasicConstraintsValid = []*url.URL{at}, true, true }, ""},
		"under an authority of hosts": {[]certified{servers, root}, func(c *x509.Certificate) { c.URIs = []*url.URL{at} }, ""},
		"under one of signers":        {[]certified{signers, root}, func(c *x509.Certificate) { c.UnknownExtKeyUsage = documents }, "CN=Leaf"},
	} {
		leaf := certify(t, "Leaf", &c.by[0], c.change)
		anchors := x509.NewCertPool()
		anchors.AddCert(root.Certificate)
		h := Header{Chain: append(path(leaf), path(c.by[:len(c.by)-1]...)...)}
		got, err := Trust{Anchors: anchors}.Signatory(t.Context(), h, issuer, noon)
		if got.Name != c.want || (c.want == "") != errors.Is(err, ErrUntrusted) || c.want != "" && len(got.Path) != len(c.by)+1 {
			t.Errorf("%s: got %q (%v), want %q", name, got.Name, err, c.want)
		}
	}
}
