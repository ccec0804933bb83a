package oidc_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/plinth-id/plinth/registry/auth"
)

// solved works out a challenge of ALTCHA.
func solved(t *testing.T, challenge any) string {
	t.Helper()
	raw, err := json.Marshal(challenge)
	must(t, err)
	var c struct {
		Algorithm, Challenge, Salt, Signature string
		MaxNumber                             int
	}
	must(t, json.Unmarshal(raw, &c))
	for n := range c.MaxNumber + 1 {
		if sum := sha256.Sum256(fmt.Append(nil, c.Salt, n)); hex.EncodeToString(sum[:]) == c.Challenge {
			raw, err := json.Marshal(map[string]any{"algorithm": c.Algorithm, "challenge": c.Challenge, "number": n, "salt": c.Salt, "signature": c.Signature})
			must(t, err)
			return base64.StdEncoding.EncodeToString(raw)
		}
	}
	t.Fatal("got a challenge without a solution")
	return ""
}

var pageWork = regexp.MustCompile(`data-challenge="([^"]+)"`)

// attacked guesses codes of the person from five networks until no more is judged.
func (w *world) attacked(t *testing.T) {
	t.Helper()
	for n := range 5 {
		for range 11 {
			_, err := w.desk.Verify(t.Context(), auth.Attempt{Identifier: w.uin, Code: "000000", Transaction: "an attack", Client: w.rp.id, From: fmt.Sprintf("198.51.%d.0/24", n)})
			if err == nil {
				t.Fatal("got a guess accepted")
			}
		}
	}
}

// Whoever is attacked logs in from a new browser all the same, after it has worked; a
// number that nobody attacked, of the same person or not, is asked no work.
func TestAVictimIsAskedForWorkAndLetIn(t *testing.T) {
	w := open(t)
	w.attacked(t)
	b := w.browser(t)
	page := b.submit(t, b.get(t, w.asks(w.question(w.rp))), "/oidc/login/method", url.Values{"method": {"code"}})
	if pageWork.MatchString(page.text) {
		t.Error("got work asked before a number was given")
	}
	page = b.submit(t, page, "/oidc/login", url.Values{"identifier": {w.uin}})
	found := pageWork.FindStringSubmatch(page.text)
	if page.status != 429 || found == nil || !strings.Contains(page.text, w.uin) {
		t.Fatalf("got %d %s, want work and the number kept", page.status, page.text)
	}
	if again := b.submit(t, page, "/oidc/login", url.Values{"identifier": {w.uin}, "work": {"e30="}}); again.status != 429 {
		t.Errorf("got %d for no work, want 429", again.status)
	}
	var challenge any
	must(t, json.Unmarshal([]byte(html.UnescapeString(found[1])), &challenge))
	page = b.submit(t, page, "/oidc/login", url.Values{"identifier": {w.uin}, "work": {solved(t, challenge)}})
	page = b.submit(t, page, "/oidc/login/code", url.Values{"code": {"111111"}})
	if said := back(t, b.submit(t, page, "/oidc/login/consent", url.Values{"decision": {"allow"}})); said.Get("code") == "" {
		t.Errorf("got %v, want the victim let in", said)
	}
	// Another, of whom nothing was tried.
	b = w.browser(t)
	page = b.submit(t, b.get(t, w.asks(w.question(w.rp))), "/oidc/login/method", url.Values{"method": {"code"}})
	if page = b.submit(t, page, "/oidc/login", url.Values{"identifier": {"2753819640"}}); page.status != 200 || pageWork.MatchString(page.text) {
		t.Errorf("got %d %s, want no work for another number", page.status, page.text)
	}
}

// Who asks for more time has it: what was proven holds as long as the page says.
func TestMoreTimeIsGiven(t *testing.T) {
	w := open(t)
	b := w.browser(t)
	page := b.toConsent(t, b.get(t, w.asks(w.question(w.rp))))
	for n, at := range []time.Duration{12, 24, 36, 48} {
		w.ahead.Store(int64(at * time.Minute))
		if page = b.submit(t, page, "/oidc/login/longer", url.Values{}); page.status != 200 || !strings.Contains(page.text, `value="allow"`) {
			t.Fatalf("%d: got %d %s, want the consent page still", n, page.status, page.text)
		}
	}
	// At the end the page says how much is left, and no more.
	if !strings.Contains(page.text, `data-minutes="12"`) && !strings.Contains(page.text, `data-minutes="11"`) {
		t.Errorf("got %s, want 12 minutes left of the hour", page.text)
	}
	w.ahead.Store(int64(59 * time.Minute))
	if said := back(t, b.submit(t, page, "/oidc/login/consent", url.Values{"decision": {"allow"}})); said.Get("code") == "" {
		t.Errorf("got %v, want the login to end well", said)
	}
}

// RFC 8628 section 5.1.
func TestCodesOfDevicesCannotBeTriedForEver(t *testing.T) {
	w := open(t)
	tv := w.register(t, map[string]any{"grant_types": []string{deviceGrant}, "redirect_uris": nil, "response_types": []string{}})
	begun := w.post(t, "/oidc/device", w.signed(t, tv, url.Values{"scope": {"openid"}}))
	b := w.browser(t)
	limited := 0
	for n := range 70 {
		kind := []string{"device", "ciba"}[n%2]
		switch got := b.enter(t, kind, "BBBB-BBBB"); got.status {
		case 429:
			limited++
		case 422:
		default:
			t.Fatalf("got %d", got.status)
		}
	}
	if limited != 10 {
		t.Errorf("got %d of 70 refused, want 10", limited)
	}
	wrong, right := b.enter(t, "device", "BBBB-BBBB"), b.enter(t, "device", begun.str("user_code"))
	if wrong.status != 429 || right.status != 429 {
		t.Errorf("got %d and %d, want one answer for wrong and right", wrong.status, right.status)
	}
	w.ahead.Store(int64(time.Hour + time.Minute))
	begun = w.post(t, "/oidc/device", w.signed(t, tv, url.Values{"scope": {"openid"}}))
	if got := b.enter(t, "device", begun.str("user_code")); got.status != 200 {
		t.Errorf("got %d an hour later, want the login", got.status)
	}
}
