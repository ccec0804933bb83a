package oidc_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestASVS_10_4_1_RedirectMatchesExactlyOrNobodyIsSentAnywhere(t *testing.T) {
	w := open(t)
	for _, wrong := range []string{"", callback + "/", callback + "?x=1", callback + "#f", "https://RP.example/callback", "https://rp.example/Callback",
		"https://rp.example/callbackevil", "https://rp.example/", "https://rp.example.evil.example/callback", "http://rp.example/callback",
		"https://rp.example:443/callback", "https://user@rp.example/callback", "https://rp.example/a/../callback", "https://rp.example/%63allback",
		"//rp.example/callback", "javascript:alert(1)"} {
		query := w.question(w.rp)
		query.Set("redirect_uri", wrong)
		got := w.browser(t).get(t, w.asks(query))
		if got.status != 400 || got.header.Get("Location") != "" || !strings.Contains(got.text, "invalid_redirect_uri") {
			t.Errorf("%q: got %d to %q, want an error shown here", wrong, got.status, got.header.Get("Location"))
		}
	}
	local := w.register(t, map[string]any{"redirect_uris": []string{"http://127.0.0.1:8000/back"}})
	query := w.question(local)
	query.Set("redirect_uri", "http://127.0.0.1:9000/back")
	if got := w.browser(t).get(t, w.asks(query)); got.status != 400 {
		t.Errorf("got %d for another port, want 400: exact means exact", got.status)
	}
}

func TestAnUnknownOrDisabledClientIsToldHere(t *testing.T) {
	w := open(t)
	query := w.question(w.rp)
	for _, id := range []string{"", "nobody", strings.Repeat("x", 300)} {
		query.Set("client_id", id)
		if got := w.browser(t).get(t, w.asks(query)); got.status != 400 || !strings.Contains(got.text, "invalid_client") {
			t.Errorf("%.10q: got %d %s, want 400", id, got.status, got.text)
		}
	}
	for _, twice := range []string{"client_id", "redirect_uri"} {
		query := w.question(w.rp)
		query.Add(twice, "https://evil.example")
		if got := w.browser(t).get(t, w.asks(query)); got.status != 400 {
			t.Errorf("%s twice: got %d, want 400", twice, got.status)
		}
	}
	access := w.access(t)
	must(t, w.partners.Disable(t.Context(), w.rp.id))
	if got := w.browser(t).get(t, w.asks(w.question(w.rp))); got.status != 400 {
		t.Errorf("got %d for a disabled client, want 400", got.status)
	}
	if got := w.userinfo(t, access); got.status != 401 {
		t.Errorf("got %d for a disabled client's token, want 401", got.status)
	}
}

func TestErrorsReachTheClientWithOurName(t *testing.T) {
	w := open(t)
	for name, c := range map[string]struct {
		param, value, want string
	}{
		"prompt none":                    {"prompt", "none", "login_required"},
		"prompt none and more":           {"prompt", "none login", "invalid_request"},
		"an unknown prompt":              {"prompt", "shout", "invalid_request"},
		"implicit, ASVS 10.4.4":          {"response_type", "token", "unsupported_response_type"},
		"hybrid, ASVS 10.6.1":            {"response_type", "code id_token", "unsupported_response_type"},
		"no response type":               {"response_type", "", "unsupported_response_type"},
		"fragment":                       {"response_mode", "fragment", "unsupported_response_mode"},
		"a request object":               {"request", "eyJhbGciOiJub25lIn0.e30.", "request_not_supported"},
		"a request by address":           {"request_uri", "https://rp.example/request.jwt", "request_uri_not_supported"},
		"registration":                   {"registration", "{}", "registration_not_supported"},
		"a short challenge":              {"code_challenge", "abc", "invalid_request"},
		"plain PKCE, ASVS 10.4.6":        {"code_challenge_method", "plain", "invalid_request"},
		"PKCE downgraded by silence":     {"code_challenge_method", "", "invalid_request"},
		"a scope beyond the client's":    {"scope", "openid address", "invalid_scope"},
		"no scope":                       {"scope", "", "invalid_scope"},
		"a negative age":                 {"max_age", "-1", "invalid_request"},
		"claims that are no JSON":        {"claims", "{", "invalid_request"},
		"a hint that is no token":        {"id_token_hint", "x.y.z", "invalid_request"},
		"details of an unknown type":     {"authorization_details", `[{"type":"payment"}]`, "invalid_authorization_details"},
		"details of an unknown document": {"authorization_details", `[{"type":"openid_credential","credential_configuration_id":"x"}]`, "invalid_authorization_details"},
	} {
		t.Run(name, func(t *testing.T) {
			query := w.question(w.rp)
			query.Set(c.param, c.value)
			got := back(t, w.browser(t).get(t, w.asks(query)))
			if got.Get("error") != c.want || got.Get("iss") != w.URL || got.Get("state") != "s" || got.Get("code") != "" {
				t.Fatalf("got %v, want %s with iss and state", got, c.want)
			}
		})
	}
	query := w.question(w.rp)
	query.Add("nonce", "another")
	if got := back(t, w.browser(t).get(t, w.asks(query))); got.Get("error") != "invalid_request" {
		t.Fatalf("got %v for a parameter that comes twice, want invalid_request", got)
	}
}

