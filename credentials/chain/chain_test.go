package chain

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plinth-id/plinth/credentials/vc/mdoc"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/postgres/pgtest"
)

type world struct {
	*Keeper
	now time.Time
}

func open(t *testing.T, change func(*Config)) *world {
	t.Helper()
	pool := pgtest.Pool(t)
	root, err := keys.FileRoot(filepath.Join(t.TempDir(), "root.key"), "a passphrase for tests")
	must(t, err)
	ring, err := keys.Open(t.Context(), pool, root)
	must(t, err)
	at, err := url.Parse("https://id.example.org")
	must(t, err)
	w := &world{now: time.Now()}
	c := Config{Pool: pool, Ring: ring, Issuer: at, Country: "XX", Now: func() time.Time { return w.now }}
	if change != nil {
		change(&c)
	}
	w.Keeper, err = Open(t.Context(), c)
	must(t, err)
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheKeyOfDocumentsIsCertifiedByOurAuthority(t *testing.T) {
	w := open(t, nil)
	s, err := w.Signer()
	must(t, err)
	if len(s.Chain) != 1 || s.Chain[0].URIs[0].String() != "https://id.example.org" {
		t.Fatalf("got %d certificates, want one that names the issuer", len(s.Chain))
	}
	roots := x509.NewCertPool()
	for _, a := range w.Anchors() {
		roots.AddCert(a)
	}
	s.Chain[0].UnhandledCriticalExtensions = nil // the usage of ISO/IEC 18013-5 is checked by mdoc
	if _, err := s.Chain[0].Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}, CurrentTime: w.now}); err != nil {
		t.Errorf("got %v, want a chain to our anchor", err)
	}
	again, err := Open(t.Context(), w.Config)
	must(t, err)
	other, err := again.Signer()
	must(t, err)
	if !other.Chain[0].Equal(s.Chain[0]) {
		t.Error("another process has another certificate")
	}
	if list, err := w.CRL(); err != nil {
		t.Error(err)
	} else if parsed, err := x509.ParseRevocationList(list); err != nil || parsed.CheckSignatureFrom(w.Anchors()[0]) != nil {
		t.Errorf("got %v, want a list that our authority signed", err)
	}
}

func TestACertificateNearItsEndStopsTheIssuing(t *testing.T) {
	w := open(t, nil)
	s, err := w.Signer()
	must(t, err)
	for _, at := range []struct {
		before   time.Duration
		problems int
		stopped  bool
	}{{Warn + time.Hour, 0, false}, {Warn - time.Hour, 1, false}, {Stop + time.Hour, 1, false}, {Stop - time.Hour, 1, true}, {-time.Hour, 1, true}} {
		w.now = s.Until.Add(-at.before)
		days, problems := w.Problems()
		_, err := w.Signer()
		if len(problems) != at.problems || fault.Is(err, fault.Busy) != at.stopped || at.stopped && days >= 0 {
			t.Errorf("%s before the end: got %d days, %v, %v", at.before, days, problems, err)
		}
	}
	w.now = s.Until.Add(-Stop / 2)
	must(t, w.Maintain(t.Context()))
	if renewed, err := w.Signer(); err != nil || renewed.ID != s.ID || !renewed.Until.After(s.Until) {
		t.Errorf("got %v, want the same key with a certificate that ends later", err)
	}
	if len(w.Anchors()) != 1 {
		t.Errorf("got %d anchors, want the one", len(w.Anchors()))
	}
}

