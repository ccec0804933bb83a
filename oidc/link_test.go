package oidc_test

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// holder is a wallet with its key.
type holder struct {
	w   *world
	key *ecdsa.PrivateKey
	kid string
}

func (h holder) jws(t *testing.T, options *jose.SignerOptions, claims map[string]any) string {
	t.Helper()
	var key any = h.key
	if h.kid != "" {
		key = jose.JSONWebKey{Key: h.key, KeyID: h.kid}
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, options)
	must(t, err)
	raw, err := json.Marshal(claims)
	must(t, err)
	signed, err := signer.Sign(raw)
	must(t, err)
	compact, err := signed.CompactSerialize()
	must(t, err)
	return compact
}

func (w *world) postJSON(t *testing.T, path string, body map[string]any) answer {
	t.Helper()
	raw, err := json.Marshal(body)
	must(t, err)
	resp, err := http.Post(w.URL+path, "application/json", bytes.NewReader(raw))
	must(t, err)
	return read(t, resp)
}

// bound is a wallet whose key the person has bound.
func (w *world) bound(t *testing.T) holder {
	t.Helper()
	h := holder{w: w, key: newKey(t)}
	begun := w.postJSON(t, "/oidc/link/binding-otp", map[string]any{"individual_id": w.uin})
	transaction := begun.str("transaction_id")
	said := map[string]any{"individual_id": w.uin, "transaction_id": transaction, "otp": "111111", "name": "A phone", "finger": impression(t, "again"), "position": "rightIndex",
		"key_proof": h.jws(t, &jose.SignerOptions{EmbedJWK: true}, map[string]any{"aud": w.URL, "transaction": "another"})}
	if got := w.postJSON(t, "/oidc/link/binding", said); got.status != 400 {
		t.Fatalf("got %d %s for another transaction's proof, want 400", got.status, got.text)
	}
	said["key_proof"] = h.jws(t, &jose.SignerOptions{EmbedJWK: true}, map[string]any{"aud": w.URL, "transaction": transaction})
	got := w.postJSON(t, "/oidc/link/binding", said)
	if got.status != 201 || got.str("kid") == "" {
		t.Fatalf("got %d %s, want the key bound", got.status, got.text)
	}
	h.kid = got.str("kid")
	return h
}

var (
	linkCode   = regexp.MustCompile(`[A-Z0-9]{4}-[A-Z0-9]{4}-[A-Z0-9]{4}`)
	linkNumber = regexp.MustCompile(`dir="ltr">(\d\d)<`)
)

// says signs a login, or the consent to it.
func (h holder) says(t *testing.T, link answer, step string, more map[string]any) map[string]any {
	t.Helper()
	now := h.w.now().Unix()
	claims := map[string]any{"aud": link.str("issuer"), "transaction": link.str("link_transaction_id") + step, "client": link.str("client_id"), "nonce": link.str("nonce"), "iat": now, "exp": now + 60}
	for name, value := range more {
		claims[name] = value
	}
	return map[string]any{"link_transaction_id": link.str("link_transaction_id"), "signature": h.jws(t, (&jose.SignerOptions{}).WithType("plinth-wallet-login+jwt"), claims)}
}

