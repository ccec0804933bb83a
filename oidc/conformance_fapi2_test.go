package oidc_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// suite is a pair of clients as the plan "fapi2-security-profile-final" has them:
// private_key_jwt, DPoP, OpenID Connect.
type suite struct {
	*world
	c, second fapi
}

// par pushes a request; assertion changes the client's assertion.
func (s *suite) par(t *testing.T, change func(url.Values), assertion func(map[string]any)) answer {
	t.Helper()
	form := s.question(s.c.rp)
	if change != nil {
		change(form)
	}
	form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	form.Set("client_assertion", s.says(t, s.c.rp, assertion))
	return s.post(t, "/oidc/par", form)
}

// code logs in with what was pushed.
func (s *suite) code(t *testing.T, change func(url.Values)) string {
	t.Helper()
	pushed := s.par(t, change, nil)
	if pushed.status != 201 {
		t.Fatalf("got %d %s, want it taken", pushed.status, pushed.text)
	}
	said := s.browser(t).login(t, s.at(pushed))
	if said.Get("code") == "" || said.Get("iss") != s.URL {
		t.Fatalf("got %v, want a code and our name", said)
	}
	return said.Get("code")
}

func (s *suite) at(pushed answer) string {
	return s.asks(url.Values{"client_id": {s.c.id}, "request_uri": {pushed.str("request_uri")}})
}

// redeems sends a code with a proof; the form and the proof can be changed.
func (s *suite) redeems(t *testing.T, code string, change func(url.Values), proof func(map[string]any)) answer {
	t.Helper()
	form := s.trade(t, s.c.rp, code)
	if change != nil {
		change(form)
	}
	return s.send(t, "/oidc/token", form, map[string]string{"DPoP": s.proof(t, s.c.bound, "POST", "/oidc/token", "", proof)})
}

// happy wants the whole flow to work.
func (s *suite) happy(t *testing.T, change func(url.Values)) answer {
	t.Helper()
	got := s.redeems(t, s.code(t, change), nil, nil)
	if got.status != 200 || got.str("token_type") != "DPoP" {
		t.Fatalf("got %d %s, want tokens", got.status, got.text)
	}
	if info := s.info(t, s.c, got.str("access_token")); info.status != 200 {
		t.Fatalf("got %d %s at the resource", info.status, info.text)
	}
	return got
}

func set(name, value string) func(url.Values) { return func(f url.Values) { f.Set(name, value) } }
func del(names ...string) func(url.Values) {
	return func(f url.Values) {
		for _, name := range names {
			f.Del(name)
		}
	}
}

// refusedAt wants PAR to refuse with one of these errors.
func refusedAt(t *testing.T, got answer, codes ...string) {
	t.Helper()
	if got.status < 400 || got.status >= 500 || !slices.Contains(codes, got.str("error")) {
		t.Errorf("got %d %s, want one of %v", got.status, got.text, codes)
	}
}

