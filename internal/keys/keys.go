// Package keys holds every key of a deployment: a root key outside of the
// database (a token, or a file sealed by a passphrase) wraps the domain keys,
// and the identity domain key wraps one data key per person. Whoever has the
// database alone can open nothing.
package keys

import (
	"crypto"
	"log/slog"
	"time"
)

// Domain says what a key is for. No key serves two domains.
type Domain string

// The domains. Cookies, mail and persons' keys are sealed by the domain key
// itself; what belongs to a person is sealed by the person's key.
const (
	Identity    Domain = "identity"      // wraps the keys of persons
	Biometrics  Domain = "biometrics"    // seals templates of the gallery
	Lookup      Domain = "lookup"        // HMAC keys by which rows are found
	Pseudonym   Domain = "pseudonym"     // PRF of pairwise identifiers; never rotated
	Packets     Domain = "packets"       // HPKE key that enrolment packets are sealed to
	OIDCSigning Domain = "oidc-signing"  // ECDSA P-256
	OIDCLegacy  Domain = "oidc-legacy"   // RSA, for relying parties that know nothing else; made when asked for
	VCIssuing   Domain = "vc-issuing"    // Ed25519: W3C credentials, codes, status lists
	VCDocument  Domain = "vc-document"   // ECDSA P-256: SD-JWT VCs, mdocs, W3C credentials of the suites for it
	VCAuthority Domain = "vc-authority"  // ECDSA P-256, signs the certificates of the key before
	VCTrial     Domain = "vc-trial"      // Ed25519, signs what anybody asks for at /vc-api; made when asked for
	VCTrialP256 Domain = "vc-trial-p256" // ECDSA P-256, as the one before
	Audit       Domain = "audit"         // Ed25519, signs checkpoints
	Notices     Domain = "notices"       // seals mail and text messages
	Sessions    Domain = "sessions"      // seals cookies, proofs and grants
	Verifier    Domain = "verifier"      // ECDSA P-256, signs requests for presentations; made when asked for
	Devices     Domain = "devices"       // RSA, which capture devices seal to; made when asked for
)

// Algorithms of domain keys.
const (
	aes256           = "AES-256-GCM"
	hmac256          = "HMAC-SHA-256"
	algorithmEd25519 = "Ed25519"
	algorithmP256    = "ECDSA-P-256"
	algorithmRSA     = "RSA-3072"
	algorithmHPKE    = "HPKE-MLKEM768X25519"
)

// algorithms says what kind of key each domain has.
var algorithms = map[Domain]string{
	Identity: aes256, Biometrics: aes256, Lookup: hmac256, Pseudonym: hmac256, Packets: algorithmHPKE,
	OIDCSigning: algorithmP256, OIDCLegacy: algorithmRSA, VCIssuing: algorithmEd25519, VCDocument: algorithmP256, VCAuthority: algorithmP256, Audit: algorithmEd25519, Notices: aes256, Sessions: aes256,
	Devices: algorithmRSA, VCTrial: algorithmEd25519, VCTrialP256: algorithmP256, Verifier: algorithmP256,
}

// order is the order in which the domains are made and listed; those of lazy
// are made by Ensure only.
var (
	order = []Domain{Identity, Biometrics, Lookup, Pseudonym, Packets, OIDCSigning, VCIssuing, VCDocument, VCAuthority, Audit, Notices, Sessions}
	lazy  = []Domain{OIDCLegacy, Devices, Verifier, VCTrial, VCTrialP256}
)

// SigningKey is a key that signs; Signer is nil for one that only verifies.
type SigningKey struct {
	ID      string // RFC 7638 thumbprint: the kid
	Signer  crypto.Signer
	Public  crypto.PublicKey
	Created time.Time
}

// String names the key and shows nothing of it.
func (k SigningKey) String() string { return "signing key " + k.ID }

// GoString is String.
func (k SigningKey) GoString() string { return k.String() }

// LogValue is String.
func (k SigningKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalJSON shows the id only.
func (k SigningKey) MarshalJSON() ([]byte, error) { return []byte(`"` + k.ID + `"`), nil }

// Info describes a key without showing it.
type Info struct {
	ID        string    `json:"id"`
	Domain    Domain    `json:"domain"`
	Algorithm string    `json:"algorithm"`
	State     string    `json:"state"`
	Created   time.Time `json:"created"`
}
