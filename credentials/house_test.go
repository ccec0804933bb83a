package credentials

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/web"
	"github.com/plinth-id/plinth/oidc"
	"github.com/plinth-id/plinth/registry/partner"
	"github.com/plinth-id/plinth/wallet"
)

func hexOf(s string) string { return hex.EncodeToString([]byte(s)) }

const loopback = "http://127.0.0.1:9999/back"

// serveTokens is the real authorization server beside the issuer, as cmd composes
// them, with one wallet registered at it.
func (h *house) serveTokens(t *testing.T, r *web.Router) {
	t.Helper()
	clients, err := partner.New(partner.Config{Pool: h.Pool, Now: h.now})
	must(t, err)
	h.provider, err = oidc.New(oidc.Config{HTTP: http.DefaultClient, Pool: h.Pool, Ring: h.Ring, Desk: h.desk, Registry: h.Registry, Clients: clients.Client, Issuer: h.Config.Issuer,
		Redeem: h.Redeem, Offered: h.Offered, Accepted: h.Accepted, HAIP: h.HAIP, CNonce: h.CNonce, Attesters: h.Attesters, CredentialScopes: h.Scopes, Now: h.now})
	must(t, err)
	h.provider.Routes(r)
	metadata, err := json.Marshal(map[string]any{"client_name": "A wallet", "redirect_uris": []string{loopback}, "grant_types": []string{"authorization_code"},
		"token_endpoint_auth_method": "none", "scope": "national_id", "plinth_profile": "oidc"})
	must(t, err)
	client, err := clients.Add(t.Context(), metadata)
	must(t, err)
	h.wallet = client.ID
}

var visit = regexp.MustCompile(`name="visit" value="([^"]+)"`)

// logIn walks through the pages of a login and gives the address to which the
// browser is sent at the end.
func (h *house) logIn(t *testing.T, address string) string {
	t.Helper()
	jar, err := cookiejar.New(nil)
	must(t, err)
	browser := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), loopback) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	answer, err := browser.Get(address)
	must(t, err)
	for _, step := range []struct {
		path   string
		fields url.Values
	}{
		{"/oidc/login/method", url.Values{"method": {"code"}}},
		{"/oidc/login", url.Values{"identifier": {h.uin.Reveal()}}},
		{"/oidc/login/code", url.Values{"code": {"111111"}}},
		{"/oidc/login/consent", url.Values{"decision": {"allow"}}},
	} {
		page, err := io.ReadAll(answer.Body)
		must(t, err)
		answer.Body.Close()
		if back := answer.Header.Get("Location"); strings.HasPrefix(back, loopback) {
			return back // refused before all was asked
		}
		found := visit.FindSubmatch(page)
		if found == nil {
			t.Fatalf("got %d %s, want a page of the login", answer.StatusCode, page)
		}
		step.fields.Set("visit", string(found[1]))
		answer, err = browser.PostForm(h.url+step.path, step.fields)
		must(t, err)
	}
	answer.Body.Close()
	return answer.Header.Get("Location")
}

func TestWalletFetchesAfterALogin(t *testing.T) {
	h := newHouse(t)
	w := newWallet(t)
	to, err := w.Authorize(t.Context(), wallet.Login{Issuer: h.url, ClientID: h.wallet, Redirect: loopback})
	must(t, err)
	back := h.logIn(t, to)
	card, err := w.Finish(t.Context(), back)
	must(t, err)
	document, err := w.Export(card.ID)
	must(t, err)
	if v := h.judge(t, document, fetch); v.Verdict != "valid" {
		t.Errorf("got %s: %s; want valid", v.Verdict, codes(v))
	}
	if _, err := w.Finish(t.Context(), back); err == nil {
		t.Error("got nil for the same answer again, want it refused")
	}
	if n := h.count(t, "SELECT count(*) FROM audit_entry WHERE event = 'credential-issued' AND actor = $1", "client:"+h.wallet); n == 0 {
		t.Errorf("got %d entries that name the wallet, want one for each copy", n)
	}
}

// A token that came with authorization_details names what it is for; so may the
// request.
func TestCredentialIsAskedForByItsIdentifier(t *testing.T) {
	h := newHouse(t)
	request := requestOf(t, h.proofFor(t))
	request.Identifier, request.Configuration = request.Configuration, nil
	token := h.tokens[h.token(t, NationalID)]
	if _, err := h.Issue(t.Context(), token, request); fault.Of(err) == nil || fault.Of(err).Code != "unknown_credential_identifier" {
		t.Errorf("got %v for a name that the token did not come with, want unknown_credential_identifier", err)
	}
	token.Named = []string{NationalID}
	if _, err := h.Issue(t.Context(), token, request); err != nil {
		t.Errorf("got %v, want the credential", err)
	}
	if _, err := h.Issue(t.Context(), token, requestOf(t, h.proofFor(t))); fault.Of(err) == nil || fault.Of(err).Code != "invalid_credential_request" {
		t.Errorf("got %v for a configuration that has a name, want invalid_credential_request", err)
	}
}

