package partner

import "slices"

// Profile is the set of rules that a client is held to.
type Profile string

// The profiles, the most lenient first.
const (
	OIDC   Profile = "oidc"     // OpenID Connect Core, Basic OP
	FAPI2  Profile = "fapi2"    // FAPI 2.0 Security Profile
	FAPI2M Profile = "fapi2-ms" // FAPI 2.0 Message Signing on top
)

// Profiles lists the profiles, the most lenient first.
func Profiles() []Profile { return []Profile{OIDC, FAPI2, FAPI2M} }

// Includes tells whether a profile has all the rules of another.
func (p Profile) Includes(other Profile) bool {
	at := slices.Index(Profiles(), p)
	return at >= 0 && at >= slices.Index(Profiles(), other)
}

// The algorithms that clients may sign with: FAPI 2.0 leaves out RS256.
var (
	fapiAlgorithms = []string{"ES256", "EdDSA", "PS256"}
	allAlgorithms  = append(slices.Clone(fapiAlgorithms), "RS256")
)

// Algorithms are those that a client of this profile may sign with.
func (p Profile) Algorithms() []string {
	if p.Includes(FAPI2) {
		return fapiAlgorithms
	}
	return allAlgorithms
}

// Methods are those by which a client of this profile may prove itself.
func (p Profile) Methods() []AuthMethod {
	if p.Includes(FAPI2) {
		return []AuthMethod{PrivateKeyJWT, TLSAuth, SelfSignedTLS, Attested}
	}
	return Methods()
}

// Allows tells whether a client may use a grant type. One that was registered
// without any may use a code.
func (c Client) Allows(grant string) bool {
	if len(c.GrantTypes) == 0 {
		return grant == "authorization_code" || grant == "urn:ietf:params:oauth:grant-type:pre-authorized_code"
	}
	return slices.Contains(c.GrantTypes, grant)
}
