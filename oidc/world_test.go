package oidc_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/oauth2"

	"github.com/plinth-id/plinth/biometrics/evidence"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/notify"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/internal/postgres/pgtest"
	"github.com/plinth-id/plinth/internal/web"
	"github.com/plinth-id/plinth/oidc"
	"github.com/plinth-id/plinth/oidc/signals"
	"github.com/plinth-id/plinth/registry"
	"github.com/plinth-id/plinth/registry/auth"
	"github.com/plinth-id/plinth/registry/partner"
)

const (
	callback      = "https://rp.example/callback"
	configuration = "national_id"
)

// world is a provider on a real server and database, with one person and one client.
type world struct {
	*httptest.Server
	pool     *pgxpool.Pool
	ring     *keys.Ring
	desk     *auth.Desk
	partners *partner.Directory
	provider *oidc.Provider
	ahead    atomic.Int64 // how far the clock is set forward
	person   uuid.UUID
	uin      string
	offers   map[string]string // pre-authorized code → transaction code
	haip     bool              // the credential is for wallets of that profile
	rp       rp
	signals  *signals.Transmitter
	counter  counter
	mu       sync.Mutex
	sent     []notify.Message
}

func (w *world) keep(m notify.Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent = append(w.sent, m)
}

// rp is a client of the provider, with its key.
type rp struct {
	id     string
	key    *ecdsa.PrivateKey
	secret string
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

// rootKey is one for all tests: stretching its passphrase takes long on purpose.
var rootKey = sync.OnceValues(func() (keys.Root, error) {
	dir, err := os.MkdirTemp("", "plinth-oidc-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	return keys.FileRoot(filepath.Join(dir, "root.key"), "a passphrase for tests")
})

func open(t *testing.T) *world {
	t.Helper()
	w := &world{pool: pgtest.Pool(t), offers: map[string]string{}}
	root, err := rootKey()
	must(t, err)
	w.ring, err = keys.Open(t.Context(), w.pool, root)
	must(t, err)
	people, err := registry.New(registry.Config{Pool: w.pool, Ring: w.ring, Schema: registry.DefaultSchema(), UINDigits: 10, Now: w.now})
	must(t, err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	issuer := &url.URL{Scheme: "http", Host: ln.Addr().String()}
	queue := func(_ context.Context, _ pgx.Tx, m notify.Message) error { w.keep(m); return nil }
	w.desk, err = auth.New(auth.Config{Pool: w.pool, Ring: w.ring, Registry: people, Queue: queue, Offers: func(notify.Channel) bool { return true }, Public: issuer, Policy: evidence.Trial(), Demo: true, Now: w.now, Presented: w.counter.presented})
	must(t, err)
	w.partners, err = partner.New(partner.Config{Pool: w.pool, Now: w.now})
	must(t, err)
	fingers, err := enrolled()
	must(t, err)
	must(t, postgres.InTx(t.Context(), w.pool, func(tx pgx.Tx) error {
		made, err := people.Assign(t.Context(), tx, registry.NewIdentity{Application: uuid.New(), Fields: ada(), Templates: fingers})
		w.person, w.uin = made.Person, made.UIN.Reveal()
		return err
	}))
	w.provider, err = oidc.New(oidc.Config{Pool: w.pool, Ring: w.ring, Desk: w.desk, Registry: people, Clients: w.partners.Known, Issuer: issuer, HTTP: http.DefaultClient, Certificate: shownCertificate,
		Redeem: w.redeem, CredentialScopes: func() map[string][]string { return map[string][]string{"national_id": {configuration}} }, Scopes: []string{"ssf.manage", "ssf.read"}, Now: w.now, AskWallet: w.counter.ask,
		Attesters: makers(t), HAIP: func(string) bool { return w.haip }, CNonce: func() (string, time.Duration, error) { return "a c_nonce", 5 * time.Minute, nil },
		Emit: func(ctx context.Context, tx pgx.Tx, s oidc.Signal) error { return w.signals.Emit(ctx, tx, s) }})
	must(t, err)
	w.signals, err = signals.New(signals.Config{Pool: w.pool, Ring: w.ring, Provider: w.provider, HTTP: http.DefaultClient, Plain: true, Now: w.now})
	must(t, err)
	router := web.New(web.Config{Public: issuer, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	w.provider.Routes(router)
	w.signals.Routes(router)
	w.Server = &httptest.Server{Listener: ln, Config: &http.Server{Handler: router}}
	w.Server.Start()
	t.Cleanup(w.Server.Close)
	w.rp = w.register(t, nil)
	return w
}

func ada() map[string]any {
	said := func(value string) []any { return []any{map[string]any{"language": "eng", "value": value}} }
	return map[string]any{"IDSchemaVersion": 1.0, "fullName": said("Ada Example"), "dateOfBirth": "1990/01/02", "gender": said("Female"),
		"phone": "+15550100", "email": "ada@example.org"}
}

// redeem stands for the issuer of credentials: it knows the offers of this test.
func (w *world) redeem(ctx context.Context, tx pgx.Tx, code, txCode string) (auth.Grant, error) {
	want, ok := w.offers[code]
	if !ok {
		return auth.Grant{}, errWrongOffer
	}
	if want != txCode {
		return auth.Grant{}, errWrongTxCode
	}
	delete(w.offers, code)
	return w.desk.Vouch(ctx, tx, auth.Voucher{Reason: "an offer of this test"}, w.person, auth.Terms{Configurations: []string{configuration}})
}

// register adds a client; more changes its metadata.
func (w *world) register(t *testing.T, more map[string]any) rp {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	metadata := map[string]any{"client_name": "Ministry of Examples", "redirect_uris": []string{callback}, "grant_types": []string{"authorization_code"},
		"token_endpoint_auth_method": "private_key_jwt", "scope": "openid profile email phone national_id", "plinth_profile": "oidc",
		"jwks": jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "rp-1", Algorithm: "ES256", Use: "sig"}}}}
	for name, value := range more {
		if value == nil {
			delete(metadata, name)
		} else {
			metadata[name] = value
		}
	}
	raw, err := json.Marshal(metadata)
	must(t, err)
	made, err := w.partners.Add(t.Context(), raw)
	must(t, err)
	return rp{id: made.ID, key: key, secret: made.Secret}
}

// says makes a client assertion; change may spoil it.
func (w *world) says(t *testing.T, c rp, change func(claims map[string]any)) string {
	t.Helper()
	claims := map[string]any{"iss": c.id, "sub": c.id, "aud": w.URL, "jti": rand.Text(), "iat": w.now().Unix(), "exp": w.now().Add(time.Minute).Unix()}
	if change != nil {
		change(claims)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: c.key, KeyID: "rp-1"}}, nil)
	must(t, err)
	raw, err := jwt.Signed(signer).Claims(claims).Serialize()
	must(t, err)
	return raw
}

