package oidc_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
)

func TestUserinfoTakesATokenInOneWay(t *testing.T) {
	w := open(t)
	access := w.access(t, "name")
	for name, c := range map[string]struct {
		method, query, body, header string
		status                      int
	}{
		"GET with header":        {"GET", "", "", "Bearer " + access, 200},
		"POST with header":       {"POST", "", "", "Bearer " + access, 200},
		"POST with body":         {"POST", "", "access_token=" + access, "", 200},
		"scheme in small":        {"GET", "", "", "bearer " + access, 200},
		"both":                   {"POST", "", "access_token=" + access, "Bearer " + access, 400},
		"in the address":         {"GET", "?access_token=" + access, "", "", 400},
		"in address and header":  {"GET", "?access_token=" + access, "", "Bearer " + access, 400},
		"none":                   {"GET", "", "", "", 401},
		"of another scheme":      {"GET", "", "", "Basic " + access, 401},
		"unknown":                {"GET", "", "", "Bearer unknown", 401},
		"far too long":           {"GET", "", "", "Bearer " + strings.Repeat("x", 4000), 401},
		"twice the same in body": {"POST", "", "access_token=a&access_token=b", "", 400},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), c.method, w.URL+"/oidc/userinfo"+c.query, strings.NewReader(c.body))
			must(t, err)
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if c.header != "" {
				req.Header.Set("Authorization", c.header)
			}
			resp, err := http.DefaultClient.Do(req)
			must(t, err)
			got := read(t, resp)
			if got.status != c.status || got.header.Get("Cache-Control") != "no-store" {
				t.Fatalf("got %d %q %s, want %d no-store", got.status, got.header.Get("Cache-Control"), got.text, c.status)
			}
			if challenged := strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Bearer"); challenged != (c.status != 200) {
				t.Fatalf("got WWW-Authenticate %q", got.header.Get("WWW-Authenticate"))
			}
			if c.status == 200 && got.body["name"] != "Ada Example" {
				t.Fatalf("got %s, want the name", got.text)
			}
		})
	}
}

func TestATokenEndsByTimeAndByItsClient(t *testing.T) {
	w := open(t)
	access := w.access(t)
	other := w.register(t, nil)
	if got := w.post(t, "/oidc/revoke", w.signed(t, other, url.Values{"token": {access}})); got.status != 200 {
		t.Fatalf("got %d %s for another's token, want 200: nobody is told whose it is", got.status, got.text)
	}
	if got := w.userinfo(t, access); got.status != 200 {
		t.Fatalf("got %d, want another client's revocation without effect", got.status)
	}
	w.post(t, "/oidc/revoke", url.Values{"token": {access}, "client_id": {w.rp.id}}).refuses(t, 401, "invalid_client")
	if got := w.post(t, "/oidc/revoke", w.signed(t, w.rp, url.Values{"token": {access}, "token_type_hint": {"refresh_token"}})); got.status != 200 {
		t.Fatalf("got %d %s, want 200", got.status, got.text)
	}
	if got := w.userinfo(t, access); got.status != 401 {
		t.Fatalf("got %d after revocation, want 401", got.status)
	}
	access = w.access(t)
	w.ahead.Store(int64(11 * time.Minute))
	if got := w.userinfo(t, access); got.status != 401 {
		t.Fatalf("got %d after 11 minutes, want 401", got.status)
	}
	req, err := http.NewRequest("GET", w.URL, nil)
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+access)
	if _, err := w.provider.Token(t.Context(), req); fault.Of(err).Code != "invalid_token" || !fault.Is(err, fault.Unauthenticated) {
		t.Fatalf("got %v, want invalid_token", err)
	}
}

func TestClientsKnowOnePersonByDifferentNames(t *testing.T) {
	w := open(t)
	subjects := map[string]bool{}
	for range 2 {
		subjects[payload(t, w.post(t, "/oidc/token", w.trade(t, w.rp, w.code(t))).str("id_token"))["sub"].(string)] = true
	}
	if len(subjects) != 1 {
		t.Fatalf("got %v, want one subject for one client", subjects)
	}
	elsewhere := w.register(t, map[string]any{"redirect_uris": []string{"https://other.example/back"}})
	query := w.question(elsewhere)
	query.Set("redirect_uri", "https://other.example/back")
	b := w.browser(t)
	page := b.toConsent(t, b.get(t, w.asks(query)))
	to, err := url.Parse(b.submit(t, page, "/oidc/login/consent", url.Values{"decision": {"allow"}}).header.Get("Location"))
	must(t, err)
	form := w.trade(t, elsewhere, to.Query().Get("code"))
	form.Set("redirect_uri", "https://other.example/back")
	if sub := payload(t, w.post(t, "/oidc/token", form).str("id_token"))["sub"].(string); subjects[sub] || strings.Contains(sub, w.uin) {
		t.Fatalf("got the subject %q at another site as well", sub)
	}
}

