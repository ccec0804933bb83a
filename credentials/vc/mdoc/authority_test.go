package mdoc

import (
	"crypto"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"slices"
	"testing"
	"time"
)

// TestCertificatesFollowAnnexB checks what tables B.1 and B.3 ask for.
func TestCertificatesFollowAnnexB(t *testing.T) {
	for name, signer := range map[string]crypto.Signer{"P-256": key(t, elliptic.P256()), "P-384": key(t, elliptic.P384()), "Ed25519": edKey(t)} {
		t.Run(name, func(t *testing.T) {
			a := authority(t, "Utopia IACA", signer)
			ds := issuerOf(t, a, signer).leaf
			iaca := a.Certificate
			for _, c := range []*x509.Certificate{iaca, ds} {
				if bits := c.SerialNumber.BitLen(); c.Version != 3 || bits < 64 || bits > 159 || c.SerialNumber.Sign() <= 0 {
					t.Errorf("got version %d and a serial number of %d bits", c.Version, bits)
				}
				if !slices.Equal(c.Subject.Country, []string{"UT"}) || !slices.Equal(c.Issuer.Country, []string{"UT"}) || c.Subject.CommonName == "" {
					t.Errorf("got subject %v, want a name and a country", c.Subject)
				}
				if !slices.Equal(c.CRLDistributionPoints, []string{"https://id.example.org/iaca.crl"}) || len(c.SubjectKeyId) != 20 {
					t.Errorf("got revocation lists %v and key id %x", c.CRLDistributionPoints, c.SubjectKeyId)
				}
				if got := extension(c, oidIssuerAltName); got == nil || got.Critical || string(got.Value) != "\x30\x14\x81\x12pki@id.example.org" {
					t.Errorf("got contact %v, want the mail address", got)
				}
			}
			if !iaca.IsCA || !iaca.MaxPathLenZero || iaca.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign || !critical(iaca, oidKeyUsage) || iaca.CheckSignature(iaca.SignatureAlgorithm, iaca.RawTBSCertificate, iaca.Signature) != nil {
				t.Error("got an authority that is none")
			}
			if err := signerProfile(ds); err != nil || ds.CheckSignatureFrom(iaca) != nil || string(ds.AuthorityKeyId) != string(iaca.SubjectKeyId) || ds.URIs[0].String() != "https://id.example.org" {
				t.Errorf("got a signer that is none: %v", err)
			}
		})
	}
}

func extension(c *x509.Certificate, oid asn1.ObjectIdentifier) *pkix.Extension {
	for _, e := range c.Extensions {
		if e.Id.Equal(oid) {
			return &e
		}
	}
	return nil
}

func TestAuthoritiesThatNobodyCouldTrustAreRefused(t *testing.T) {
	signer := key(t, elliptic.P256())
	good := Root{CommonName: "IACA", Country: "UT", Contact: "https://id.example.org/pki", CRL: "http://id.example.org/crl", From: noon, Until: noon.AddDate(20, 0, 0)}
	if _, err := NewIACA(good, signer); err != nil {
		t.Fatalf("got %v, want nil", err)
	}
	for name, change := range map[string]func(*Root){
		"no name":             func(r *Root) { r.CommonName = "" },
		"a small country":     func(r *Root) { r.Country = "ut" },
		"a long country":      func(r *Root) { r.Country = "UTO" },
		"no contact":          func(r *Root) { r.Contact = "" },
		"a named contact":     func(r *Root) { r.Contact = "PKI <pki@id.example.org>" },
		"a contact by http":   func(r *Root) { r.Contact = "http://id.example.org" },
		"a contact not ASCII": func(r *Root) { r.Contact = "https://id.example.org/é" },
		"no list":             func(r *Root) { r.CRL = "" },
		"a list by file":      func(r *Root) { r.CRL = "file:///crl" },
		"never":               func(r *Root) { r.Until = r.From },
		"for ever":            func(r *Root) { r.Until = r.From.AddDate(21, 0, 0) },
	} {
		r := good
		change(&r)
		if _, err := NewIACA(r, signer); !errors.Is(err, ErrProfile) {
			t.Errorf("%s: got %v, want it refused", name, err)
		}
	}
}