// signed adds a client assertion to a form.
func (w *world) signed(t *testing.T, c rp, form url.Values) url.Values {
	t.Helper()
	form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	form.Set("client_assertion", w.says(t, c, nil))
	return form
}

// answer is what an endpoint said.
type answer struct {
	status int
	header http.Header
	body   map[string]any
	text   string
}

// post sends a form as a client would.
func (w *world) post(t *testing.T, path string, form url.Values) answer {
	t.Helper()
	resp, err := http.PostForm(w.URL+path, form)
	must(t, err)
	return read(t, resp)
}

func read(t *testing.T, resp *http.Response) answer {
	t.Helper()
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	must(t, err)
	a := answer{status: resp.StatusCode, header: resp.Header, text: string(raw)}
	_ = json.Unmarshal(raw, &a.body) // pages are no JSON
	return a
}

// says checks an error of the protocol.
func (a answer) refuses(t *testing.T, status int, code string) {
	t.Helper()
	if a.status != status || a.body["error"] != code {
		t.Fatalf("got %d %s, want %d %s", a.status, a.text, status, code)
	}
}

func (a answer) str(name string) string {
	s, _ := a.body[name].(string)
	return s
}

// browser keeps cookies and stops when it is sent to another site.
type browser struct {
	*http.Client
	w *world
}

