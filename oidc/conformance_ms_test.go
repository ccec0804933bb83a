package oidc_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// messages is a client as the plan "fapi2-message-signing-final" has it: signed
// requests (JAR), signed answers (JARM), private_key_jwt and DPoP.
type messages struct {
	*world
	c, second fapi
	form      url.Values // what is asked, inside of the request object
	outside   url.Values // what stands beside it at the authorization endpoint
}

// pushed sends a request object, which may be changed.
func (m *messages) pushed(t *testing.T, change func(map[string]any)) answer {
	t.Helper()
	return m.push(t, m.object(t, m.c.rp, m.form, change))
}

func (m *messages) push(t *testing.T, object string) answer {
	t.Helper()
	return m.post(t, "/oidc/par", m.signed(t, m.c.rp, url.Values{"client_id": {m.c.id}, "request": {object}}))
}

// answered logs in and reads the signed answer.
func (m *messages) answered(t *testing.T, change func(map[string]any)) map[string]any {
	t.Helper()
	got := m.pushed(t, change)
	if got.status != 201 {
		t.Fatalf("got %d %s, want it taken", got.status, got.text)
	}
	query := url.Values{"client_id": {m.c.id}, "request_uri": {got.str("request_uri")}}
	maps.Copy(query, m.outside)
	said := m.browser(t).login(t, m.asks(query))
	if len(said) != 1 || said.Get("response") == "" {
		t.Fatalf("got %v, want one signed answer", said)
	}
	claims := payload(t, said.Get("response"))
	if claims["iss"] != m.URL || claims["aud"] != m.c.id || claims["code"] == nil || claims["exp"].(float64) > float64(m.now().Add(10*time.Minute).Unix()) {
		t.Errorf("got %v, want a code for this client", claims)
	}
	return claims
}

// happy goes the whole way.
func (m *messages) happy(t *testing.T, change func(map[string]any)) (said map[string]any, tokens answer) {
	t.Helper()
	said = m.answered(t, change)
	tokens = m.send(t, "/oidc/token", m.trade(t, m.c.rp, said["code"].(string)), map[string]string{"DPoP": m.proof(t, m.c.bound, "POST", "/oidc/token", "", nil)})
	if tokens.status != 200 {
		t.Fatalf("got %d %s, want tokens", tokens.status, tokens.text)
	}
	return said, tokens
}

func saying(name string, value any) func(map[string]any) {
	return func(m map[string]any) { m[name] = value }
}
func omitting(name string) func(map[string]any) { return func(m map[string]any) { delete(m, name) } }

