package oidc_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plinth-id/plinth/internal/keys"
)

// basic is a client as the plan "oidcc-basic-certification-test-plan" of the OpenID
// Foundation's suite has it: a secret, no PKCE, and a browser of its own.
type basic struct {
	*world
	b *browser
	c rp
}

func newBasic(t *testing.T) *basic {
	t.Helper()
	w := open(t)
	c := w.register(t, map[string]any{"token_endpoint_auth_method": "client_secret_basic", "jwks": nil, "scope": "openid profile email phone address offline_access",
		"grant_types": []string{"authorization_code", "refresh_token"}})
	return &basic{w, w.browser(t), c}
}

// asks is a request as the suite sends it; change alters it.
func (s *basic) question(change func(url.Values)) string {
	form := url.Values{"response_type": {"code"}, "client_id": {s.c.id}, "redirect_uri": {callback}, "scope": {"openid"}, "state": {"st"}, "nonce": {"no"}}
	if change != nil {
		change(form)
	}
	return s.asks(form)
}

// flow logs in, allows everything, and gives the answer and the tokens.
func (s *basic) flow(t *testing.T, change func(url.Values)) (url.Values, answer) {
	t.Helper()
	page := s.b.get(t, s.question(change))
	if strings.Contains(page.text, `name="method"`) || strings.Contains(page.text, `name="identifier"`) { // one class leaves nothing to choose
		page = s.b.toConsent(t, page)
	}
	if page.status == http.StatusOK {
		page = s.b.submit(t, page, "/oidc/login/consent", url.Values{"decision": {"allow"}, "claim": {"name", "gender", "birthdate", "updated_at", "email", "phone_number", "address", "locale"}})
	}
	said := back(t, page)
	return said, s.redeem(t, said.Get("code"))
}

func (s *basic) redeem(t *testing.T, code string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/oidc/token", strings.NewReader(url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}}.Encode()))
	must(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(s.c.id, s.c.secret)
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	return read(t, resp)
}

// good wants tokens whose ID token is for this client.
func (s *basic) good(t *testing.T, tokens answer) map[string]any {
	t.Helper()
	if tokens.status != 200 || tokens.str("token_type") != "Bearer" || tokens.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("got %d %s, want tokens", tokens.status, tokens.text)
	}
	id := payload(t, tokens.str("id_token"))
	if id["iss"] != s.URL || id["aud"] != s.c.id || id["sub"] == "" || id["at_hash"] == nil {
		t.Fatalf("got %v, want an ID token for the client", id)
	}
	return id
}

// has wants claims in userinfo, and a scope to be asked for them.
func (s *basic) has(t *testing.T, scope string, claims ...string) {
	t.Helper()
	_, tokens := s.flow(t, func(f url.Values) { f.Set("scope", scope) })
	s.good(t, tokens)
	info := s.userinfo(t, tokens.str("access_token"))
	for _, claim := range append(claims, "sub") {
		if info.body[claim] == nil {
			t.Errorf("got %s, want %s", info.text, claim)
		}
	}
}