func (w *world) browser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	must(t, err)
	b := &browser{w: w, Client: &http.Client{Jar: jar}}
	b.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if "http://"+r.URL.Host != w.URL {
			return http.ErrUseLastResponse
		}
		return nil
	}
	return b
}

func (b *browser) get(t *testing.T, address string) answer {
	t.Helper()
	resp, err := b.Get(address)
	must(t, err)
	return read(t, resp)
}

var visitField = regexp.MustCompile(`name="visit" value="([^"]+)"`)

// submit sends a form of a page, with the visit that the page names. With a
// factor it goes through the first two pages.
func (b *browser) submit(t *testing.T, page answer, path string, fields url.Values) answer {
	t.Helper()
	if factor := fields.Get("factor"); factor != "" {
		fields.Del("factor")
		page = b.submit(t, page, "/oidc/login/method", url.Values{"method": {factor}})
	}
	found := visitField.FindStringSubmatch(page.text)
	if found == nil {
		t.Fatalf("got %d %s, want a page of the login", page.status, page.text)
	}
	fields.Set("visit", found[1])
	resp, err := b.PostForm(b.w.URL+path, fields)
	must(t, err)
	return read(t, resp)
}

// toConsent walks from the first page to consent.
func (b *browser) toConsent(t *testing.T, page answer) answer {
	t.Helper()
	page = b.submit(t, page, "/oidc/login", url.Values{"identifier": {b.w.uin}, "factor": {"code"}})
	return b.submit(t, page, "/oidc/login/code", url.Values{"code": {"111 111"}})
}

// login walks through all pages and returns what the client is told.
func (b *browser) login(t *testing.T, address string, ticked ...string) url.Values {
	t.Helper()
	page := b.get(t, address)
	if page.status != http.StatusSeeOther {
		page = b.toConsent(t, page)
	}
	if page.status == http.StatusSeeOther {
		return back(t, page) // the person has answered before
	}
	return back(t, b.submit(t, page, "/oidc/login/consent", url.Values{"decision": {"allow"}, "claim": ticked}))
}

// back reads the answer that a redirect carries to the client.
func back(t *testing.T, a answer) url.Values {
	t.Helper()
	to, err := url.Parse(a.header.Get("Location"))
	must(t, err)
	if a.status != http.StatusSeeOther || !strings.HasPrefix(to.String(), callback) {
		t.Fatalf("got %d to %q (%s), want 303 to the client", a.status, to, a.text)
	}
	return to.Query()
}

const verifier = "a-verifier-that-is-long-enough-for-rfc-7636-and-more"

// question is a good authorization request.
func (w *world) question(c rp) url.Values {
	return url.Values{"response_type": {"code"}, "client_id": {c.id}, "redirect_uri": {callback}, "scope": {"openid profile email phone"},
		"state": {"s"}, "nonce": {"n-1"}, "code_challenge": {oauth2.S256ChallengeFromVerifier(verifier)}, "code_challenge_method": {"S256"}}
}

func (w *world) asks(query url.Values) string { return w.URL + "/oidc/authorize?" + query.Encode() }

// code logs in and returns the code.
func (w *world) code(t *testing.T, ticked ...string) string {
	t.Helper()
	return w.browser(t).login(t, w.asks(w.question(w.rp)), ticked...).Get("code")
}

// trade is a good token request.
func (w *world) trade(t *testing.T, c rp, code string) url.Values {
	t.Helper()
	return w.signed(t, c, url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier}})
}

// access logs in and trades the code for an access token.
func (w *world) access(t *testing.T, ticked ...string) string {
	t.Helper()
	got := w.post(t, "/oidc/token", w.trade(t, w.rp, w.code(t, ticked...)))
	if got.status != 200 {
		t.Fatalf("got %d %s, want a token", got.status, got.text)
	}
	return got.str("access_token")
}

func (w *world) userinfo(t *testing.T, access string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", w.URL+"/oidc/userinfo", nil)
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+access)
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	return read(t, resp)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
