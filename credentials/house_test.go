package credentials

import (
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

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
