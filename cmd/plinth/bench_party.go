package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"

	"github.com/plinth-id/plinth/registry"
)

// parties are relying parties that push, and the people with whom they do it.
type parties struct {
	url           string
	transport     *http.Transport
	http          *http.Client
	plain, strict *party
	people        []registry.Assigned
	browsers      []*browser
	grants        []*held
}

// party is a relying party with its keys.
type party struct {
	id     string
	signer jose.Signer
	bound  jose.Signer // signs DPoP proofs; nil: tokens are for whoever has them
}

type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

// held are tokens of one person, which one worker at a time renews.
type held struct {
	tokens
	mu sync.Mutex
}

func newParties(ctx context.Context, b *bench, workers int) (*parties, error) {
	p := &parties{url: b.url, transport: &http.Transport{MaxIdleConnsPerHost: 2 * workers}}
	p.http = &http.Client{Transport: p.transport}
	var err error
	if p.plain, err = newParty(ctx, b, "oidc"); err != nil {
		return nil, err
	}
	p.strict, err = newParty(ctx, b, "fapi2")
	return p, err
}

func newParty(ctx context.Context, b *bench, profile string) (*party, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "bench", Algorithm: "ES256", Use: "sig"}}}
	raw, err := json.Marshal(map[string]any{"client_name": "Benchmark " + profile, "plinth_profile": profile, "id_token_signed_response_alg": "ES256", "jwks": set, "scope": "openid profile email ssf.read",
		"redirect_uris": []string{b.url + "/demo/portal/callback"}, "grant_types": []string{"authorization_code", "refresh_token", "client_credentials"}})
	if err != nil {
		return nil, err
	}
	added, err := b.house.partners.Add(ctx, raw)
	if err != nil {
		return nil, err
	}
	c := &party{id: added.ID}
	if c.signer, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "bench"}}, nil); err != nil || profile == "oidc" {
		return c, err
	}
	bound, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	c.bound, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: bound}, (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt"))
	return c, err
}

// proof makes a DPoP proof for a request.
func (c *party) proof(method, address, access string) (string, error) {
	claims := map[string]any{"jti": rand.Text(), "htm": method, "htu": address, "iat": time.Now().Unix()}
	if access != "" {
		sum := sha256.Sum256([]byte(access))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return jwt.Signed(c.bound).Claims(claims).Serialize()
}

// call is a request to the server.
type call struct {
	header http.Header
	form   url.Values
}

func (p *parties) call(ctx context.Context, method, path string, c call, into any) error {
	r, err := http.NewRequestWithContext(ctx, method, p.url+path, strings.NewReader(c.form.Encode()))
	if err != nil {
		return err
	}
	for name, values := range c.header {
		r.Header[http.CanonicalHeaderKey(name)] = values
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := p.http.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return err
	}
	if answer.StatusCode >= 300 {
		return fmt.Errorf("%s answered %d %.200s", path, answer.StatusCode, raw)
	}
	return json.Unmarshal(raw, into)
}

// client sends a form that the party proves itself with.
func (p *parties) client(ctx context.Context, c *party, path string, form url.Values, into any) error {
	now := time.Now()
	assertion, err := jwt.Signed(c.signer).Claims(map[string]any{"iss": c.id, "sub": c.id, "aud": p.url, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}).Serialize()
	if err != nil {
		return err
	}
	form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	form.Set("client_assertion", assertion)
	header := http.Header{}
	if c.bound != nil && path == "/oidc/token" {
		proof, err := c.proof(http.MethodPost, p.url+path, "")
		if err != nil {
			return err
		}
		header.Set("DPoP", proof)
	}
	return p.call(ctx, http.MethodPost, path, call{header, form}, into)
}

func (p *parties) token(ctx context.Context, c *party, form url.Values) (t tokens, err error) {
	err = p.client(ctx, c, "/oidc/token", form, &t)
	return t, err
}

// login is a whole login up to the tokens: with a one-time code when somebody is
// named, in a browser where somebody is logged in when not. The person is asked
// what they allow, every time.
func (p *parties) login(ctx context.Context, c *party, b *browser, who *registry.Assigned) (t tokens, err error) {
	verifier, back := oauth2.GenerateVerifier(), p.url+"/demo/portal/callback"
	query := url.Values{"response_type": {"code"}, "client_id": {c.id}, "redirect_uri": {back}, "scope": {"openid profile offline_access"}, "prompt": {"consent"}, "nonce": {rand.Text()},
		"state": {rand.Text()}, "code_challenge": {oauth2.S256ChallengeFromVerifier(verifier)}, "code_challenge_method": {"S256"}}
	if c.bound != nil {
		var pushed struct {
			URI string `json:"request_uri"`
		}
		if err := p.client(ctx, c, "/oidc/par", query, &pushed); err != nil {
			return t, err
		}
		query = url.Values{"client_id": {c.id}, "request_uri": {pushed.URI}}
	}
	if err := b.do(ctx, http.MethodGet, p.url+"/oidc/authorize?"+query.Encode(), nil); err != nil {
		return t, err
	}
	steps := []step{{"/oidc/login/consent", url.Values{"decision": {"allow"}, "claim": {"name", "birthdate"}}}}
	if who != nil {
		steps = append([]step{{"/oidc/login/method", url.Values{"method": {"code"}}}, {"/oidc/login", url.Values{"identifier": {who.UIN.Reveal()}}}, {"/oidc/login/code", url.Values{"code": {"111111"}}}}, steps...)
	}
	for _, s := range steps {
		if err := b.submit(ctx, s.path, s.form); err != nil {
			return t, fmt.Errorf("%s: %w", s.path, err)
		}
	}
	return p.token(ctx, c, url.Values{"grant_type": {"authorization_code"}, "code": {b.at.Query().Get("code")}, "redirect_uri": {back}, "code_verifier": {verifier}})
}

// step is a form of a page.
type step struct {
	path string
	form url.Values
}
