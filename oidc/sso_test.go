package oidc_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// loggedIn is a browser in which the person has logged in and allowed everything.
func (w *world) loggedIn(t *testing.T) (*browser, answer) {
	t.Helper()
	b := w.browser(t)
	code := b.login(t, w.asks(w.question(w.rp))).Get("code")
	return b, w.post(t, "/oidc/token", w.trade(t, w.rp, code))
}

func TestWhoIsLoggedInIsNotAskedAgain(t *testing.T) {
	w := open(t)
	b, first := w.loggedIn(t)
	for _, prompt := range []string{"", "none"} {
		query := w.question(w.rp)
		query.Set("prompt", prompt)
		said := back(t, b.get(t, w.asks(query)))
		got := w.post(t, "/oidc/token", w.trade(t, w.rp, said.Get("code")))
		now, then := payload(t, got.str("id_token")), payload(t, first.str("id_token"))
		if now["sub"] != then["sub"] || now["auth_time"] != then["auth_time"] || now["sid"] != then["sid"] {
			t.Errorf("prompt %q: got %v, want the same person, session and time as %v", prompt, now, then)
		}
	}
}

func TestPromptAndMaxAgeAreKept(t *testing.T) {
	w := open(t)
	b, _ := w.loggedIn(t)
	w.ahead.Store(int64(10 * time.Second))
	for name, c := range map[string]struct {
		change func(url.Values)
		want   string // an error, or a part of the page
	}{
		"login":              {func(q url.Values) { q.Set("prompt", "login") }, `name="method"`},
		"select_account":     {func(q url.Values) { q.Set("prompt", "select_account") }, `name="method"`},
		"consent":            {func(q url.Values) { q.Set("prompt", "consent") }, `value="allow"`},
		"too old":            {func(q url.Values) { q.Set("max_age", "5") }, `name="method"`},
		"too old and silent": {func(q url.Values) { q.Set("max_age", "5"); q.Set("prompt", "none") }, "login_required"},
		"another question":   {func(q url.Values) { q.Set("scope", "openid"); q.Set("prompt", "none") }, "consent_required"},
		"another person": {func(q url.Values) {
			q.Set("claims", `{"id_token":{"sub":{"value":"x"}}}`)
			q.Set("prompt", "none")
		}, "login_required"},
		"stronger": {func(q url.Values) { q.Set("acr_values", "http://eidas.europa.eu/LoA/substantial") }, `name="method"`},
		"stronger and silent": {func(q url.Values) {
			q.Set("acr_values", "http://eidas.europa.eu/LoA/substantial")
			q.Set("prompt", "none")
		}, "login_required"},
	} {
		query := w.question(w.rp)
		c.change(query)
		got := b.get(t, w.asks(query))
		if strings.HasPrefix(c.want, "name=") || strings.HasPrefix(c.want, "value=") {
			if got.status != 200 || !strings.Contains(got.text, c.want) && !strings.Contains(got.text, `name="identifier"`) {
				t.Errorf("%s: got %d %s, want %s", name, got.status, got.text, c.want)
			}
		} else if said := back(t, got); said.Get("error") != c.want {
			t.Errorf("%s: got %v, want %s", name, said, c.want)
		}
	}
	if said := back(t, w.browser(t).get(t, w.asks(with(w.question(w.rp), "prompt", "none")))); said.Get("error") != "login_required" {
		t.Errorf("got %v in a browser where nobody is logged in, want login_required", said)
	}
	w.ahead.Store(int64(2 * time.Hour))
	if got := b.get(t, w.asks(w.question(w.rp))); got.status != 200 {
		t.Errorf("got %d after two hours, want the first page", got.status)
	}
}

// A second method of another kind makes the login stronger (RFC 9470).
func TestALoginIsSteppedUp(t *testing.T) {
	w := open(t)
	b, _ := w.loggedIn(t)
	query := w.question(w.rp)
	query.Set("acr_values", "http://eidas.europa.eu/LoA/substantial")
	page := b.submit(t, b.get(t, w.asks(query)), "/oidc/login", url.Values{"factor": {"finger"}, "identifier": {w.uin}})
	said := back(t, b.upload(t, page, "rightIndex", impression(t, "again")))
	id := payload(t, w.post(t, "/oidc/token", w.trade(t, w.rp, said.Get("code"))).str("id_token"))
	if id["acr"] != "http://eidas.europa.eu/LoA/substantial" || len(id["amr"].([]any)) != 3 {
		t.Errorf("got %v %v, want substantial by otp, fpt, mfa", id["acr"], id["amr"])
	}
	query.Set("prompt", "none")
	if said := back(t, b.get(t, w.asks(query))); said.Get("code") == "" {
		t.Errorf("got %v, want the session to be as strong from now on", said)
	}
}

