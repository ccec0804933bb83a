package credentials

import (
	"crypto"
	"crypto/ecdsa"
	"encoding/json"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/plinth-id/plinth/internal/attest"
)

// maker is a maker of wallets whom the house trusts.
var maker = p256()

func makers(t *testing.T) *attest.Attesters {
	t.Helper()
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: maker.Public(), KeyID: "maker", Algorithm: "ES256"}}})
	must(t, err)
	a, err := attest.Parse(raw)
	must(t, err)
	return a
}

// attestation is signed by a maker; change may spoil its claims.
func attestation(t *testing.T, typ string, by *ecdsa.PrivateKey, claims map[string]any) string {
	t.Helper()
	options := (&jose.SignerOptions{}).WithType(jose.ContentType(typ)).WithHeader("kid", "maker")
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: by}, options)
	must(t, err)
	token, err := jwt.Signed(s).Claims(claims).Serialize()
	must(t, err)
	return token
}

// keyAttestation is what the maker says about keys.
func (h *house) keyAttestation(t *testing.T, nonce string, keys ...crypto.Signer) string {
	t.Helper()
	var all []jose.JSONWebKey
	for _, k := range keys {
		all = append(all, jose.JSONWebKey{Key: k.Public()})
	}
	return attestation(t, "key-attestation+jwt", maker, map[string]any{"iat": h.now().Unix(), "exp": h.now().Unix() + 600, "nonce": nonce, "attested_keys": all,
		"key_storage": []string{"iso_18045_high"}, "user_authentication": []string{"iso_18045_moderate"}})
}
