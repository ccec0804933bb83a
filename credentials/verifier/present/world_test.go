package present

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/credentials/vc/jws"
	"github.com/plinth-id/plinth/credentials/vc/mdoc"
	"github.com/plinth-id/plinth/credentials/vc/sdjwt"
	"github.com/plinth-id/plinth/credentials/verifier"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/postgres/pgtest"
	"github.com/plinth-id/plinth/internal/web"
)

const (
	base   = "https://verifier.example"
	issuer = "https://id.example.org"
	vct    = "urn:example:nid:1"
	space  = "org.example.nid.1"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

var rootKey = sync.OnceValues(func() (keys.Root, error) {
	dir, err := os.MkdirTemp("", "plinth-present-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	return keys.FileRoot(filepath.Join(dir, "root.key"), "a passphrase for tests")
})

// world is a verifier over HTTP, an issuer that it believes, and a holder.
type world struct {
	*Counter
	doors  http.Handler
	issuer *ecdsa.PrivateKey
	holder *ecdsa.PrivateKey
	card   sdjwt.Held
	doc    *mdoc.Document

	mu   sync.Mutex
	time time.Time
}

func (w *world) now() time.Time       { w.mu.Lock(); defer w.mu.Unlock(); return w.time }
func (w *world) wait(d time.Duration) { w.mu.Lock(); defer w.mu.Unlock(); w.time = w.time.Add(d) }
func p256() *ecdsa.PrivateKey         { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }

// certificate is of a verifier, under an authority of its own.
func certificate(key *ecdsa.PrivateKey) []*x509.Certificate {
	root := p256()
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Verifiers"}, IsCA: true, BasicConstraintsValid: true, NotBefore: noon.AddDate(-1, 0, 0), NotAfter: noon.AddDate(9, 0, 0)}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "A verifier"}, DNSNames: []string{"verifier.example"}, NotBefore: noon.AddDate(-1, 0, 0), NotAfter: noon.AddDate(1, 0, 0)}
	return []*x509.Certificate{must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), root))))}
}

func newWorld(t *testing.T, change func(*Config)) *world {
	t.Helper()
	w := &world{issuer: p256(), holder: p256(), time: noon}
	ca := mdoc.Authority{Signer: p256()}
	ca.Certificate = must(mdoc.NewIACA(mdoc.Root{CommonName: "Utopia IACA", Organization: "Tests", Country: "UT", Contact: "pki@id.example.org",
		CRL: "https://id.example.org/iaca.crl", From: noon.AddDate(-1, 0, 0), Until: noon.AddDate(9, 0, 0)}, ca.Signer))
	list := vc.TrustList{Issuers: []vc.TrustedIssuer{{ID: must(vc.DIDWeb(issuer)), Name: "Example",
		Keys: []vc.TrustedKey{{ID: must(vc.DIDWeb(issuer)) + "#1", PublicKeyMultibase: must(vc.Multikey(w.issuer.Public()))}}, X509: [][]byte{ca.Certificate.Raw}}}}
	judge := must(verifier.New(verifier.Config{Trust: func() vc.TrustList { return list }, Now: w.now}))
	pool := pgtest.Pool(t)
	key := p256()
	c := Config{Pool: pool, Ring: must(keys.Open(t.Context(), pool, must(rootKey()))), Verifier: judge, Public: must(url.Parse(base)), Signer: key, Chain: certificate(key),
		KnownAs: "a-verifier", Name: "A verifier", Presets: []Preset{{"name", json.RawMessage(askName)}},
		Allowed: func(context.Context, *http.Request) error { return nil }, Now: w.now}
	if change != nil {
		change(&c)
	}
	w.Counter = must(New(c))
	r := web.New(web.Config{Public: c.Public, Log: slog.New(slog.DiscardHandler)})
	w.Routes(r)
	w.doors = r
	w.issue(t, ca)
	return w
}

