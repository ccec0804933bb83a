package proof

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/mr-tron/base58"
	"github.com/plinth-id/plinth/credentials/vc"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// want is what the proofs of the tests are judged by.
func want(change ...func(*Want)) Want {
	w := Want{Audiences: []string{"https://id.example.org"}, Most: 4, Now: noon}
	for _, do := range change {
		do(&w)
	}
	return w
}

// check judges proofs of the type jwt.
func check(t *testing.T, w Want, tokens ...string) (Given, error) {
	t.Helper()
	raw, err := json.Marshal(tokens)
	if err != nil {
		t.Fatal(err)
	}
	return Check(t.Context(), map[string]json.RawMessage{JWT: raw}, w)
}

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
	return forged{key: k, alg: jose.EdDSA, typ: jwtType,
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

func TestProofNamesTheHoldersKey(t *testing.T) {
	k, e := ed(), p256()
	point, err := e.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	compressed := "z" + base58.Encode(append([]byte{0x80, 0x24, 2 + point[64]&1}, point[1:33]...))
	jwk, err := vc.DIDJWK(e.Public())
	if err != nil {
		t.Fatal(err)
	}
	claims := goodProof(k).claims
	for name, c := range map[string]struct {
		proof forged
		did   string
	}{
		"did:key of Ed25519": {goodProof(k), edDID(k)},
		"did:key of P-256":   {forged{e, jose.ES256, jwtType, map[string]any{"kid": "did:key:" + compressed + "#" + compressed}, claims}, "did:key:" + compressed},
		"did:jwk":            {forged{e, jose.ES256, jwtType, map[string]any{"kid": jwk + "#0"}, claims}, jwk},
		"jwk":                {forged{e, jose.ES256, jwtType, map[string]any{"jwk": jose.JSONWebKey{Key: e.Public()}}, claims}, jwk},
	} {
		g, err := check(t, want(), c.proof.jwt(t))
		if err != nil || len(g.Keys) != 1 || g.Keys[0].DID() != c.did || !slices.Equal(g.Nonces, []string{"n"}) {
			t.Errorf("%s: got %v, %v; want %s", name, g, err, c.did)
		}
	}
}

func TestASVS_9_2_ProofIsRefused(t *testing.T) {
	k := ed()
	change := func(do func(f *forged)) func(*testing.T) string {
		return func(t *testing.T) string { f := goodProof(k); do(&f); return f.jwt(t) }
	}
	for name, make := range map[string]func(*testing.T) string{
		"typ JWT":          change(func(f *forged) { f.typ = "JWT" }),
		"other audience":   change(func(f *forged) { f.claims["aud"] = "https://other.example.org" }),
		"audience as list": change(func(f *forged) { f.claims["aud"] = []string{"https://id.example.org"} }),
		"no iat":           change(func(f *forged) { delete(f.claims, "iat") }),
		"old iat":          change(func(f *forged) { f.claims["iat"] = noon.Add(-time.Hour).Unix() }),
		"future iat":       change(func(f *forged) { f.claims["iat"] = noon.Add(time.Hour).Unix() }),
		"expired":          change(func(f *forged) { f.claims["exp"] = noon.Unix() }),
		"no nonce":         change(func(f *forged) { delete(f.claims, "nonce") }),
		"another's key":    change(func(f *forged) { f.header["kid"] = edDID(ed()) }),
		"wrong fragment":   change(func(f *forged) { f.header["kid"] = edDID(k) + "#z6Mk" }),
		"kid and jwk":      change(func(f *forged) { f.header["jwk"] = jose.JSONWebKey{Key: k.Public()} }),
		"neither":          change(func(f *forged) { delete(f.header, "kid") }),
		"kid and x5c":      change(func(f *forged) { f.header["x5c"] = []string{"AA=="} }),
		"x5c of nothing":   change(func(f *forged) { delete(f.header, "kid"); f.header["x5c"] = []string{"AA=="} }),
		"empty x5c":        change(func(f *forged) { delete(f.header, "kid"); f.header["x5c"] = []string{} }),
		"jwk and x5c": change(func(f *forged) {
			delete(f.header, "kid")
			f.header["jwk"] = jose.JSONWebKey{Key: k.Public()}
			f.header["x5c"] = []string{"AA=="}
		}),
		"private key":  change(func(f *forged) { delete(f.header, "kid"); f.header["jwk"] = jose.JSONWebKey{Key: k} }),
		"other method": change(func(f *forged) { f.header["kid"] = "did:web:evil.example.org#0" }),
		"crit":         change(func(f *forged) { f.header["crit"] = []string{"exp"}; f.header["exp"] = 1 }),
		"empty":        func(*testing.T) string { return "" },
		"no JWT":       func(*testing.T) string { return "a.b.c" },
		"long":         func(*testing.T) string { return strings.Repeat("a", maxProof+1) },
		"flipped signature": func(t *testing.T) string {
			token := goodProof(k).jwt(t)
			return token[:len(token)-10] + "AAAAAAAAAA"
		},
	} {
		if g, err := check(t, want(), make(t)); err == nil || g.Keys != nil {
			t.Errorf("%s: got %v, want it refused", name, g)
		}
	}
}

func TestASVS_9_1_2_ProofAlgorithmIsOnTheList(t *testing.T) {
	k, e := ed(), p256()
	claims, err := json.Marshal(goodProof(k).claims)
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	for _, alg := range []string{"none", "None", "HS256", "RS256", "ES384", ""} {
		header, err := json.Marshal(map[string]any{"alg": alg, "typ": jwtType, "kid": edDID(k)})
		if err != nil {
			t.Fatal(err)
		}
		for _, signature := range []string{"", encode(make([]byte, 64))} {
			if _, err := check(t, want(), encode(header)+"."+encode(claims)+"."+signature); err == nil {
				t.Errorf("%q: got nil, want it refused", alg)
			}
		}
	}
	mixed := goodProof(k)
	mixed.key, mixed.alg = e, jose.ES256 // the key that is named is an Ed25519 one
	if _, err := check(t, want(), mixed.jwt(t)); err == nil {
		t.Error("got nil for an algorithm that is not the key's, want it refused")
	}
}

func TestProofOfAClientNamesThatClient(t *testing.T) {
	k := ed()
	f := goodProof(k)
	f.claims["iss"] = "wallet-1"
	if _, err := check(t, want(func(w *Want) { w.Client = "wallet-1" }), f.jwt(t)); err != nil {
		t.Errorf("got %v, want nil", err)
	}
	if _, err := check(t, want(func(w *Want) { w.Client = "wallet-2" }), f.jwt(t)); err == nil {
		t.Error("got nil for another client, want it refused")
	}
}

// The proof printed in the specification.
func TestProofOfTheSpecification(t *testing.T) {
	dir := os.Getenv("TESTDATA_DIR")
	if dir == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("TESTDATA_DIR is not set")
		}
		t.Skip("the printed proof was not checked: TESTDATA_DIR is not set")
	}
	raw, err := os.ReadFile(filepath.Join(dir, "vectors/openid4vci/key-proof-jwt.json"))
	if err != nil {
		t.Fatal(err)
	}
	var printed []struct {
		JWT string `json:"jwt"`
	}
	if err := json.Unmarshal(raw, &printed); err != nil {
		t.Fatal(err)
	}
	g, err := check(t, Want{Audiences: []string{"https://credential-issuer.example.com"}, Most: 1, Now: time.Unix(1701960450, 0)}, printed[0].JWT)
	if err != nil || !slices.Equal(g.Nonces, []string{"LarRGSbmUPYtRYO6BQ4yn8"}) || !strings.HasPrefix(g.Keys[0].DID(), "did:jwk:") {
		t.Errorf("got %v, %v; want the key and nonce of the text", g, err)
	}
}
