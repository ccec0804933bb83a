package oidc_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// backchannel is a client that wants to be told of logouts.
func (w *world) backchannel(t *testing.T) (rp, chan map[string]any) {
	t.Helper()
	told := make(chan map[string]any, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		must(t, err)
		form, err := url.ParseQuery(string(raw))
		must(t, err)
		told <- payload(t, form.Get("logout_token"))
	}))
	t.Cleanup(server.Close)
	return w.register(t, map[string]any{"backchannel_logout_uri": server.URL, "backchannel_logout_session_required": true}), told
}

// The module "oidcc-backchannel-rp-initiated-logout".
func TestOIDCCBackchannelRPInitiatedLogout(t *testing.T) {
	w := open(t)
	c, told := w.backchannel(t)
	w.rp = c
	b, tokens := w.loggedIn(t)
	id := payload(t, tokens.str("id_token"))
	b.get(t, w.URL+"/oidc/logout?"+url.Values{"id_token_hint": {tokens.str("id_token")}}.Encode())
	for range 3 {
		must(t, w.provider.Deliver(t.Context()))
	}
	if len(told) != 1 {
		t.Fatalf("got %d messages, want 1", len(told))
	}
	said := <-told
	if said["sub"] != id["sub"] || said["sid"] != id["sid"] || said["aud"] != c.id || said["iss"] != w.URL || said["nonce"] != nil || said["jti"] == nil || said["exp"] == nil {
		t.Errorf("got %v, want a logout token for %v", said, id)
	}
	if events, _ := said["events"].(map[string]any); events["http://schemas.openid.net/event/backchannel-logout"] == nil {
		t.Errorf("got events %v", said["events"])
	}
	if got := w.userinfo(t, tokens.str("access_token")); got.status != 401 {
		t.Errorf("got %d after the logout, want the token ended", got.status)
	}
}

func TestAPersonTakesAnAnswerBack(t *testing.T) {
	w := open(t)
	c, told := w.backchannel(t)
	w.rp = c
	b := w.browser(t)
	code := b.login(t, w.asks(w.question(w.rp)), "name").Get("code")
	tokens := w.post(t, "/oidc/token", w.trade(t, w.rp, code))
	page := b.get(t, w.URL+"/oidc/account")
	if !strings.Contains(page.text, "Ministry of Examples") || !strings.Contains(page.text, "Full name") {
		t.Fatalf("got %d %s, want what was allowed", page.status, page.text)
	}
	_, id, _ := strings.Cut(page.text, `name="id" value="`)
	id, _, _ = strings.Cut(id, `"`)
	receipt := payload(t, b.get(t, w.URL+"/oidc/account/receipts/"+id).text)
	record, _ := receipt["consent"].(map[string]any)
	if receipt["aud"] != c.id || record["claims"].([]any)[0] != "name" || receipt["sub"] != payload(t, tokens.str("id_token"))["sub"] {
		t.Errorf("got %v, want a receipt for the client", receipt)
	}
	resp, err := b.PostForm(w.URL+"/oidc/account/withdraw", url.Values{"id": {id}})
	must(t, err)
	if got := read(t, resp); got.status != 200 || !strings.Contains(got.text, "taken your answer back") {
		t.Fatalf("got %d %s, want to be told", got.status, got.text)
	}
	if got := w.userinfo(t, tokens.str("access_token")); got.status != 401 {
		t.Errorf("got %d, want the token ended", got.status)
	}
	must(t, w.provider.Deliver(t.Context()))
	if said := <-told; said["sub"] != receipt["sub"] {
		t.Errorf("got %v, want the client told of the person", said)
	}
	if got := b.get(t, w.asks(w.question(w.rp))); !strings.Contains(got.text, `value="allow"`) {
		t.Errorf("got %d %s, want to be asked again", got.status, got.text)
	}
	// Somebody else can neither take it back nor read the receipt.
	resp, err = w.browser(t).PostForm(w.URL+"/oidc/account/withdraw", url.Values{"id": {id}})
	must(t, err)
	if got := read(t, resp); !strings.Contains(got.text, `name="method"`) {
		t.Errorf("got %d %s in a browser where nobody is logged in, want to log in", got.status, got.text)
	}
}

func TestAPersonLogsOutEverywhere(t *testing.T) {
	w := open(t)
	b, _ := w.loggedIn(t)
	other, _ := w.loggedIn(t)
	resp, err := b.PostForm(w.URL+"/oidc/account/logout", nil)
	must(t, err)
	read(t, resp)
	for _, x := range []*browser{b, other} {
		if said := back(t, x.get(t, w.asks(with(w.question(w.rp), "prompt", "none")))); said.Get("error") != "login_required" {
			t.Errorf("got %v, want nobody logged in any more", said)
		}
	}
}
