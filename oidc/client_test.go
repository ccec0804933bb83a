package oidc_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// payload reads a token without judging it.
func payload(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("got %q, want a JWT", token)
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	must(t, err)
	var claims map[string]any
	must(t, json.Unmarshal(raw, &claims))
	return claims
}

// offer is a token request that any authenticated client may make: its answer to
// an unknown offer is invalid_grant, so invalid_client says what the assertion did.
func (w *world) proves(t *testing.T, assertion string) answer {
	t.Helper()
	return w.post(t, "/oidc/token", url.Values{"grant_type": {"authorization_code"}, "code": {"none"}, "code_verifier": {verifier}, "redirect_uri": {callback},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion}})
}

func TestASVS_10_4_10_AnAssertionMustBeTheClientsAndForUs(t *testing.T) {
	w := open(t)
	other := w.register(t, nil)
	now := w.now()
	for name, c := range map[string]struct {
		change func(map[string]any)
		good   bool
	}{
		"as it should be":           {nil, true},
		"for the token endpoint":    {func(m map[string]any) { m["aud"] = w.URL + "/oidc/token" }, true},
		"for us in a list":          {func(m map[string]any) { m["aud"] = []string{w.URL} }, true},
		"without iat":               {func(m map[string]any) { delete(m, "iat") }, true},
		"clock 8 s ahead":           {func(m map[string]any) { m["iat"] = now.Add(8 * time.Second).Unix() }, true},
		"for another server":        {func(m map[string]any) { m["aud"] = "https://evil.example" }, false},
		"for us and another server": {func(m map[string]any) { m["aud"] = []string{w.URL, "https://evil.example"} }, false},
		"for nobody":                {func(m map[string]any) { delete(m, "aud") }, false},
		"for us with a slash":       {func(m map[string]any) { m["aud"] = w.URL + "/" }, false},
		"of another issuer":         {func(m map[string]any) { m["iss"] = other.id }, false},
		"about another client":      {func(m map[string]any) { m["sub"] = other.id }, false},
		"of an unknown client":      {func(m map[string]any) { m["iss"], m["sub"] = "nobody", "nobody" }, false},
		"expired":                   {func(m map[string]any) { m["exp"] = now.Add(-time.Minute).Unix() }, false},
		"without end":               {func(m map[string]any) { delete(m, "exp") }, false},
		"for a year":                {func(m map[string]any) { m["exp"] = now.AddDate(1, 0, 0).Unix() }, false},
		"from the future":           {func(m map[string]any) { m["iat"] = now.Add(time.Minute).Unix() }, false},
		"not yet":                   {func(m map[string]any) { m["nbf"] = now.Add(time.Minute).Unix() }, false},
		"without jti":               {func(m map[string]any) { delete(m, "jti") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			got := w.proves(t, w.says(t, w.rp, c.change))
			if c.good {
				got.refuses(t, 400, "invalid_grant")
			} else {
				got.refuses(t, 401, "invalid_client")
			}
		})
	}
}

func TestAnAssertionIsUsedOnce(t *testing.T) {
	w := open(t)
	assertion := w.says(t, w.rp, nil)
	w.proves(t, assertion).refuses(t, 400, "invalid_grant")
	w.proves(t, assertion).refuses(t, 401, "invalid_client")
	// The same jti of another client is another one.
	other := w.register(t, nil)
	same := func(m map[string]any) { m["jti"] = "one" }
	w.proves(t, w.says(t, w.rp, same)).refuses(t, 400, "invalid_grant")
	w.proves(t, w.says(t, other, same)).refuses(t, 400, "invalid_grant")
}

func TestASVS_9_1_2_AssertionsAreSignedWithWhatIsAllowed(t *testing.T) {
	w := open(t)
	strong, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	keysOf := func(alg jose.SignatureAlgorithm, public any) map[string]any {
		return map[string]any{"jwks": jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: public, KeyID: "k", Algorithm: string(alg), Use: "sig"}}}}
	}
	sign := func(id string, alg jose.SignatureAlgorithm, key any) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "k"))
		must(t, err)
		raw, err := jwt.Signed(signer).Claims(jwt.Claims{Issuer: id, Subject: id, Audience: jwt.Audience{w.URL}, ID: rand.Text(),
			Expiry: jwt.NewNumericDate(w.now().Add(time.Minute))}).Serialize()
		must(t, err)
		return raw
	}
	for _, c := range []struct {
		alg         jose.SignatureAlgorithm
		key, public any
	}{{jose.PS256, strong, strong.Public()}, {jose.RS256, strong, strong.Public()}, {jose.EdDSA, edwards, edwards.Public()}} {
		known := w.register(t, keysOf(c.alg, c.public))
		w.proves(t, sign(known.id, c.alg, c.key)).refuses(t, 400, "invalid_grant")
	}
	pinned := w.register(t, keysOf(jose.PS256, strong.Public()))
	w.proves(t, sign(pinned.id, jose.RS256, strong)).refuses(t, 401, "invalid_client")
	stranger := w.register(t, nil)
	w.proves(t, w.says(t, rp{id: stranger.id, key: w.rp.key}, nil)).refuses(t, 401, "invalid_client")
	// The public key taken for a shared secret, and no signature at all.
	secret, err := json.Marshal(w.rp.key.X.Bytes())
	must(t, err)
	w.proves(t, sign(w.rp.id, jose.HS256, secret)).refuses(t, 401, "invalid_client")
	bare := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + strings.Split(w.says(t, w.rp, nil), ".")[1] + "."
	w.proves(t, bare).refuses(t, 401, "invalid_client")
	w.proves(t, "rubbish").refuses(t, 401, "invalid_client")
}

// FAPI 2.0, 5.3.2.1: the issuer as a string and nothing else.
func TestAFAPIClientAddressesTheIssuerAlone(t *testing.T) {
	w := open(t)
	strict := w.register(t, map[string]any{"plinth_profile": "fapi2"})
	for _, aud := range []any{w.URL + "/oidc/token", w.URL + "/oidc/par", []string{w.URL}} {
		w.proves(t, w.says(t, strict, func(m map[string]any) { m["aud"] = aud })).refuses(t, 401, "invalid_client")
	}
	w.proves(t, w.says(t, strict, nil)).refuses(t, 400, "invalid_dpop_proof")
}
