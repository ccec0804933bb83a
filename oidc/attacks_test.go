package oidc_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Whoever may choose where an answer goes gets the code: only the very address that was
// registered will do, and an error about it stays here.
func TestNoTrickLeadsAnAnswerElsewhere(t *testing.T) {
	w := open(t)
	at, err := url.Parse(callback)
	must(t, err)
	for what, redirect := range map[string]string{
		"another host": "https://evil.example/callback", "the host as a user": "https://" + at.Host + "@evil.example/callback", "a host that begins so": "https://" + at.Host + ".evil.example/callback",
		"a way out": callback + "/../other", "coded dots": callback + "/%2e%2e/other", "a fragment": callback + "#x", "a query": callback + "?x=1", "a backslash": strings.Replace(callback, "://", ":\\\\", 1),
		"upper case": strings.ToUpper(callback), "a slash more": callback + "/", "without TLS": strings.Replace(callback, "https", "http", 1), "another port": strings.Replace(callback, at.Host, at.Host+":8443", 1),
		"a script": "javascript:alert(1)", "data": "data:text/html,x", "relative": "/callback", "wide letters": strings.Replace(callback, "example", "ｅxample", 1), "a line end": callback + "\r\nX: y", "empty": "", "two": callback + " https://evil.example",
	} {
		query := w.question(w.rp)
		query.Set("redirect_uri", redirect)
		if got := w.browser(t).get(t, w.asks(query)); got.status != 400 || got.header.Get("Location") != "" {
			t.Errorf("%s: got %d to %q, want an error here", what, got.status, got.header.Get("Location"))
		}
	}
	twice := w.question(w.rp)
	twice.Add("redirect_uri", "https://evil.example/")
	if got := w.browser(t).get(t, w.asks(twice)); got.status != 400 || got.header.Get("Location") != "" {
		t.Errorf("two redirects: got %d to %q", got.status, got.header.Get("Location"))
	}
}

// Nobody is sent anywhere after a logout but where their party has said.
func TestALogoutLeadsNowhereElse(t *testing.T) {
	w := open(t)
	_, tokens := w.loggedIn(t)
	for _, to := range []string{"https://evil.example/", callback, "//evil.example", "javascript:alert(1)"} {
		for _, query := range []url.Values{{"post_logout_redirect_uri": {to}}, {"post_logout_redirect_uri": {to}, "id_token_hint": {tokens.str("id_token")}}, {"post_logout_redirect_uri": {to}, "client_id": {w.rp.id}}} {
			if got := w.browser(t).get(t, w.URL+"/oidc/logout?"+query.Encode()); got.header.Get("Location") != "" || strings.Contains(got.text, `href="`+to) {
				t.Errorf("%v: got %d to %q", query, got.status, got.header.Get("Location"))
			}
		}
	}
}

// Every parameter counts once (RFC 6749, 3.1): of two, one judge may see the first and
// another the second.
func TestNoParameterCountsTwice(t *testing.T) {
	w := open(t)
	for _, name := range []string{"client_id", "scope", "state", "nonce", "response_type", "code_challenge", "prompt", "response_mode"} {
		query := w.question(w.rp)
		query[name] = []string{query.Get(name), "other"}
		got := w.browser(t).get(t, w.asks(query))
		if got.status == 200 || got.status == 303 && !strings.Contains(got.header.Get("Location"), "error=invalid_request") {
			t.Errorf("%s twice: got %d to %q, want it refused", name, got.status, got.header.Get("Location"))
		}
	}
	form := w.trade(t, w.rp, w.code(t))
	form.Add("code", "another")
	w.post(t, "/oidc/token", form).refuses(t, 400, "invalid_request")
}

// nested is JSON deeper than anybody means.
func nested(depth int) string {
	return strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth)
}

