package federation_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/internal/postgres/pgtest"
	"github.com/plinth-id/plinth/internal/web"
	"github.com/plinth-id/plinth/oidc/federation"
)

const (
	provider = "https://op.example"
	anchor   = "https://anchor.example"
	middle   = "https://middle.example"
	leaf     = "https://rp.example"
)

// world is a federation of servers: anchor → middle → leaf, and our provider beside.
type world struct {
	t        *testing.T
	pool     *pgxpool.Pool
	ours     *entity // the keys of the provider; its documents come from the package
	f        *federation.Federation
	http     *http.Client
	ahead    atomic.Int64
	mu       sync.Mutex
	hosts    map[string]string // host → address of its server
	asked    []string          // URLs in the order in which they were fetched
	taken    []taken           // what was handed to Register
	refuses  error             // what Register says
	entities map[string]*entity
}

type taken struct {
	id       string
	metadata map[string]any
	expires  time.Time
}

// entity is a member of the federation on a server of its own.
type entity struct {
	w        *world
	id       string
	key      *ecdsa.PrivateKey
	hints    []string
	metadata map[string]any
	below    map[string]map[string]any // by entity: claims that are stated besides those that must be
	spoil    func(header, claims map[string]any)
	spoilSub func(header, claims map[string]any)
	pages    map[string]page
}

type page struct{ kind, body string }

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

// open makes the world. change may alter our own configuration.
func open(t *testing.T, change func(w *world, c *federation.Config)) *world {
	t.Helper()
	w := &world{t: t, pool: pgtest.Pool(t), hosts: map[string]string{}, entities: map[string]*entity{}}
	w.http = &http.Client{Transport: &http.Transport{DialContext: w.dial, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	t.Cleanup(w.http.CloseIdleConnections)
	w.ours = &entity{w: w, id: provider, key: newKey(t)}
	top := w.entity(anchor)
	under := w.entity(middle, anchor)
	rp := w.entity(leaf, middle)
	rp.metadata = map[string]any{"openid_relying_party": relyingParty(rp)}
	top.above(under, nil)
	under.above(rp, nil)
	issuer, err := url.Parse(provider)
	must(t, err)
	config := federation.Config{Pool: w.pool, Issuer: issuer, Keys: w.ours.keys, HTTP: w.http, Now: w.now, Register: w.register,
		Sign:     func(typ string, claims map[string]any) (string, error) { return w.ours.sign(typ, nil, claims), nil },
		Metadata: func() map[string]any { return map[string]any{"issuer": provider} },
		Anchors:  map[string]jose.JSONWebKeySet{anchor: top.keys()}, Authorities: []string{anchor}}
	if change != nil {
		change(w, &config)
	}
	w.f, err = federation.New(config)
	must(t, err)
	router := web.New(web.Config{Public: issuer, Log: slog.New(slog.DiscardHandler)})
	w.f.Routes(router)
	w.serve("op.example", router)
	return w
}

func (w *world) serve(host string, h http.Handler) {
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	w.t.Cleanup(server.Close)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hosts[host] = server.Listener.Addr().String()
}

func (w *world) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, _ := net.SplitHostPort(address)
	w.mu.Lock()
	at := w.hosts[host]
	w.mu.Unlock()
	return (&net.Dialer{}).DialContext(ctx, network, at)
}

func (w *world) register(_ context.Context, _ postgres.DB, id string, raw json.RawMessage, expires time.Time) error {
	if w.refuses != nil {
		return w.refuses
	}
	one := taken{id: id, expires: expires}
	if err := json.Unmarshal(raw, &one.metadata); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.taken = append(w.taken, one)
	return nil
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return key
}

// entity starts a server for an entity under some others.
func (w *world) entity(id string, hints ...string) *entity {
	w.t.Helper()
	e := &entity{w: w, id: id, key: newKey(w.t), hints: hints, below: map[string]map[string]any{}, pages: map[string]page{}}
	w.entities[id] = e
	w.serve(strings.TrimPrefix(id, "https://"), e)
	return e
}

// above puts an entity below this one, with claims besides those that must be.
func (e *entity) above(other *entity, more map[string]any) {
	claims := map[string]any{"jwks": other.keys()}
	maps.Copy(claims, more)
	e.below[other.id] = claims
}

func (e *entity) keys() jose.JSONWebKeySet {
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: e.key.Public(), KeyID: e.id, Algorithm: "ES256", Use: "sig"}}}
}

// sign signs claims; headers may be added, and a typ of nil left out.
func (e *entity) sign(typ string, header, claims map[string]any) string {
	e.w.t.Helper()
	options := (&jose.SignerOptions{}).WithHeader("kid", e.id).WithHeader("typ", typ)
	for name, value := range header {
		options = options.WithHeader(jose.HeaderKey(name), value)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: e.key}, options)
	must(e.w.t, err)
	raw, err := jwt.Signed(signer).Claims(claims).Serialize()
	must(e.w.t, err)
	return raw
}

