package oidc_test

import (
	"crypto/rsa"
	"encoding/json"
	"net/url"
	"slices"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/plinth-id/plinth/internal/keys"
)

// The modules that look at what a provider says of itself, by their names: of the plan
// "oidcc-config-certification-test-plan" and of the two plans of logout.
func TestOIDCCConfig(t *testing.T) {
	w := open(t)
	must(t, w.ring.Ensure(t.Context(), keys.OIDCLegacy))
	m := w.ask(t, "GET", "/.well-known/openid-configuration", nil).body
	for name, module := range map[string]func(t *testing.T){
		"oidcc-discovery-endpoint-verification": func(t *testing.T) {
			if m["issuer"] != w.URL {
				t.Errorf("got issuer %v", m["issuer"])
			}
			for member, want := range map[string]string{"response_types_supported": "code", "subject_types_supported": "pairwise", "id_token_signing_alg_values_supported": "RS256", "scopes_supported": "openid",
				"claims_supported": "sub", "grant_types_supported": "authorization_code", "response_modes_supported": "query", "token_endpoint_auth_methods_supported": "client_secret_basic", "claim_types_supported": "normal",
				"ui_locales_supported": "hi"} {
				list, _ := m[member].([]any)
				if !slices.Contains(list, any(want)) {
					t.Errorf("%s: got %v, want %s in it", member, list, want)
				}
			}
			for _, endpoint := range []string{"authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"} {
				if at, err := url.Parse(str(m[endpoint])); err != nil || at.Host == "" || at.Fragment != "" {
					t.Errorf("%s: got %v, want an address", endpoint, m[endpoint])
				}
			}
			if none, _ := m["id_token_signing_alg_values_supported"].([]any); slices.Contains(none, any("none")) {
				t.Error("unsigned ID tokens are offered")
			}
			w.keysAreGood(t)
		},
		"oidcc-rp-initiated-logout-discovery-endpoint-verification": func(t *testing.T) {
			if m["end_session_endpoint"] != w.URL+"/oidc/logout" {
				t.Errorf("got %v", m["end_session_endpoint"])
			}
		},
		"oidcc-backchannel-logout-discovery-endpoint-verification": func(t *testing.T) {
			if m["backchannel_logout_supported"] != true || m["backchannel_logout_session_supported"] != true {
				t.Errorf("got %v, %v", m["backchannel_logout_supported"], m["backchannel_logout_session_supported"])
			}
		},
	} {
		t.Run(name, module)
	}
}

// keysAreGood holds the set of keys to what the suite asks of it: each key public, named
// once, of a use, and long enough.
func (w *world) keysAreGood(t *testing.T) {
	t.Helper()
	var set jose.JSONWebKeySet
	must(t, json.Unmarshal([]byte(w.ask(t, "GET", "/oidc/jwks", nil).text), &set))
	named := make(map[string]bool)
	for _, key := range set.Keys {
		if !key.IsPublic() || !key.Valid() || key.KeyID == "" || named[key.KeyID] || key.Use != "sig" {
			t.Errorf("got key %s, want it public, named once, and for signatures", key.KeyID)
		}
		named[key.KeyID] = true
		if public, ok := key.Key.(*rsa.PublicKey); ok && public.N.BitLen() < 3072 {
			t.Errorf("got an RSA key of %d bits", public.N.BitLen())
		}
	}
	if len(set.Keys) < 2 {
		t.Errorf("got %d keys, want one for RS256 and one for ES256", len(set.Keys))
	}
}