// What is too large or too deep is refused at every door that reads it, and quickly.
func TestTooLargeAndTooDeepIsRefused(t *testing.T) {
	w := open(t)
	segment := base64.RawURLEncoding.EncodeToString
	deep, large := nested(100_000), strings.Repeat("x", 300_000)
	forged := func(body string) string {
		return segment([]byte(`{"alg":"ES256","kid":"rp-1"}`)) + "." + segment([]byte(body)) + "." + segment(make([]byte, 64))
	}
	for what, body := range map[string]string{"deep": deep, "large": `{"a":"` + large + `"}`} {
		for name, form := range map[string]url.Values{
			"/oidc/par claims":                {"claims": {body}},
			"/oidc/par authorization_details": {"authorization_details": {"[" + body + "]"}},
			"/oidc/par request":               {"request": {forged(body)}},
			"/oidc/token client_assertion":    {"grant_type": {"authorization_code"}, "client_assertion": {forged(body)}},
		} {
			path, parameter, _ := strings.Cut(name, " ")
			asked := w.question(w.rp)
			for k, v := range form {
				asked[k] = v
			}
			if parameter != "client_assertion" {
				asked = w.signed(t, w.rp, asked)
			} else {
				asked.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
			}
			if got := w.post(t, path, asked); got.status < 400 || got.status >= 500 {
				t.Errorf("%s, %s: got %d %.100s, want it refused", name, what, got.status, got.text)
			}
		}
		if got := w.ask(t, "GET", "/oidc/userinfo", map[string]string{"Authorization": "DPoP x", "DPoP": forged(body)[:min(len(forged(body)), 30_000)]}); got.status < 400 || got.status >= 500 {
			t.Errorf("DPoP proof, %s: got %d", what, got.status)
		}
	}
	if got := w.browser(t).get(t, w.URL+"/oidc/logout?"+url.Values{"id_token_hint": {forged(nested(5000))}}.Encode()); got.status >= 500 {
		t.Errorf("id_token_hint: got %d", got.status)
	}
}

// A key is the one that was registered, whatever a header says of others: neither is it
// taken from there, nor is anything fetched.
func TestAHeaderBringsNoKey(t *testing.T) {
	w := open(t)
	var fetched atomic.Int32
	evil := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		fetched.Add(1)
		rw.WriteHeader(http.StatusNotFound)
	}))
	t.Cleanup(evil.Close)
	mine := newKey(t)
	for what, options := range map[string]*jose.SignerOptions{
		"jku":        (&jose.SignerOptions{}).WithHeader("jku", evil.URL).WithHeader("kid", "rp-1"),
		"x5u":        (&jose.SignerOptions{}).WithHeader("x5u", evil.URL).WithHeader("kid", "rp-1"),
		"jwk":        {EmbedJWK: true},
		"a path":     (&jose.SignerOptions{}).WithHeader("kid", "../../../../dev/null"),
		"SQL":        (&jose.SignerOptions{}).WithHeader("kid", "' OR 1=1 --"),
		"a kid of 8": (&jose.SignerOptions{}).WithHeader("kid", strings.Repeat("k", 8<<10)),
	} {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: mine}, options)
		must(t, err)
		form := w.trade(t, w.rp, w.code(t))
		assertion, err := jwt.Signed(signer).Claims(payload(t, form.Get("client_assertion"))).Serialize()
		must(t, err)
		form.Set("client_assertion", assertion)
		w.post(t, "/oidc/token", form).refuses(t, 401, "invalid_client")
		object, err := jwt.Signed(signer).Claims(payload(t, w.object(t, w.rp, w.question(w.rp), nil))).Serialize()
		must(t, err)
		if said := back(t, w.browser(t).get(t, w.asks(url.Values{"client_id": {w.rp.id}, "redirect_uri": {callback}, "request": {object}}))); said.Get("error") != "invalid_request_object" {
			t.Errorf("%s: got %v for a request object", what, said)
		}
	}
	if n := fetched.Load(); n != 0 {
		t.Errorf("got %d requests to an address of a header, want none", n)
	}
}