// claims are those of the configuration of the entity.
func (e *entity) claims() map[string]any {
	metadata := map[string]any{"federation_entity": map[string]any{"federation_fetch_endpoint": e.id + "/fetch?v=1"}}
	maps.Copy(metadata, e.metadata)
	claims := map[string]any{"iss": e.id, "sub": e.id, "iat": e.w.now().Unix(), "exp": e.w.now().Add(time.Hour).Unix(), "jwks": e.keys(), "metadata": metadata}
	if len(e.hints) > 0 {
		claims["authority_hints"] = e.hints
	}
	return claims
}

func (e *entity) configuration() string {
	header, claims := map[string]any{}, e.claims()
	if e.spoil != nil {
		e.spoil(header, claims)
	}
	return e.sign("entity-statement+jwt", header, claims)
}

func (e *entity) about(sub string) string {
	header := map[string]any{}
	claims := map[string]any{"iss": e.id, "sub": sub, "iat": e.w.now().Unix(), "exp": e.w.now().Add(time.Hour).Unix()}
	maps.Copy(claims, e.below[sub])
	if e.spoilSub != nil {
		e.spoilSub(header, claims)
	}
	return e.sign("entity-statement+jwt", header, claims)
}

func (e *entity) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.w.mu.Lock()
	e.w.asked = append(e.w.asked, e.id+r.URL.Path+" "+r.URL.Query().Get("sub"))
	e.w.mu.Unlock()
	if p, ok := e.pages[r.URL.Path]; ok {
		w.Header().Set("Content-Type", p.kind)
		io.WriteString(w, p.body)
		return
	}
	w.Header().Set("Content-Type", "application/entity-statement+jwt")
	switch sub := r.URL.Query().Get("sub"); {
	case r.URL.Path == "/.well-known/openid-federation":
		io.WriteString(w, e.configuration())
	case r.URL.Path == "/fetch" && e.below[sub] != nil && r.URL.Query().Get("v") == "1":
		io.WriteString(w, e.about(sub))
	default:
		http.Error(w, `{"error":"not_found"}`, http.StatusNotFound)
	}
}

// relyingParty is metadata of a good relying party.
func relyingParty(e *entity) map[string]any {
	return map[string]any{"client_name": "Ministry of Examples", "redirect_uris": []string{e.id + "/callback"}, "client_registration_types": []string{"automatic", "explicit"},
		"token_endpoint_auth_method": "private_key_jwt", "scope": "openid profile email", "jwks": e.keys()}
}

// answer is what an endpoint of ours said.
type answer struct {
	status int
	kind   string
	text   string
	body   map[string]any
}

func (w *world) get(path string, query url.Values) answer {
	w.t.Helper()
	resp, err := w.http.Get(provider + path + "?" + query.Encode())
	must(w.t, err)
	return read(w.t, resp)
}

func (w *world) post(path, kind, body string) answer {
	w.t.Helper()
	resp, err := w.http.Post(provider+path, kind, strings.NewReader(body))
	must(w.t, err)
	return read(w.t, resp)
}

func read(t *testing.T, resp *http.Response) answer {
	t.Helper()
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	must(t, err)
	a := answer{status: resp.StatusCode, kind: resp.Header.Get("Content-Type"), text: string(raw)}
	_ = json.Unmarshal(raw, &a.body) // what is signed is no JSON
	return a
}

// opens checks that an answer is a JWT of a type, signed by us, and gives its claims.
func (w *world) opens(a answer, typ string) map[string]any {
	w.t.Helper()
	if a.status != 200 || a.kind != "application/"+typ {
		w.t.Fatalf("got %d %s %s, want a %s", a.status, a.kind, a.text, typ)
	}
	parsed, err := jwt.ParseSigned(a.text, []jose.SignatureAlgorithm{jose.ES256})
	must(w.t, err)
	if got := parsed.Headers[0].ExtraHeaders["typ"]; got != typ {
		w.t.Fatalf("got typ %v, want %s", got, typ)
	}
	var claims map[string]any
	must(w.t, parsed.Claims(w.ours.key.Public(), &claims))
	return claims
}

// refuses checks an error of the protocol.
func (a answer) refuses(t *testing.T, status int, code string) {
	t.Helper()
	if a.status != status || a.body["error"] != code || a.body["error_description"] == "" {
		t.Fatalf("got %d %s, want %d %s", a.status, a.text, status, code)
	}
}

// refused checks an error of the package, and a word of its reason.
func refused(t *testing.T, err error, code, word string) {
	t.Helper()
	f := fault.Of(err)
	if f == nil || f.Code != code || !strings.Contains(f.Error(), word) {
		t.Fatalf("got %v, want %s because of %q", err, code, word)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
