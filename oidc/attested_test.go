package oidc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/plinth-id/plinth/internal/attest"
)

const walletID = "https://wallet.example.org"

// maker is a maker of wallets whom the world trusts.
var maker = sync.OnceValue(func() *jose.JSONWebKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return &jose.JSONWebKey{Key: key, KeyID: "maker", Algorithm: "ES256"}
})

func makers(t *testing.T) *attest.Attesters {
	t.Helper()
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{maker().Public()}})
	must(t, err)
	a, err := attest.Parse(raw)
	must(t, err)
	return a
}

// spoil changes the claims of an attestation, of its proof, or the headers of both.
type spoil struct {
	attestation, proof func(claims map[string]any)
	by, copy           *ecdsa.PrivateKey // who signs instead
	typ, proofTyp      string
}

// attests are the headers by which a copy of a wallet proves itself.
func (w *world) attests(t *testing.T, copy *ecdsa.PrivateKey, s spoil) map[string]string {
	t.Helper()
	sign := func(key any, typ string, claims map[string]any, change func(map[string]any)) string {
		if change != nil {
			change(claims)
		}
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
		must(t, err)
		raw, err := jwt.Signed(signer).Claims(claims).Serialize()
		must(t, err)
		return raw
	}
	or := func(a, b string) string {
		if a != "" {
			return a
		}
		return b
	}
	var by, prover any = *maker(), copy
	if s.by != nil {
		by = jose.JSONWebKey{Key: s.by, KeyID: "maker"}
	}
	if s.copy != nil {
		prover = s.copy
	}
	now := w.now()
	return map[string]string{
		"OAuth-Client-Attestation": sign(by, or(s.typ, "oauth-client-attestation+jwt"), map[string]any{"iss": "https://maker.example", "sub": walletID, "iat": now.Unix(),
			"exp": now.Add(time.Hour).Unix(), "cnf": map[string]any{"jwk": jose.JSONWebKey{Key: copy.Public()}}}, s.attestation),
		"OAuth-Client-Attestation-PoP": sign(prover, or(s.proofTyp, "oauth-client-attestation-pop+jwt"), map[string]any{"iss": walletID, "aud": w.URL, "jti": rand.Text(), "iat": now.Unix()}, s.proof),
	}
}

// registerWallet registers the wallet that the maker attests.
func (w *world) registerWallet(t *testing.T) rp {
	t.Helper()
	return w.register(t, map[string]any{"client_id": walletID, "token_endpoint_auth_method": "attest_jwt_client_auth", "jwks": nil, "scope": "openid national_id offline_access",
		"grant_types": []string{"authorization_code", "refresh_token"}, "plinth_profile": "fapi2"})
}

func beside(headers map[string]string, name, value string) map[string]string {
	headers[name] = value
	return headers
}

// pushWallet pushes a request for the credential.
func (w *world) pushWallet(t *testing.T, headers map[string]string) answer {
	t.Helper()
	form := w.question(rp{id: walletID})
	form.Set("scope", "national_id offline_access")
	form.Set("resource", w.URL) // as OpenID4VCI 1.0 recommends it
	form.Del("nonce")
	return w.send(t, "/oidc/par", form, headers)
}

// HAIP 1.0, section 4: pushed request, attested wallet, DPoP, refresh.
func TestAnAttestedWalletGetsItsCredentialToken(t *testing.T) {
	w := open(t)
	w.haip = true
	w.registerWallet(t)
	copy, bound, stranger := newKey(t), newKey(t), newKey(t)
	pushed := w.pushWallet(t, w.attests(t, copy, spoil{}))
	if pushed.status != 201 {
		t.Fatalf("got %d %s, want a request_uri", pushed.status, pushed.text)
	}
	to := w.asks(url.Values{"client_id": {walletID}, "request_uri": {pushed.str("request_uri")}})
	token := func(key *ecdsa.PrivateKey, form url.Values) answer {
		return w.send(t, "/oidc/token", form, beside(w.attests(t, key, spoil{}), "DPoP", w.proof(t, bound, "POST", "/oidc/token", "", nil)))
	}
	code := w.browser(t).login(t, to).Get("code")
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier}, "client_id": {walletID}}
	got := token(copy, form)
	if got.status != 200 || got.body["token_type"] != "DPoP" || got.str("refresh_token") == "" || got.body["c_nonce"] != "a c_nonce" {
		t.Fatalf("got %d %s, want tokens", got.status, got.text)
	}
	shown, err := http.NewRequest(http.MethodPost, w.URL+"/vci/credential", nil)
	must(t, err)
	shown.Header.Set("Authorization", "DPoP "+got.str("access_token"))
	shown.Header.Set("DPoP", w.proof(t, bound, "POST", "/vci/credential", got.str("access_token"), nil))
	held, err := w.provider.Token(t.Context(), shown)
	if err != nil || !held.Bound || !held.Genuine || held.Client() != walletID || held.Configurations()[0] != configuration {
		t.Errorf("got %+v, %v; want a bound token of a genuine wallet", held, err)
	}
	shown.Header.Set("Authorization", "Bearer "+got.str("access_token"))
	if _, err := w.provider.Token(t.Context(), shown); err == nil {
		t.Error("got nil for a bound token that is shown as a bearer's")
	}
	again := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.str("refresh_token")}, "client_id": {walletID}}
	token(stranger, again).refuses(t, 400, "invalid_grant")
	w.send(t, "/oidc/token", again, beside(w.attests(t, copy, spoil{}), "DPoP", w.proof(t, stranger, "POST", "/oidc/token", "", nil))).refuses(t, 400, "invalid_dpop_proof")
	if got := token(copy, again); got.status != 200 {
		t.Errorf("got %d %s, want a fresh token for more copies", got.status, got.text)
	}
}

