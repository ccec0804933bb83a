package oidc

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/plinth-id/plinth/oidc/dpop"
	"github.com/plinth-id/plinth/registry"
	"github.com/plinth-id/plinth/registry/auth"
	"github.com/plinth-id/plinth/registry/partner"
	"github.com/plinth-id/plinth/templates"
)

// Metadata says what works here, and nothing else (OpenID Connect Discovery,
// RFC 8414, and the standards that add to them).
func (p *Provider) Metadata() map[string]any {
	scopes := slices.Concat([]string{"openid", "profile", "email", "phone", "address", offline}, slices.Sorted(maps.Keys(p.credentialScopes())), p.Scopes)
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
	methods := slices.DeleteFunc(partner.Methods(), func(m partner.AuthMethod) bool {
		return m == partner.Attested || p.MTLS == nil && (m == partner.TLSAuth || m == partner.SelfSignedTLS)
	})
	m := map[string]any{
		"issuer":                                p.issuer,
		"authorization_endpoint":                p.at("/oidc/authorize"),
		"pushed_authorization_request_endpoint": p.at("/oidc/par"),
		"token_endpoint":                        p.at("/oidc/token"),
		"userinfo_endpoint":                     p.at("/oidc/userinfo"),
		"revocation_endpoint":                   p.at("/oidc/revoke"),
		"introspection_endpoint":                p.at("/oidc/introspect"),
		"end_session_endpoint":                  p.at("/oidc/logout"),
		"device_authorization_endpoint":         p.at("/oidc/device"),
		"backchannel_authentication_endpoint":   p.at("/oidc/ciba"),
		"jwks_uri":                              p.at("/oidc/jwks"),
		"scopes_supported":                      scopes,
		"claims_supported":                      claims,
		"acr_values_supported":                  auth.ACRs(),
		"ui_locales_supported":                  languages,
		"claims_locales_supported":              languages,
		"response_types_supported":              []string{"code"},
		"response_modes_supported":              []string{"query", "jwt", "query.jwt"},
		"grant_types_supported":                 p.grantTypes(),
		"subject_types_supported":               []string{"pairwise"},
		"code_challenge_methods_supported":      []string{"S256"},
		"prompt_values_supported":               []string{"none", "login", "consent", "select_account"},
		"display_values_supported":              []string{"page", "popup", "touch", "wap"},
		"claim_types_supported":                 []string{"normal"},
		"claims_parameter_supported":            true,
		"request_parameter_supported":           true,
		"request_uri_parameter_supported":       false,

		"require_pushed_authorization_requests":          false,
		"require_signed_request_object":                  false,
		"authorization_response_iss_parameter_supported": true,
		"dpop_signing_alg_values_supported":              dpop.Algorithms,
		"request_object_signing_alg_values_supported":    clientAlgorithms,
		"tls_client_certificate_bound_access_tokens":     p.MTLS != nil,

		"backchannel_token_delivery_modes_supported":                      []string{"poll", "ping"},
		"backchannel_user_code_parameter_supported":                       false,
		"backchannel_authentication_request_signing_alg_values_supported": clientAlgorithms,
		"backchannel_logout_supported":                                    true,
		"backchannel_logout_session_supported":                            true,

		"verified_claims_supported":           true,
		"trust_frameworks_supported":          []string{registry.Framework},
		"evidence_supported":                  []string{"document", "vouch"},
		"documents_check_methods_supported":   []string{"pipp"},
		"claims_in_verified_claims_supported": claimNames(),
	}
	for _, of := range []string{"id_token", "userinfo", "authorization", "introspection"} {
		m[of+"_signing_alg_values_supported"] = []string{"ES256", "PS256", "RS256"}
	}
	for _, of := range []string{"id_token", "userinfo", "authorization"} {
		m[of+"_encryption_alg_values_supported"] = partner.KeyAlgorithms()
		m[of+"_encryption_enc_values_supported"] = partner.ContentAlgorithms()
	}
	for _, of := range []string{"token", "revocation", "introspection"} {
		m[of+"_endpoint_auth_methods_supported"] = methods
		m[of+"_endpoint_auth_signing_alg_values_supported"] = clientAlgorithms
	}
	if p.MTLS != nil {
		aliases := make(map[string]string)
		for name, path := range map[string]string{"token_endpoint": "token", "pushed_authorization_request_endpoint": "par", "userinfo_endpoint": "userinfo",
			"revocation_endpoint": "revoke", "introspection_endpoint": "introspect", "device_authorization_endpoint": "device", "backchannel_authentication_endpoint": "ciba"} {
			aliases[name] = p.MTLS.JoinPath("/oidc/" + path).String()
		}
		m["mtls_endpoint_aliases"] = aliases
	}
	p.attestedMetadata(m)
	m["introspection_endpoint_auth_methods_supported"] = slices.DeleteFunc(slices.Clone(methods), func(m partner.AuthMethod) bool { return m == partner.NoAuth })
	if p.Redeem != nil {
		m["pre-authorized_grant_anonymous_access_supported"] = true
	}
	if len(p.credentialScopes()) > 0 {
		m["authorization_details_types_supported"] = []string{credentialDetail}
	}
	return m
}

// cached marks what is the same for everybody. Clients come back for new keys
// well before old ones are retired.
func cached(c *gin.Context) { c.Header("Cache-Control", "public, max-age=300") }

func (p *Provider) getMetadata(c *gin.Context) error {
	cached(c)
	c.JSON(http.StatusOK, p.Metadata())
	return nil
}

// getKeys publishes the keys that ID tokens are signed with, those of before and of next included.
func (p *Provider) getKeys(c *gin.Context) error {
	raw, err := json.Marshal(p.JWKS())
	if err != nil {
		return fmt.Errorf("publishing the keys: %w", err)
	}
	cached(c)
	c.Data(http.StatusOK, "application/json", raw)
	return nil
}