// The modules of "oidcc-rp-initiated-logout-certification-test-plan", by their names, and two more.
func TestOIDCCRPInitiatedLogout(t *testing.T) {
	// One browser for all: the person's own device, which the limits know.
	const out = "https://rp.example/out?x=1"
	w := open(t)
	c := w.register(t, map[string]any{"post_logout_redirect_uris": []string{out}})
	w.rp = c
	b := w.browser(t)
	for name, x := range map[string]struct {
		form func(hint string) url.Values
		to   string // empty: a page
		ends bool
	}{
		"oidcc-rp-initiated-logout": {func(h string) url.Values {
			return url.Values{"id_token_hint": {h}, "post_logout_redirect_uri": {out}, "state": {"s&1"}}
		}, out + "&state=s%261", true},
		"oidcc-rp-initiated-logout-no-post-logout-redirect-uri": {func(h string) url.Values { return url.Values{"id_token_hint": {h}, "state": {"s"}} }, "", true},
		"oidcc-rp-initiated-logout-no-state":                    {func(h string) url.Values { return url.Values{"id_token_hint": {h}, "post_logout_redirect_uri": {out}} }, out, true},
		"oidcc-rp-initiated-logout-bad-post-logout-redirect-uri": {func(h string) url.Values {
			return url.Values{"id_token_hint": {h}, "post_logout_redirect_uri": {"https://rp.example/evil"}}
		}, "", false},
		"oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri": {func(h string) url.Values {
			return url.Values{"id_token_hint": {h}, "post_logout_redirect_uri": {out + "&foo=bar"}}
		}, "", false},
		"oidcc-rp-initiated-logout-modified-id-token-hint": {func(h string) url.Values {
			return url.Values{"id_token_hint": {h[:len(h)-4] + "AAAA"}, "post_logout_redirect_uri": {out}}
		}, "", false},
		"oidcc-rp-initiated-logout-bad-id-token-hint": {func(string) url.Values {
			return url.Values{"id_token_hint": {"not a token"}, "post_logout_redirect_uri": {out}}
		}, "", false},
		"oidcc-rp-initiated-logout-no-id-token-hint": {func(string) url.Values { return url.Values{"client_id": {c.id}, "post_logout_redirect_uri": {out}} }, "", false},
		"oidcc-rp-initiated-logout-no-params":        {func(string) url.Values { return nil }, "", false},
		"oidcc-rp-initiated-logout-only-state":       {func(string) url.Values { return url.Values{"state": {"s"}} }, "", false},
		"of another client":                          {func(h string) url.Values { return url.Values{"id_token_hint": {h}, "client_id": {"other"}} }, "", false},
		"an address, and no party":                   {func(string) url.Values { return url.Values{"post_logout_redirect_uri": {out}} }, "", false},
	} {
		tokens := w.post(t, "/oidc/token", w.trade(t, w.rp, b.login(t, w.asks(w.question(w.rp))).Get("code")))
		got := b.get(t, w.URL+"/oidc/logout?"+x.form(tokens.str("id_token")).Encode())
		if got.header.Get("Location") != x.to || (x.to == "") != (got.status != http.StatusSeeOther) {
			t.Errorf("%s: got %d to %q, want %q", name, got.status, got.header.Get("Location"), x.to)
		}
		said := back(t, b.get(t, w.asks(with(w.question(w.rp), "prompt", "none"))))
		if (said.Get("error") == "login_required") != x.ends {
			t.Errorf("%s: got %v afterwards, want the session ended: %v", name, said, x.ends)
		}
	}
	// The person's own yes, on our page.
	b.login(t, w.asks(w.question(w.rp)))
	if page := b.get(t, w.URL+"/oidc/logout"); !strings.Contains(page.text, "/oidc/logout/confirm") {
		t.Fatalf("got %s, want to be asked", page.text)
	}
	resp, err := b.PostForm(w.URL+"/oidc/logout/confirm", url.Values{"client_id": {c.id}, "post_logout_redirect_uri": {out}})
	must(t, err)
	if got := read(t, resp); got.header.Get("Location") != out {
		t.Errorf("got %d to %q, want to be led back", got.status, got.header.Get("Location"))
	}
}
