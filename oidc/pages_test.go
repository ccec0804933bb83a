package oidc_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestASVS_6_3_8_AnUnknownNumberLooksLikeAKnownOne(t *testing.T) {
	w := open(t)
	var pages []string
	for _, number := range []string{w.uin, "4820935716"} {
		b := w.browser(t)
		page := b.submit(t, b.get(t, w.asks(w.question(w.rp))), "/oidc/login", url.Values{"identifier": {number}, "factor": {"code"}})
		if page.status != 200 || !strings.Contains(page.text, "If the number is right") {
			t.Fatalf("got %d %s, want the page for the code", page.status, page.text)
		}
		page = b.submit(t, page, "/oidc/login/code", url.Values{"code": {"222222"}})
		if page.status != http.StatusUnprocessableEntity || !strings.Contains(page.text, `href="#code"`) {
			t.Fatalf("got %d %s, want the page again with an error linked to its field", page.status, page.text)
		}
		_, summary, _ := strings.Cut(page.text, `role="alert"`)
		summary, _, _ = strings.Cut(summary, "</ul>")
		pages = append(pages, summary)
	}
	if pages[0] != pages[1] || pages[0] == "" {
		t.Fatalf("got %q and %q, want one and the same refusal", pages[0], pages[1])
	}
}

func TestASVS_2_3_1_NoStepCanBeJumped(t *testing.T) {
	w := open(t)
	b := w.browser(t)
	first := b.get(t, w.asks(w.question(w.rp)))
	for path, fields := range map[string]url.Values{
		"/oidc/login/consent": {"decision": {"allow"}}, "/oidc/login/code": {"code": {"111111"}}, "/oidc/login/resend": {}, "/oidc/login/back": {},
	} {
		if got := b.submit(t, first, path, fields); got.status != 200 || !strings.Contains(got.text, `name="method"`) {
			t.Errorf("%s: got %d %s, want the first page", path, got.status, got.text)
		}
	}
	page := b.submit(t, first, "/oidc/login", url.Values{"identifier": {w.uin}, "factor": {"code"}})
	if got := b.submit(t, page, "/oidc/login/consent", url.Values{"decision": {"allow"}}); !strings.Contains(got.text, "one-time-code") {
		t.Errorf("got %s, want the page for the code", got.text)
	}
	if got := b.submit(t, page, "/oidc/login", url.Values{"identifier": {" "}}); got.status != 422 || !strings.Contains(got.text, `href="#identifier"`) {
		t.Errorf("got %d %s, want the field named", got.status, got.text)
	}
	if got := b.submit(t, page, "/oidc/login/method", url.Values{"method": {"shoe"}}); got.status != 422 || !strings.Contains(got.text, `href="#method-code"`) {
		t.Errorf("got %d %s, want the field named", got.status, got.text)
	}
}

func TestALoginBelongsToItsBrowserAndItsTime(t *testing.T) {
	w := open(t)
	b, thief := w.browser(t), w.browser(t)
	page := b.toConsent(t, b.get(t, w.asks(w.question(w.rp))))
	if got := thief.submit(t, page, "/oidc/login/consent", url.Values{"decision": {"allow"}}); got.status != 400 {
		t.Errorf("got %d in a browser without the login, want 400", got.status)
	}
	thief.get(t, w.asks(w.question(w.rp)))
	if got := thief.submit(t, page, "/oidc/login/consent", url.Values{"decision": {"allow"}}); got.status != 409 {
		t.Errorf("got %d in a browser on another login, want 409", got.status)
	}
	u, err := url.Parse(w.URL)
	must(t, err)
	spoilt := w.browser(t)
	for _, c := range b.Jar.Cookies(u) {
		if c.Name == "plinth_login" {
			flipped := []byte(c.Value)
			flipped[len(flipped)/2] ^= 1
			spoilt.Jar.SetCookies(u, []*http.Cookie{{Name: c.Name, Value: string(flipped)}})
		}
	}
	if got := spoilt.get(t, w.URL+"/oidc/login"); got.status != 400 {
		t.Errorf("got %d for a cookie with one bit changed, want 400", got.status)
	}
	w.ahead.Store(int64(16 * time.Minute))
	if got := b.submit(t, page, "/oidc/login/consent", url.Values{"decision": {"allow"}}); got.status != 400 || !strings.Contains(got.text, "login-gone") {
		t.Errorf("got %d %s after 16 minutes, want 400", got.status, got.text)
	}
}