// issue gives the holder a card in two formats.
func (w *world) issue(t *testing.T, ca mdoc.Authority) {
	t.Helper()
	i := must(sdjwt.NewIssuer(sdjwt.IssuerConfig{Key: w.issuer, ID: issuer, KeyID: "1"}))
	raw := must(i.Issue(sdjwt.Draft{Type: vct, Holder: w.holder.Public(), IssuedAt: noon, Expires: noon.AddDate(1, 0, 0),
		Claims:    map[string]any{"given_name": "Zanele", "family_name": "Nkosi", "age": 41, "jti": "urn:uuid:6f1c3f9c-6d4a-4a52-8a3e-0c4f0a3b8f11"},
		Selective: [][]any{{"given_name"}, {"family_name"}, {"age"}}}))
	w.card = must(sdjwt.Open(raw))
	signer := p256()
	ds := must(ca.NewDS(mdoc.Leaf{CommonName: "Utopia DS", URL: issuer, Key: signer.Public(), From: noon.AddDate(0, -1, 0), Until: noon.AddDate(0, 11, 0)}))
	m := must(mdoc.NewIssuer(signer, []*x509.Certificate{ds}))
	w.doc = must(mdoc.Parse(must(m.Issue(mdoc.Draft{DocType: space, DeviceKey: w.holder.Public(), Signed: noon.Add(-time.Hour), ValidFrom: noon.Add(-time.Hour), ValidUntil: noon.AddDate(0, 6, 0),
		NameSpaces: map[string]map[string]any{space: {"family_name": "Nkosi", "age_over_18": true}}}))))
}

const (
	askName = `{"credentials":[{"id":"pid","format":"dc+sd-jwt","meta":{"vct_values":["` + vct + `"]},"claims":[{"path":["given_name"]},{"path":["family_name"],"values":["Nkosi"]}]}]}`
	askAge  = `{"credentials":[{"id":"age","format":"mso_mdoc","meta":{"doctype_value":"` + space + `"},"claims":[{"path":["` + space + `","age_over_18"],"values":[true]}]}]}`
)

// ask makes a request over HTTP, as somebody who is allowed to.
func (w *world) ask(t *testing.T, terms map[string]any) Request {
	t.Helper()
	var r Request
	if status := w.do(t, "POST", "/vp/requests", must(json.Marshal(terms)), &r, "Content-Type", "application/json", "Authorization", "Bearer partner"); status != 201 {
		t.Fatalf("got %d, want a request for %v", status, terms)
	}
	return r
}

// do calls a door and reads its JSON.
func (w *world) do(t *testing.T, method, path string, body []byte, into any, headers ...string) int {
	t.Helper()
	a := w.call(method, path, body, headers...)
	if into != nil {
		if err := json.Unmarshal(a.Body.Bytes(), into); err != nil {
			t.Fatalf("%s %s: got %d %s", method, path, a.Code, a.Body)
		}
	}
	return a.Code
}

// call calls a door.
func (w *world) call(method, path string, body []byte, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, strings.TrimPrefix(path, base), bytes.NewReader(body))
	r.Host = "verifier.example"
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	a := httptest.NewRecorder()
	w.doors.ServeHTTP(a, r)
	return a
}

// object fetches a request object as a wallet does, and reads it.
func (w *world) object(t *testing.T, r Request, form url.Values) (header, claims map[string]any) {
	t.Helper()
	method, body := "GET", ""
	if form != nil {
		method, body = "POST", form.Encode()
	}
	q := httptest.NewRequest(method, strings.TrimPrefix(r.RequestURI, base), strings.NewReader(body))
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a := httptest.NewRecorder()
	w.doors.ServeHTTP(a, q)
	if a.Code != 200 || a.Header().Get("Content-Type") != "application/oauth-authz-req+jwt" {
		t.Fatalf("got %d %s %s, want a request object", a.Code, a.Header().Get("Content-Type"), a.Body)
	}
	return w.verified(t, a.Body.String())
}

