package oidc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return key
}

// proof makes a DPoP proof; change may spoil it.
func (w *world) proof(t *testing.T, key *ecdsa.PrivateKey, method, path, access string, change func(claims map[string]any)) string {
	t.Helper()
	claims := map[string]any{"jti": rand.Text(), "htm": method, "htu": w.URL + path, "iat": w.now().Unix()}
	if access != "" {
		sum := sha256.Sum256([]byte(access))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	if change != nil {
		change(claims)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt"))
	must(t, err)
	raw, err := jwt.Signed(signer).Claims(claims).Serialize()
	must(t, err)
	return raw
}

// send posts a form with headers.
func (w *world) send(t *testing.T, path string, form url.Values, headers map[string]string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", w.URL+path, strings.NewReader(form.Encode()))
	must(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	return read(t, resp)
}

// ask fetches a resource with a token.
func (w *world) ask(t *testing.T, method, path string, headers map[string]string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, w.URL+path, nil)
	must(t, err)
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	return read(t, resp)
}

// fapi is a client of the strict profile, with the key that its tokens are bound to.
type fapi struct {
	rp
	bound *ecdsa.PrivateKey
}

func (w *world) strict(t *testing.T, more map[string]any) fapi {
	t.Helper()
	metadata := map[string]any{"plinth_profile": "fapi2", "grant_types": []string{"authorization_code", "refresh_token", "client_credentials"}}
	for name, value := range more {
		metadata[name] = value
	}
	return fapi{w.register(t, metadata), newKey(t)}
}

// pushes sends a request and gives the address for the browser.
func (w *world) pushes(t *testing.T, c rp, form url.Values) string {
	t.Helper()
	got := w.post(t, "/oidc/par", w.signed(t, c, form))
	if got.status != 201 {
		t.Fatalf("got %d %s, want a request_uri", got.status, got.text)
	}
	return w.asks(url.Values{"client_id": {c.id}, "request_uri": {got.str("request_uri")}})
}

// tokens logs in by the strict profile and gives the token response.
func (w *world) tokens(t *testing.T, c fapi, change func(url.Values), ticked ...string) answer {
	t.Helper()
	form := w.question(c.rp)
	if change != nil {
		change(form)
	}
	code := w.browser(t).login(t, w.pushes(t, c.rp, form), ticked...).Get("code")
	got := w.send(t, "/oidc/token", w.trade(t, c.rp, code), map[string]string{"DPoP": w.proof(t, c.bound, "POST", "/oidc/token", "", nil)})
	if got.status != 200 {
		t.Fatalf("got %d %s, want tokens", got.status, got.text)
	}
	return got
}

// info asks for userinfo with a bound token.
func (w *world) info(t *testing.T, c fapi, access string) answer {
	t.Helper()
	return w.ask(t, "GET", "/oidc/userinfo", map[string]string{"Authorization": "DPoP " + access, "DPoP": w.proof(t, c.bound, "GET", "/oidc/userinfo", access, nil)})
}

// object makes a signed request object of a request.
func (w *world) object(t *testing.T, c rp, form url.Values, change func(claims map[string]any)) string {
	t.Helper()
	claims := map[string]any{"iss": c.id, "aud": w.URL, "nbf": w.now().Unix(), "iat": w.now().Unix(), "exp": w.now().Add(5 * time.Minute).Unix()}
	for name := range form {
		claims[name] = form.Get(name)
	}
	if change != nil {
		change(claims)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: c.key, KeyID: "rp-1"}}, (&jose.SignerOptions{}).WithType("oauth-authz-req+jwt"))
	must(t, err)
	raw, err := jwt.Signed(signer).Claims(claims).Serialize()
	must(t, err)
	return raw
}

func basicAuth(c rp) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(c.id)+":"+url.QueryEscape(c.secret)))
}

// headerOf reads the header of a JWS without judging it.
func headerOf(t *testing.T, token string) map[string]any {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[0])
	must(t, err)
	var header map[string]any
	must(t, json.Unmarshal(raw, &header))
	return header
}

// published tells whether a key stands in the provider's set.
func published(t *testing.T, w *world, kid any) bool {
	t.Helper()
	for _, key := range w.ask(t, "GET", "/oidc/jwks", nil).body["keys"].([]any) {
		if key.(map[string]any)["kid"] == kid {
			return true
		}
	}
	return false
}