func TestAWalletLogsItsPersonIn(t *testing.T) {
	w := open(t)
	h := w.bound(t)
	b := w.browser(t)
	page := b.submit(t, b.get(t, w.asks(w.question(w.rp))), "/oidc/login/method", url.Values{"method": {"wallet"}})
	code, number := linkCode.FindString(page.text), linkNumber.FindStringSubmatch(page.text)
	if code == "" || number == nil || !strings.Contains(page.text, "data:image/png;base64,") {
		t.Fatalf("got %s, want a picture, a code and a number", page.text)
	}
	if got := b.submit(t, page, "/oidc/login/wallet", url.Values{}); got.status != 422 {
		t.Errorf("got %d before the wallet answered, want 422", got.status)
	}
	page = b.get(t, w.URL+"/oidc/login")
	code, number = linkCode.FindString(page.text), linkNumber.FindStringSubmatch(page.text)
	link := w.postJSON(t, "/oidc/link/transaction", map[string]any{"link_code": strings.ToLower(code)})
	if names, _ := link.body["client_name"].(map[string]any); link.status != 200 || names["en"] != "Ministry of Examples" {
		t.Fatalf("got %d %s, want the party named", link.status, link.text)
	}
	if again := w.postJSON(t, "/oidc/link/transaction", map[string]any{"link_code": code}); again.status != 404 {
		t.Errorf("got %d for a code that was taken, want 404", again.status)
	}
	proof := h.says(t, link, "", nil)
	proof["number"] = number[1]
	if got := w.postJSON(t, "/oidc/link/authenticate", proof); got.status != 200 {
		t.Fatalf("got %d %s, want the login proven", got.status, got.text)
	}
	if got := w.postJSON(t, "/oidc/link/consent", h.says(t, link, ":consent", map[string]any{"accepted_claims": []string{"name", "address"}})); got.status != 200 {
		t.Fatalf("got %d %s, want the consent taken", got.status, got.text)
	}
	if state := b.get(t, w.URL+"/oidc/login/wallet/state"); state.str("state") != "answered" {
		t.Errorf("got %s, want answered", state.text)
	}
	said := back(t, b.submit(t, page, "/oidc/login/wallet", url.Values{}))
	tokens := w.post(t, "/oidc/token", w.trade(t, w.rp, said.Get("code")))
	if id := payload(t, tokens.str("id_token")); id["acr"] != "mosip:idp:acr:linked-wallet" {
		t.Errorf("got %v, want the wallet's class", id["acr"])
	}
	if info := w.userinfo(t, tokens.str("access_token")); info.body["name"] != "Ada Example" || info.body["email"] != nil {
		t.Errorf("got %s, want the name alone", info.text)
	}
}

// What one login's wallet signs is worth nothing at another, nor with another number.
func TestWhatAWalletSignsIsGoodForOneLogin(t *testing.T) {
	w := open(t)
	h := w.bound(t)
	begin := func() (answer, string) {
		b := w.browser(t)
		page := b.submit(t, b.get(t, w.asks(w.question(w.rp))), "/oidc/login/method", url.Values{"method": {"wallet"}})
		return w.postJSON(t, "/oidc/link/transaction", map[string]any{"link_code": linkCode.FindString(page.text)}), linkNumber.FindStringSubmatch(page.text)[1]
	}
	first, _ := begin()
	for name, change := range map[string]func(sent map[string]any, link answer){
		"of another login": func(sent map[string]any, _ answer) { sent["signature"] = h.says(t, first, "", nil)["signature"] },
		"for another party": func(sent map[string]any, link answer) {
			sent["signature"] = h.says(t, link, "", map[string]any{"client": "another"})["signature"]
		},
		"for another nonce": func(sent map[string]any, link answer) {
			sent["signature"] = h.says(t, link, "", map[string]any{"nonce": "another"})["signature"]
		},
		"with wrong number": func(sent map[string]any, _ answer) { sent["number"] = "xx" },
		"by an unknown key": func(sent map[string]any, link answer) {
			sent["signature"] = holder{w, newKey(t), h.kid}.says(t, link, "", nil)["signature"]
		},
		"without a number": func(sent map[string]any, _ answer) { delete(sent, "number") },
		"that is no JWS":   func(sent map[string]any, _ answer) { sent["signature"] = "x" },
		"that was signed in": func(sent map[string]any, link answer) {
			sent["signature"] = h.says(t, link, "", map[string]any{"exp": w.now().Add(time.Hour).Unix()})["signature"]
		},
	} {
		link, number := begin()
		sent := h.says(t, link, "", nil)
		sent["number"] = number
		change(sent, link)
		if got := w.postJSON(t, "/oidc/link/authenticate", sent); got.status < 400 || got.status >= 500 {
			t.Errorf("%s: got %d %s, want a refusal", name, got.status, got.text)
		}
		// And the link is over: there is no second try on the same page.
		sent = h.says(t, link, "", nil)
		sent["number"] = number
		if got := w.postJSON(t, "/oidc/link/authenticate", sent); got.status != 404 {
			t.Errorf("%s: got %d %s afterwards, want the link over", name, got.status, got.text)
		}
	}
	w.ahead.Store(int64(2 * time.Minute))
	late := w.browser(t)
	page := late.submit(t, late.get(t, w.asks(w.question(w.rp))), "/oidc/login/method", url.Values{"method": {"wallet"}})
	w.ahead.Store(int64(4 * time.Minute))
	if got := w.postJSON(t, "/oidc/link/transaction", map[string]any{"link_code": linkCode.FindString(page.text)}); got.status != 404 {
		t.Errorf("got %d for a code of two minutes ago, want 404", got.status)
	}
}

