package oidc

import (
	"crypto"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"
	"github.com/go-jose/go-jose/v4"

	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/registry/auth"
	"github.com/plinth-id/plinth/templates"
)

// metadata says what works here, and nothing else (OpenID Connect Discovery,
// RFC 8414, and the standards that add to them).
func (p *Provider) metadata() map[string]any {
	scopes := append([]string{"openid", "profile", "email", "phone", "address"}, slices.Sorted(maps.Keys(p.CredentialScopes))...)
	claims := append(slices.Clone(about), claimNames()...)
	for _, name := range claimNames() {
		if also := companion[name]; also != "" {
			claims = append(claims, also)
		}
	}
	var languages []string
	for _, l := range templates.Languages() {
		languages = append(languages, l.BCP47)
	}
	m := map[string]any{
		"issuer":                                p.issuer,
		"authorization_endpoint":                p.at("/oidc/authorize"),
		"pushed_authorization_request_endpoint": p.at("/oidc/par"),
		"token_endpoint":                        p.at("/oidc/token"),
		"userinfo_endpoint":                     p.at("/oidc/userinfo"),
		"revocation_endpoint":                   p.at("/oidc/revoke"),
		"jwks_uri":                              p.at("/oidc/jwks"),
		"scopes_supported":                      scopes,
		"claims_supported":                      claims,
		"acr_values_supported":                  auth.ACRs(),
		"ui_locales_supported":                  languages,
		"response_types_supported":              []string{"code"},
		"response_modes_supported":              []string{"query"},
		"grant_types_supported":                 p.grantTypes(),
		"subject_types_supported":               []string{"pairwise"},
		"id_token_signing_alg_values_supported": []string{"ES256"},
		"code_challenge_methods_supported":      []string{"S256"},
		"prompt_values_supported":               []string{"none", "login", "consent", "select_account"},
		"claim_types_supported":                 []string{"normal"},
		"claims_parameter_supported":            true,
		"request_parameter_supported":           false,
		"request_uri_parameter_supported":       false,

		"require_pushed_authorization_requests":            false,
		"authorization_response_iss_parameter_supported":   true,
		"token_endpoint_auth_methods_supported":            []string{"private_key_jwt", "none"},
		"token_endpoint_auth_signing_alg_values_supported": clientAlgorithms,

		"revocation_endpoint_auth_methods_supported":            []string{"private_key_jwt", "none"},
		"revocation_endpoint_auth_signing_alg_values_supported": clientAlgorithms,
	}
	if p.Redeem != nil {
		m["pre-authorized_grant_anonymous_access_supported"] = true
	}
	if len(p.CredentialScopes) > 0 {
		m["authorization_details_types_supported"] = []string{credentialDetail}
	}
	return m
}

// cached marks what is the same for everybody. Clients come back for new keys
// well before old ones are retired.
func cached(c *gin.Context) { c.Header("Cache-Control", "public, max-age=300") }

func (p *Provider) getMetadata(c *gin.Context) error {
	cached(c)
	c.JSON(http.StatusOK, p.metadata())
	return nil
}

// getKeys publishes the keys that ID tokens are signed with, those of before included.
func (p *Provider) getKeys(c *gin.Context) error {
	var set jose.JSONWebKeySet
	for _, key := range p.Ring.Verifiers(keys.OIDCSigning) {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: crypto.PublicKey(key.Public), KeyID: key.ID, Algorithm: string(jose.ES256), Use: "sig"})
	}
	raw, err := json.Marshal(set)
	if err != nil {
		return fmt.Errorf("publishing the keys: %w", err)
	}
	cached(c)
	c.Data(http.StatusOK, "application/json", raw)
	return nil
}
