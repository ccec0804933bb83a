package verifier

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/credentials/vc/dcql"
	"github.com/plinth-id/plinth/credentials/vc/jose"
	"github.com/plinth-id/plinth/credentials/vc/mdoc"
	"github.com/plinth-id/plinth/credentials/vc/sdjwt"
)

// TestNobodyOnTheListAppearsAsAnother: a library that is trusted signs in the name of a
// nation, and sends the nation's anchor along.
func TestNobodyOnTheListAppearsAsAnother(t *testing.T) {
	const library = "https://library.example"
	authority := func(name string) mdoc.Authority {
		by := p256()
		return mdoc.Authority{Signer: by, Certificate: must(mdoc.NewIACA(mdoc.Root{CommonName: name, Country: "UT", Contact: "pki@id.example.org",
			CRL: "https://id.example.org/iaca.crl", From: noon.AddDate(-1, 0, 0), Until: noon.AddDate(9, 0, 0)}, by))}
	}
	nation, town := authority("Nation"), authority("Library")
	v := trusting(nil)
	list := v.Trust()
	list.Issuers[0].X509 = [][]byte{nation.Certificate.Raw}
	list.Issuers = append(list.Issuers, vc.TrustedIssuer{ID: library, Name: "Town library", X509: [][]byte{town.Certificate.Raw}})
	v.Trust = func() vc.TrustList { return list }

	signer := p256()
	documents := must(town.NewDS(mdoc.Leaf{CommonName: "DS", URL: base, Key: signer.Public(), From: noon.AddDate(0, -1, 0), Until: noon.AddDate(0, 1, 0)}))
	server := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "www.library.example"}, DNSNames: []string{"www.library.example"},
		NotBefore: noon.AddDate(0, -1, 0), NotAfter: noon.AddDate(0, 1, 0), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	server = must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, server, town.Certificate, signer.Public(), crypto.Signer(town.Signer)))))
	token := func(chain []*x509.Certificate) string {
		return must(must(sdjwt.NewIssuer(sdjwt.IssuerConfig{Key: signer, ID: base, Chain: chain})).Issue(sdjwt.Draft{Type: "urn:x", IssuedAt: noon, Expires: noon.Add(time.Hour), Claims: map[string]any{"birthDate": "1984-04-18"}}))
	}
	w3c := func(chain []*x509.Certificate) string {
		document := map[string]any{"@context": []any{vc.ContextV2}, "type": []any{"VerifiableCredential"}, "id": "urn:uuid:1", "issuer": base, "credentialSubject": map[string]any{"birthDate": "1984-04-18"}}
		return must(must(jose.NewSigner(jose.Config{Key: signer, Chain: chain})).Sign(jose.SignInput{MediaType: jose.CredentialJWT, Document: document})).Content
	}
	for name, c := range map[string]struct {
		sent   string
		issuer string // empty: not believed
	}{
		"SD-JWT VC":                       {token([]*x509.Certificate{documents}), library},
		"with the nation's anchor":        {token([]*x509.Certificate{documents, nation.Certificate}), ""},
		"with both anchors":               {token([]*x509.Certificate{documents, town.Certificate, nation.Certificate}), ""},
		"of a server":                     {token([]*x509.Certificate{server}), ""},
		"of a server, the nation's along": {token([]*x509.Certificate{server, nation.Certificate}), ""},
		"JWT":                             {w3c([]*x509.Certificate{documents}), library},
		"JWT, the nation's along":         {w3c([]*x509.Certificate{documents, nation.Certificate}), ""},
	} {
		got := must(v.Check(t.Context(), []byte(c.sent)))
		if got.Issuer != c.issuer || (got.Verdict == Valid) != (c.issuer != "") || (got.Claims != nil) != (c.issuer != "") {
			t.Errorf("%s: got %s of %q, want it of %q", name, says(got), got.Issuer, c.issuer)
		}
	}
	s := must(v.openSDJWT(t.Context(), token([]*x509.Certificate{documents, town.Certificate}), nil))
	named := func(c *x509.Certificate) bool {
		return slices.Contains(s.authorities[dcql.AuthorityKey], base64.RawURLEncoding.EncodeToString(c.SubjectKeyId))
	}
	if !named(town.Certificate) || named(nation.Certificate) {
		t.Errorf("got the authorities %v, want the library's alone", s.authorities)
	}
}
