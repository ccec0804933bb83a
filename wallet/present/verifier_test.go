package present

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/credentials/vc/jws"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/wallet/errand"
)

// asker is a verifier whose every word a test can change.
type asker struct {
	*httptest.Server
	key    *ecdsa.PrivateKey
	chain  []*x509.Certificate
	claims map[string]any
	header map[jose.HeaderKey]any
	answer url.Values // that came
	object func(claims map[string]any) string
}

func newAsker(t *testing.T) *asker {
	t.Helper()
	a := &asker{header: map[jose.HeaderKey]any{}}
	mux := http.NewServeMux()
	a.Server = httptest.NewServer(mux)
	t.Cleanup(a.Close)
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	a.chain = issued(t, a.key, "127.0.0.1.nip.example")
	did, err := vc.DIDJWK(a.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	a.claims = map[string]any{"client_id": "decentralized_identifier:" + did, "response_type": "vp_token", "response_mode": "direct_post", "response_uri": a.URL + "/answer",
		"nonce": "a nonce of this request"[2:7] + "0123456789", "state": "s", "aud": anyWallet, "exp": time.Now().Add(time.Minute).Unix(),
		"client_metadata": map[string]any{"client_name": "Asker"},
		"dcql_query":      map[string]any{"credentials": []any{map[string]any{"id": "c", "format": "dc+sd-jwt", "meta": map[string]any{"vct_values": []string{"x"}}}}}}
	a.header["kid"] = did + "#0"
	a.object = func(claims map[string]any) string { return a.sign(t, a.key, claims) }
	mux.HandleFunc("/object", func(w http.ResponseWriter, r *http.Request) {
		claims := maps.Clone(a.claims)
		if r.Method == http.MethodPost {
			_ = r.ParseForm()
			claims["wallet_nonce"] = r.PostForm.Get("wallet_nonce")
		}
		w.Header().Set("Content-Type", "application/"+requestType)
		_, _ = w.Write([]byte(a.object(claims)))
	})
	mux.HandleFunc("POST /answer", func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		a.answer = r.PostForm
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{}`))
	})
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", http.StatusFound) })
	mux.HandleFunc("/long", func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(make([]byte, 2<<20+10)) })
	return a
}

// issued is a certificate, then that of the authority which made it.
func issued(t *testing.T, key *ecdsa.PrivateKey, name string) []*x509.Certificate {
	t.Helper()
	above, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	root := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "Authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	authority := made(t, root, root, above, above)
	return []*x509.Certificate{made(t, leafOf(name), authority, key, above), authority}
}

func leafOf(name string) *x509.Certificate {
	return &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name, Organization: []string{"Certified Org"}}, DNSNames: []string{name, "127.0.0.1"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
}

func made(t *testing.T, template, parent *x509.Certificate, key, by *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (a *asker) sign(t *testing.T, key *ecdsa.PrivateKey, claims map[string]any) string {
	t.Helper()
	options := (&jose.SignerOptions{}).WithType(requestType)
	for name, value := range a.header {
		options = options.WithHeader(name, value)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(raw)
	if err != nil {
		t.Fatal(err)
	}
	object, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return object
}

func (a *asker) link(more ...string) string {
	query := url.Values{"client_id": {a.claims["client_id"].(string)}, "request_uri": {a.URL + "/object"}}
	for i := 0; i+1 < len(more); i += 2 {
		query.Set(more[i], more[i+1])
	}
	return "openid4vp://?" + query.Encode()
}

func hashOf(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func (a *asker) certified(id string) {
	a.claims["client_id"] = id
	delete(a.header, "kid")
	a.header["x5c"] = jws.EncodeChain(a.chain)
}

func newDesk() *Desk { return &Desk{Run: &errand.Runner{HTTP: http.DefaultClient, Now: time.Now}} }

func TestWhoAsksIsMadeSureOf(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(a *asker)
		more    []string
		want    Mark
	}{
		"by a DID":   {func(*asker) {}, nil, Proven},
		"by POST":    {func(*asker) {}, []string{"request_uri_method", "post"}, Proven},
		"by a hash":  {func(a *asker) { a.certified("x509_hash:" + hashOf(a.chain[0])) }, nil, Unproven},
		"by a name":  {func(a *asker) { a.certified("x509_san_dns:127.0.0.1") }, nil, Unproven},
		"by nothing": {func(a *asker) { a.claims["client_id"] = "redirect_uri:" + a.URL + "/answer"; a.object = unsignedObject }, nil, Unproven},
		"by an old DID": {func(a *asker) {
			a.claims["client_id"] = a.claims["client_id"].(string)[len("decentralized_identifier:"):]
		}, nil, Proven},
	} {
		a := newAsker(t)
		c.prepare(a)
		s, err := newDesk().Open(t.Context(), a.link(c.more...))
		if err != nil || s.Asked.Who.Mark != c.want {
			t.Errorf("%s: got %+v, %v; want %s", name, s, err, c.want)
		}
	}
}

func trusting(c *x509.Certificate) *Desk {
	pool := x509.NewCertPool()
	pool.AddCert(c)
	d := newDesk()
	d.Anchors = func() *x509.CertPool { return pool }
	return d
}

// OpenID4VP 1.0, section 5.9.3: a certificate proves what an authority says that the
// wallet trusts, and nothing else.
func TestACertificateProvesWhatItsAuthoritySays(t *testing.T) {
	a := newAsker(t)
	alone := made(t, leafOf("127.0.0.1"), leafOf("127.0.0.1"), a.key, a.key)
	foreign := issued(t, a.key, "127.0.0.1")[1]
	for name, c := range map[string]struct {
		desk  *Desk
		chain []*x509.Certificate
		id    string
		want  Who // without a mark: it is refused
	}{
		"by an authority":         {trusting(a.chain[1]), a.chain, "x509_hash:" + hashOf(a.chain[0]), Who{Mark: Vouched, Name: "Certified Org"}},
		"by none that is known":   {newDesk(), a.chain, "x509_hash:" + hashOf(a.chain[0]), Who{Mark: Unproven}},
		"a name by none":          {newDesk(), a.chain, "x509_san_dns:127.0.0.1", Who{Mark: Unproven}},
		"by another authority":    {trusting(foreign), a.chain, "x509_hash:" + hashOf(a.chain[0]), Who{}},
		"by itself":               {newDesk(), []*x509.Certificate{alone}, "x509_hash:" + hashOf(alone), Who{}},
		"a name by itself":        {newDesk(), []*x509.Certificate{alone}, "x509_san_dns:127.0.0.1", Who{}},
		"by itself, as an anchor": {trusting(alone), []*x509.Certificate{alone}, "x509_hash:" + hashOf(alone), Who{}},
	} {
		a.chain = c.chain
		a.certified(c.id)
		s, err := c.desk.Open(t.Context(), a.link())
		if c.want.Mark == "" {
			if f := fault.Of(err); f == nil || f.Code != "verifier-unproven" {
				t.Errorf("%s: got %+v, %v; want it refused", name, s, err)
			}
			continue
		}
		if err != nil || s.Asked.Who.Mark != c.want.Mark || s.Asked.Who.Name != c.want.Name {
			t.Errorf("%s: got %+v, %v; want %+v", name, s, err, c.want)
		}
	}
}

func TestTheVerifierOfTheWalletsOwnServerIsVouchedFor(t *testing.T) {
	a := newAsker(t)
	d := newDesk()
	d.Own = a.claims["client_id"].(string)[len("decentralized_identifier:"):]
	if s, err := d.Open(t.Context(), a.link()); err != nil || s.Asked.Who.Mark != Vouched {
		t.Errorf("got %+v, %v; want it vouched for", s, err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a.object = func(claims map[string]any) string { return a.sign(t, other, claims) }
	if s, err := d.Open(t.Context(), a.link()); err == nil {
		t.Errorf("got %+v for another's signature, want it refused", s)
	}
}

// RFC 9101, section 5: who asks stands in the link too.
func TestALinkSaysWhoAsks(t *testing.T) {
	a := newAsker(t)
	for name, link := range map[string]string{
		"no client_id": "openid4vp://?" + url.Values{"request_uri": {a.URL + "/object"}}.Encode(),
		"an empty one": a.link("client_id", ""),
		"by value":     "openid4vp://?" + url.Values{"request": {a.object(a.claims)}}.Encode(),
	} {
		if s, err := newDesk().Open(t.Context(), link); fault.Of(err) == nil || fault.Of(err).Code != "bad-request" {
			t.Errorf("%s: got %+v, %v; want it refused", name, s, err)
		}
	}
}

func unsignedObject(claims map[string]any) string {
	raw, _ := json.Marshal(claims)
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString(raw) + "."
}

func TestRequestsThatWereTamperedWithAreRefused(t *testing.T) {
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		prepare func(t *testing.T, a *asker)
		more    []string
		code    string
	}{
		"a signature by another key": {func(t *testing.T, a *asker) { a.object = func(c map[string]any) string { return a.sign(t, other, c) } }, nil, "verifier-unproven"},
		"another hash": {func(_ *testing.T, a *asker) {
			a.certified("x509_hash:" + base64.RawURLEncoding.EncodeToString(make([]byte, 32)))
		}, nil, "verifier-unproven"},
		"another name":                         {func(_ *testing.T, a *asker) { a.certified("x509_san_dns:evil.example") }, nil, "verifier-unproven"},
		"a certified name, answers to another": {func(_ *testing.T, a *asker) { a.certified("x509_san_dns:127.0.0.1.nip.example") }, nil, "verifier-unproven"},
		"a certificate of another key": {func(t *testing.T, a *asker) {
			a.chain = issued(t, other, "127.0.0.1")
			a.certified("x509_hash:" + hashOf(a.chain[0]))
		}, nil, "verifier-unproven"},
		"an expired certificate": {func(t *testing.T, a *asker) { a.certified("x509_hash:" + hashOf(a.chain[0])); a.claims["late"] = true }, nil, ""},
		"no certificate":         {func(_ *testing.T, a *asker) { a.certified("x509_hash:" + hashOf(a.chain[0])); delete(a.header, "x5c") }, nil, "verifier-unproven"},
		"unsigned with a hash": {func(_ *testing.T, a *asker) {
			a.certified("x509_hash:" + hashOf(a.chain[0]))
			a.object = unsignedObject
		}, nil, "verifier-unproven"},
		"unsigned with a DID": {func(_ *testing.T, a *asker) { a.object = unsignedObject }, nil, "verifier-unproven"},
		"unsigned for another address": {func(_ *testing.T, a *asker) {
			a.claims["client_id"], a.object = "redirect_uri:https://other.example/", unsignedObject
		}, nil, "verifier-unproven"},
		"signed by redirect_uri":    {func(_ *testing.T, a *asker) { a.claims["client_id"] = "redirect_uri:" + a.URL + "/answer" }, nil, "verifier-unproven"},
		"a key of another DID":      {func(_ *testing.T, a *asker) { a.header["kid"] = "did:web:other.example#0" }, nil, "verifier-unproven"},
		"a party beside the link's": {func(*testing.T, *asker) {}, []string{"client_id", "decentralized_identifier:did:web:other.example"}, "verifier-unproven"},
		"registered beforehand":     {func(_ *testing.T, a *asker) { a.claims["client_id"] = "somebody" }, nil, "verifier-unproven"},
		"an unknown prefix":         {func(_ *testing.T, a *asker) { a.claims["client_id"] = "openid_federation:https://x.example" }, nil, "verifier-unproven"},
		"another typ": {func(t *testing.T, a *asker) {
			a.object = func(c map[string]any) string { return typed(t, a, "JWT", c) }
		}, nil, "verifier-unproven"},
		"for another audience": {func(_ *testing.T, a *asker) { a.claims["aud"] = "https://other.example" }, nil, "verifier-unproven"},
		"another wallet's nonce": {func(_ *testing.T, a *asker) {
			was := a.object
			a.object = func(c map[string]any) string { c["wallet_nonce"] = "x"; return was(c) }
		}, []string{"request_uri_method", "post"}, "verifier-unproven"},
		"expired":                      {func(_ *testing.T, a *asker) { a.claims["exp"] = time.Now().Add(-time.Hour).Unix() }, nil, "request-expired"},
		"from the future":              {func(_ *testing.T, a *asker) { a.claims["iat"] = time.Now().Add(time.Hour).Unix() }, nil, "bad-request"},
		"no nonce":                     {func(_ *testing.T, a *asker) { delete(a.claims, "nonce") }, nil, "bad-request"},
		"another response type":        {func(_ *testing.T, a *asker) { a.claims["response_type"] = "code" }, nil, "bad-request"},
		"fragments":                    {func(_ *testing.T, a *asker) { a.claims["response_mode"] = "fragment" }, nil, "bad-request"},
		"an answer without TLS":        {func(_ *testing.T, a *asker) { a.claims["response_uri"] = "http://other.example/" }, nil, "bad-address"},
		"a redirect beside the answer": {func(_ *testing.T, a *asker) { a.claims["redirect_uri"] = a.URL }, nil, "bad-request"},
		"two queries":                  {func(_ *testing.T, a *asker) { a.claims["presentation_definition"] = map[string]any{} }, nil, "bad-request"},
		"no query":                     {func(_ *testing.T, a *asker) { delete(a.claims, "dcql_query") }, nil, "bad-request"},
		"a bad query":                  {func(_ *testing.T, a *asker) { a.claims["dcql_query"] = map[string]any{} }, nil, "bad-request"},
		"a transaction unseen":         {func(_ *testing.T, a *asker) { a.claims["transaction_data"] = []string{"!"} }, nil, "invalid_transaction_data"},
		"an unknown method":            {func(*testing.T, *asker) {}, []string{"request_uri_method", "put"}, "bad-request"},
		"a loop":                       {func(*testing.T, *asker) {}, []string{"request_uri", "loop"}, "request-expired"},
		"too long":                     {func(*testing.T, *asker) {}, []string{"request_uri", "long"}, "issuer-answer"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAsker(t)
			c.prepare(t, a)
			for i := range c.more {
				if c.more[i] == "loop" || c.more[i] == "long" {
					c.more[i] = a.URL + "/" + c.more[i]
				}
			}
			r := newDesk()
			r.Run.HTTP = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			if a.claims["late"] == true {
				r.Run.Now = func() time.Time { return time.Now().Add(2 * time.Hour) }
				a.claims["exp"], c.code = time.Now().Add(3*time.Hour).Unix(), "verifier-unproven"
			}
			_, err := r.Open(t.Context(), a.link(c.more...))
			if f := fault.Of(err); f == nil || f.Code != c.code {
				t.Errorf("got %v, want %s", err, c.code)
			}
		})
	}
}

func typed(t *testing.T, a *asker, typ string, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: a.key}, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)).WithHeader("kid", a.header["kid"]))
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := json.Marshal(claims)
	signed, err := signer.Sign(raw)
	if err != nil {
		t.Fatal(err)
	}
	object, _ := signed.CompactSerialize()
	return object
}

func TestARefusalTellsNothing(t *testing.T) {
	a := newAsker(t)
	s, err := newDesk().Open(t.Context(), a.link())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newDesk().Refuse(t.Context(), s); err != nil || a.answer.Get("error") != "access_denied" || a.answer.Get("state") != "s" || a.answer.Get("vp_token") != "" {
		t.Errorf("got %v, %v; want access_denied and no more", a.answer, err)
	}
	if _, err := newDesk().Match(s, nil); fault.Of(err) == nil || fault.Of(err).Code != "no-card" {
		t.Errorf("got %v for an empty wallet, want no-card", err)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add("openid4vp://?client_id=redirect_uri%3Ahttps%3A%2F%2Fx&request=e30.e30.")
	f.Add("openid4vp://?client_id=x&dcql_query={}&response_type=vp_token")
	f.Fuzz(func(t *testing.T, link string) {
		r := newDesk()
		r.Run.HTTP = &http.Client{Transport: nowhere{}}
		if s, err := r.Open(t.Context(), link); err == nil && s.Asked.Who.Mark != Unproven {
			t.Errorf("%q: got %+v without anybody's word", link, s.Asked.Who)
		}
	})
}

type nowhere struct{}

func (nowhere) RoundTrip(*http.Request) (*http.Response, error) { return nil, http.ErrServerClosed }