func TestSignersThatNobodyCouldTrustAreRefused(t *testing.T) {
	a := authority(t, "IACA", key(t, elliptic.P256()))
	good := Leaf{CommonName: "DS", Key: key(t, elliptic.P256()).Public(), From: noon, Until: noon.Add(457 * 24 * time.Hour)}
	if _, err := a.NewDS(good); err != nil {
		t.Fatalf("got %v, want nil", err)
	}
	for name, c := range map[string]struct {
		want   error
		change func(*Leaf)
	}{
		"no name":                 {ErrProfile, func(l *Leaf) { l.CommonName = "" }},
		"its authority's name":    {ErrProfile, func(l *Leaf) { l.CommonName = "IACA" }},
		"no key":                  {ErrUnsupported, func(l *Leaf) { l.Key = nil }},
		"never":                   {ErrProfile, func(l *Leaf) { l.Until = l.From }},
		"458 days":                {ErrProfile, func(l *Leaf) { l.Until = l.From.Add(458 * 24 * time.Hour) }},
		"before its authority":    {ErrProfile, func(l *Leaf) { l.From = noon.AddDate(-1, 0, -1); l.Until = noon }},
		"after its authority":     {ErrProfile, func(l *Leaf) { l.From = noon.AddDate(9, 0, -1); l.Until = noon.AddDate(9, 0, 1) }},
		"an address that is none": {ErrProfile, func(l *Leaf) { l.URL = "id.example.org" }},
	} {
		l := good
		c.change(&l)
		if _, err := a.NewDS(l); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	ds, err := a.NewDS(good)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (Authority{Certificate: ds, Signer: key(t, elliptic.P256())}).NewDS(good); !errors.Is(err, ErrProfile) {
		t.Errorf("got %v for a signer that makes signers, want it refused", err)
	}
}

// TestCertificatesForOtherPurposesAreRefused: each is under the trusted authority, and
// differs from a document signer's in one thing.
func TestCertificatesForOtherPurposesAreRefused(t *testing.T) {
	signer := key(t, elliptic.P256())
	a := authority(t, "Utopia IACA", key(t, elliptic.P256()))
	o := VerifyOptions{Anchors: []*x509.Certificate{a.Certificate}, Now: func() time.Time { return noon }}
	good := issuerOf(t, a, signer)
	raw := issue(t, good, draft(key(t, elliptic.P256()).Public()))
	usage, err := asn1.Marshal([]asn1.ObjectIdentifier{usageDocumentSigner})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		want   error
		change func(*x509.Certificate)
	}{
		"the same":       {nil, func(*x509.Certificate) {}},
		"an authority":   {ErrProfile, func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }},
		"for encryption": {ErrProfile, func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageKeyEncipherment }},
		"for servers": {ErrProfile, func(c *x509.Certificate) {
			c.ExtraExtensions = nil
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}},
		"for anything":       {ErrProfile, func(c *x509.Certificate) { c.ExtraExtensions = nil }},
		"usage not critical": {ErrProfile, func(c *x509.Certificate) { c.ExtraExtensions[0].Critical = false }},
		"of another country": {ErrProfile, func(c *x509.Certificate) { c.Subject.Country = []string{"XX"} }},
		"an unknown restriction": {ErrProfile, func(c *x509.Certificate) {
			c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}})
		}},
		"of a later time": {ErrUntrusted, func(c *x509.Certificate) { c.NotBefore = noon.Add(-time.Minute) }},
		"of longer life":  {nil, func(c *x509.Certificate) { c.NotAfter = noon.AddDate(3, 0, 0) }},
	} {
		template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{Country: []string{"UT"}, CommonName: "DS"}, NotBefore: noon.AddDate(0, -1, 0), NotAfter: noon.AddDate(0, 11, 0),
			KeyUsage: x509.KeyUsageDigitalSignature, ExtraExtensions: []pkix.Extension{{Id: oidExtKeyUsage, Critical: true, Value: usage}}}
		c.change(template)
		der, err := x509.CreateCertificate(rand.Reader, template, a.Certificate, signer.Public(), a.Signer)
		if err != nil {
			t.Fatal(err)
		}
		s := parsed(t, raw)
		s.Auth.Unprotected[int64(headerX5Chain)] = der
		if _, err := Verify(marshal(t, s), o); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	if _, err := Verify(raw, VerifyOptions{Now: o.Now}); !errors.Is(err, ErrUntrusted) {
		t.Errorf("no anchors: got %v, want untrusted", err)
	}
	same := authority(t, "Utopia IACA", key(t, elliptic.P256()))
	if _, err := Verify(raw, VerifyOptions{Anchors: []*x509.Certificate{same.Certificate}, Now: o.Now}); !errors.Is(err, ErrUntrusted) {
		t.Errorf("an authority of the same name: got %v, want untrusted", err)
	}
}

// TestChainsOfTwoAreFollowed: an authority between the anchor and the signer, which
// annex B has not, and other profiles have.
func TestChainsOfTwoAreFollowed(t *testing.T) {
	root, middle, signer := key(t, elliptic.P256()), key(t, elliptic.P256()), key(t, elliptic.P256())
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{Country: []string{"UT"}, CommonName: "Root"}, NotBefore: noon.AddDate(-1, 0, 0), NotAfter: noon.AddDate(9, 0, 0),
		KeyUsage: x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true}
	anchor, err := create(template, nil, root.Public(), root)
	if err != nil {
		t.Fatal(err)
	}
	between := *template
	between.Subject.CommonName, between.CRLDistributionPoints = "Between", []string{"https://id.example.org/crl"}
	a := Authority{Signer: middle}
	if a.Certificate, err = create(&between, anchor, middle.Public(), root); err != nil {
		t.Fatal(err)
	}
	i, err := NewIssuer(signer, []*x509.Certificate{issuerOf(t, a, signer).leaf, a.Certificate})
	if err != nil {
		t.Fatal(err)
	}
	raw := issue(t, i, draft(key(t, elliptic.P256()).Public()))
	v, err := Verify(raw, VerifyOptions{Anchors: []*x509.Certificate{anchor}, Now: func() time.Time { return noon }})
	if err != nil || len(v.Chain) != 3 {
		t.Errorf("got %d certificates, %v; want three", len(v.Chain), err)
	}
}
