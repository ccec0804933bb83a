package partner

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"

	"github.com/plinth-id/plinth/internal/fault"
)

const maxMetadata = 256 << 10

// metadata is what we read of RFC 7591 client metadata.
type metadata struct {
	ID            string          `json:"client_id"`
	Name          string          `json:"client_name"`
	Profile       string          `json:"plinth_profile"`
	RedirectURIs  []string        `json:"redirect_uris"`
	JWKS          json.RawMessage `json:"jwks"`
	JWKSURI       string          `json:"jwks_uri"`
	AuthMethod    string          `json:"token_endpoint_auth_method"`
	GrantTypes    []string        `json:"grant_types"`
	ResponseTypes []string        `json:"response_types"`
	Scope         string          `json:"scope"`
	Claims        []string        `json:"claims"`
	Sector        string          `json:"sector_identifier_uri"`
	PolicyURI     string          `json:"policy_uri"`
}

// claimsOf are the claims that a scope stands for (OpenID Connect Core 5.4).
var claimsOf = map[string][]string{
	"profile": {"name", "given_name", "family_name", "birthdate", "gender", "picture", "locale", "updated_at"},
	"email":   {"email", "email_verified"},
	"phone":   {"phone_number", "phone_number_verified"},
	"address": {"address"},
}

// ClaimsOf lists the claims that a scope stands for.
func ClaimsOf(scope string) []string { return claimsOf[scope] }

var idForm = regexp.MustCompile(`^[A-Za-z0-9._~-]{3,128}$`)

// refusal collects what is wrong with metadata.
type refusal struct{ f *fault.Fault }

func (r *refusal) unless(ok bool, field, rule string) {
	if !ok {
		r.f = r.f.At(field, rule)
	}
}

func (r *refusal) err() error {
	if len(r.f.Fields) == 0 {
		return nil
	}
	return r.f
}

func refusing() *refusal {
	return &refusal{fault.New(fault.Invalid, "This relying party cannot be registered. Correct the fields that are named.").Named("client-invalid")}
}

// parse reads and judges metadata.
func parse(raw []byte) (Client, error) {
	r := refusing()
	var m metadata
	if len(raw) > maxMetadata || !storable(raw) || json.Unmarshal(raw, &m) != nil {
		r.unless(false, "metadata", "must be a JSON object of client metadata (RFC 7591) of at most 256 KiB, without NUL")
		return Client{}, r.err()
	}
	m.defaults()
	r.unless(idForm.MatchString(m.ID), "client_id", "must match "+idForm.String())
	r.unless(m.Name != "" && len(m.Name) <= 256, "client_name", "is required, up to 256 characters")
	r.unless(m.Profile == "oidc" || m.Profile == "fapi2", "plinth_profile", "must be oidc or fapi2")
	r.unless(m.AuthMethod == "private_key_jwt" || m.AuthMethod == "none" && m.Profile == "oidc", "token_endpoint_auth_method",
		"must be private_key_jwt (or none, for a public client of profile oidc)")
	r.unless(m.JWKSURI == "", "jwks_uri", "is not fetched; send the keys as jwks")
	r.unless(slices.Equal(m.ResponseTypes, []string{"code"}), "response_types", "must be [\"code\"]")
	for _, g := range m.GrantTypes {
		r.unless(g == "authorization_code" || g == "urn:ietf:params:oauth:grant-type:pre-authorized_code", "grant_types", "must be authorization_code or pre-authorized_code")
	}
	r.unless(len(m.RedirectURIs) > 0 && len(m.RedirectURIs) <= 16, "redirect_uris", "must list 1 to 16 addresses")
	for _, uri := range m.RedirectURIs {
		r.unless(redirectOK(uri, m.AuthMethod), "redirect_uris", "must be https without a fragment or wildcard (http for localhost only; private-use schemes for public clients only)")
	}
	r.unless(m.Sector == "" || hostOf(m.Sector) != "", "sector_identifier_uri", "must be an https address")
	r.unless(m.PolicyURI == "" || hostOf(m.PolicyURI) != "", "policy_uri", "must be an https address")
	if m.AuthMethod == "private_key_jwt" {
		var err error
		if m.JWKS, err = publicKeys(m.JWKS, m.Profile); err != nil {
			r.f.Fields = append(r.f.Fields, fault.Of(err).Fields...)
		}
	} else {
		m.JWKS = nil
	}
	if err := r.err(); err != nil {
		return Client{}, err
	}
	return m.client(raw), nil
}

