package partner

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/plinth-id/plinth/internal/fault"
)

const maxMetadata = 256 << 10

// metadata is what we read of RFC 7591 client metadata.
type metadata struct {
	ID            string   `json:"client_id"`
	Secret        string   `json:"client_secret"`
	ResponseTypes []string `json:"response_types"`
	Scope         string   `json:"scope"`
	SectorURI     string   `json:"sector_identifier_uri"`
	SubjectType   string   `json:"subject_type"`
	Kept
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

// Wellformed tells whether a text may be a client_id: one of ours, or the
// entity identifier of a relying party in a federation.
func Wellformed(id string) bool {
	return idForm.MatchString(id) || len(id) <= 256 && utf8.ValidString(id) && !strings.ContainsRune(id, 0) && hostOf(id) != ""
}

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

// parse reads and judges the metadata of a new client.
func parse(raw []byte) (Added, error) {
	m, err := read(raw, FAPI2)
	if err != nil {
		return Added{}, err
	}
	if m.ID == "" {
		m.ID = strings.ToLower(rand.Text()) // 130 bits
	}
	r := refusing()
	r.unless(idForm.MatchString(m.ID) || m.AuthMethod == Attested && Wellformed(m.ID), "client_id", "must match "+idForm.String()+" (or, of a wallet that is attested, be the sub of its attestation)")
	a := Added{}
	if m.AuthMethod == SecretBasic || m.AuthMethod == SecretPost {
		r.unless(m.Secret == "" || len(m.Secret) >= leastSecret && len(m.Secret) <= 256, "client_secret", "must have 22 to 256 characters, or be left out: then we draw one")
		if a.Secret = m.Secret; a.Secret == "" {
			a.Secret, _ = newSecret()
		}
	}
	if a.Client, err = m.judged(r, raw); err == nil && a.Secret != "" {
		a.Secrets = []Secret{{Hash: hashOf(a.Secret)}}
	}
	return a, err
}

// reparse reads and judges new metadata of an old client.
func reparse(old Client, raw []byte) (Client, error) {
	m, err := read(raw, FAPI2)
	if err != nil {
		return old, err
	}
	r := refusing()
	r.unless(m.ID == "" || m.ID == old.ID, "client_id", "must stay "+old.ID)
	r.unless(m.Secret == "", "client_secret", "cannot be chosen here; rotate it instead")
	secret := m.AuthMethod == SecretBasic || m.AuthMethod == SecretPost
	r.unless(!secret || len(old.Secrets) > 0, "token_endpoint_auth_method", "cannot become a secret: register the client anew")
	if m.ID = old.ID; m.JWKS == nil && m.JWKSURI == "" {
		m.JWKS, m.JWKSURI = old.JWKS, old.JWKSURI
	}
	c, err := m.judged(r, raw)
	c.Manager, c.Disabled, c.Expires = old.Manager, old.Disabled, old.Expires
	if m.SectorURI == "" {
		c.Sector = old.Sector // or every person would become a stranger to it
	}
	if secret {
		c.Secrets = old.Secrets
	}
	return c, err
}

// vouched reads and judges metadata that came through a federation.
func vouched(id string, raw []byte) (Client, error) {
	// Federations know nothing of our profiles: what they ask for at the least is enough.
	m, err := read(raw, OIDC)
	if err != nil {
		return Client{}, err
	}
	r := refusing()
	m.ID = id
	m.confine()
	r.unless(Wellformed(id), "client_id", "must be an entity identifier")
	r.unless(m.AuthMethod == PrivateKeyJWT, "token_endpoint_auth_method", "must be private_key_jwt in a federation")
	return m.judged(r, raw)
}

// confine takes away what nobody may grant to itself: a federation vouches for who a
// relying party is, and what else it may have an administrator grants by hand. What is
// left is logging people in.
func (m *metadata) confine() {
	only := func(all []string, may ...string) []string {
		return slices.DeleteFunc(all, func(one string) bool { return !slices.Contains(may, one) })
	}
	m.SectorURI, m.Resources, m.DetailTypes, m.Rehearsed, m.CIBADelivery, m.CIBANotification = "", nil, nil, "", "", ""
	m.Scope = strings.Join(only(strings.Fields(m.Scope), "openid", "profile", "email", "phone", "address", "offline_access"), " ")
	m.GrantTypes = only(m.GrantTypes, "authorization_code", "refresh_token")
	var claims []string
	for _, of := range claimsOf {
		claims = append(claims, of...)
	}
	m.Claims = only(m.Claims, claims...)
}

func read(raw []byte, usual Profile) (metadata, error) {
	var m metadata
	r := refusing()
	if len(raw) > maxMetadata || !storable(raw) || json.Unmarshal(raw, &m) != nil {
		r.unless(false, "metadata", "must be a JSON object of client metadata (RFC 7591) of at most 256 KiB, without NUL")
		return m, r.err()
	}
	m.defaults(usual)
	return m, nil
}

func (m *metadata) defaults(usual Profile) {
	if m.Profile == "" {
		m.Profile = usual
	}
	if m.AuthMethod == "" {
		m.AuthMethod = PrivateKeyJWT
		if m.Profile == OIDC && m.JWKS == nil && m.JWKSURI == "" {
			m.AuthMethod = SecretBasic // RFC 7591 2, for whoever has no key
		}
	}
	// OpenID Connect Registration 2; profiles with a list of algorithms have no RS256 in it.
	if m.IDTokenAlg == "" && m.Profile == OIDC && !m.Rehearsed.Includes(FAPI2) {
		m.IDTokenAlg = "RS256"
	}
	if m.ResponseTypes == nil {
		m.ResponseTypes = []string{"code"}
	}
	if m.Scope == "" {
		m.Scope = "openid"
	}
	if m.Profile.Includes(FAPI2) && !m.CertificateBound {
		m.DPoPBound = true // one of the two is a must, and this one needs no certificates
	}
	if m.Profile.Includes(FAPI2) {
		m.RequirePushed, m.RequirePKCE = true, true
	}
	if m.Profile.Includes(FAPI2M) {
		m.RequireSignedRequest = true
	}
}

// judged judges what was read and makes a client of it.
func (m *metadata) judged(r *refusal, raw []byte) (Client, error) {
	m.judge(r)
	m.judgeAddresses(r)
	m.judgeAlgorithms(r)
	m.judgeKeys(r)
	if err := r.err(); err != nil {
		return Client{}, err
	}
	c := Client{ID: m.ID, Scopes: strings.Fields(m.Scope), Sector: m.sector(), Names: names(raw), Kept: m.Kept}
	if c.Claims == nil {
		for _, scope := range c.Scopes {
			c.Claims = append(c.Claims, claimsOf[scope]...)
		}
	}
	return c, nil
}

// sector is the host of sector_identifier_uri, or else of every redirect_uri
// (OpenID Connect Core 8.1). An app on a phone, a machine of a developer and a
// client of several hosts have no host that is theirs alone: they are a sector
// of their own, lest two partners know a person by one name.
func (m metadata) sector() string {
	if m.SectorURI != "" {
		return hostOf(m.SectorURI)
	}
	if len(m.RedirectURIs) == 0 {
		return "client:" + m.ID
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

func redirectOK(uri string, method AuthMethod) bool {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme == "" || u.Fragment != "" || strings.ContainsAny(uri, "*# ") || u.User != nil || len(uri) > 1024 {
		return false
	}
	switch u.Scheme {
	case "https":
		return u.Hostname() != ""
	case "http":
		return local(u)
	}
	// An app's own scheme names a domain in reverse (RFC 8252, 7.1).
	return (method == NoAuth || method == Attested) && strings.Contains(u.Scheme, ".")
}

func local(u *url.URL) bool {
	return slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname())
}
