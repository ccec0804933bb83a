package errand

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/plinth-id/plinth/credentials/vc/statuslist"
	"github.com/plinth-id/plinth/wallet/holder"
)

// party is a key with its certificate.
type party struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

// newParty makes one; without anybody above it is an authority that signed itself.
func newParty(t *testing.T, name string, above *party) *party {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &party{key: key}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		SubjectKeyId: []byte(name), IsCA: above == nil, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	parent, by := template, key
	if above != nil {
		parent, by = above.cert, above.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	if p.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return p
}

// A list counts only if it is by who signed the card: else whoever can answer for its
// address says what holds.
func TestAStatusListIsTiedToTheSignerOfItsCard(t *testing.T) {
	authority := newParty(t, "authority", nil)
	signer, sibling := newParty(t, "signer", authority), newParty(t, "sibling", authority)
	// As like them as anybody can make it.
	forger := newParty(t, "authority", nil)
	forged := newParty(t, "signer", forger)
	published := newParty(t, "published", nil)
	var list []byte
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	mux.HandleFunc("GET /list", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(list) })
	mux.HandleFunc("GET /.well-known/jwt-vc-issuer", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": server.URL, "jwks": jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: published.key.Public(), KeyID: "k"}}}})
	})
	chain := func(all ...*party) (certificates []*x509.Certificate) {
		for _, p := range all {
			certificates = append(certificates, p.cert)
		}
		return certificates
	}
	for name, c := range map[string]struct {
		by    *party
		list  []*x509.Certificate
		card  []*x509.Certificate
		named bool // the card and its list name the issuer
		want  State
	}{
		"the same key":                            {signer, chain(signer), chain(signer), true, Good},
		"the same key, of an mdoc":                {signer, chain(signer), chain(signer), false, Good},
		"the same authority, in the card":         {sibling, chain(sibling), chain(signer, authority), true, Good},
		"the same authority, in the list":         {sibling, chain(sibling, authority), chain(signer), true, Good},
		"an authority that nobody shows":          {sibling, chain(sibling), chain(signer), true, Unknown},
		"itself":                                  {forger, chain(forger), chain(signer), true, Unknown},
		"itself, of an mdoc":                      {forger, chain(forger), chain(signer), false, Unknown},
		"the same names":                          {forged, chain(forged), chain(signer), true, Unknown},
		"the same names, with their authority":    {forged, chain(forged, forger), chain(signer, authority), true, Unknown},
		"itself, for a card without certificates": {forger, chain(forger), nil, true, Unknown},
		"a key that the issuer publishes":         {published, nil, nil, true, Good},
		"a published key, with a certificate":     {published, chain(published), chain(signer), true, Good},
		"a published key, of an mdoc":             {published, nil, chain(signer), false, Good},
	} {
		empty, err := statuslist.NewList(1, 64)
		if err != nil {
			t.Fatal(err)
		}
		token := statuslist.Token{Address: server.URL + "/list", IssuedAt: time.Now(), Expires: time.Now().Add(time.Hour), List: empty}
		entry := holder.Status{Type: "token", List: token.Address, Index: 3}
		if c.named {
			token.Issuer, entry.Issuer = server.URL, server.URL
		}
		for _, certificate := range c.card {
			entry.Chain = append(entry.Chain, certificate.Raw)
		}
		if list, err = token.SignJWT(statuslist.Signing{Key: c.by.key, KeyID: "k", Chain: c.list}); err != nil {
			t.Fatal(err)
		}
		r := &Runner{HTTP: http.DefaultClient, Now: time.Now}
		if got := r.Check(t.Context(), server.URL, []holder.Status{entry}); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}