// verified reads a request object that our key has signed.
func (w *world) verified(t *testing.T, token string) (header, claims map[string]any) {
	t.Helper()
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := signed.Verify(w.Signer.Public())
	if err != nil {
		t.Fatal(err)
	}
	raw := must(base64.RawURLEncoding.DecodeString(token[:strings.IndexByte(token, '.')]))
	if json.Unmarshal(raw, &header) != nil || json.Unmarshal(payload, &claims) != nil {
		t.Fatal("the request object is not JSON")
	}
	return header, claims
}

// wallet is how a presentation is made; a test changes what it wants to attack.
type wallet struct {
	key                         crypto.Signer
	nonce, audience, responseTo string
	at                          time.Time
	show                        [][]any
	transaction                 []string
	thumbprint                  []byte
}

// walletFor would answer a request as it should.
func (w *world) walletFor(claims map[string]any) wallet {
	text := func(name string) string { s, _ := claims[name].(string); return s }
	a := wallet{key: w.holder, nonce: text("nonce"), audience: text("client_id"), responseTo: text("response_uri"), at: w.now(), show: [][]any{{"given_name"}, {"family_name"}}}
	for _, each := range some(claims["transaction_data"]) {
		a.transaction = append(a.transaction, each.(string))
	}
	if key, ok := sealingKey(claims); ok {
		a.thumbprint = must(key.Thumbprint(crypto.SHA256))
	}
	return a
}

func some(v any) []any { all, _ := v.([]any); return all }

func sealingKey(claims map[string]any) (jose.JSONWebKey, bool) {
	metadata, _ := claims["client_metadata"].(map[string]any)
	var set jose.JSONWebKeySet
	if json.Unmarshal(must(json.Marshal(metadata["jwks"])), &set) != nil || len(set.Keys) == 0 {
		return jose.JSONWebKey{}, false
	}
	return set.Keys[0], true
}

func (w *world) sdJWT(a wallet) string {
	p := must(w.card.Choose(a.show))
	unbound := must(p.Bind(sdjwt.Occasion{Audience: a.audience, Nonce: a.nonce, At: a.at, Transaction: a.transaction}))
	// By hand, since no key but the holder's is let sign.
	return p.String() + string(jws.Join(unbound.Input(), must(jws.SignInput(a.key, unbound.Input()))))
}

func (w *world) mdoc(a wallet, session mdoc.Transcript) string {
	p := must(w.doc.Present(map[string][]string{space: {"age_over_18"}}, session))
	sum := sha256.Sum256(p.ToSign)
	r, s, err := ecdsa.Sign(rand.Reader, a.key.(*ecdsa.PrivateKey), sum[:])
	if err != nil {
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(must(p.Finish(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))))
}

// seal encrypts an answer to the key of the request.
func seal(claims map[string]any, enc jose.ContentEncryption, answer map[string]any) string {
	key, _ := sealingKey(claims)
	e := must(jose.NewEncrypter(enc, jose.Recipient{Algorithm: jose.ECDH_ES, Key: key.Key, KeyID: key.KeyID}, nil))
	return must(must(e.Encrypt(must(json.Marshal(answer)))).CompactSerialize())
}

// respond posts a form.
func (w *world) respond(t *testing.T, to string, form url.Values) (int, map[string]string) {
	t.Helper()
	var answer map[string]string
	status := w.do(t, "POST", to, []byte(form.Encode()), &answer, "Content-Type", "application/x-www-form-urlencoded")
	return status, answer
}

// form is the answer of a wallet to a request, in its response mode.
func form(claims map[string]any, token any) url.Values {
	state, _ := claims["state"].(string)
	if claims["response_mode"] == modePostSealed {
		return url.Values{"response": {seal(claims, jose.A256GCM, map[string]any{"vp_token": token, "state": state})}}
	}
	return url.Values{"vp_token": {string(must(json.Marshal(token)))}, "state": {state}}
}

// result fetches what has come.
func (w *world) result(t *testing.T, r Request, code string) (int, Result) {
	t.Helper()
	var result Result
	status := w.do(t, "GET", "/vp/requests/"+r.ID.String()+"?response_code="+url.QueryEscape(code), nil, &result, "Authorization", "Bearer "+r.Secret)
	return status, result
}
