package wallet

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/internal/fault"
)

// holderKey is one key of the owner. Every credential gets its own, so that two
// of them do not show that they are the same person's.
type holderKey struct {
	DID     string `json:"did"`
	Private []byte `json:"private"` // PKCS #8
}

// newKey makes a key of a kind that the issuer takes.
func newKey(kind configuration) (holderKey, error) {
	algorithms := kind.Proofs["jwt"].Algorithms
	var private crypto.Signer
	var err error
	switch {
	case len(kind.Proofs) == 0, slices.Contains(algorithms, string(jose.EdDSA)):
		_, private, err = ed25519.GenerateKey(rand.Reader)
	case slices.Contains(algorithms, string(jose.ES256)):
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		return holderKey{}, fault.New(fault.Invalid, "This wallet has no key of the kind that the issuer wants.").Named("proof-unsupported")
	}
	if err != nil {
		return holderKey{}, fmt.Errorf("making a key: %w", err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return holderKey{}, fmt.Errorf("making a key: %w", err)
	}
	name := vc.DIDKey
	if len(kind.Binding) > 0 && !slices.Contains(kind.Binding, "did:key") {
		name = vc.DIDJWK
	}
	did, err := name(private.Public())
	return holderKey{DID: did, Private: encoded}, err
}

// sign makes the proof: with the key itself in the header, or its DID.
func (k holderKey) sign(embedded bool, claims map[string]any) (string, error) {
	private, err := x509.ParsePKCS8PrivateKey(k.Private)
	if err != nil {
		return "", fmt.Errorf("reading a key of the wallet: %w", err)
	}
	algorithm := jose.EdDSA
	if _, ok := private.(*ecdsa.PrivateKey); ok {
		algorithm = jose.ES256
	}
	options := (&jose.SignerOptions{EmbedJWK: embedded}).WithType("openid4vci-proof+jwt")
	if !embedded {
		name, err := vc.KeyName(k.DID)
		if err != nil {
			return "", fmt.Errorf("naming a key of the wallet: %w", err)
		}
		options = options.WithHeader("kid", name)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: private}, options)
	if err != nil {
		return "", fmt.Errorf("making a proof: %w", err)
	}
	return jwt.Signed(signer).Claims(claims).Serialize()
}