func TestASVS_10_3_ExpiredTokenIsRefused(t *testing.T) {
	h := newHouse(t)
	form := url.Values{"grant_type": {GrantType}, "pre-authorized_code": {h.code(h.offer(t, false))}}
	answer, err := http.PostForm(h.url+"/oidc/token", form)
	must(t, err)
	defer answer.Body.Close()
	var token struct {
		Access  string `json:"access_token"`
		Expires int    `json:"expires_in"`
	}
	must(t, json.NewDecoder(answer.Body).Decode(&token))
	proof := func() string {
		return `{"credential_configuration_id":"` + NationalID + `","proofs":{"jwt":["` + h.proofFor(t) + `"]}}`
	}
	if got, body := ask(t, "POST", h.url+"/vci/credential", token.Access, proof()); got.StatusCode != 200 || body["notification_id"] == nil {
		t.Errorf("got %d %v, want the credential", got.StatusCode, body)
	}
	h.wait(offerLife)
	got, _ := ask(t, "POST", h.url+"/vci/credential", token.Access, proof())
	if challenge := got.Header.Get("WWW-Authenticate"); got.StatusCode != 401 || !strings.HasPrefix(challenge, `Bearer realm="plinth", error="invalid_token"`) {
		t.Errorf("got %d %s, want 401 invalid_token", got.StatusCode, challenge)
	}
}

// A token that is bound to a key is worth nothing without it (RFC 9449, 7.1).
func TestABoundTokenIsShownWithItsKey(t *testing.T) {
	h := newHouse(t)
	key := p256()
	proven := func(path, access string) string {
		claims := map[string]any{"jti": rand.Text(), "htm": "POST", "htu": h.url + path, "iat": h.now().Unix()}
		if access != "" {
			sum := sha256.Sum256([]byte(access))
			claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
		}
		return forged{key, jose.ES256, "dpop+jwt", map[string]any{"jwk": jose.JSONWebKey{Key: key.Public()}}, claims}.jwt(t)
	}
	send := func(path, kind, body string, headers map[string]string) (*http.Response, map[string]any) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+path, strings.NewReader(body))
		must(t, err)
		r.Header.Set("Content-Type", kind)
		for name, value := range headers {
			r.Header.Set(name, value)
		}
		answer, err := http.DefaultClient.Do(r)
		must(t, err)
		defer answer.Body.Close()
		var told map[string]any
		_ = json.NewDecoder(answer.Body).Decode(&told)
		return answer, told
	}
	form := url.Values{"grant_type": {GrantType}, "pre-authorized_code": {h.code(h.offer(t, false))}}
	_, token := send("/oidc/token", "application/x-www-form-urlencoded", form.Encode(), map[string]string{"DPoP": proven("/oidc/token", "")})
	access, _ := token["access_token"].(string)
	if access == "" || token["token_type"] != "DPoP" {
		t.Fatalf("got %v, want a bound token", token)
	}
	request := func() string {
		return `{"credential_configuration_id":"` + NationalID + `","proofs":{"jwt":["` + h.proofFor(t) + `"]}}`
	}
	for what, headers := range map[string]map[string]string{
		"as a bearer's":        {"Authorization": "Bearer " + access},
		"without a proof":      {"Authorization": "DPoP " + access},
		"for another endpoint": {"Authorization": "DPoP " + access, "DPoP": proven("/vci/deferred", access)},
		"for another token":    {"Authorization": "DPoP " + access, "DPoP": proven("/vci/credential", "another")},
	} {
		answer, _ := send("/vci/credential", "application/json", request(), headers)
		if challenge := answer.Header.Get("WWW-Authenticate"); answer.StatusCode != 401 || !strings.HasPrefix(challenge, "DPoP ") || answer.Header.Get("DPoP-Nonce") == "" {
			t.Errorf("%s: got %d %s, want 401 and a challenge of DPoP", what, answer.StatusCode, challenge)
		}
	}
	once := map[string]string{"Authorization": "DPoP " + access, "DPoP": proven("/vci/credential", access)}
	if answer, told := send("/vci/credential", "application/json", request(), once); answer.StatusCode != 200 || answer.Header.Get("DPoP-Nonce") == "" {
		t.Errorf("got %d %v, want the credential and the next nonce", answer.StatusCode, told)
	}
	if answer, _ := send("/vci/credential", "application/json", request(), once); answer.StatusCode != 401 {
		t.Errorf("got %d for the same proof again, want 401", answer.StatusCode)
	}
}