func TestThePagesSayWhatTheBrowserMayDo(t *testing.T) {
	w := open(t)
	got := w.browser(t).get(t, w.asks(w.question(w.rp)))
	if policy := got.header.Get("Content-Security-Policy"); !strings.Contains(policy, "form-action 'self' https://rp.example") {
		t.Errorf("got %q, want forms to lead to the client's origin as well", policy)
	}
	if got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("got Cache-Control %q, want no-store", got.header.Get("Cache-Control"))
	}
	resp, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Get(w.asks(w.question(w.rp)))
	must(t, err)
	defer resp.Body.Close()
	for _, c := range resp.Cookies() {
		if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.MaxAge <= 0 || c.MaxAge > 900 {
			t.Errorf("got cookie %s, want HttpOnly, Lax and at most 15 minutes", c.Raw)
		}
		if strings.Contains(c.Value, w.rp.id) || strings.Contains(c.Value, w.uin) {
			t.Errorf("got a cookie that can be read")
		}
	}
	if len(resp.Cookies()) != 1 {
		t.Errorf("got %d cookies, want 1", len(resp.Cookies()))
	}
}

// People write digits as their script has them, and with what they put between.
func TestDigitsOfEveryScriptAreUnderstood(t *testing.T) {
	w := open(t)
	arabic := strings.Map(func(r rune) rune { return r - '0' + '٠' }, w.uin)
	b := w.browser(t)
	page := b.submit(t, b.get(t, w.asks(w.question(w.rp))), "/oidc/login", url.Values{"identifier": {arabic[:4] + " " + arabic[4:]}, "factor": {"code"}})
	page = b.submit(t, page, "/oidc/login/code", url.Values{"code": {"۱۱۱-١١١"}})
	if page.status != 200 || !strings.Contains(page.text, `value="allow"`) {
		t.Fatalf("got %d %s, want the page for consent", page.status, page.text)
	}
}

func TestTheClientsLanguageHoldsUntilThePersonChooses(t *testing.T) {
	w := open(t)
	query := w.question(w.rp)
	query.Set("ui_locales", "xx fr")
	b := w.browser(t)
	page := b.get(t, w.asks(query))
	if !strings.Contains(page.text, `<html lang="fr"`) {
		t.Fatalf("got %.80s, want French", page.text)
	}
	page = b.get(t, w.URL+"/oidc/login?lang=ara")
	page = b.submit(t, page, "/oidc/login", url.Values{"identifier": {w.uin}, "factor": {"code"}})
	if !strings.Contains(page.text, `<html lang="ar" dir="rtl"`) {
		t.Fatalf("got %.80s, want Arabic from now on", page.text)
	}
}

func TestASVS_10_7_2_ConsentNamesClientDataAndTime(t *testing.T) {
	w := open(t)
	b := w.browser(t)
	page := b.toConsent(t, b.get(t, w.asks(w.question(w.rp))))
	for _, want := range []string{"Ministry of Examples", "Ada Example", `value="email"`, "180 days", `value="deny"`} {
		if !strings.Contains(page.text, want) {
			t.Errorf("got no %q on the page", want)
		}
	}
	if strings.Contains(page.text, `value="family_name"`) || strings.Contains(page.text, "checked") {
		t.Errorf("got a claim that the person has not, or a box that is ticked")
	}
	back(t, b.submit(t, page, "/oidc/login/consent", url.Values{"decision": {"allow"}, "claim": {"email"}}))
	var client string
	var claims []string
	must(t, w.pool.QueryRow(t.Context(), `SELECT client, claims FROM oidc_consent WHERE person = $1`, w.person).Scan(&client, &claims))
	if client != w.rp.id || len(claims) != 1 || claims[0] != "email" {
		t.Fatalf("got %s %v recorded, want the client and email", client, claims)
	}
	var logged int
	must(t, w.pool.QueryRow(t.Context(), `SELECT count(*) FROM audit_entry WHERE event = 'consent-given' AND person = $1`, w.person).Scan(&logged))
	if logged != 1 {
		t.Fatalf("got %d entries in the log, want 1", logged)
	}
}