func TestMetadataSaysWhatWorks(t *testing.T) {
	w := open(t)
	b := w.browser(t)
	m := b.get(t, w.URL+"/.well-known/openid-configuration").body
	if other := b.get(t, w.URL+"/.well-known/oauth-authorization-server").body; other["issuer"] != w.URL || m["issuer"] != w.URL {
		t.Fatalf("got issuers %v and %v, want %s", m["issuer"], other["issuer"], w.URL)
	}
	for name, want := range map[string]any{"authorization_response_iss_parameter_supported": true, "pre-authorized_grant_anonymous_access_supported": true,
		"claims_parameter_supported": true, "request_uri_parameter_supported": false, "request_parameter_supported": true} {
		if m[name] != want {
			t.Errorf("%s: got %v, want %v", name, m[name], want)
		}
	}
	for name, want := range map[string][]any{"code_challenge_methods_supported": {"S256"}, "response_types_supported": {"code"}, "subject_types_supported": {"pairwise"},
		"token_endpoint_auth_methods_supported": {"private_key_jwt", "client_secret_basic", "client_secret_post", "none", "attest_jwt_client_auth", "attest_jwt_client_auth_dpop"}, "id_token_signing_alg_values_supported": {"ES256", "PS256", "RS256"}} {
		if got, _ := m[name].([]any); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	for _, endpoint := range []string{"authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "pushed_authorization_request_endpoint", "revocation_endpoint"} {
		address, _ := m[endpoint].(string)
		if got := b.get(t, address); got.status == http.StatusNotFound {
			t.Errorf("%s: got nothing at %q", endpoint, address)
		}
	}
	before := b.get(t, w.URL+"/oidc/jwks").body["keys"].([]any)
	must(t, w.ring.Rotate(t.Context(), keys.OIDCSigning))
	after := b.get(t, w.URL+"/oidc/jwks").body["keys"].([]any)
	if len(after) != len(before)+1 || after[1].(map[string]any)["kid"] != before[0].(map[string]any)["kid"] || after[0].(map[string]any)["d"] != nil {
		t.Fatalf("got %v, want the new key before the old one, and no secret", after)
	}
}

func TestSweepLeavesWhatIsStillOfUse(t *testing.T) {
	w := open(t)
	code := w.code(t)
	must(t, w.provider.Sweep(t.Context()))
	if got := w.post(t, "/oidc/token", w.trade(t, w.rp, code)); got.status != 200 {
		t.Fatalf("got %d %s, want the code to survive a sweep", got.status, got.text)
	}
	w.push(t, w.rp)
	w.ahead.Store(int64(time.Hour))
	must(t, w.provider.Sweep(t.Context()))
	var left int
	must(t, w.pool.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM oidc_par) + (SELECT count(*) FROM oidc_jti) + (SELECT count(*) FROM oidc_grant)`).Scan(&left))
	if left != 0 {
		t.Fatalf("got %d rows left, want 0", left)
	}
	var consents int
	must(t, w.pool.QueryRow(t.Context(), `SELECT count(*) FROM oidc_consent WHERE person = $1`, w.person).Scan(&consents))
	if consents != 1 {
		t.Fatalf("got %d consents, want 1 that stays", consents)
	}
}

// The person can see who asked about them, and what was told.
func TestASVS_16_3_1_ReleasedClaimsAreInTheLog(t *testing.T) {
	w := open(t)
	tokens := w.post(t, "/oidc/token", w.trade(t, w.rp, w.code(t, "name")))
	if got := w.userinfo(t, tokens.str("access_token")); got.status != 200 {
		t.Fatalf("got %d %s", got.status, got.text)
	}
	var details string
	must(t, w.pool.QueryRow(t.Context(), `SELECT details::text FROM audit_entry WHERE event = 'claims-released' AND actor = $1`, "client:"+w.rp.id).Scan(&details))
	if !strings.Contains(details, "name") || strings.Contains(details, "email") {
		t.Errorf("got %s, want the claims that were told", details)
	}
}

// What no database can keep is refused, wherever it is sent.
func TestTextThatCannotBeKeptIsRefused(t *testing.T) {
	w := open(t)
	for name, form := range map[string]url.Values{"client": {"client_id": {"a\x00b"}}, "nonce": with(w.question(w.rp), "nonce", "a\x00b"), "state": with(w.question(w.rp), "state", "\xff\xfe")} {
		if got := w.browser(t).get(t, w.asks(form)); got.status >= 500 {
			t.Errorf("%s: got %d %s, want it refused", name, got.status, got.text)
		}
	}
	if got := w.post(t, "/oidc/token", url.Values{"client_id": {"a\x00b"}, "grant_type": {"authorization_code"}}); got.status >= 500 {
		t.Errorf("got %d %s, want it refused", got.status, got.text)
	}
}

func with(form url.Values, name, value string) url.Values {
	form.Set(name, value)
	return form
}
