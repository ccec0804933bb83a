package oidc_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	client "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/plinth-id/plinth/internal/failpoint"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/registry/auth"
)

var (
	errWrongOffer  = fault.New(fault.Denied, "This offer is used up or unknown.").Named("invalid_grant")
	errWrongTxCode = fault.New(fault.Invalid, "A transaction code is missing.").Named("invalid_request")
)

// An OpenID Connect library that others wrote logs a person in.
func TestAnIndependentClientLogsAPersonIn(t *testing.T) {
	w := open(t)
	provider, err := client.NewProvider(t.Context(), w.URL)
	must(t, err)
	config := oauth2.Config{ClientID: w.rp.id, Endpoint: provider.Endpoint(), RedirectURL: callback, Scopes: []string{"openid", "profile", "email"}}
	config.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	pkce := oauth2.GenerateVerifier()
	said := w.browser(t).login(t, config.AuthCodeURL("state-1", client.Nonce("nonce-1"), oauth2.S256ChallengeOption(pkce)), "name", "email")
	if said.Get("state") != "state-1" || said.Get("iss") != w.URL {
		t.Fatalf("got %v, want our state and iss", said)
	}
	token, err := config.Exchange(t.Context(), said.Get("code"), oauth2.VerifierOption(pkce),
		oauth2.SetAuthURLParam("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
		oauth2.SetAuthURLParam("client_assertion", w.says(t, w.rp, nil)))
	must(t, err)
	raw, _ := token.Extra("id_token").(string)
	id, err := provider.Verifier(&client.Config{ClientID: w.rp.id, SupportedSigningAlgs: []string{"RS256"}}).Verify(t.Context(), raw)
	must(t, err)
	must(t, id.VerifyAccessToken(token.AccessToken))
	var claims struct {
		ACR      string
		AMR      []string
		AuthTime int64 `json:"auth_time"`
		Name     string
	}
	must(t, id.Claims(&claims))
	if id.Nonce != "nonce-1" || claims.ACR == "" || len(claims.AMR) == 0 || claims.AuthTime == 0 || claims.Name != "" {
		t.Fatalf("got nonce %q and %+v, want nonce-1, how and when, and nothing about the person", id.Nonce, claims)
	}
	info, err := provider.UserInfo(t.Context(), oauth2.StaticTokenSource(token))
	must(t, err)
	var person map[string]any
	must(t, info.Claims(&person))
	if info.Subject != id.Subject || person["name"] != "Ada Example" || person["email"] != "ada@example.org" {
		t.Fatalf("got %v, want the person's name and address and the subject %s", person, id.Subject)
	}
	if person["birthdate"] != nil || person["phone_number"] != nil {
		t.Fatalf("got %v, want nothing that was not ticked", person)
	}
}

func TestASVS_10_4_2_CodeIsSpentOnceByAHundred(t *testing.T) {
	w := open(t)
	code := w.code(t, "name")
	const many = 100
	answers, forms := make([]answer, many), make([]url.Values, many)
	for i := range forms {
		forms[i] = w.trade(t, w.rp, code)
	}
	var ready sync.WaitGroup
	for i := range many {
		ready.Go(func() { answers[i] = w.post(t, "/oidc/token", forms[i]) })
	}
	ready.Wait()
	won, access := 0, ""
	for _, got := range answers {
		if got.status == 200 {
			won, access = won+1, got.str("access_token")
			continue
		}
		if got.status != 400 || got.body["error"] != "invalid_grant" {
			t.Errorf("got %d %s, want invalid_grant for a loser", got.status, got.text)
		}
	}
	if won != 1 {
		t.Fatalf("got %d tokens for one code, want 1", won)
	}
	if got := w.userinfo(t, access); got.status != 401 {
		t.Fatalf("got %d, want the token of a code that was used twice revoked", got.status)
	}
}

func TestASVS_10_4_2_ReuseOfACodeRevokesItsToken(t *testing.T) {
	w := open(t)
	code := w.code(t)
	first := w.post(t, "/oidc/token", w.trade(t, w.rp, code))
	if got := w.userinfo(t, first.str("access_token")); got.status != 200 {
		t.Fatalf("got %d %s, want userinfo before the reuse", got.status, got.text)
	}
	w.post(t, "/oidc/token", w.trade(t, w.rp, code)).refuses(t, 400, "invalid_grant")
	if got := w.userinfo(t, first.str("access_token")); got.status != 401 || !strings.Contains(got.header.Get("WWW-Authenticate"), `error="invalid_token"`) {
		t.Fatalf("got %d %v, want invalid_token after it", got.status, got.header)
	}
}

// Another client that brings a code neither gets a token nor ends the owner's.
func TestACodeIsOfUseToItsClientOnly(t *testing.T) {
	w := open(t)
	code, other := w.code(t), w.register(t, nil)
	w.post(t, "/oidc/token", w.trade(t, other, code)).refuses(t, 400, "invalid_grant")
	first := w.post(t, "/oidc/token", w.trade(t, w.rp, code))
	w.post(t, "/oidc/token", w.trade(t, other, code)).refuses(t, 400, "invalid_grant")
	if got := w.userinfo(t, first.str("access_token")); got.status != 200 {
		t.Fatalf("got %d %s, want the owner's token to hold", got.status, got.text)
	}
}

// A fall between spending the code and making the token undoes both.
func TestAFallInTheMiddleLeavesTheCodeAsItWas(t *testing.T) {
	w := open(t)
	code := w.code(t)
	disarm := failpoint.Arm("oidc/token/code-spent", func() { panic("fall") })
	got := w.post(t, "/oidc/token", w.trade(t, w.rp, code))
	disarm()
	if got.status != 500 || got.body["access_token"] != nil {
		t.Fatalf("got %d %s, want 500", got.status, got.text)
	}
	if got := w.post(t, "/oidc/token", w.trade(t, w.rp, code)); got.status != 200 {
		t.Fatalf("got %d %s afterwards, want a token", got.status, got.text)
	}
}

func TestASVS_10_4_3_CodeLivesOneMinute(t *testing.T) {
	w := open(t)
	code := w.code(t)
	w.ahead.Store(int64(61 * time.Second))
	w.post(t, "/oidc/token", w.trade(t, w.rp, code)).refuses(t, 400, "invalid_grant")
}

func TestASVS_10_4_6_PKCEIsCheckedAtTheTokenEndpoint(t *testing.T) {
	w := open(t)
	for name, wrong := range map[string][]string{
		"missing": nil, "short": {"short"}, "of another request": {oauth2.GenerateVerifier()},
		"the challenge itself": {oauth2.S256ChallengeFromVerifier(verifier)}, "bad characters": {strings.Repeat("a", 50) + "!"},
	} {
		form := w.trade(t, w.rp, w.code(t))
		form["code_verifier"] = wrong
		t.Run(name, func(t *testing.T) { w.post(t, "/oidc/token", form).refuses(t, 400, "invalid_grant") })
	}
}

func TestATokenRequestNamesTheRedirectOfItsAuthorization(t *testing.T) {
	w := open(t)
	for _, wrong := range []string{"", callback + "/", "https://evil.example/"} {
		form := w.trade(t, w.rp, w.code(t))
		form.Set("redirect_uri", wrong)
		w.post(t, "/oidc/token", form).refuses(t, 400, "invalid_grant")
	}
}

func TestTokenRequestsThatAreNone(t *testing.T) {
	w := open(t)
	for name, c := range map[string]struct {
		change func(url.Values)
		status int
		code   string
	}{
		"no grant type":     {func(f url.Values) { f.Del("grant_type") }, 400, "invalid_request"},
		"password":          {func(f url.Values) { f.Set("grant_type", "password") }, 400, "unsupported_grant_type"},
		"refresh":           {func(f url.Values) { f.Set("grant_type", "refresh_token") }, 400, "invalid_request"},
		"two at once":       {func(f url.Values) { f.Set("grant_type", "authorization_code password") }, 400, "unsupported_grant_type"},
		"a parameter twice": {func(f url.Values) { f.Add("code", "another") }, 400, "invalid_request"},
		"no code":           {func(f url.Values) { f.Del("code") }, 400, "invalid_request"},
		"an unknown code":   {func(f url.Values) { f.Set("code", "unknown") }, 400, "invalid_grant"},
		"no authentication": {func(f url.Values) { f.Del("client_assertion"); f.Del("client_assertion_type") }, 401, "invalid_client"},
		"only the client's id": {func(f url.Values) {
			f.Del("client_assertion")
			f.Del("client_assertion_type")
			f.Set("client_id", w.rp.id)
		}, 401, "invalid_client"},
	} {
		form := w.trade(t, w.rp, "a code")
		c.change(form)
		t.Run(name, func(t *testing.T) {
			got := w.post(t, "/oidc/token", form)
			got.refuses(t, c.status, c.code)
			if got.header.Get("Cache-Control") != "no-store" {
				t.Fatalf("got Cache-Control %q, want no-store", got.header.Get("Cache-Control"))
			}
		})
	}
	resp, err := http.Post(w.URL+"/oidc/token", "application/json", strings.NewReader(`{"grant_type":"authorization_code"}`))
	must(t, err)
	read(t, resp).refuses(t, 400, "invalid_request")
}

// A client without a key has PKCE instead.
func TestAPublicClientProvesItselfByPKCE(t *testing.T) {
	w := open(t)
	const home = "com.example.wallet:/back"
	app := w.register(t, map[string]any{"token_endpoint_auth_method": "none", "jwks": nil, "redirect_uris": []string{home}})
	query := w.question(app)
	query.Set("redirect_uri", home)
	b := w.browser(t)
	page := b.toConsent(t, b.get(t, w.asks(query)))
	if policy := page.header.Get("Content-Security-Policy"); !strings.Contains(policy, "form-action 'self' com.example.wallet:") {
		t.Fatalf("got %q, want forms to lead to the app", policy)
	}
	to := b.submit(t, page, "/oidc/login/consent", url.Values{"decision": {"allow"}}).header.Get("Location")
	raw, ok := strings.CutPrefix(to, home+"?")
	if !ok {
		t.Fatalf("got %q, want the app's address", to)
	}
	said, err := url.ParseQuery(raw)
	must(t, err)
	form := url.Values{"grant_type": {"authorization_code"}, "code": {said.Get("code")}, "client_id": {app.id}, "redirect_uri": {home}, "code_verifier": {verifier}}
	if got := w.post(t, "/oidc/token", form); got.status != 200 || got.str("id_token") == "" {
		t.Fatalf("got %d %s, want tokens", got.status, got.text)
	}
}

func TestOneOfferIsRedeemedOnce(t *testing.T) {
	w := open(t)
	w.offers["offer-1"], w.offers["offer-2"] = "", "4711"
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:pre-authorized_code"}, "pre-authorized_code": {"offer-1"}}
	got := w.post(t, "/oidc/token", form)
	if got.status != 200 || got.str("token_type") != "Bearer" || got.body["id_token"] != nil || got.body["refresh_token"] != nil {
		t.Fatalf("got %d %s, want an access token alone", got.status, got.text)
	}
	req, err := http.NewRequest("GET", w.URL, nil)
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+got.str("access_token"))
	grant, err := w.provider.Token(t.Context(), req)
	if err != nil || grant.Person() != w.person || len(grant.Configurations()) != 1 {
		t.Fatalf("got %v and %v, want the grant for one credential", grant.Configurations(), err)
	}
	if got := w.userinfo(t, got.str("access_token")); got.status != 403 || got.body["error"] != "insufficient_scope" {
		t.Fatalf("got %d %s, want insufficient_scope at userinfo", got.status, got.text)
	}
	w.post(t, "/oidc/token", form).refuses(t, 400, "invalid_grant")
	form.Set("pre-authorized_code", "offer-2")
	w.post(t, "/oidc/token", form).refuses(t, 400, "invalid_request")
	form.Set("client_id", w.rp.id)
	form.Set("tx_code", "4711")
	w.post(t, "/oidc/token", form).refuses(t, 401, "invalid_client")
	form.Set("client_id", "a wallet that nobody registered")
	form.Set("authorization_details", fmt.Sprintf(`[{"type":"openid_credential","credential_configuration_id":%q}]`, configuration))
	if got := w.post(t, "/oidc/token", form); got.status != 200 || got.body["authorization_details"] == nil {
		t.Fatalf("got %d %s, want a token with its details", got.status, got.text)
	}
}

// The type system lets anybody write Grant{}; nothing comes of it.
func TestNoTokenWithoutAProvenPerson(t *testing.T) {
	w := open(t)
	if _, err := w.desk.Grant(auth.Proof{}, auth.Terms{Client: w.rp.id}); err == nil {
		t.Fatal("got a grant for nobody")
	}
}
