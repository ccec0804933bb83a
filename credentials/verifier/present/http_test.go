package present

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/plinth-id/plinth/internal/fault"
)

// partnersOnly lets one token ask what it likes.
func partnersOnly(c *Config) {
	c.Allowed = func(_ context.Context, r *http.Request) error {
		if r.Header.Get("Authorization") == "Bearer partner" {
			return nil
		}
		return fault.New(fault.Denied, "no")
	}
}

// Wallets show their holders our name, under which no page of somebody else asks.
func TestPagesOfOthersAskByATokenOnly(t *testing.T) {
	w := newWorld(t, partnersOnly)
	for name, c := range map[string]struct {
		headers []string
		want    int
	}{
		"no page":                     {nil, 201},
		"our page":                    {[]string{"Origin", base, "Sec-Fetch-Site", "same-origin"}, 201},
		"another page":                {[]string{"Origin", "https://evil.example"}, 403},
		"another page, as it says":    {[]string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, 403},
		"a neighbour":                 {[]string{"Origin", "https://evil.verifier.example", "Sec-Fetch-Site", "same-site"}, 403},
		"a page without an origin":    {[]string{"Origin", "null"}, 403},
		"a page with a token":         {[]string{"Origin", "https://shop.example", "Authorization", "Bearer partner"}, 201},
		"another page with any token": {[]string{"Origin", "https://evil.example", "Authorization", "Bearer x"}, 403},
	} {
		a := w.call("POST", "/vp/requests", []byte(`{"preset":"name"}`), append([]string{"Content-Type", "application/json"}, c.headers...)...)
		if a.Code != c.want || a.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: got %d %v %s, want %d, and nobody let read it", name, a.Code, a.Header(), a.Body, c.want)
		}
		if c.want == 403 && !slices.Contains(c.headers, "Authorization") && !strings.Contains(a.Body.String(), "preset-only") {
			t.Errorf("%s: got %s, want preset-only", name, a.Body)
		}
	}
	for _, path := range []string{"/vp/requests", "/vp/requests/" + (Request{}).ID.String()} {
		if a := w.call("OPTIONS", path, nil, "Origin", "https://evil.example", "Access-Control-Request-Method", "POST"); a.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: got %v, want no flight", path, a.Header())
		}
	}
}

func TestStrangersLearnTheVerdictAlone(t *testing.T) {
	w := newWorld(t, partnersOnly)
	for token, told := range map[string]bool{"": false, "Bearer partner": true} {
		var r Request
		if status := w.do(t, "POST", "/vp/requests", []byte(`{"preset":"name"}`), &r, "Content-Type", "application/json", "Authorization", token); status != 201 {
			t.Fatalf("got %d, want a request", status)
		}
		_, claims := w.object(t, r, nil)
		a := w.walletFor(claims)
		w.respond(t, a.responseTo, form(claims, map[string]any{"pid": []string{w.sdJWT(a)}}))
		_, result := w.result(t, r, "")
		if result.Verdict != "valid" || len(result.Credentials) != 1 || len(result.Credentials[0].Reasons) == 0 {
			t.Fatalf("%q: got %+v, want a verdict with its reasons", token, result)
		}
		if shown := result.Credentials[0]; (shown.Claims != nil) != told || (shown.ID != "") != told {
			t.Errorf("%q: got %+v; told: %v", token, shown, told)
		}
	}
}

// asPage asks as a browser on our page does.
func (w *world) asPage(t *testing.T, form url.Values) (cookie, body string) {
	t.Helper()
	a := w.call("POST", "/verify/ask", []byte(form.Encode()), "Content-Type", "application/x-www-form-urlencoded", "Origin", base)
	if a.Code/100 != 2 {
		t.Fatalf("got %d %s", a.Code, a.Body)
	}
	cookie, _, _ = strings.Cut(a.Header().Get("Set-Cookie"), ";")
	return cookie, a.Body.String()
}

// What our page asked for is shown by our page, and the API does not know its secret.
func TestAnswerOfThePageIsShownByThePage(t *testing.T) {
	w := newWorld(t, partnersOnly)
	cookie, _ := w.asPage(t, url.Values{"preset": {"name"}, "flow": {crossDevice}})
	_, value, _ := strings.Cut(cookie, "=")
	id, secret, _ := strings.Cut(value, ".")
	_, claims := w.object(t, Request{RequestURI: base + "/vp/requests/" + id + "/object"}, nil)
	a := w.walletFor(claims)
	if status, answer := w.respond(t, a.responseTo, form(claims, map[string]any{"pid": []string{w.sdJWT(a)}})); status != 200 {
		t.Fatalf("got %d %v", status, answer)
	}
	for _, token := range []string{secret, ofPage(secret), " " + ofPage(secret)} {
		if a := w.call("GET", "/vp/requests/"+id, nil, "Authorization", "Bearer "+token); a.Code != 404 {
			t.Errorf("%q: got %d %s, want nothing given", token, a.Code, a.Body)
		}
	}
	if a := w.call("GET", "/verify/ask", nil, "Cookie", cookie); a.Code != 200 || !strings.Contains(a.Body.String(), "Zanele") {
		t.Errorf("got %d %s, want the answer shown", a.Code, a.Body)
	}
}

func TestPageAsksTheWalletOfItsBrowser(t *testing.T) {
	w := newWorld(t, partnersOnly)
	cookie, body := w.asPage(t, url.Values{"preset": {"name"}, "flow": {"browser"}})
	var made struct {
		Browser struct {
			Data map[string]string `json:"data"`
		} `json:"dc_api"`
	}
	if err := json.Unmarshal([]byte(body), &made); err != nil || strings.Contains(body, "secret") {
		t.Fatalf("got %s, want what the browser is given and no secret", body)
	}
	_, claims := w.verified(t, made.Browser.Data["request"])
	a := w.walletFor(claims)
	a.audience = "origin:" + base
	data := map[string]any{"response": seal(claims, sealings[0], map[string]any{"vp_token": map[string]any{"pid": []string{w.sdJWT(a)}}})}
	sent := must(json.Marshal(map[string]any{"protocol": protocolSigned, "data": data}))
	for name, c := range map[string]struct {
		cookie, origin string
		want           int
	}{"nobody": {"", base, 404}, "another page": {cookie, "https://evil.example", 403}} {
		if a := w.call("POST", "/verify/ask/answer", sent, "Content-Type", "application/json", "Cookie", c.cookie, "Origin", c.origin); a.Code != c.want {
			t.Errorf("%s: got %d %s, want %d", name, a.Code, a.Body, c.want)
		}
	}
	if a := w.call("POST", "/verify/ask/answer", sent, "Content-Type", "application/json", "Cookie", cookie, "Origin", base); a.Code != 204 {
		t.Fatalf("got %d %s, want it taken", a.Code, a.Body)
	}
	if a := w.call("GET", "/verify/ask", nil, "Cookie", cookie); a.Code != 200 || !strings.Contains(a.Body.String(), "Zanele") {
		t.Errorf("got %d %s, want the answer shown", a.Code, a.Body)
	}
}
