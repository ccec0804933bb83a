package oidc

import (
	"net/url"
	"slices"
	"testing"

	"github.com/ory/fosite"

	"github.com/plinth-id/plinth/registry/partner"
)

// Whatever a client sends is judged without a fall, and what passes is what may pass.
func FuzzJudge(f *testing.F) {
	const good = "response_type=code&client_id=c&redirect_uri=https%3A%2F%2Frp.example%2F&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
	f.Add(good + "&scope=openid+email&claims=%7B%22userinfo%22%3A%7B%22name%23fr%22%3A%7B%22essential%22%3Atrue%7D%7D%7D")
	f.Add(good + "&scope=national_id&authorization_details=%5B%7B%22type%22%3A%22openid_credential%22%2C%22credential_configuration_id%22%3A%22x%22%7D%5D")
	f.Add(good + "&scope=openid&prompt=none&max_age=0&claims=%7B%22id_token%22%3A%7B%22acr%22%3Anull%2C%22sub%22%3A%7B%22value%22%3A1%7D%7D%7D")
	f.Add("scope=&response_mode=x&state=%00&code_challenge_method=plain")
	p := &Provider{Config: Config{CredentialScopes: func() map[string][]string { return map[string][]string{"national_id": {"x"}} }}}
	p.settings = &fosite.Config{ScopeStrategy: p.mayAsk}
	c := client{Client: partner.Client{ID: "c", Scopes: []string{"openid", "email", "national_id"},
		Kept: partner.Kept{Profile: partner.OIDC, RequirePKCE: true, RedirectURIs: []string{"https://rp.example/"}, Claims: []string{"email", "name"}}}}
	f.Fuzz(func(t *testing.T, query string) {
		form, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		form.Del("id_token_hint") // needs keys
		a, err := p.judge(t.Context(), c, form)
		if err != nil {
			if _, ok := refusal(err); !ok {
				t.Fatalf("got %v, want an error of the protocol", err)
			}
			return
		}
		if !challengeForm.MatchString(a.Challenge) || form.Get("code_challenge_method") != "S256" || form.Get("response_type") != "code" {
			t.Fatalf("got %+v from %q", a, query)
		}
		for _, name := range a.claims() {
			if !slices.Contains(c.Claims, name) {
				t.Fatalf("got the claim %s above the ceiling", name)
			}
		}
	})
}