func TestStateIsTheClientsOwnAffair(t *testing.T) {
	w := open(t)
	for _, state := range []string{"", "x", "a b&c=d%\"<", strings.Repeat("long ", 400)} {
		query := w.question(w.rp)
		query.Set("state", state)
		said := w.browser(t).login(t, w.asks(query))
		if got := said.Get("state"); got != state || said.Get("code") == "" || said.Get("iss") != w.URL {
			t.Errorf("%.20q: got %v, want it back", state, said)
		}
	}
}

// Scopes that nobody knows are left out (OpenID Connect Core 3.1.2.1).
func TestUnknownScopesAreLeftOut(t *testing.T) {
	w := open(t)
	query := w.question(w.rp)
	query.Set("scope", "openid email unknown offline_access")
	code := w.browser(t).login(t, w.asks(query)).Get("code")
	got := w.post(t, "/oidc/token", w.trade(t, w.rp, code))
	if got.str("scope") != "openid email" || got.body["refresh_token"] != nil {
		t.Fatalf("got %s, want openid email alone", got.text)
	}
}

func TestARequestMayBePosted(t *testing.T) {
	w := open(t)
	b := w.browser(t)
	resp, err := b.PostForm(w.URL+"/oidc/authorize", w.question(w.rp))
	must(t, err)
	page := b.toConsent(t, read(t, resp))
	said := back(t, b.submit(t, page, "/oidc/login/consent", url.Values{"decision": {"allow"}}))
	if said.Get("code") == "" {
		t.Fatalf("got %v, want a code", said)
	}
	// From the client's own page, as browsers say so.
	req, err := http.NewRequestWithContext(t.Context(), "POST", w.URL+"/oidc/authorize", strings.NewReader(w.question(w.rp).Encode()))
	must(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", "https://rp.example")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	resp, err = w.browser(t).Do(req)
	must(t, err)
	if got := read(t, resp); got.status != 200 || !visitField.MatchString(got.text) {
		t.Fatalf("got %d %s, want the first page", got.status, got.text)
	}
}

func TestASVS_10_7_1_DenyingTellsTheClientAndGivesNothing(t *testing.T) {
	w := open(t)
	b := w.browser(t)
	page := b.toConsent(t, b.get(t, w.asks(w.question(w.rp))))
	got := back(t, b.submit(t, page, "/oidc/login/consent", url.Values{"decision": {"deny"}, "claim": {"name"}}))
	if got.Get("error") != "access_denied" || got.Get("iss") != w.URL || got.Get("state") != "s" || got.Has("code") {
		t.Fatalf("got %v, want access_denied with iss and state", got)
	}
	b = w.browser(t)
	if got := back(t, b.submit(t, b.get(t, w.asks(w.question(w.rp))), "/oidc/login/cancel", url.Values{})); got.Get("error") != "access_denied" {
		t.Fatalf("got %v for a cancelled login, want access_denied", got)
	}
}

func TestTheClaimsParameterIsHeldToTheCeiling(t *testing.T) {
	w := open(t)
	query := w.question(w.rp)
	query.Set("scope", "openid")
	query.Set("claims", `{"userinfo":{"name":{"essential":true},"email":null,"address":{"essential":true},"nonsense":null},"id_token":{"birthdate":null,"acr":{"values":["nobody-has-this"]}}}`)
	b := w.browser(t)
	page := b.toConsent(t, b.get(t, w.asks(query)))
	if !strings.Contains(page.text, "Full name") || strings.Contains(page.text, `value="name"`) || strings.Contains(page.text, "Address") {
		t.Fatalf("got %s, want the essential name fixed and no address", page.text)
	}
	code := back(t, b.submit(t, page, "/oidc/login/consent", url.Values{"decision": {"allow"}, "claim": {"birthdate", "address", "phone_number"}})).Get("code")
	tokens := w.post(t, "/oidc/token", w.trade(t, w.rp, code))
	if id := payload(t, tokens.str("id_token")); id["birthdate"] == nil || id["name"] != nil {
		t.Fatalf("got %v, want the date of birth in the ID token, and no name", id)
	}
	info := w.userinfo(t, tokens.str("access_token")).body
	if info["name"] != "Ada Example" || info["email"] != nil || info["birthdate"] != nil || info["phone_number"] != nil || info["address"] != nil {
		t.Fatalf("got %v, want the name alone", info)
	}
	query.Set("claims", `{"id_token":{"acr":{"essential":true,"values":["nobody-has-this"]}}}`)
	if got := w.browser(t).login(t, w.asks(query)); got.Get("error") != "unmet_authentication_requirements" {
		t.Fatalf("got %v, want unmet_authentication_requirements", got)
	}
}

func TestAnIDTokenHintNamesThePersonWhoMustLogIn(t *testing.T) {
	w := open(t)
	hint := w.post(t, "/oidc/token", w.trade(t, w.rp, w.code(t))).str("id_token")
	query := w.question(w.rp)
	query.Set("id_token_hint", hint)
	if got := w.browser(t).login(t, w.asks(query)); got.Get("code") == "" {
		t.Fatalf("got %v for the same person, want a code", got)
	}
	query.Del("id_token_hint")
	query.Set("claims", `{"id_token":{"sub":{"value":"somebody-else"}}}`)
	if got := w.browser(t).login(t, w.asks(query)); got.Get("error") != "login_required" {
		t.Fatalf("got %v for another person, want login_required", got)
	}
	other := w.register(t, nil)
	query = w.question(other)
	query.Set("id_token_hint", hint)
	if got := back(t, w.browser(t).get(t, w.asks(query))); got.Get("error") != "invalid_request" {
		t.Fatalf("got %v for another client's hint, want invalid_request", got)
	}
}

func TestACredentialScopeGivesAGrantAndNoIDToken(t *testing.T) {
	w := open(t)
	for name, ask := range map[string]func(url.Values){
		"scope": func(q url.Values) { q.Set("scope", "national_id") },
		"details": func(q url.Values) {
			q.Del("scope")
			q.Set("authorization_details", fmt.Sprintf(`[{"type":"openid_credential","credential_configuration_id":%q}]`, configuration))
		},
	} {
		query := w.question(w.rp)
		ask(query)
		code := w.browser(t).login(t, w.asks(query)).Get("code")
		got := w.post(t, "/oidc/token", w.trade(t, w.rp, code))
		if got.status != 200 || got.body["id_token"] != nil || (got.body["authorization_details"] != nil) != (name == "details") {
			t.Fatalf("%s: got %s, want an access token without ID token", name, got.text)
		}
		req, err := http.NewRequest("GET", w.URL, nil)
		must(t, err)
		req.Header.Set("Authorization", "bearer "+got.str("access_token"))
		grant, err := w.provider.Token(t.Context(), req)
		if err != nil || len(grant.Configurations()) != 1 || grant.Configurations()[0] != configuration || grant.Client() != w.rp.id {
			t.Fatalf("%s: got %v and %v, want a grant for %s", name, grant.Configurations(), err, configuration)
		}
	}
}

func (w *world) push(t *testing.T, c rp) string {
	t.Helper()
	got := w.post(t, "/oidc/par", w.signed(t, c, w.question(c)))
	if got.status != 201 || got.body["expires_in"] != 90.0 || got.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("got %d %s, want a request_uri", got.status, got.text)
	}
	return w.URL + "/oidc/authorize?" + url.Values{"client_id": {c.id}, "request_uri": {got.str("request_uri")}}.Encode()
}

