package credentials

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/mr-tron/base58"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// forged is a proof as a test wants it.
type forged struct {
	key    crypto.Signer
	alg    jose.SignatureAlgorithm
	typ    string
	header map[string]any
	claims map[string]any
}

func ed() ed25519.PrivateKey { _, k, _ := ed25519.GenerateKey(rand.Reader); return k }

func p256() *ecdsa.PrivateKey {
	k, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return k
}

func edDID(k ed25519.PrivateKey) string {
	return "did:key:z" + base58.Encode(append([]byte{0xed, 1}, k.Public().(ed25519.PublicKey)...))
}

func goodProof(k ed25519.PrivateKey) forged {
	did := edDID(k)
	return forged{key: k, alg: jose.EdDSA, typ: "openid4vci-proof+jwt",
		header: map[string]any{"kid": did + "#" + strings.TrimPrefix(did, "did:key:")},
		claims: map[string]any{"aud": "https://id.example.org", "iat": noon.Unix(), "nonce": "n"}}
}

func (f forged) jwt(t *testing.T) string {
	t.Helper()
	options := (&jose.SignerOptions{}).WithType(jose.ContentType(f.typ))
	for name, value := range f.header {
		options = options.WithHeader(jose.HeaderKey(name), value)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: f.alg, Key: f.key}, options)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(s).Claims(f.claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}