// One test a module, by the suite's own names without "fapi2-security-profile-final-".
func TestFAPI2SecurityProfileFinal(t *testing.T) {
	ahead := func(claim string, by time.Duration) func(s *suite) func(map[string]any) {
		return func(s *suite) func(map[string]any) {
			return func(m map[string]any) { m[claim] = s.now().Add(by).Unix() }
		}
	}
	for name, module := range map[string]func(t *testing.T, s *suite){
		"happy-flow": func(t *testing.T, s *suite) { s.happy(t, nil) },
		"discovery-end-point-verification": func(t *testing.T, s *suite) {
			m := s.ask(t, "GET", "/.well-known/openid-configuration", nil).body
			for member, want := range map[string]string{"token_endpoint_auth_methods_supported": "private_key_jwt", "dpop_signing_alg_values_supported": "ES256", "code_challenge_methods_supported": "S256",
				"id_token_signing_alg_values_supported": "ES256", "token_endpoint_auth_signing_alg_values_supported": "PS256", "response_types_supported": "code"} {
				if list, _ := m[member].([]any); !slices.Contains(list, any(want)) {
					t.Errorf("%s: got %v, want %s in it", member, m[member], want)
				}
			}
			if m["authorization_response_iss_parameter_supported"] != true || m["pushed_authorization_request_endpoint"] == nil || m["issuer"] != s.URL {
				t.Errorf("got %v", m)
			}
		},
		"access-token-type-header-case-sensitivity": func(t *testing.T, s *suite) {
			access := s.happy(t, nil).str("access_token")
			for _, scheme := range []string{"dpop", "DPOP", "dPoP"} {
				if got := s.ask(t, "GET", "/oidc/userinfo", map[string]string{"Authorization": scheme + " " + access, "DPoP": s.proof(t, s.c.bound, "GET", "/oidc/userinfo", access, nil)}); got.status != 200 {
					t.Errorf("%s: got %d %s", scheme, got.status, got.text)
				}
			}
		},
		"attempt-reuse-authorization-code-after-one-second": func(t *testing.T, s *suite) {
			code := s.code(t, nil)
			first := s.redeems(t, code, nil, nil)
			s.ahead.Store(int64(time.Second))
			s.redeems(t, code, nil, nil).refuses(t, 400, "invalid_grant")
			if info := s.info(t, s.c, first.str("access_token")); info.status != 401 {
				t.Errorf("got %d, want the token ended", info.status)
			}
		},
		"check-dpop-proof-nbf-exp": func(t *testing.T, s *suite) {
			got := s.redeems(t, s.code(t, nil), nil, func(m map[string]any) { m["nbf"], m["exp"] = s.now().Unix(), s.now().Add(5*time.Minute).Unix() })
			if got.status != 200 {
				t.Errorf("got %d %s", got.status, got.text)
			}
		},
		"dpop-negative-tests": func(t *testing.T, s *suite) {
			access := s.happy(t, nil).str("access_token")
			for what, proof := range map[string]string{"not well-formed": "x.y", "none": "", "for another path": s.proof(t, s.c.bound, "GET", "/oidc/other", access, nil),
				"without htm": s.proof(t, s.c.bound, "GET", "/oidc/userinfo", access, func(m map[string]any) { delete(m, "htm") }), "without htu": s.proof(t, s.c.bound, "GET", "/oidc/userinfo", access, func(m map[string]any) { delete(m, "htu") }),
				"without iat": s.proof(t, s.c.bound, "GET", "/oidc/userinfo", access, func(m map[string]any) { delete(m, "iat") }), "without ath": s.proof(t, s.c.bound, "GET", "/oidc/userinfo", "", nil)} {
				if got := s.ask(t, "GET", "/oidc/userinfo", map[string]string{"Authorization": "DPoP " + access, "DPoP": proof}); got.status != 400 && got.status != 401 {
					t.Errorf("%s: got %d %s", what, got.status, got.text)
				}
			}
			// A query is no part of htu.
			if got := s.ask(t, "GET", "/oidc/userinfo?x=1", map[string]string{"Authorization": "DPoP " + access, "DPoP": s.proof(t, s.c.bound, "GET", "/oidc/userinfo", access, nil)}); got.status != 200 {
				t.Errorf("got %d %s with a query", got.status, got.text)
			}
		},
		"ensure-authorization-code-is-bound-to-client": func(t *testing.T, s *suite) {
			code := s.code(t, nil)
			form := s.trade(t, s.second.rp, code)
			s.send(t, "/oidc/token", form, map[string]string{"DPoP": s.proof(t, s.second.bound, "POST", "/oidc/token", "", nil)}).refuses(t, 400, "invalid_grant")
		},
		"ensure-authorization-request-with-64-char-nonce-success": func(t *testing.T, s *suite) {
			nonce := strings.Repeat("n", 64)
			if id := payload(t, s.happy(t, set("nonce", nonce)).str("id_token")); id["nonce"] != nonce {
				t.Errorf("got nonce %v", id["nonce"])
			}
		},
		"ensure-authorization-request-with-long-nonce":       func(t *testing.T, s *suite) { s.happy(t, set("nonce", strings.Repeat("n", 1000))) },
		"ensure-authorization-request-with-long-state":       func(t *testing.T, s *suite) { s.happy(t, set("state", strings.Repeat("s", 1000))) },
		"ensure-authorization-request-without-nonce-success": func(t *testing.T, s *suite) { s.happy(t, del("nonce")) },
		"ensure-authorization-request-without-state-success": func(t *testing.T, s *suite) { s.happy(t, del("state")) },
		"ensure-other-scope-order-succeeds":                  func(t *testing.T, s *suite) { s.happy(t, set("scope", "profile openid")) },
		"test-claims-parameter-identity-claims": func(t *testing.T, s *suite) {
			s.happy(t, set("claims", `{"id_token":{"name":null},"userinfo":{"birthdate":null}}`))
		},
		"ensure-dpop-auth-code-binding-success": func(t *testing.T, s *suite) { s.happy(t, set("dpop_jkt", thumbprint(t, s.c))) },
		"ensure-client-assertion-in-token-endpoint": func(t *testing.T, s *suite) {
			refusedAt(t, s.redeems(t, s.code(t, nil), del("client_assertion", "client_assertion_type"), nil), "invalid_client")
		},
		"ensure-client-id-in-token-endpoint": func(t *testing.T, s *suite) {
			refusedAt(t, s.redeems(t, s.code(t, nil), set("client_id", s.second.id), nil), "invalid_client")
		},
		"ensure-pkce-code-verifier-required": func(t *testing.T, s *suite) {
			s.redeems(t, s.code(t, nil), del("code_verifier"), nil).refuses(t, 400, "invalid_grant")
		},
		"incorrect-pkce-code-verifier-rejected": func(t *testing.T, s *suite) {
			s.redeems(t, s.code(t, nil), set("code_verifier", strings.Repeat("x", 50)), nil).refuses(t, 400, "invalid_grant")
		},
		"par-ensure-pkce-required": func(t *testing.T, s *suite) {
			refusedAt(t, s.par(t, del("code_challenge", "code_challenge_method"), nil), "invalid_request")
		},
		"par-plain-pkce-rejected": func(t *testing.T, s *suite) {
			refusedAt(t, s.par(t, set("code_challenge_method", "plain"), nil), "invalid_request")
		},
		"ensure-response-type-code-idtoken-fails": func(t *testing.T, s *suite) {
			refusedAt(t, s.par(t, set("response_type", "code id_token"), nil), "unsupported_response_type", "invalid_request")
		},
		"ensure-response-type-token-fails": func(t *testing.T, s *suite) {
			refusedAt(t, s.par(t, set("response_type", "token"), nil), "unsupported_response_type", "invalid_request")
		},
		"ensure-redirect-uri-in-authorization-request": func(t *testing.T, s *suite) { refusedAt(t, s.par(t, del("redirect_uri"), nil), "invalid_request") },
		"ensure-registered-redirect-uri": func(t *testing.T, s *suite) {
			refusedAt(t, s.par(t, set("redirect_uri", callback+"/x"), nil), "invalid_request")
		},
		"par-test-array-as-audience-fails": func(t *testing.T, s *suite) {
			refusedAt(t, s.par(t, nil, func(m map[string]any) { m["aud"] = []string{s.URL} }), "invalid_client")
		},
		"par-test-par-endpoint-url-as-audience-fails": func(t *testing.T, s *suite) {
			refusedAt(t, s.par(t, nil, func(m map[string]any) { m["aud"] = s.URL + "/oidc/par" }), "invalid_client")
		},
		"par-test-token-endpoint-url-as-audience-fails": func(t *testing.T, s *suite) {
			refusedAt(t, s.par(t, nil, func(m map[string]any) { m["aud"] = s.URL + "/oidc/token" }), "invalid_client")
		},
		"ensure-client-assertion-with-wrong-aud-fails": func(t *testing.T, s *suite) {
			refusedAt(t, s.par(t, nil, func(m map[string]any) { m["aud"] = "https://other.example" }), "invalid_client")
		},
		"ensure-client-assertion-with-no-sub-fails": func(t *testing.T, s *suite) {
			refusedAt(t, s.par(t, nil, func(m map[string]any) { delete(m, "sub") }), "invalid_client")
		},
		"ensure-client-assertion-with-exp-is-5-minutes-in-past-fails": func(t *testing.T, s *suite) {
			refusedAt(t, s.par(t, nil, ahead("exp", -5*time.Minute)(s)), "invalid_client")
		},
		"par-ensure-jwt-client-assertions-nbf-8-seconds-in-the-future-is-accepted": func(t *testing.T, s *suite) {
			if got := s.par(t, nil, ahead("nbf", 8*time.Second)(s)); got.status != 201 {
				t.Errorf("got %d %s", got.status, got.text)
			}
		},
		"par-ensure-jwt-client-assertions-nbf-over-60-seconds-in-the-future-fails": func(t *testing.T, s *suite) {
			refusedAt(t, s.par(t, nil, ahead("nbf", 70*time.Second)(s)), "invalid_client")
		},
		"ensure-dpopproof-with-iat-10seconds-after-succeeds":  func(t *testing.T, s *suite) { s.proofAt(t, 9*time.Second) },
		"ensure-dpopproof-with-iat-10seconds-before-succeeds": func(t *testing.T, s *suite) { s.proofAt(t, -10*time.Second) },
		"ensure-dpopproof-at-par-endpoint-binding-success": func(t *testing.T, s *suite) {
			got := s.send(t, "/oidc/par", s.signed(t, s.c.rp, s.question(s.c.rp)), map[string]string{"DPoP": s.proof(t, s.c.bound, "POST", "/oidc/par", "", nil)})
			if token := s.redeems(t, s.browser(t).login(t, s.at(got)).Get("code"), nil, nil); token.status != 200 {
				t.Errorf("got %d %s", token.status, token.text)
			}
		},
		"ensure-token-endpoint-fails-with-mismatched-dpop-jkt": func(t *testing.T, s *suite) {
			refusedAt(t, s.redeems(t, s.code(t, set("dpop_jkt", strings.Repeat("A", 43))), nil, nil), "invalid_dpop_proof", "invalid_grant", "invalid_request")
		},
		"ensure-mismatched-dpop-jkt-fails": func(t *testing.T, s *suite) {
			form := s.question(s.c.rp)
			form.Set("dpop_jkt", strings.Repeat("A", 43))
			refusedAt(t, s.send(t, "/oidc/par", s.signed(t, s.c.rp, form), map[string]string{"DPoP": s.proof(t, s.c.bound, "POST", "/oidc/par", "", nil)}), "invalid_dpop_proof", "invalid_request")
		},
		"ensure-token-endpoint-fails-with-mismatched-dpop-proof-jkt": func(t *testing.T, s *suite) {
			got := s.send(t, "/oidc/par", s.signed(t, s.c.rp, s.question(s.c.rp)), map[string]string{"DPoP": s.proof(t, s.second.bound, "POST", "/oidc/par", "", nil)})
			refusedAt(t, s.redeems(t, s.browser(t).login(t, s.at(got)).Get("code"), nil, nil), "invalid_dpop_proof", "invalid_grant", "invalid_request")
		},
		"ensure-holder-of-key-required": func(t *testing.T, s *suite) {
			refusedAt(t, s.post(t, "/oidc/token", s.trade(t, s.c.rp, s.code(t, nil))), "invalid_dpop_proof", "invalid_request")
		},
		"ensure-unsigned-authorization-request-without-using-par-fails": func(t *testing.T, s *suite) {
			if said := back(t, s.browser(t).get(t, s.asks(s.question(s.c.rp)))); said.Get("error") != "invalid_request" {
				t.Errorf("got %v", said)
			}
		},
		"ensure-token-endpoint-fails-with-expired-auth-code": func(t *testing.T, s *suite) {
			code := s.code(t, nil)
			s.ahead.Store(int64(62 * time.Second))
			s.redeems(t, code, nil, nil).refuses(t, 400, "invalid_grant")
		},
		"par-attempt-invalid-http-method": func(t *testing.T, s *suite) {
			if got := s.ask(t, "GET", "/oidc/par", nil); got.status != http.StatusMethodNotAllowed {
				t.Errorf("got %d", got.status)
			}
		},
		"par-ensure-reused-request-uri-prior-to-auth-completion-succeeds": func(t *testing.T, s *suite) {
			pushed, b := s.par(t, nil, nil), s.browser(t)
			if first := b.get(t, s.at(pushed)); first.status != 200 {
				t.Fatalf("got %d", first.status)
			}
			if got := s.redeems(t, b.login(t, s.at(pushed)).Get("code"), nil, nil); got.status != 200 {
				t.Errorf("got %d %s", got.status, got.text)
			}
		},
		"par-attempt-reuse-request_uri": func(t *testing.T, s *suite) {
			pushed, b := s.par(t, nil, nil), s.browser(t)
			b.login(t, s.at(pushed))
			if again := b.get(t, s.at(pushed)); again.status != 400 || again.header.Get("Location") != "" {
				t.Errorf("got %d %s, want it shown here", again.status, again.text)
			}
		},
		"par-ensure-request-uri-is-bound-to-client": func(t *testing.T, s *suite) {
			pushed := s.par(t, nil, nil)
			if got := s.browser(t).get(t, s.asks(url.Values{"client_id": {s.second.id}, "request_uri": {pushed.str("request_uri")}})); got.status != 400 {
				t.Errorf("got %d", got.status)
			}
		},
		"par-attempt-to-use-expired-request_uri": func(t *testing.T, s *suite) {
			pushed := s.par(t, nil, nil)
			seconds, _ := pushed.body["expires_in"].(float64)
			s.ahead.Store(int64(time.Duration(seconds+1) * time.Second))
			if got := s.browser(t).get(t, s.at(pushed)); seconds == 0 || got.status != 400 || got.header.Get("Location") != "" {
				t.Errorf("got %d %s after %v seconds, want it shown here", got.status, got.text, seconds)
			}
		},
		"par-authorization-request-containing-request_uri-form-param": func(t *testing.T, s *suite) {
			refusedAt(t, s.par(t, set("request_uri", "urn:ietf:params:oauth:request_uri:x"), nil), "invalid_request")
		},
		"plain-fapi-tolerate-unregistered-redirect-uri": func(t *testing.T, s *suite) { // RFC 9126 2.4 allows it; we do not
			refusedAt(t, s.par(t, set("redirect_uri", "https://rp.example/unregistered"), nil), "invalid_request", "invalid_redirect_uri")
		},
		"par-without-duplicate-parameters": func(t *testing.T, s *suite) {
			pushed := s.par(t, nil, nil)
			if page := s.browser(t).get(t, s.at(pushed)); page.status != 200 {
				t.Errorf("got %d %s", page.status, page.text)
			}
		},
		"ensure-signed-client-assertion-with-RS256-fails": func(t *testing.T, s *suite) {
			key, err := rsa.GenerateKey(rand.Reader, 2048)
			must(t, err)
			c := s.register(t, map[string]any{"plinth_profile": "fapi2", "jwks": jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "rsa", Use: "sig"}}}})
			for alg, want := range map[jose.SignatureAlgorithm]int{jose.RS256: 401, jose.PS256: 201} {
				signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: "rsa"}}, nil)
				must(t, err)
				raw, err := jwt.Signed(signer).Claims(map[string]any{"iss": c.id, "sub": c.id, "aud": s.URL, "jti": rand.Text(), "exp": s.now().Add(time.Minute).Unix()}).Serialize()
				must(t, err)
				form := s.question(c)
				form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
				form.Set("client_assertion", raw)
				if got := s.post(t, "/oidc/par", form); got.status != want {
					t.Errorf("%s: got %d %s, want %d", alg, got.status, got.text, want)
				}
			}
		},
		"user-rejects-authentication": func(t *testing.T, s *suite) {
			b := s.browser(t)
			if said := back(t, b.submit(t, b.get(t, s.at(s.par(t, nil, nil))), "/oidc/login/cancel", url.Values{})); said.Get("error") != "access_denied" || said.Get("iss") != s.URL {
				t.Errorf("got %v", said)
			}
		},
		"refresh-token": func(t *testing.T, s *suite) {
			first := s.happy(t, func(f url.Values) { f.Set("scope", "openid offline_access"); f.Set("prompt", "consent") })
			refresh := func(c fapi, proof bool) answer {
				headers := map[string]string{}
				if proof {
					headers["DPoP"] = s.proof(t, c.bound, "POST", "/oidc/token", "", nil)
				}
				return s.send(t, "/oidc/token", s.signed(t, c.rp, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first.str("refresh_token")}}), headers)
			}
			if got := refresh(s.c, true); got.status != 200 {
				t.Errorf("got %d %s", got.status, got.text)
			}
			refusedAt(t, refresh(s.second, true), "invalid_grant")
			refusedAt(t, refresh(s.c, false), "invalid_dpop_proof", "invalid_request")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t)
			module(t, &suite{w, w.strict(t, nil), w.strict(t, nil)})
		})
	}
}

// proofAt wants a proof by a clock that is off to be taken.
func (s *suite) proofAt(t *testing.T, by time.Duration) {
	t.Helper()
	if got := s.redeems(t, s.code(t, nil), nil, func(m map[string]any) { m["iat"] = s.now().Add(by).Unix() }); got.status != 200 {
		t.Errorf("got %d %s", got.status, got.text)
	}
}

// thumbprint is the jkt of a client's key.
func thumbprint(t *testing.T, c fapi) string {
	t.Helper()
	sum, err := (&jose.JSONWebKey{Key: c.bound.Public()}).Thumbprint(crypto.SHA256)
	must(t, err)
	return base64.RawURLEncoding.EncodeToString(sum)
}