func (m *metadata) defaults() {
	if m.ID == "" {
		m.ID = strings.ToLower(rand.Text()) // 130 bits
	}
	if m.Profile == "" {
		m.Profile = "fapi2"
	}
	if m.AuthMethod == "" {
		m.AuthMethod = "private_key_jwt"
	}
	if m.ResponseTypes == nil {
		m.ResponseTypes = []string{"code"}
	}
	if m.Scope == "" {
		m.Scope = "openid"
	}
}

func (m metadata) client(raw []byte) Client {
	c := Client{ID: m.ID, Name: m.Name, Profile: m.Profile, RedirectURIs: m.RedirectURIs, JWKS: m.JWKS, AuthMethod: m.AuthMethod,
		Scopes: strings.Fields(m.Scope), Claims: m.Claims, Sector: m.sector(), PolicyURI: m.PolicyURI, Names: names(raw)}
	if c.Claims == nil {
		for _, scope := range c.Scopes {
			c.Claims = append(c.Claims, claimsOf[scope]...)
		}
	}
	return c
}

// sector is the host of sector_identifier_uri, or else of every redirect_uri
// (OpenID Connect Core 8.1). An app on a phone, a machine of a developer and a
// client of several hosts have no host that is theirs alone: they are a sector
// of their own, lest two partners know a person by one name.
func (m metadata) sector() string {
	if m.Sector != "" {
		return hostOf(m.Sector)
	}
	host := hostOf(m.RedirectURIs[0])
	for _, uri := range m.RedirectURIs {
		if h := hostOf(uri); h == "" || h != host {
			return "client:" + m.ID // which is no host
		}
	}
	return host
}

// hostOf is the host of an https address; empty for any other.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || len(address) > 1024 {
		return ""
	}
	return strings.ToLower(u.Host)
}

// storable tells what the database takes for JSON.
func storable(raw []byte) bool { return utf8.Valid(raw) && !bytes.Contains(raw, []byte(`\u0000`)) }

// names reads client_name#language (RFC 7591, 2.2).
func names(raw []byte) map[string]string {
	var every map[string]json.RawMessage
	if json.Unmarshal(raw, &every) != nil {
		return nil
	}
	found := make(map[string]string)
	for key, value := range every {
		var name string
		if lang, ok := strings.CutPrefix(key, "client_name#"); ok && json.Unmarshal(value, &name) == nil && len(name) <= 256 {
			found[lang] = name
		}
	}
	if len(found) == 0 {
		return nil // as it comes back from the database
	}
	return found
}

func redirectOK(uri, method string) bool {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme == "" || u.Fragment != "" || strings.ContainsAny(uri, "*# ") || u.User != nil || len(uri) > 1024 {
		return false
	}
	switch u.Scheme {
	case "https":
		return u.Hostname() != ""
	case "http":
		return slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname())
	}
	// An app's own scheme names a domain in reverse (RFC 8252, 7.1).
	return method == "none" && strings.Contains(u.Scheme, ".")
}

// publicKeys wants public keys only, strong enough, each with a kid of its own.
// They come back without anything beside them, so that no private part that we
// do not know is kept.
func publicKeys(raw []byte, profile string) (json.RawMessage, error) {
	r := refusing()
	var set jose.JSONWebKeySet
	if len(raw) > 64<<10 || !storable(raw) || json.Unmarshal(raw, &set) != nil || len(set.Keys) == 0 || len(set.Keys) > 16 {
		r.unless(false, "jwks", "must hold 1 to 16 keys")
		return nil, r.err()
	}
	seen := make(map[string]bool)
	for _, k := range set.Keys {
		r.unless(k.IsPublic(), "jwks", "must hold public keys only: take out the private parts, and replace the key, for it has been shown")
		r.unless(k.KeyID != "" && !seen[k.KeyID], "jwks", "must give each key a kid of its own")
		r.unless(k.Use == "" || k.Use == "sig" || k.Use == "enc", "jwks", "has a key with an unknown use")
		seen[k.KeyID] = true
		switch key := k.Key.(type) {
		case *ecdsa.PublicKey:
			r.unless(key.Curve == elliptic.P256() || key.Curve == elliptic.P384() || key.Curve == elliptic.P521(), "jwks", "must use P-256, P-384 or P-521")
		case ed25519.PublicKey:
		case *rsa.PublicKey:
			least := 3072
			if profile == "oidc" {
				least = 2048
			}
			r.unless(key.N.BitLen() >= least, "jwks", "must use RSA keys of at least 3072 bits (2048 in profile oidc), or better EC P-256")
		default:
			r.unless(!k.IsPublic(), "jwks", "must hold EC, Ed25519 or RSA keys")
		}
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	return json.Marshal(set)
}
