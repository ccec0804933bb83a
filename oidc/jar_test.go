package oidc_test

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestASignedRequestIsHeldToItsSignatureAndItsTime(t *testing.T) {
	w := open(t)
	other := w.register(t, nil)
	good := w.question(w.rp)
	good.Del("state")
	ask := func(request string) answer {
		return w.browser(t).get(t, w.asks(url.Values{"client_id": {w.rp.id}, "redirect_uri": {callback}, "request": {request}}))
	}
	if page := ask(w.object(t, w.rp, good, nil)); page.status != 200 || !strings.Contains(page.text, "Ministry of Examples") {
		t.Fatalf("got %d %s, want the first page", page.status, page.text)
	}
	now := w.now()
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + strings.Split(w.object(t, w.rp, good, nil), ".")[1] + "."
	for name, c := range map[string]struct{ request, want string }{
		"unsigned":            {none, "request_not_supported"},
		"by another's key":    {w.object(t, rp{id: w.rp.id, key: other.key}, good, nil), "invalid_request_object"},
		"for another server":  {w.object(t, w.rp, good, func(m map[string]any) { m["aud"] = "https://evil.example" }), "invalid_request_object"},
		"of another issuer":   {w.object(t, w.rp, good, func(m map[string]any) { m["iss"] = other.id }), "invalid_request_object"},
		"of another client":   {w.object(t, w.rp, good, func(m map[string]any) { m["client_id"] = other.id }), "invalid_request_object"},
		"expired":             {w.object(t, w.rp, good, func(m map[string]any) { m["exp"] = now.Add(-time.Minute).Unix() }), "invalid_request_object"},
		"not yet":             {w.object(t, w.rp, good, func(m map[string]any) { m["nbf"] = now.Add(time.Minute).Unix() }), "invalid_request_object"},
		"with another inside": {w.object(t, w.rp, good, func(m map[string]any) { m["request_uri"] = "https://evil.example" }), "invalid_request_object"},
		"rubbish":             {"x.y.z", "invalid_request_object"},
	} {
		if said := back(t, ask(c.request)); said.Get("error") != c.want {
			t.Errorf("%s: got %v, want %s", name, said, c.want)
		}
	}
	// What stands beside the object does not count: its own redirect is used.
	if got := ask(w.object(t, w.rp, good, func(m map[string]any) { m["redirect_uri"] = "https://evil.example/" })); got.status != 400 {
		t.Errorf("got %d for a foreign redirect in the object, want it shown here", got.status)
	}
}

func TestAStrictRequestObjectLivesAnHourAtMost(t *testing.T) {
	w := open(t)
	c := w.strict(t, map[string]any{"plinth_profile": "fapi2-ms"})
	form := w.question(c.rp)
	form.Set("response_mode", "jwt")
	push := func(change func(map[string]any)) answer {
		return w.post(t, "/oidc/par", w.signed(t, c.rp, url.Values{"client_id": {c.id}, "request": {w.object(t, c.rp, form, change)}}))
	}
	if got := push(nil); got.status != 201 {
		t.Fatalf("got %d %s, want it taken", got.status, got.text)
	}
	for name, change := range map[string]func(map[string]any){
		"without aud":      func(m map[string]any) { delete(m, "aud") },
		"without exp":      func(m map[string]any) { delete(m, "exp") },
		"without nbf":      func(m map[string]any) { delete(m, "nbf") },
		"for two hours":    func(m map[string]any) { m["exp"] = w.now().Add(2 * time.Hour).Unix() },
		"of two hours ago": func(m map[string]any) { m["nbf"] = w.now().Add(-2 * time.Hour).Unix() },
	} {
		if got := push(change); got.status != 400 || got.body["error"] != "invalid_request_object" {
			t.Errorf("%s: got %d %s, want invalid_request_object", name, got.status, got.text)
		}
	}
	w.post(t, "/oidc/par", w.signed(t, c.rp, form)).refuses(t, 400, "invalid_request")
	form.Del("response_mode")
	if got := push(nil); got.status != 400 || got.body["error"] != "invalid_request" {
		t.Errorf("got %d %s without response_mode=jwt, want invalid_request", got.status, got.text)
	}
}

func TestASignedAnswerSaysEverythingInside(t *testing.T) {
	w := open(t)
	query := w.question(w.rp)
	query.Set("response_mode", "jwt")
	said := w.browser(t).login(t, w.asks(query))
	if len(said) != 1 {
		t.Fatalf("got %v, want one parameter", said)
	}
	claims := payload(t, said.Get("response"))
	if claims["iss"] != w.URL || claims["aud"] != w.rp.id || claims["state"] != "s" || claims["code"] == nil || claims["exp"] == nil {
		t.Errorf("got %v, want the answer for this client", claims)
	}
	query.Set("prompt", "none")
	if claims := payload(t, back(t, w.browser(t).get(t, w.asks(query))).Get("response")); claims["error"] != "login_required" {
		t.Errorf("got %v, want the error inside as well", claims)
	}
}

