package partner

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/plinth-id/plinth/internal/fault"
)

// Grant types that a client may be registered for.
var grantTypes = []string{"authorization_code", "refresh_token", "client_credentials",
	"urn:ietf:params:oauth:grant-type:pre-authorized_code", "urn:ietf:params:oauth:grant-type:device_code",
	"urn:openid:params:grant-type:ciba", "urn:ietf:params:oauth:grant-type:token-exchange"}

// What we encrypt with (ASVS 11.3: no RSA1_5, no unauthenticated content encryption).
var (
	keyAlgorithms     = []string{"RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW"}
	contentAlgorithms = []string{"A256GCM", "A128GCM", "A128CBC-HS256", "A256CBC-HS512"}
)

// KeyAlgorithms are those by which keys of content are encrypted for clients.
func KeyAlgorithms() []string { return slices.Clone(keyAlgorithms) }

// ContentAlgorithms are those by which content is encrypted for clients.
func ContentAlgorithms() []string { return slices.Clone(contentAlgorithms) }

// maxLogo keeps pages small.
const maxLogo = 16 << 10

func (m *metadata) judge(r *refusal) {
	r.unless(m.Name != "" && len(m.Name) <= 256, "client_name", "is required, up to 256 characters")
	r.unless(slices.Contains(Profiles(), m.Profile), "plinth_profile", "must be oidc, fapi2 or fapi2-ms")
	r.unless(m.Rehearsed == "" || slices.Contains(Profiles(), m.Rehearsed) && !m.Profile.Includes(m.Rehearsed), "plinth_shadow_profile", "must be a stricter profile than plinth_profile")
	r.unless(slices.Contains(m.Profile.Methods(), m.AuthMethod), "token_endpoint_auth_method", fmt.Sprintf("must be one of %v in profile %s", m.Profile.Methods(), m.Profile))
	r.unless(slices.Equal(m.ResponseTypes, []string{"code"}) || len(m.ResponseTypes) == 0 && !m.usesCodes(), "response_types", "must be [\"code\"]")
	r.unless(m.SubjectType == "" || m.SubjectType == "pairwise", "subject_type", "must be pairwise: each sector knows a person by a name of its own")
	for _, g := range m.GrantTypes {
		r.unless(slices.Contains(grantTypes, g), "grant_types", "must be among "+strings.Join(grantTypes, ", "))
		r.unless(m.AuthMethod != NoAuth || g != "client_credentials" && !strings.HasPrefix(g, "urn:openid"), "grant_types", "must not be client_credentials or CIBA for a client that proves nothing")
	}
	r.unless(slices.Contains([]string{"", "login", "verify", "link", "none"}, m.Purpose.Type), "purpose", "must have a type of login, verify, link or none")
	for _, title := range m.Purpose.Titles {
		r.unless(len(title) > 0 && len(title) <= 300, "purpose", "must have titles of 1 to 300 characters")
	}
	r.unless(m.MaxAge == nil || *m.MaxAge >= 0, "default_max_age", "must be a number of seconds")
	r.unless(m.ConsentMinutes == 0 || m.ConsentMinutes >= 10 && m.ConsentMinutes <= 60*24*366, "consent_expire_in_mins", "must be 10 minutes to a year")
	r.unless(len(m.ACRs) <= 30 && len(m.Claims) <= 100 && len(m.Resources) <= 30 && len(m.DetailTypes) <= 30 && len(m.Contacts) <= 10, "metadata", "has too long a list")
	r.unless(slices.Contains([]string{"", "poll", "ping"}, m.CIBADelivery), "backchannel_token_delivery_mode", "must be poll or ping")
	r.unless(m.CIBADelivery != "ping" || m.CIBANotification != "", "backchannel_client_notification_endpoint", "is required for ping")
	r.unless(!m.DPoPBound || !m.CertificateBound, "dpop_bound_access_tokens", "goes with no tls_client_certificate_bound_access_tokens: choose one")
	names := 0
	for _, name := range []string{m.TLSSubject, m.TLSName, m.TLSURI} {
		if name != "" {
			names++
		}
	}
	r.unless(m.AuthMethod != TLSAuth || names == 1, "tls_client_auth_subject_dn", "or one of tls_client_auth_san_dns and tls_client_auth_san_uri is required, and only one")
}

func (m *metadata) usesCodes() bool {
	return len(m.GrantTypes) == 0 || slices.Contains(m.GrantTypes, "authorization_code")
}

