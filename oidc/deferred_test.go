package oidc_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

const (
	deviceGrant   = "urn:ietf:params:oauth:grant-type:device_code"
	cibaGrant     = "urn:openid:params:grant-type:ciba"
	exchangeGrant = "urn:ietf:params:oauth:grant-type:token-exchange"
)

// enter types a user code in a browser, and gives the first page of the login.
func (b *browser) enter(t *testing.T, kind, code string) answer {
	t.Helper()
	resp, err := b.PostForm(b.w.URL+"/oidc/"+kind+"/code", url.Values{"user_code": {code}})
	must(t, err)
	return read(t, resp)
}

func TestADeviceWithoutABrowserLogsIn(t *testing.T) {
	w := open(t)
	tv := w.register(t, map[string]any{"grant_types": []string{deviceGrant, "refresh_token"}, "redirect_uris": nil, "response_types": []string{}})
	begun := w.post(t, "/oidc/device", w.signed(t, tv, url.Values{"scope": {"openid profile"}}))
	if begun.status != 200 || !strings.Contains(begun.str("verification_uri_complete"), begun.str("user_code")) {
		t.Fatalf("got %d %s, want a code", begun.status, begun.text)
	}
	poll := func() answer {
		return w.post(t, "/oidc/token", w.signed(t, tv, url.Values{"grant_type": {deviceGrant}, "device_code": {begun.str("device_code")}}))
	}
	poll().refuses(t, 400, "authorization_pending")
	poll().refuses(t, 400, "slow_down")
	b := w.browser(t)
	if page := b.get(t, begun.str("verification_uri_complete")); !strings.Contains(page.text, begun.str("user_code")) {
		t.Fatalf("got %s, want the code to compare", page.text)
	}
	if page := b.enter(t, "device", "BBBB-BBBB"); page.status != 422 {
		t.Errorf("got %d for a made-up code, want 422", page.status)
	}
	page := b.toConsent(t, b.enter(t, "device", strings.ToLower(begun.str("user_code"))))
	done := b.submit(t, page, "/oidc/login/consent", url.Values{"decision": {"allow"}, "claim": {"name"}})
	if done.status != 200 || !strings.Contains(done.text, "You are logged in") {
		t.Fatalf("got %d %s, want to be told", done.status, done.text)
	}
	w.ahead.Store(int64(20 * time.Second))
	got := poll()
	if got.status != 200 || w.userinfo(t, got.str("access_token")).body["name"] != "Ada Example" {
		t.Fatalf("got %d %s, want tokens for the person", got.status, got.text)
	}
	poll().refuses(t, 400, "invalid_grant")
	if page := b.enter(t, "device", begun.str("user_code")); page.status != 422 {
		t.Errorf("got %d for a code that was used, want 422", page.status)
	}
}

func TestARefusedOrLateDeviceGetsNothing(t *testing.T) {
	w := open(t)
	tv := w.register(t, map[string]any{"grant_types": []string{deviceGrant}, "redirect_uris": nil, "response_types": []string{}})
	for name, want := range map[string]string{"refused": "access_denied", "late": "expired_token"} {
		begun := w.post(t, "/oidc/device", w.signed(t, tv, url.Values{"scope": {"openid"}}))
		b := w.browser(t)
		if name == "refused" {
			page := b.toConsent(t, b.enter(t, "device", begun.str("user_code")))
			b.submit(t, page, "/oidc/login/consent", url.Values{"decision": {"deny"}})
		} else {
			w.ahead.Add(int64(11 * time.Minute))
		}
		w.post(t, "/oidc/token", w.signed(t, tv, url.Values{"grant_type": {deviceGrant}, "device_code": {begun.str("device_code")}})).refuses(t, 400, want)
	}
	w.post(t, "/oidc/device", w.signed(t, w.rp, url.Values{"scope": {"openid"}})).refuses(t, 400, "unauthorized_client")
}