func TestACodeIsForTheCopyThatPushed(t *testing.T) {
	w := open(t)
	w.registerWallet(t)
	copy := newKey(t)
	pushed := w.pushWallet(t, w.attests(t, copy, spoil{}))
	code := w.browser(t).login(t, w.asks(url.Values{"client_id": {walletID}, "request_uri": {pushed.str("request_uri")}})).Get("code")
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier}}
	bound := newKey(t)
	w.send(t, "/oidc/token", form, beside(w.attests(t, newKey(t), spoil{}), "DPoP", w.proof(t, bound, "POST", "/oidc/token", "", nil))).refuses(t, 400, "invalid_grant")
}

func TestAnAttestationIsRefused(t *testing.T) {
	w := open(t)
	w.registerWallet(t)
	copy := newKey(t)
	set := func(name string, value any) func(map[string]any) { return func(m map[string]any) { m[name] = value } }
	drop := func(name string) func(map[string]any) { return func(m map[string]any) { delete(m, name) } }
	for what, s := range map[string]spoil{
		"by another maker":           {by: newKey(t)},
		"of another type":            {typ: "JWT"},
		"expired":                    {attestation: set("exp", w.now().Add(-time.Minute).Unix())},
		"without end":                {attestation: drop("exp")},
		"not good yet":               {attestation: set("nbf", w.now().Add(time.Hour).Unix())},
		"without a key":              {attestation: drop("cnf")},
		"with a private key":         {attestation: set("cnf", map[string]any{"jwk": jose.JSONWebKey{Key: copy}})},
		"of nobody":                  {attestation: drop("sub")},
		"of another wallet":          {attestation: set("sub", "https://other.example.org")},
		"proven by another copy":     {copy: newKey(t)},
		"with a proof of other type": {proofTyp: "dpop+jwt"},
		"for another server":         {proof: set("aud", "https://other.example.org")},
		"for two servers":            {proof: set("aud", []string{w.URL, "https://other.example.org"})},
		"without jti":                {proof: drop("jti")},
		"without iat":                {proof: drop("iat")},
		"with an old proof":          {proof: set("iat", w.now().Add(-time.Hour).Unix())},
	} {
		if got := w.pushWallet(t, w.attests(t, copy, s)); got.status != 401 || got.body["error"] != "invalid_client" {
			t.Errorf("%s: got %d %s, want invalid_client", what, got.status, got.text)
		}
	}
	once := w.attests(t, copy, spoil{})
	if got := w.pushWallet(t, once); got.status != 201 {
		t.Fatalf("got %d %s, want a request_uri", got.status, got.text)
	}
	w.pushWallet(t, once).refuses(t, 401, "invalid_client")
	alone := w.attests(t, copy, spoil{})
	delete(alone, "OAuth-Client-Attestation-PoP")
	w.pushWallet(t, alone).refuses(t, 401, "invalid_client")
	// The proof of DPoP is proof enough, when it is by the same key.
	if got := w.pushWallet(t, beside(alone, "DPoP", w.proof(t, copy, "POST", "/oidc/par", "", nil))); got.status != 201 {
		t.Errorf("got %d %s, want a request_uri", got.status, got.text)
	}
	w.pushWallet(t, beside(alone, "DPoP", w.proof(t, newKey(t), "POST", "/oidc/par", "", nil))).refuses(t, 401, "invalid_client")
	w.pushWallet(t, nil).refuses(t, 401, "invalid_client")
	// A client that was registered to prove itself otherwise is not let in by this.
	form := w.question(w.rp)
	w.send(t, "/oidc/par", form, w.attests(t, copy, spoil{attestation: set("sub", w.rp.id)})).refuses(t, 401, "invalid_client")
}

