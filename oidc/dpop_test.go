package oidc_test

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestADPoPTokenIsOfUseToItsHolderAlone(t *testing.T) {
	w := open(t)
	c := w.strict(t, nil)
	got := w.tokens(t, c, nil, "name")
	access := got.str("access_token")
	if got.str("token_type") != "DPoP" {
		t.Fatalf("got %s, want a DPoP token", got.text)
	}
	if info := w.info(t, c, access); info.status != 200 || info.body["name"] != "Ada Example" {
		t.Fatalf("got %d %s, want userinfo", info.status, info.text)
	}
	thief := fapi{c.rp, newKey(t)}
	for name, headers := range map[string]map[string]string{
		"as bearer":             {"Authorization": "Bearer " + access},
		"without proof":         {"Authorization": "DPoP " + access},
		"with another's key":    {"Authorization": "DPoP " + access, "DPoP": w.proof(t, thief.bound, "GET", "/oidc/userinfo", access, nil)},
		"for another method":    {"Authorization": "DPoP " + access, "DPoP": w.proof(t, c.bound, "POST", "/oidc/userinfo", access, nil)},
		"for another address":   {"Authorization": "DPoP " + access, "DPoP": w.proof(t, c.bound, "GET", "/oidc/token", access, nil)},
		"for another token":     {"Authorization": "DPoP " + access, "DPoP": w.proof(t, c.bound, "GET", "/oidc/userinfo", "other", nil)},
		"for no token":          {"Authorization": "DPoP " + access, "DPoP": w.proof(t, c.bound, "GET", "/oidc/userinfo", "", nil)},
		"with a made-up nonce":  {"Authorization": "DPoP " + access, "DPoP": w.proof(t, c.bound, "GET", "/oidc/userinfo", access, func(m map[string]any) { m["nonce"] = "x" })},
		"from five minutes ago": {"Authorization": "DPoP " + access, "DPoP": w.proof(t, c.bound, "GET", "/oidc/userinfo", access, func(m map[string]any) { m["iat"] = w.now().Add(-5 * time.Minute).Unix() })},
		"without jti":           {"Authorization": "DPoP " + access, "DPoP": w.proof(t, c.bound, "GET", "/oidc/userinfo", access, func(m map[string]any) { delete(m, "jti") })},
	} {
		if got := w.ask(t, "GET", "/oidc/userinfo", headers); got.status != 401 || !strings.HasPrefix(got.header.Get("WWW-Authenticate"), "DPoP") {
			t.Errorf("%s: got %d %q %s, want 401", name, got.status, got.header.Get("WWW-Authenticate"), got.text)
		}
	}
	once := w.proof(t, c.bound, "GET", "/oidc/userinfo", access, nil)
	for n, want := range []int{200, 401} {
		if got := w.ask(t, "GET", "/oidc/userinfo", map[string]string{"Authorization": "DPoP " + access, "DPoP": once}); got.status != want {
			t.Errorf("use %d: got %d %s, want %d", n+1, got.status, got.text, want)
		}
	}
}

// Whose clock is wrong gets a nonce, and with it a token.
func TestANonceTakesTheClocksPlace(t *testing.T) {
	w := open(t)
	c := w.strict(t, nil)
	ahead := func(m map[string]any) { m["iat"] = w.now().Add(time.Hour).Unix() }
	form := func() url.Values { return w.signed(t, c.rp, url.Values{"grant_type": {"client_credentials"}}) }
	got := w.send(t, "/oidc/token", form(), map[string]string{"DPoP": w.proof(t, c.bound, "POST", "/oidc/token", "", ahead)})
	got.refuses(t, 400, "use_dpop_nonce")
	nonce := got.header.Get("DPoP-Nonce")
	with := func(m map[string]any) { ahead(m); m["nonce"] = nonce }
	if got := w.send(t, "/oidc/token", form(), map[string]string{"DPoP": w.proof(t, c.bound, "POST", "/oidc/token", "", with)}); got.status != 200 {
		t.Fatalf("got %d %s with the nonce, want a token", got.status, got.text)
	}
	w.ahead.Store(int64(2 * time.Minute))
	w.send(t, "/oidc/token", form(), map[string]string{"DPoP": w.proof(t, c.bound, "POST", "/oidc/token", "", with)}).refuses(t, 400, "use_dpop_nonce")
}

func TestACodeIsForTheKeyThatItsRequestNamed(t *testing.T) {
	w := open(t)
	c := w.strict(t, nil)
	got := w.send(t, "/oidc/par", w.signed(t, c.rp, w.question(c.rp)), map[string]string{"DPoP": w.proof(t, c.bound, "POST", "/oidc/par", "", nil)})
	address := w.asks(url.Values{"client_id": {c.id}, "request_uri": {got.str("request_uri")}})
	code := w.browser(t).login(t, address).Get("code")
	w.send(t, "/oidc/token", w.trade(t, c.rp, code), map[string]string{"DPoP": w.proof(t, newKey(t), "POST", "/oidc/token", "", nil)}).refuses(t, 400, "invalid_dpop_proof")
	form := w.question(c.rp)
	form.Set("dpop_jkt", strings.Repeat("x", 43))
	w.send(t, "/oidc/par", w.signed(t, c.rp, form), map[string]string{"DPoP": w.proof(t, c.bound, "POST", "/oidc/par", "", nil)}).refuses(t, 400, "invalid_dpop_proof")
}

func TestAStrictClientGetsNoUnboundToken(t *testing.T) {
	w := open(t)
	c := w.strict(t, nil)
	code := w.browser(t).login(t, w.pushes(t, c.rp, w.question(c.rp))).Get("code")
	w.post(t, "/oidc/token", w.trade(t, c.rp, code)).refuses(t, 400, "invalid_dpop_proof")
}