// One test a module, by the suite's own names. What the suite looks at on pictures of
// pages is looked at in the journeys of cmd/plinth.
func TestOIDCCBasic(t *testing.T) {
	for name, module := range map[string]func(t *testing.T, s *basic){
		"oidcc-server": func(t *testing.T, s *basic) {
			said, tokens := s.flow(t, nil)
			if id := s.good(t, tokens); said.Get("state") != "st" || id["nonce"] != "no" {
				t.Errorf("got %v and %v, want state and nonce back", said, id)
			}
		},
		"oidcc-response-type-missing": func(t *testing.T, s *basic) {
			said := back(t, s.b.get(t, s.question(func(f url.Values) { f.Del("response_type") })))
			if !slices.Contains([]string{"unsupported_response_type", "invalid_request"}, said.Get("error")) {
				t.Errorf("got %v", said)
			}
		},
		"oidcc-idtoken-signature": func(t *testing.T, s *basic) {
			must(t, s.ring.Ensure(t.Context(), keys.OIDCLegacy))
			s.c = s.register(t, map[string]any{"token_endpoint_auth_method": "client_secret_basic", "jwks": nil, "id_token_signed_response_alg": "RS256"})
			_, tokens := s.flow(t, nil)
			s.good(t, tokens)
			if header := headerOf(t, tokens.str("id_token")); header["alg"] != "RS256" || !published(t, s.world, header["kid"]) {
				t.Errorf("got %v, want RS256 by a published key", header)
			}
		},
		"oidcc-userinfo-get": func(t *testing.T, s *basic) { s.has(t, "openid") },
		"oidcc-userinfo-post-header": func(t *testing.T, s *basic) {
			_, tokens := s.flow(t, nil)
			if got := s.ask(t, "POST", "/oidc/userinfo", map[string]string{"Authorization": "Bearer " + tokens.str("access_token")}); got.status != 200 {
				t.Errorf("got %d %s", got.status, got.text)
			}
		},
		"oidcc-userinfo-post-body": func(t *testing.T, s *basic) {
			_, tokens := s.flow(t, nil)
			if got := s.post(t, "/oidc/userinfo", url.Values{"access_token": {tokens.str("access_token")}}); got.status != 200 {
				t.Errorf("got %d %s", got.status, got.text)
			}
		},
		"oidcc-ensure-request-without-nonce-succeeds-for-code-flow": func(t *testing.T, s *basic) {
			_, tokens := s.flow(t, func(f url.Values) { f.Del("nonce") })
			if id := s.good(t, tokens); id["nonce"] != nil {
				t.Errorf("got nonce %v, want none", id["nonce"])
			}
		},
		"oidcc-scope-profile": func(t *testing.T, s *basic) { s.has(t, "openid profile", "name", "birthdate", "updated_at") },
		"oidcc-scope-email":   func(t *testing.T, s *basic) { s.has(t, "openid email", "email", "email_verified") },
		"oidcc-scope-address": func(t *testing.T, s *basic) { s.has(t, "openid address") },
		"oidcc-scope-phone":   func(t *testing.T, s *basic) { s.has(t, "openid phone", "phone_number", "phone_number_verified") },
		"oidcc-scope-all": func(t *testing.T, s *basic) {
			s.has(t, "openid profile email phone address", "name", "email", "phone_number")
		},
		"oidcc-ensure-other-scope-order-succeeds": func(t *testing.T, s *basic) {
			s.has(t, "email openid", "email")
		},
		"oidcc-display-page":  func(t *testing.T, s *basic) { s.with(t, "display", "page") },
		"oidcc-display-popup": func(t *testing.T, s *basic) { s.with(t, "display", "popup") },
		"oidcc-prompt-login": func(t *testing.T, s *basic) {
			_, first := s.flow(t, nil)
			s.ahead.Store(int64(2 * time.Second))
			if page := s.b.get(t, s.question(func(f url.Values) { f.Set("prompt", "login") })); !strings.Contains(page.text, `name="method"`) {
				t.Fatalf("got %d %s, want to log in again", page.status, page.text)
			}
			_, again := s.flow(t, func(f url.Values) { f.Set("prompt", "login") })
			if a, b := s.good(t, first), s.good(t, again); a["sub"] != b["sub"] || a["auth_time"] == b["auth_time"] {
				t.Errorf("got %v, then %v; want the same person at another time", a, b)
			}
		},
		"oidcc-prompt-none-not-logged-in": func(t *testing.T, s *basic) {
			said := back(t, s.b.get(t, s.question(func(f url.Values) { f.Set("prompt", "none") })))
			if !slices.Contains([]string{"login_required", "interaction_required"}, said.Get("error")) || said.Get("state") != "st" {
				t.Errorf("got %v", said)
			}
		},
		"oidcc-prompt-none-logged-in": func(t *testing.T, s *basic) {
			_, first := s.flow(t, nil)
			said := back(t, s.b.get(t, s.question(func(f url.Values) { f.Set("prompt", "none") })))
			if a, b := s.good(t, first), s.good(t, s.redeem(t, said.Get("code"))); a["sub"] != b["sub"] || a["auth_time"] != b["auth_time"] {
				t.Errorf("got %v, then %v; want the same login", a, b)
			}
		},
		"oidcc-max-age-1": func(t *testing.T, s *basic) {
			_, first := s.flow(t, nil)
			s.ahead.Store(int64(3 * time.Second))
			_, again := s.flow(t, func(f url.Values) { f.Set("max_age", "1") })
			if a, b := s.good(t, first), s.good(t, again); a["sub"] != b["sub"] || b["auth_time"].(float64) <= a["auth_time"].(float64) {
				t.Errorf("got %v, then %v; want a later login", a, b)
			}
		},
		"oidcc-max-age-10000": func(t *testing.T, s *basic) {
			_, first := s.flow(t, nil)
			said := back(t, s.b.get(t, s.question(func(f url.Values) { f.Set("max_age", "10000") })))
			if a, b := s.good(t, first), s.good(t, s.redeem(t, said.Get("code"))); a["auth_time"] != b["auth_time"] {
				t.Errorf("got %v, then %v; want the same login", a, b)
			}
		},
		"oidcc-ensure-request-with-unknown-parameter-succeeds": func(t *testing.T, s *basic) { s.with(t, "extra", "foobar") },
		"oidcc-id-token-hint": func(t *testing.T, s *basic) {
			_, first := s.flow(t, nil)
			said := back(t, s.b.get(t, s.question(func(f url.Values) { f.Set("prompt", "none"); f.Set("id_token_hint", first.str("id_token")) })))
			if a, b := s.good(t, first), s.good(t, s.redeem(t, said.Get("code"))); a["sub"] != b["sub"] {
				t.Errorf("got %v, then %v; want the same person", a, b)
			}
		},
		"oidcc-login-hint":     func(t *testing.T, s *basic) { s.with(t, "login_hint", "buffy@example.org") },
		"oidcc-ui-locales":     func(t *testing.T, s *basic) { s.with(t, "ui_locales", "se") },
		"oidcc-claims-locales": func(t *testing.T, s *basic) { s.with(t, "claims_locales", "se") },
		"oidcc-ensure-request-with-acr-values-succeeds": func(t *testing.T, s *basic) {
			_, tokens := s.flow(t, func(f url.Values) { f.Set("acr_values", "1 2 mosip:idp:acr:generated-code") })
			if id := s.good(t, tokens); id["acr"] != "mosip:idp:acr:generated-code" {
				t.Errorf("got acr %v, want the one of ours that was asked for", id["acr"])
			}
		},
		"oidcc-codereuse": func(t *testing.T, s *basic) {
			said, tokens := s.flow(t, nil)
			s.redeem(t, said.Get("code")).refuses(t, 400, "invalid_grant")
			if got := s.userinfo(t, tokens.str("access_token")); got.status != 401 {
				t.Errorf("got %d, want the token ended", got.status)
			}
		},
		"oidcc-codereuse-30seconds": func(t *testing.T, s *basic) {
			said, tokens := s.flow(t, nil)
			s.ahead.Store(int64(30 * time.Second))
			s.redeem(t, said.Get("code")).refuses(t, 400, "invalid_grant")
			if got := s.userinfo(t, tokens.str("access_token")); got.status != 401 {
				t.Errorf("got %d, want the token ended", got.status)
			}
		},
		"oidcc-ensure-registered-redirect-uri": func(t *testing.T, s *basic) {
			if got := s.b.get(t, s.question(func(f url.Values) { f.Set("redirect_uri", callback+"/evil") })); got.status != 400 || got.header.Get("Location") != "" {
				t.Errorf("got %d, want it shown here", got.status)
			}
		},
		"oidcc-ensure-post-request-succeeds": func(t *testing.T, s *basic) {
			resp, err := s.b.PostForm(s.URL+"/oidc/authorize", url.Values{"response_type": {"code"}, "client_id": {s.c.id}, "redirect_uri": {callback}, "scope": {"openid"}, "nonce": {"no"}})
			must(t, err)
			page := s.b.toConsent(t, read(t, resp))
			s.good(t, s.redeem(t, back(t, s.b.submit(t, page, "/oidc/login/consent", url.Values{"decision": {"allow"}})).Get("code")))
		},
		"oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported": func(t *testing.T, s *basic) {
			if said := back(t, s.b.get(t, s.question(func(f url.Values) { f.Set("request_uri", "https://rp.example/r") }))); said.Get("error") != "request_uri_not_supported" {
				t.Errorf("got %v", said)
			}
		},
		"oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported": func(t *testing.T, s *basic) {
			if said := back(t, s.b.get(t, s.question(func(f url.Values) { f.Set("request", "eyJhbGciOiJub25lIn0.e30.") }))); said.Get("error") != "request_not_supported" {
				t.Errorf("got %v", said)
			}
		},
		"oidcc-claims-essential": func(t *testing.T, s *basic) {
			_, tokens := s.flow(t, func(f url.Values) { f.Set("claims", `{"userinfo":{"name":{"essential":true}}}`) })
			if info := s.userinfo(t, tokens.str("access_token")); info.body["name"] == nil {
				t.Errorf("got %s, want the name", info.text)
			}
		},
		"oidcc-refresh-token": func(t *testing.T, s *basic) {
			_, first := s.flow(t, func(f url.Values) { f.Set("scope", "openid offline_access"); f.Set("prompt", "consent") })
			got := s.send(t, "/oidc/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first.str("refresh_token")}}, map[string]string{"Authorization": basicAuth(s.c)})
			if a, b := s.good(t, first), s.good(t, got); a["sub"] != b["sub"] || a["iss"] != b["iss"] || a["auth_time"] != b["auth_time"] {
				t.Errorf("got %v, then %v; want the same login", a, b)
			}
			other := s.register(t, map[string]any{"token_endpoint_auth_method": "client_secret_basic", "jwks": nil, "grant_types": []string{"authorization_code", "refresh_token"}})
			s.send(t, "/oidc/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.str("refresh_token")}}, map[string]string{"Authorization": basicAuth(other)}).refuses(t, 400, "invalid_grant")
		},
		"oidcc-server-client-secret-post": func(t *testing.T, s *basic) {
			s.c = s.register(t, map[string]any{"token_endpoint_auth_method": "client_secret_post", "jwks": nil})
			trade := url.Values{"grant_type": {"authorization_code"}, "redirect_uri": {callback}, "client_id": {s.c.id}, "client_secret": {s.c.secret}}
			said, _ := s.flow(t, nil) // its code is not for those who send the secret in the header
			trade.Set("code", said.Get("code"))
			s.good(t, s.post(t, "/oidc/token", trade))
		},
		"oidcc-ensure-request-with-valid-pkce-succeeds": func(t *testing.T, s *basic) {
			c := s.register(t, nil)
			if got := s.post(t, "/oidc/token", s.trade(t, c, s.browser(t).login(t, s.asks(s.world.question(c))).Get("code"))); got.status != 200 {
				t.Errorf("got %d %s", got.status, got.text)
			}
		},
	} {
		t.Run(name, func(t *testing.T) { module(t, newBasic(t)) })
	}
}

// with wants a login to succeed whatever this parameter says.
func (s *basic) with(t *testing.T, name, value string) {
	t.Helper()
	_, tokens := s.flow(t, func(f url.Values) { f.Set(name, value) })
	s.good(t, tokens)
}