// brought makes what a deployer would bring, until a time.
func brought(t *testing.T, w *world, until time.Time) []byte {
	t.Helper()
	authority, err := mdoc.NewIACA(mdoc.Root{CommonName: "Another authority", Country: "XX", Contact: "a@example.org", CRL: "https://id.example.org/crl",
		From: w.now.Add(-time.Hour), Until: w.now.Add(rootLife)}, must1(w.Ring.Signer(keys.VCAuthority)).Signer)
	must(t, err)
	request, _ := pem.Decode(must1(w.Request()))
	parsed, err := x509.ParseCertificateRequest(request.Bytes)
	must(t, err)
	must(t, parsed.CheckSignature())
	leaf, err := mdoc.Authority{Certificate: authority, Signer: must1(w.Ring.Signer(keys.VCAuthority)).Signer}.NewDS(mdoc.Leaf{CommonName: "Signer", URL: "https://id.example.org",
		Key: parsed.PublicKey, From: w.now.Add(-time.Hour), Until: until})
	must(t, err)
	var b bytes.Buffer
	for _, c := range []*x509.Certificate{leaf, authority} {
		must(t, pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
	}
	return b.Bytes()
}

func must1[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestBroughtCertificatesAreNeverReplacedByOurs(t *testing.T) {
	w := open(t, nil)
	chains, err := ReadPEM(brought(t, w, w.now.Add(100*24*time.Hour)))
	must(t, err)
	w.Brought = chains
	s, err := w.Signer()
	must(t, err)
	if !s.Chain[0].Equal(chains[0][0]) || len(s.Chain) != 1 {
		t.Error("got another chain than the one that was brought, or its anchor in it")
	}
	w.now = w.now.Add(95 * 24 * time.Hour)
	must(t, w.Maintain(t.Context()))
	if _, err := w.Signer(); !fault.Is(err, fault.Busy) {
		t.Errorf("got %v five days before the end, want issuing stopped", err)
	}
	must(t, w.Ring.Rotate(t.Context(), keys.VCDocument))
	if _, err := w.Signer(); !fault.Is(err, fault.Busy) {
		t.Errorf("got %v for a key without a certificate, want issuing stopped", err)
	}
	if _, problems := w.Problems(); len(problems) != 1 || !strings.Contains(problems[0], "PLINTH_VC_CERTS") {
		t.Errorf("got %v, want what to do", problems)
	}
}

func TestChainsThatCannotBeUsedAreRefused(t *testing.T) {
	w := open(t, nil)
	good := brought(t, w, w.now.Add(100*24*time.Hour))
	leaf, rest := pem.Decode(good)
	anchor, _ := pem.Decode(rest)
	encode := func(blocks ...*pem.Block) (all []byte) {
		for _, b := range blocks {
			all = append(all, pem.EncodeToMemory(b)...)
		}
		return all
	}
	for name, raw := range map[string][]byte{
		"nothing":       nil,
		"no anchor":     encode(leaf),
		"anchor alone":  encode(anchor),
		"anchor first":  encode(anchor, leaf),
		"a private key": encode(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte{1}}),
		"no DER":        encode(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1}}),
		"another's":     encode(&pem.Block{Type: "CERTIFICATE", Bytes: w.Anchors()[0].Raw}, leaf),
	} {
		if _, err := ReadPEM(raw); err == nil {
			t.Errorf("%s: got nil, want it refused", name)
		}
	}
}

func TestCertificatesThatNobodyWouldBelieveAreRefusedAtTheStart(t *testing.T) {
	w := open(t, nil)
	key, err := w.Ring.Signer(keys.VCDocument)
	must(t, err)
	authority := must1(w.Ring.Signer(keys.VCAuthority)).Signer
	root := w.Anchors()[0]
	for name, c := range map[string]struct {
		change func(*x509.Certificate)
		good   bool
	}{
		"names us":      {func(c *x509.Certificate) { c.URIs = []*url.URL{w.Issuer} }, true},
		"for documents": {func(c *x509.Certificate) { c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{{1, 0, 18013, 5, 1, 2}} }, true},
		"ended, and names us": {func(c *x509.Certificate) {
			c.DNSNames, c.NotAfter = []string{w.Issuer.Hostname()}, w.now.Add(-time.Second)
		}, true},
		"for servers": {func(c *x509.Certificate) {
			c.DNSNames, c.ExtKeyUsage = []string{w.Issuer.Hostname()}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}, false},
		"names nobody":    {func(*x509.Certificate) {}, false},
		"not for signing": {func(c *x509.Certificate) { c.URIs, c.KeyUsage = []*url.URL{w.Issuer}, x509.KeyUsageKeyAgreement }, false},
	} {
		template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "Signer"}, NotBefore: root.NotBefore, NotAfter: w.now.Add(100 * 24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature}
		c.change(template)
		leaf, err := x509.ParseCertificate(must1(x509.CreateCertificate(rand.Reader, template, root, key.Public, authority)))
		must(t, err)
		config := w.Config
		config.Brought = [][]*x509.Certificate{{leaf, root}}
		if _, err := Open(t.Context(), config); (err == nil) != c.good || err != nil && !strings.Contains(err.Error(), "PLINTH_VC_CERTS") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func FuzzReadPEM(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if chains, err := ReadPEM(raw); err == nil && len(chains) == 0 {
			t.Error("got no chain and no error")
		}
	})
}