// A request_uri may be loaded again until the login is done (FAPI 2.0, 5.3.2.2), by
// whoever has it; one of them ends it.
func TestAPushedRequestIsCompletedOnce(t *testing.T) {
	w := open(t)
	address := w.push(t, w.rp)
	const many = 20
	browsers, pages := make([]*browser, many), make([]answer, many)
	for i := range browsers {
		browsers[i] = w.browser(t)
		pages[i] = browsers[i].toConsent(t, browsers[i].get(t, address))
	}
	if again := browsers[0].get(t, address); again.status != 200 || !strings.Contains(again.text, `value="allow"`) {
		t.Fatalf("got %d %s on reload, want the page where the person was", again.status, again.text)
	}
	answers := make([]answer, many)
	var all sync.WaitGroup
	for i := range many {
		all.Go(func() {
			answers[i] = browsers[i].submit(t, pages[i], "/oidc/login/consent", url.Values{"decision": {"allow"}, "claim": {"name"}})
		})
	}
	all.Wait()
	winner := -1
	for i, got := range answers {
		switch {
		case got.status == http.StatusSeeOther && winner < 0:
			winner = i
		case got.status == http.StatusSeeOther:
			t.Error("got two codes for one request")
		}
	}
	if winner < 0 {
		t.Fatal("got no winner")
	}
	if got := browsers[winner].get(t, address); got.status != 400 || !strings.Contains(got.text, "invalid_request_uri") {
		t.Fatalf("got %d %s after the login, want the request_uri used up", got.status, got.text)
	}
	if got := w.post(t, "/oidc/token", w.trade(t, w.rp, back(t, answers[winner]).Get("code"))); got.status != 200 {
		t.Fatalf("got %d %s, want tokens", got.status, got.text)
	}
}