func TestAClientProvesItselfAsItWasRegistered(t *testing.T) {
	w := open(t)
	basic := w.register(t, map[string]any{"token_endpoint_auth_method": "client_secret_basic", "jwks": nil})
	post := w.register(t, map[string]any{"token_endpoint_auth_method": "client_secret_post", "jwks": nil})
	trade := func(c rp) url.Values {
		return url.Values{"grant_type": {"authorization_code"}, "code": {w.browser(t).login(t, w.asks(w.question(c))).Get("code")}, "redirect_uri": {callback}, "code_verifier": {verifier}}
	}
	header := func(id, secret string) map[string]string {
		return map[string]string{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))}
	}
	if got := w.send(t, "/oidc/token", trade(basic), header(basic.id, basic.secret)); got.status != 200 {
		t.Errorf("got %d %s by Basic, want tokens", got.status, got.text)
	}
	form := trade(post)
	form.Set("client_id", post.id)
	form.Set("client_secret", post.secret)
	if got := w.send(t, "/oidc/token", form, nil); got.status != 200 {
		t.Errorf("got %d %s by post, want tokens", got.status, got.text)
	}
	wrong := w.send(t, "/oidc/token", trade(basic), header(basic.id, "wrong"))
	wrong.refuses(t, 401, "invalid_client")
	if !strings.HasPrefix(wrong.header.Get("WWW-Authenticate"), "Basic") {
		t.Errorf("got %q, want a challenge", wrong.header.Get("WWW-Authenticate"))
	}
	w.send(t, "/oidc/token", trade(post), header(post.id, post.secret)).refuses(t, 401, "invalid_client")
	w.send(t, "/oidc/token", trade(w.rp), header(w.rp.id, "")).refuses(t, 401, "invalid_client")
	form = trade(basic)
	form.Set("client_secret", basic.secret)
	w.send(t, "/oidc/token", form, header(basic.id, basic.secret)).refuses(t, 400, "invalid_request")
}

// A rehearsal refuses nothing, and says what would be refused.
func TestARehearsalTellsWhatWouldFail(t *testing.T) {
	w := open(t)
	c := w.register(t, map[string]any{"plinth_shadow_profile": "fapi2"})
	query := w.question(c)
	query.Del("code_challenge")
	query.Del("code_challenge_method")
	code := w.browser(t).login(t, w.asks(query)).Get("code")
	form := w.trade(t, c, code)
	form.Del("code_verifier")
	if got := w.post(t, "/oidc/token", form); got.status != 200 {
		t.Fatalf("got %d %s, want tokens all the same", got.status, got.text)
	}
	rows, err := w.pool.Query(t.Context(), `SELECT rule FROM oidc_rehearsal WHERE client = $1`, c.id)
	must(t, err)
	rules := map[string]bool{}
	for rows.Next() {
		var rule string
		must(t, rows.Scan(&rule))
		rules[rule] = true
	}
	for _, want := range []string{"PKCE", "pushed requests (RFC 9126)", "tokens bound to a key (DPoP) or certificate"} {
		if !rules[want] {
			t.Errorf("got %v, want %q named", rules, want)
		}
	}
}

// PKCE cannot be taken out on the way: a verifier without a challenge is refused.
func TestPKCECannotBeTakenOutOnTheWay(t *testing.T) {
	w := open(t)
	query := w.question(w.rp)
	query.Del("code_challenge")
	query.Del("code_challenge_method")
	code := w.browser(t).login(t, w.asks(query)).Get("code")
	w.post(t, "/oidc/token", w.trade(t, w.rp, code)).refuses(t, 400, "invalid_grant")
}

func TestVerifiedClaimsAreMatchedWhole(t *testing.T) {
	w := open(t)
	ask := func(request string) map[string]any {
		query := w.question(w.rp)
		query.Set("scope", "openid")
		query.Set("claims", `{"userinfo":{"verified_claims":`+request+`}}`)
		query.Set("prompt", "consent")
		code := w.browser(t).login(t, w.asks(query), "name", "birthdate").Get("code")
		info := w.userinfo(t, w.post(t, "/oidc/token", w.trade(t, w.rp, code)).str("access_token"))
		verified, _ := info.body["verified_claims"].(map[string]any)
		return verified
	}
	if got := ask(`{"verification":{"trust_framework":null,"time":{"max_age":3600}},"claims":{"name":null}}`); got == nil || got["claims"].(map[string]any)["name"] != "Ada Example" {
		t.Errorf("got %v, want the verified name", got)
	}
	for name, request := range map[string]string{
		"another framework": `{"verification":{"trust_framework":{"value":"de_aml"}},"claims":{"name":null}}`,
		"evidence":          `{"verification":{"trust_framework":null,"evidence":[{"type":{"value":"document"}}]},"claims":{"name":{"essential":true}}}`,
		"another value":     `{"verification":{"trust_framework":null},"claims":{"name":{"value":"Somebody else"}}}`,
	} {
		got := ask(request)
		if name == "evidence" && got != nil && got["verification"].(map[string]any)["evidence"] == nil {
			continue // what is not known is left out, as the standard has it for what is no must
		}
		if got != nil {
			t.Errorf("%s: got %v, want nothing", name, got)
		}
	}
	raw, err := json.Marshal(ask(`[{"verification":{"trust_framework":null},"claims":{"name":null}},{"verification":{"trust_framework":{"values":["x"]}},"claims":{"birthdate":null}}]`))
	must(t, err)
	if !strings.Contains(string(raw), "Ada") || strings.Contains(string(raw), "birthdate") {
		t.Errorf("got %s, want the one that is met", raw)
	}
}