func TestACallIsAnsweredByThePersonWhoWasCalled(t *testing.T) {
	w := open(t)
	pinged := make(chan string, 4)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { pinged <- r.Header.Get("Authorization") }))
	defer server.Close()
	desk := w.register(t, map[string]any{"grant_types": []string{cibaGrant}, "redirect_uris": nil, "response_types": []string{},
		"backchannel_token_delivery_mode": "ping", "backchannel_client_notification_endpoint": server.URL})
	form := url.Values{"scope": {"openid profile"}, "login_hint": {w.uin}, "binding_message": {"W4SCT"}, "client_notification_token": {strings.Repeat("n", 30)}}
	got := w.post(t, "/oidc/ciba", w.signed(t, desk, form))
	if got.status != 200 || got.str("auth_req_id") == "" {
		t.Fatalf("got %d %s, want a request", got.status, got.text)
	}
	_, code, _ := strings.Cut(w.sent[len(w.sent)-1].Text, "user_code=")
	code = code[:9]
	b := w.browser(t)
	page := b.toConsent(t, b.enter(t, "ciba", code))
	if !strings.Contains(page.text, "W4SCT") {
		t.Fatalf("got %s, want the binding message", page.text)
	}
	b.submit(t, page, "/oidc/login/consent", url.Values{"decision": {"allow"}})
	must(t, w.provider.Ping(t.Context()))
	if said := <-pinged; said != "Bearer "+strings.Repeat("n", 30) {
		t.Errorf("got %q, want the client's own token", said)
	}
	tokens := w.post(t, "/oidc/token", w.signed(t, desk, url.Values{"grant_type": {cibaGrant}, "auth_req_id": {got.str("auth_req_id")}}))
	if tokens.status != 200 || tokens.str("id_token") == "" {
		t.Fatalf("got %d %s, want tokens", tokens.status, tokens.text)
	}
	// A number that nobody has is answered alike, and nobody else can answer for it.
	form.Set("login_hint", "2753819640")
	before := len(w.sent)
	if got := w.post(t, "/oidc/ciba", w.signed(t, desk, form)); got.status != 200 || len(w.sent) != before+1 || w.sent[before].Until.After(w.now()) {
		t.Errorf("got %d %s and %d messages, want the same answer and one that is not sent", got.status, got.text, len(w.sent)-before)
	}
	for name, bad := range map[string]url.Values{"no hint": {"scope": {"openid"}, "client_notification_token": {strings.Repeat("n", 30)}},
		"no token": {"scope": {"openid"}, "login_hint": {w.uin}}} {
		if got := w.post(t, "/oidc/ciba", w.signed(t, desk, bad)); got.status != 400 || got.body["error"] != "invalid_request" {
			t.Errorf("%s: got %d %s, want invalid_request", name, got.status, got.text)
		}
	}
}

func TestADelegatedTokenSaysWhoActs(t *testing.T) {
	w := open(t)
	const tax, bank = "https://tax.example/api", "https://bank.example/api"
	portal := w.register(t, map[string]any{"plinth_resources": []string{tax}, "scope": "openid profile filing:read"})
	taxes := w.register(t, map[string]any{"plinth_resources": []string{tax, bank}, "grant_types": []string{exchangeGrant}, "redirect_uris": nil, "response_types": []string{}})
	query := w.question(portal)
	query.Set("scope", "openid profile")
	query.Set("resource", tax)
	first := w.post(t, "/oidc/token", w.trade(t, portal, w.browser(t).login(t, w.asks(query)).Get("code")))
	if got := w.userinfo(t, first.str("access_token")); got.status != 401 {
		t.Errorf("got %d at userinfo for a token of another resource, want 401", got.status)
	}
	exchange := url.Values{"grant_type": {exchangeGrant}, "subject_token": {first.str("access_token")}, "subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"}, "resource": {bank}}
	got := w.post(t, "/oidc/token", w.signed(t, taxes, exchange))
	if got.status != 200 || got.str("issued_token_type") == "" {
		t.Fatalf("got %d %s, want a token", got.status, got.text)
	}
	told := w.post(t, "/oidc/introspect", w.signed(t, taxes, url.Values{"token": {got.str("access_token")}})).body
	if act, _ := told["act"].(map[string]any); told["active"] != true || act["sub"] != taxes.id || told["scope"] != "" {
		t.Errorf("got %v, want the actor named and no scope of the person", told)
	}
	exchange.Set("resource", "https://other.example")
	w.post(t, "/oidc/token", w.signed(t, taxes, exchange)).refuses(t, 400, "invalid_target")
	exchange.Set("resource", bank)
	exchange.Set("subject_token", "made-up")
	w.post(t, "/oidc/token", w.signed(t, taxes, exchange)).refuses(t, 400, "invalid_request")
	w.post(t, "/oidc/token", w.signed(t, portal, exchange)).refuses(t, 400, "unauthorized_client")
}