func TestAPushedRequestIsJudgedAtOnce(t *testing.T) {
	w := open(t)
	address := w.push(t, w.rp)
	w.ahead.Store(int64(91 * time.Second))
	if got := w.browser(t).get(t, address); got.status != 400 {
		t.Fatalf("got %d after 91 s, want it expired", got.status)
	}
	other := w.register(t, nil)
	stolen := strings.Replace(w.push(t, w.rp), w.rp.id, other.id, 1)
	if got := w.browser(t).get(t, stolen); got.status != 400 {
		t.Fatalf("got %d for another client, want 400", got.status)
	}
	for name, c := range map[string]struct{ param, value, want string }{
		"plain":                {"code_challenge_method", "plain", "invalid_request"},
		"foreign redirect":     {"redirect_uri", callback + "/", "invalid_request"},
		"a request in request": {"request_uri", "urn:ietf:params:oauth:request_uri:x", "invalid_request"},
		"beyond its scope":     {"scope", "openid address", "invalid_scope"},
	} {
		form := w.question(w.rp)
		form.Set(c.param, c.value)
		got := w.post(t, "/oidc/par", w.signed(t, w.rp, form))
		if got.status != 400 || got.body["error"] != c.want {
			t.Errorf("%s: got %d %s, want %s", name, got.status, got.text, c.want)
		}
	}
	w.post(t, "/oidc/par", w.question(w.rp)).refuses(t, 401, "invalid_client")
}

func TestAFAPIClientMustPush(t *testing.T) {
	w := open(t)
	strict := w.register(t, map[string]any{"plinth_profile": "fapi2"})
	if got := back(t, w.browser(t).get(t, w.asks(w.question(strict)))); got.Get("error") != "invalid_request" {
		t.Fatalf("got %v, want invalid_request", got)
	}
	if got := w.browser(t).get(t, w.push(t, strict)); got.status != 200 {
		t.Fatalf("got %d %s for a pushed one, want the first page", got.status, got.text)
	}
}

// A consent that is sent twice, by a double click or out of the history, makes one code.
func TestALoginIsCompletedOnce(t *testing.T) {
	w := open(t)
	b := w.browser(t)
	page := b.toConsent(t, b.get(t, w.asks(w.question(w.rp))))
	u, err := url.Parse(w.URL)
	must(t, err)
	kept := b.Jar.Cookies(u)
	allow := url.Values{"decision": {"allow"}}
	back(t, b.submit(t, page, "/oidc/login/consent", allow))
	b.Jar.SetCookies(u, kept)
	if got := b.submit(t, page, "/oidc/login/consent", allow); got.status != 409 {
		t.Fatalf("got %d %s, want 409", got.status, got.text)
	}
}