// A public key is no shared secret: who signs with it by HMAC proves nothing.
func TestAPublicKeyIsNoSecret(t *testing.T) {
	w := open(t)
	raw, err := json.Marshal(jose.JSONWebKey{Key: w.rp.key.Public()})
	must(t, err)
	secret := w.register(t, map[string]any{"token_endpoint_auth_method": "client_secret_basic", "jwks": nil}).secret
	for what, key := range map[string][]byte{"the public key": raw, "another's secret": []byte(secret)} {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "rp-1"))
		must(t, err)
		form := w.trade(t, w.rp, w.code(t))
		assertion, err := jwt.Signed(signer).Claims(payload(t, form.Get("client_assertion"))).Serialize()
		must(t, err)
		form.Set("client_assertion", assertion)
		if got := w.post(t, "/oidc/token", form); got.status != 401 {
			t.Errorf("%s: got %d %s", what, got.status, got.text)
		}
	}
	for _, key := range w.ask(t, "GET", "/oidc/jwks", nil).body["keys"].([]any) {
		k := key.(map[string]any)
		for _, private := range []string{"d", "p", "q", "k"} {
			if k[private] != nil {
				t.Errorf("the set of keys shows %s", private)
			}
		}
		if n, err := base64.RawURLEncoding.DecodeString(str(k["n"])); err == nil && len(n) > 0 && len(n) < 384 {
			t.Errorf("got an RSA key of %d bits", 8*len(n))
		}
	}
}

func str(v any) string { s, _ := v.(string); return s }

// Who gives somebody their own cookie does not share what comes of it: a login that
// another browser began cannot be finished here, and a session's name is made when
// somebody has logged in, never before.
func TestNobodyIsLoggedInToAnothersSession(t *testing.T) {
	w := open(t)
	attacker, victim := w.browser(t), w.browser(t)
	page := attacker.get(t, w.asks(w.question(w.rp)))
	visit := visitField.FindStringSubmatch(page.text)[1]
	victim.get(t, w.asks(w.question(w.rp)))
	resp, err := victim.PostForm(w.URL+"/oidc/login", url.Values{"visit": {visit}, "identifier": {w.uin}})
	must(t, err)
	if got := read(t, resp); got.status < 400 {
		t.Errorf("got %d for a visit of another browser, want it refused", got.status)
	}
	at, err := url.Parse(w.URL)
	must(t, err)
	fixed := w.browser(t)
	fixed.Jar.SetCookies(at, []*http.Cookie{{Name: "plinth_session", Value: "chosen-by-the-attacker", Path: "/"}})
	fixed.login(t, w.asks(w.question(w.rp)))
	for _, c := range fixed.Jar.Cookies(at) {
		if strings.HasSuffix(c.Name, "plinth_session") && (c.Value == "chosen-by-the-attacker" || c.Value == "") {
			t.Errorf("got session %q, want one of our own making", c.Value)
		}
	}
}

// Every answer says whose it is (RFC 9207): a party that speaks to several providers
// cannot be made to bring the code of one to another.
func TestEveryAnswerSaysWhoseItIs(t *testing.T) {
	w := open(t)
	if said := w.browser(t).login(t, w.asks(w.question(w.rp))); said.Get("iss") != w.URL {
		t.Errorf("got %v, want our name", said)
	}
	query := w.question(w.rp)
	query.Set("prompt", "none")
	if said := back(t, w.browser(t).get(t, w.asks(query))); said.Get("error") == "" || said.Get("iss") != w.URL {
		t.Errorf("got %v, want our name with an error, too", said)
	}
	query.Set("response_mode", "jwt")
	if claims := payload(t, back(t, w.browser(t).get(t, w.asks(query))).Get("response")); claims["iss"] != w.URL || claims["aud"] != w.rp.id {
		t.Errorf("got %v, want our name inside", claims)
	}
}

// What comes from outside makes no line of its own in the log.
func TestTheLogTakesNoDictation(t *testing.T) {
	w := open(t)
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewJSONHandler(&log, nil)))
	defer slog.SetDefault(before)
	evil := "x\n{\"level\":\"ERROR\",\"msg\":\"forged\"}\r\n\x1b[2J"
	w.post(t, "/oidc/token", url.Values{"grant_type": {evil}, "client_id": {evil}, "code": {evil}})
	w.browser(t).get(t, w.asks(url.Values{"client_id": {evil}, "scope": {evil}, "state": {evil}}))
	query := w.question(w.rp)
	query.Set("prompt", evil)
	w.browser(t).get(t, w.asks(query))
	w.ask(t, "GET", "/oidc/userinfo", map[string]string{"Authorization": "Bearer x\tforged"})
	for line := range strings.Lines(log.String()) {
		var said struct{ Msg string }
		if err := json.Unmarshal([]byte(line), &said); err != nil || said.Msg == "forged" || strings.Contains(line, "\x1b") {
			t.Errorf("got the line %q", line)
		}
	}
}