func TestHAIPIsForAttestedWallets(t *testing.T) {
	w := open(t)
	w.haip = true
	public := w.register(t, map[string]any{"token_endpoint_auth_method": "none", "jwks": nil})
	form := w.question(public)
	form.Set("scope", "national_id")
	w.post(t, "/oidc/par", form).refuses(t, 401, "invalid_client")
	if told := back(t, w.browser(t).get(t, w.asks(form))); told.Get("error") != "invalid_request" {
		t.Errorf("got %v for a request that was not pushed, want invalid_request", told)
	}
	w.offers["an offer"], w.offers["another"] = "", ""
	redeem := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:pre-authorized_code"}, "pre-authorized_code": {"an offer"}}
	w.post(t, "/oidc/token", redeem).refuses(t, 401, "invalid_client")
	redeem.Set("pre-authorized_code", "another")
	copy := newKey(t)
	got := w.send(t, "/oidc/token", redeem, beside(w.attests(t, copy, spoil{}), "DPoP", w.proof(t, copy, "POST", "/oidc/token", "", nil)))
	if got.status != 200 {
		t.Errorf("got %d %s, want a token for a wallet that nobody registered but its maker attests", got.status, got.text)
	}
}

// Whoever redeems an offer without a name may come back for more copies by the key.
func TestAnOfferIsRefreshedByItsKey(t *testing.T) {
	w := open(t)
	w.offers["an offer"], w.offers["another"] = "", ""
	redeem := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:pre-authorized_code"}, "pre-authorized_code": {"an offer"}}
	plain := w.post(t, "/oidc/token", redeem)
	if plain.status != 200 || plain.body["refresh_token"] != nil || plain.body["expires_in"] != 300.0 {
		t.Errorf("got %d %s, want a short token and no more", plain.status, plain.text)
	}
	redeem.Set("pre-authorized_code", "another")
	key := newKey(t)
	proven := func(k *ecdsa.PrivateKey) map[string]string {
		return map[string]string{"DPoP": w.proof(t, k, "POST", "/oidc/token", "", nil)}
	}
	got := w.send(t, "/oidc/token", redeem, proven(key))
	if got.status != 200 || got.str("refresh_token") == "" || got.body["token_type"] != "DPoP" {
		t.Fatalf("got %d %s, want a refresh token", got.status, got.text)
	}
	again := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.str("refresh_token")}}
	w.send(t, "/oidc/token", again, proven(newKey(t))).refuses(t, 400, "invalid_dpop_proof")
	w.ahead.Add(int64(24 * time.Hour))
	fresh := w.send(t, "/oidc/token", again, proven(key))
	if fresh.status != 200 || fresh.str("refresh_token") == got.str("refresh_token") {
		t.Fatalf("got %d %s, want the next tokens", fresh.status, fresh.text)
	}
	w.ahead.Add(int64(time.Minute))
	w.send(t, "/oidc/token", again, proven(key)).refuses(t, 400, "invalid_grant")
}

func TestATokenRequestMayAskForLess(t *testing.T) {
	w := open(t)
	form := w.question(w.rp)
	form.Del("scope")
	form.Set("authorization_details", `[{"type":"openid_credential","credential_configuration_id":"`+configuration+`"}]`)
	code := func() string { return w.browser(t).login(t, w.asks(form)).Get("code") }
	trade := w.trade(t, w.rp, code())
	trade.Set("authorization_details", form.Get("authorization_details"))
	if got := w.post(t, "/oidc/token", trade); got.status != 200 || got.body["authorization_details"] == nil {
		t.Errorf("got %d %s, want the details again", got.status, got.text)
	}
	trade = w.trade(t, w.rp, code())
	trade.Set("authorization_details", `[{"type":"openid_credential","credential_configuration_id":"another"}]`)
	w.post(t, "/oidc/token", trade).refuses(t, 400, "invalid_authorization_details")
}

func TestTheServerSaysHowWalletsProveThemselves(t *testing.T) {
	w := open(t)
	m := w.ask(t, "GET", "/.well-known/oauth-authorization-server", nil)
	methods, _ := json.Marshal(m.body["token_endpoint_auth_methods_supported"])
	for _, want := range []string{`"attest_jwt_client_auth"`, `"attest_jwt_client_auth_dpop"`} {
		if !strings.Contains(string(methods), want) {
			t.Errorf("got %s, want %s", methods, want)
		}
	}
	if m.body["client_attestation_signing_alg_values_supported"] == nil || m.body["client_attestation_pop_signing_alg_values_supported"] == nil || m.body["pre-authorized_grant_anonymous_access_supported"] != true {
		t.Errorf("got %s", m.text)
	}
}