// Whoever takes over a telephone cannot bind a wallet with it to somebody who has more to
// show; and whatever is bound, the person hears of it everywhere.
func TestACodeAloneBindsNoWalletToWhoHasFingers(t *testing.T) {
	w := open(t)
	h := holder{w: w, key: newKey(t)}
	begun := w.postJSON(t, "/oidc/link/binding-otp", map[string]any{"individual_id": w.uin})
	transaction := begun.str("transaction_id")
	got := w.postJSON(t, "/oidc/link/binding", map[string]any{"individual_id": w.uin, "transaction_id": transaction, "otp": "111111", "name": "A phone",
		"key_proof": h.jws(t, &jose.SignerOptions{EmbedJWK: true}, map[string]any{"aud": w.URL, "transaction": transaction})})
	if got.status != 403 || !strings.Contains(got.text, "proof-too-weak") {
		t.Errorf("got %d %s, want more asked", got.status, got.text)
	}
	w.bound(t)
	heard := map[string]bool{}
	for _, m := range w.sent {
		if strings.Contains(m.Text, "a wallet") && strings.Contains(m.Text, "/oidc/account") {
			heard[m.To] = true
		}
	}
	if !heard["+15550100"] || !heard["ada@example.org"] {
		t.Errorf("got %v told, want every channel", heard)
	}
}

// The parties at which somebody is logged in hear of a wallet as they do of a PIN.
func TestABoundWalletIsSignalled(t *testing.T) {
	w := open(t)
	r := w.receiver(t)
	stream := r.stream(t, map[string]any{"method": "urn:ietf:rfc:8936"})
	w.rp = r.rp
	w.loggedIn(t)
	w.bound(t)
	sets := r.polled(t, stream)
	if len(sets) != 1 {
		t.Fatalf("got %d events, want the wallet", len(sets))
	}
	change, _ := sets[0]["events"].(map[string]any)[caep+"credential-change"].(map[string]any)
	if change["change_type"] != "create" {
		t.Errorf("got %v", sets[0])
	}
}

// A website must not have the browsers of its visitors send messages.
func TestOtherSitesCannotHaveCodesSent(t *testing.T) {
	w := open(t)
	raw, err := json.Marshal(map[string]any{"individual_id": w.uin})
	must(t, err)
	for _, path := range []string{"/oidc/link/binding-otp", "/oidc/link/binding"} {
		for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", ""} {
			resp, err := http.Post(w.URL+path, kind, bytes.NewReader(raw))
			must(t, err)
			if got := read(t, resp); got.status != 400 {
				t.Errorf("%s as %q: got %d %s, want 400", path, kind, got.status, got.text)
			}
		}
		ask, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, w.URL+path, nil)
		must(t, err)
		ask.Header.Set("Origin", "https://evil.example")
		ask.Header.Set("Access-Control-Request-Method", "POST")
		ask.Header.Set("Access-Control-Request-Headers", "content-type")
		resp, err := http.DefaultClient.Do(ask)
		must(t, err)
		if got := read(t, resp); got.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: got %q let in", path, got.header.Get("Access-Control-Allow-Origin"))
		}
	}
	if len(w.sent) != 0 {
		t.Errorf("got %d messages, want none", len(w.sent))
	}
}

// Where much was tried, a wallet works for its code as a browser does.
func TestAWalletWorksWhereMuchWasTried(t *testing.T) {
	w := open(t)
	var asked answer
	for range 1001 {
		if asked = w.postJSON(t, "/oidc/link/binding-otp", map[string]any{"individual_id": w.uin}); asked.status != 200 {
			break
		}
	}
	if asked.status != 429 || asked.body["work"] == nil {
		t.Fatalf("got %d %s, want work", asked.status, asked.text)
	}
	if got := w.postJSON(t, "/oidc/link/binding-otp", map[string]any{"individual_id": w.uin, "work": "e30="}); got.status != 400 {
		t.Errorf("got %d for no work, want 400", got.status)
	}
	sent := map[string]any{"individual_id": w.uin, "work": solved(t, asked.body["work"])}
	if got := w.postJSON(t, "/oidc/link/binding-otp", sent); got.status != 200 || got.str("transaction_id") == "" {
		t.Errorf("got %d %s, want a code sent", got.status, got.text)
	}
	if got := w.postJSON(t, "/oidc/link/binding-otp", sent); got.status != 400 {
		t.Errorf("got %d for work that was spent, want 400", got.status)
	}
}