func (m *metadata) judgeAddresses(r *refusal) {
	r.unless(len(m.RedirectURIs) > 0 && len(m.RedirectURIs) <= 16 || !m.usesCodes() && len(m.RedirectURIs) == 0, "redirect_uris", "must list 1 to 16 addresses")
	for _, uri := range m.RedirectURIs {
		r.unless(redirectOK(uri, m.AuthMethod), "redirect_uris", "must be https without a fragment or wildcard (http for localhost only; private-use schemes for public clients only)")
	}
	r.unless(len(m.PostLogoutURIs) <= 16, "post_logout_redirect_uris", "must list at most 16 addresses")
	for _, uri := range m.PostLogoutURIs {
		r.unless(redirectOK(uri, m.AuthMethod), "post_logout_redirect_uris", "must be https without a fragment or wildcard (http for localhost only)")
	}
	for field, address := range map[string]string{"sector_identifier_uri": m.SectorURI, "policy_uri": m.PolicyURI, "tos_uri": m.TOSURI, "client_uri": m.ClientURI} {
		r.unless(address == "" || hostOf(address) != "", field, "must be an https address")
	}
	carried := strings.HasPrefix(m.LogoURI, "data:image/png;base64,") || strings.HasPrefix(m.LogoURI, "data:image/jpeg;base64,")
	r.unless(m.LogoURI == "" || hostOf(m.LogoURI) != "" || carried && len(m.LogoURI) <= maxLogo, "logo_uri", "must be a PNG or JPEG as a data: URI of at most 16 KiB (which is shown), or an https address (which is only kept)")
	for field, address := range map[string]string{"jwks_uri": m.JWKSURI, "backchannel_logout_uri": m.BackchannelLogoutURI, "backchannel_client_notification_endpoint": m.CIBANotification} {
		u, err := url.Parse(address)
		r.unless(address == "" || hostOf(address) != "" && u.Fragment == "" || err == nil && u.Scheme == "http" && local(u), field, "must be an https address without a fragment (http for localhost only)")
	}
	for _, resource := range m.Resources {
		u, err := url.Parse(resource)
		r.unless(err == nil && u.IsAbs() && u.Fragment == "" && len(resource) <= 1024, "plinth_resources", "must be absolute URIs without a fragment (RFC 8707)")
	}
}

func (m *metadata) judgeAlgorithms(r *refusal) {
	ours := []string{"", "ES256", "PS256", "RS256"}
	if m.Profile.Includes(FAPI2) {
		ours = ours[:3]
	}
	for field, alg := range map[string]string{"id_token_signed_response_alg": m.IDTokenAlg, "userinfo_signed_response_alg": m.UserInfoAlg,
		"authorization_signed_response_alg": m.ResponseAlg, "introspection_signed_response_alg": m.IntrospectionAlg} {
		r.unless(slices.Contains(ours, alg), field, "must be one of "+strings.Join(ours[1:], ", "))
	}
	for field, alg := range map[string]string{"request_object_signing_alg": m.RequestAlg, "token_endpoint_auth_signing_alg": m.AuthAlg} {
		r.unless(alg == "" || slices.Contains(m.Profile.Algorithms(), alg), field, "must be one of "+strings.Join(m.Profile.Algorithms(), ", "))
	}
	for field, pair := range map[string][2]*string{"id_token_encrypted_response_alg": {&m.IDTokenKeyAlg, &m.IDTokenContentAlg},
		"userinfo_encrypted_response_alg": {&m.UserInfoKeyAlg, &m.UserInfoContentAlg}, "authorization_encrypted_response_alg": {&m.ResponseKeyAlg, &m.ResponseContentAlg}} {
		r.unless(*pair[0] == "" || slices.Contains(keyAlgorithms, *pair[0]), field, "must be one of "+strings.Join(keyAlgorithms, ", "))
		if *pair[0] != "" && *pair[1] == "" {
			*pair[1] = "A256GCM"
		}
		r.unless(*pair[1] == "" || *pair[0] != "" && slices.Contains(contentAlgorithms, *pair[1]), field, "needs an encryption of "+strings.Join(contentAlgorithms, ", "))
	}
}

// judgeKeys wants one source of keys where keys are needed.
func (m *metadata) judgeKeys(r *refusal) {
	needs := m.AuthMethod == PrivateKeyJWT || m.AuthMethod == SelfSignedTLS || m.RequireSignedRequest || m.IDTokenKeyAlg != "" || m.UserInfoKeyAlg != "" || m.ResponseKeyAlg != ""
	r.unless(m.JWKS == nil || m.JWKSURI == "", "jwks_uri", "and jwks do not go together: send one")
	if m.AuthMethod == NoAuth && !needs {
		m.JWKS = nil // nothing is done with them
	}
	if m.JWKS == nil || m.JWKSURI != "" {
		r.unless(!needs || m.JWKSURI != "", "jwks", "or jwks_uri is required")
		return
	}
	kept, err := publicKeys(m.JWKS)
	if err == nil {
		m.JWKS = kept
		return
	}
	for _, field := range fault.Of(err).Fields {
		r.f = r.f.At(field.Name, field.Rule)
	}
}