// One test a module that has something to do with messages, by the suite's own names
// without "fapi2-security-profile-final-"; the rest is in TestFAPI2SecurityProfileFinal.
func TestFAPI2MessageSigningFinal(t *testing.T) {
	fails := func(change func(m *messages) func(map[string]any)) func(t *testing.T, m *messages) {
		return func(t *testing.T, m *messages) {
			refusedAt(t, m.pushed(t, change(m)), "invalid_request", "invalid_request_object")
		}
	}
	at := func(claim string, by time.Duration) func(m *messages) func(map[string]any) {
		return func(m *messages) func(map[string]any) { return saying(claim, m.now().Add(by).Unix()) }
	}
	for name, module := range map[string]func(t *testing.T, m *messages){
		"happy-flow": func(t *testing.T, m *messages) { m.happy(t, nil) },
		"discovery-end-point-verification": func(t *testing.T, m *messages) {
			got := m.ask(t, "GET", "/.well-known/openid-configuration", nil).body
			for member, want := range map[string]string{"request_object_signing_alg_values_supported": "ES256", "authorization_signing_alg_values_supported": "PS256",
				"response_modes_supported": "jwt", "introspection_signing_alg_values_supported": "ES256"} {
				if list, _ := got[member].([]any); !slices.Contains(list, any(want)) {
					t.Errorf("%s: got %v, want %s in it", member, got[member], want)
				}
			}
			if got["request_parameter_supported"] != true {
				t.Errorf("got request_parameter_supported %v", got["request_parameter_supported"])
			}
		},
		"user-rejects-authentication": func(t *testing.T, m *messages) {
			b := m.browser(t)
			page := b.toConsent(t, b.get(t, m.asks(url.Values{"client_id": {m.c.id}, "request_uri": {m.pushed(t, nil).str("request_uri")}})))
			claims := payload(t, back(t, b.submit(t, page, "/oidc/login/consent", url.Values{"decision": {"deny"}})).Get("response"))
			if claims["error"] != "access_denied" || claims["state"] != "s" || claims["iss"] != m.URL || claims["aud"] != m.c.id {
				t.Errorf("got %v, want access_denied, signed", claims)
			}
		},
		"ensure-request-object-with-multiple-aud-succeeds": func(t *testing.T, m *messages) {
			m.happy(t, saying("aud", []string{"https://other.example", m.URL}))
		},
		"ensure-authorization-request-without-state-success": func(t *testing.T, m *messages) {
			if said, _ := m.happy(t, omitting("state")); said["state"] != nil {
				t.Errorf("got %v, want no state", said)
			}
		},
		"ensure-request-object-with-nbf-8-seconds-in-the-future-is-accepted": func(t *testing.T, m *messages) {
			m.happy(t, saying("nbf", m.now().Add(8*time.Second).Unix()))
		},
		"ensure-different-nonce-inside-and-outside-request-object": func(t *testing.T, m *messages) {
			m.outside = url.Values{"nonce": {"another"}}
			if _, tokens := m.happy(t, nil); payload(t, tokens.str("id_token"))["nonce"] != m.form.Get("nonce") {
				t.Error("want the nonce of inside")
			}
		},
		"ensure-different-state-inside-and-outside-request-object": func(t *testing.T, m *messages) {
			m.outside = url.Values{"state": {"another"}}
			if said, _ := m.happy(t, nil); said["state"] != "s" {
				t.Errorf("got %v, want the state of inside", said)
			}
		},
		"state-only-outside-request-object-not-used": func(t *testing.T, m *messages) {
			m.outside = url.Values{"state": {"another"}}
			if said, tokens := m.happy(t, omitting("state")); said["state"] != nil || payload(t, tokens.str("id_token"))["s_hash"] != nil {
				t.Errorf("got %v, want no state", said)
			}
		},
		"ensure-request-object-without-exp-fails": fails(func(*messages) func(map[string]any) { return omitting("exp") }),
		"ensure-request-object-without-nbf-fails": fails(func(*messages) func(map[string]any) { return omitting("nbf") }),
		"ensure-request-object-without-redirect-uri-fails": func(t *testing.T, m *messages) {
			refusedAt(t, m.pushed(t, omitting("redirect_uri")), "invalid_request", "invalid_request_object")
		},
		"ensure-expired-request-object-fails":          fails(at("exp", -time.Minute)),
		"ensure-request-object-with-exp-over-60-fails": fails(at("exp", 70*time.Minute)),
		"ensure-request-object-with-nbf-over-60-fails": fails(at("nbf", -70*time.Minute)),
		"ensure-request-object-with-bad-aud-fails": fails(func(*messages) func(map[string]any) {
			return saying("aud", "https://other.example")
		}),
		"ensure-signed-request-object-with-RS256-fails": func(t *testing.T, m *messages) {
			key, err := rsa.GenerateKey(rand.Reader, 2048)
			must(t, err)
			m.c = m.strict(t, map[string]any{"plinth_profile": "fapi2-ms", "jwks": jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "rsa", Use: "sig"}, {Key: m.c.key.Public(), KeyID: "rp-1", Use: "sig"}}}})
			m.form.Set("client_id", m.c.id)
			claims := payload(t, m.object(t, m.c.rp, m.form, nil))
			for alg, want := range map[jose.SignatureAlgorithm]int{jose.PS256: 201, jose.RS256: 400} {
				signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: "rsa"}}, nil)
				must(t, err)
				object, err := jwt.Signed(signer).Claims(claims).Serialize()
				must(t, err)
				form := url.Values{"client_id": {m.c.id}, "request": {object}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {m.saysBy(t, m.c.rp, key)}}
				if got := m.post(t, "/oidc/par", form); got.status != want {
					t.Errorf("%s: got %d %s, want %d", alg, got.status, got.text, want)
				}
			}
		},
		"ensure-request-object-signature-algorithm-is-not-none": func(t *testing.T, m *messages) {
			_, rest, _ := strings.Cut(m.object(t, m.c.rp, m.form, nil), ".")
			body, _, _ := strings.Cut(rest, ".")
			none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + body + "."
			refusedAt(t, m.push(t, none), "invalid_request", "invalid_request_object", "request_not_supported")
		},
		"ensure-request-object-with-invalid-signature-fails": func(t *testing.T, m *messages) {
			object := []byte(m.object(t, m.c.rp, m.form, nil))
			object[len(object)-9] ^= 1
			refusedAt(t, m.push(t, string(object)), "invalid_request_object")
		},
		"ensure-matching-key-in-authorization-request": func(t *testing.T, m *messages) {
			refusedAt(t, m.push(t, m.object(t, rp{id: m.c.id, key: m.second.key}, m.form, nil)), "invalid_request_object")
		},
		"ensure-unsigned-request-at-par-endpoint-fails": func(t *testing.T, m *messages) {
			refusedAt(t, m.post(t, "/oidc/par", m.signed(t, m.c.rp, m.form)), "invalid_request", "invalid_request_object")
		},
		"par-authorization-request-containing-request_uri": func(t *testing.T, m *messages) {
			refusedAt(t, m.pushed(t, saying("request_uri", "urn:ietf:params:oauth:request_uri:x")), "invalid_request", "invalid_request_object")
		},
		"ensure-response-type-token-fails": func(t *testing.T, m *messages) {
			refusedAt(t, m.pushed(t, saying("response_type", "token")), "invalid_request", "unsupported_response_type", "unauthorized_client")
		},
		"par-plain-pkce-rejected": func(t *testing.T, m *messages) {
			refusedAt(t, m.pushed(t, saying("code_challenge_method", "plain")), "invalid_request")
		},
		"introspection-is-signed": func(t *testing.T, m *messages) { // FAPI 2.0 Message Signing 5.5
			_, tokens := m.happy(t, nil)
			got := m.send(t, "/oidc/introspect", m.signed(t, m.c.rp, url.Values{"token": {tokens.str("access_token")}}), map[string]string{"Accept": "application/token-introspection+jwt"})
			if got.status != 200 || got.header.Get("Content-Type") != "application/token-introspection+jwt" {
				t.Fatalf("got %d %s %s, want a signed answer", got.status, got.header.Get("Content-Type"), got.text)
			}
			claims := payload(t, got.text)
			inside, _ := claims["token_introspection"].(map[string]any)
			if headerOf(t, got.text)["typ"] != "token-introspection+jwt" || claims["iss"] != m.URL || claims["aud"] != m.c.id || inside["active"] != true || claims["exp"] != nil || claims["sub"] != nil {
				t.Errorf("got %v, want the answer of RFC 9701", claims)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open(t)
			more := map[string]any{"plinth_profile": "fapi2-ms"}
			m := &messages{world: w, c: w.strict(t, more), second: w.strict(t, more)}
			m.form = w.question(m.c.rp)
			m.form.Set("response_mode", "jwt")
			module(t, m)
		})
	}
}

// saysBy is a client assertion by an RSA key.
func (w *world) saysBy(t *testing.T, c rp, key *rsa.PrivateKey) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.PS256, Key: jose.JSONWebKey{Key: key, KeyID: "rsa"}}, nil)
	must(t, err)
	raw, err := jwt.Signed(signer).Claims(map[string]any{"iss": c.id, "sub": c.id, "aud": w.URL, "jti": rand.Text(), "iat": w.now().Unix(), "exp": w.now().Add(time.Minute).Unix()}).Serialize()
	must(t, err)
	return raw
}
