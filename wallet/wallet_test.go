package wallet

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/wallet/holder"
)

func newWallet(t *testing.T) *Wallet {
	t.Helper()
	w, err := New(filepath.Join(t.TempDir(), "wallet"), "correct horse", http.DefaultClient)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestASVS_14_2_WalletIsSealedAtRest(t *testing.T) {
	w := newWallet(t)
	keys, err := w.newKeys(2, "ES256")
	if err != nil {
		t.Fatal(err)
	}
	held := holder.Card{ID: "1", Issuer: "https://id.example.org", Format: "ldp_vc", Lines: []holder.Line{{Path: []any{"credentialSubject", "fullName"}, Value: "Ada"}},
		Copies: []holder.Copy{{Document: json.RawMessage(`{"credentialSubject":{"fullName":"Ada"}}`), Key: holder.Thumbprint(keys[1])}}}
	if err := w.keep(held); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(w.path)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"Ada", "id.example.org", holder.Thumbprint(keys[1]), "private"} {
		if bytes.Contains(raw, []byte(secret)) {
			t.Errorf("the file shows %q", secret)
		}
	}
	info, err := os.Stat(w.path)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := info.Mode().Perm(), os.FileMode(0o600); got != want {
		t.Errorf("got mode %o, want %o", got, want)
	}
	again, err := New(w.path, "correct horse", http.DefaultClient)
	if err != nil {
		t.Fatal(err)
	}
	if shown, err := again.Show(held.ID); err != nil || shown.Claims["fullName"] != "Ada" {
		t.Errorf("got %v, %v; want what was kept", shown, err)
	}
	if _, err := New(w.path, "wrong horse", http.DefaultClient); fault.Of(err).Code != ErrPassphrase.Code {
		t.Errorf("got %v for a wrong passphrase, want %s", err, ErrPassphrase.Code)
	}
	raw[len(raw)-1] ^= 1
	if err := os.WriteFile(w.path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := again.List(); fault.Of(err).Code != ErrPassphrase.Code {
		t.Errorf("got %v for a changed file, want %s", err, ErrPassphrase.Code)
	}
}

func TestNoWalletIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wallet")
	if err := os.WriteFile(path, []byte(strings.Repeat("x", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(path, "p", http.DefaultClient); !fault.Is(err, fault.Invalid) {
		t.Errorf("got %v, want invalid", err)
	}
	if _, err := New(path+"2", "", http.DefaultClient); !fault.Is(err, fault.Invalid) {
		t.Errorf("got %v without a passphrase, want invalid", err)
	}
}

// issuerOf is a server with an issuer's metadata, and whatever else a test adds.
func issuerOf(t *testing.T, change func(meta, server map[string]any)) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	meta := map[string]any{"credential_issuer": s.URL, "credential_endpoint": s.URL + "/credential",
		"credential_configurations_supported": map[string]any{"card": map[string]any{"format": "ldp_vc", "scope": "card"}}}
	server := map[string]any{"issuer": s.URL, "token_endpoint": s.URL + "/token", "authorization_endpoint": s.URL + "/authorize",
		"authorization_response_iss_parameter_supported": true}
	change(meta, server)
	for path, body := range map[string]map[string]any{"/.well-known/openid-credential-issuer": meta, "/.well-known/oauth-authorization-server": server} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(body)
		})
	}
	return s
}

func offerOf(issuer string) string {
	return "openid-credential-offer://?credential_offer=" + url.QueryEscape(`{"credential_issuer":"`+issuer+`","credential_configuration_ids":["card"],
		"grants":{"urn:ietf:params:oauth:grant-type:pre-authorized_code":{"pre-authorized_code":"c","tx_code":{}}}}`)
}

func TestMetadataOfAnotherIssuerIsNotUsed(t *testing.T) {
	for name, change := range map[string]func(meta, server map[string]any){
		"issuer":        func(meta, _ map[string]any) { meta["credential_issuer"] = "https://other.example.org" },
		"server":        func(_, server map[string]any) { server["issuer"] = "https://other.example.org" },
		"no endpoint":   func(meta, _ map[string]any) { delete(meta, "credential_endpoint") },
		"unknown kind":  func(meta, _ map[string]any) { delete(meta, "credential_configurations_supported") },
		"plain http AS": func(meta, _ map[string]any) { meta["authorization_servers"] = []string{"http://other.example.org"} },
	} {
		s := issuerOf(t, change)
		if _, err := newWallet(t).Receive(t.Context(), offerOf(s.URL), "1"); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v, want invalid", name, err)
		}
	}
}

func TestTransactionCodeIsAskedForBeforeTheOfferIsSpent(t *testing.T) {
	s := issuerOf(t, func(_, _ map[string]any) {})
	if _, err := newWallet(t).Receive(t.Context(), offerOf(s.URL), ""); fault.Of(err).Code != "tx-code-missing" {
		t.Errorf("got %v, want tx-code-missing", err)
	}
}

func TestASVS_10_2_1_LoginIsBoundToThisWallet(t *testing.T) {
	s := issuerOf(t, func(_, _ map[string]any) {})
	w := newWallet(t)
	login := Login{Issuer: s.URL, ClientID: "wallet", Redirect: "http://127.0.0.1:1/back"}
	to, err := w.Authorize(t.Context(), login)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 || q.Get("scope") != "card" || q.Get("redirect_uri") != login.Redirect {
		t.Errorf("got %s, want PKCE, scope and redirect", to)
	}
	back := func(state, iss string) string {
		return login.Redirect + "?" + url.Values{"code": {"c"}, "state": {state}, "iss": {iss}}.Encode()
	}
	if _, err := w.Finish(t.Context(), back("another", s.URL)); fault.Of(err).Code != "login-unknown" {
		t.Errorf("got %v for another state, want login-unknown", err)
	}
	if _, err := w.Finish(t.Context(), back(q.Get("state"), "https://other.example.org")); fault.Of(err).Code != "issuer-answer" {
		t.Errorf("got %v for an answer of another server, want %s", err, "issuer-answer")
	}
	if _, err := w.Finish(t.Context(), back(q.Get("state"), s.URL)); fault.Of(err).Code != "login-unknown" {
		t.Errorf("got %v for a state used twice, want login-unknown", err)
	}
	if _, err := w.Authorize(t.Context(), login); err != nil {
		t.Fatal(err)
	}
	w.Now = func() time.Time { return time.Now().Add(2 * flowLife) }
	if _, err := w.Finish(t.Context(), back(q.Get("state"), s.URL)); fault.Of(err).Code != "login-unknown" {
		t.Errorf("got %v for an old login, want login-unknown", err)
	}
}
