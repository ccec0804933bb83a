package attest_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/plinth-id/plinth/internal/attest"
)

var noon = time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC)

const typ = "key-attestation+jwt"

func p256(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// certificate is one of a key, signed by an authority.
func certificate(t testing.TB, name string, key, by *ecdsa.PrivateKey, issuer *x509.Certificate) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: noon.Add(-time.Hour), NotAfter: noon.Add(time.Hour),
		IsCA: issuer == nil, BasicConstraintsValid: true}
	if issuer == nil {
		issuer = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func token(t testing.TB, key any, alg jose.SignatureAlgorithm, header map[string]any) string {
	t.Helper()
	options := &jose.SignerOptions{}
	for name, value := range header {
		options = options.WithHeader(jose.HeaderKey(name), value)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s.Sign([]byte(`{"iat":1}`))
	if err != nil {
		t.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

func chain(all ...*x509.Certificate) []string {
	var list []string
	for _, c := range all {
		list = append(list, base64.StdEncoding.EncodeToString(c.Raw))
	}
	return list
}

func TestAnAttesterIsKnownByKeyOrByAuthority(t *testing.T) {
	key, root, leaf, other := p256(t), p256(t), p256(t), p256(t)
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "one"}}})
	if err != nil {
		t.Fatal(err)
	}
	authority := certificate(t, "authority", root, root, nil)
	below := certificate(t, "maker", leaf, root, authority)
	alone := certificate(t, "self", other, other, nil)
	byKey, err := attest.Parse(set)
	if err != nil {
		t.Fatal(err)
	}
	byAuthority, err := attest.Parse(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.Raw}))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		by    *attest.Attesters
		token string
		at    time.Time
		want  error
	}{
		"by its key":             {byKey, token(t, key, jose.ES256, map[string]any{"typ": typ, "kid": "one"}), noon, nil},
		"by its key, no kid":     {byKey, token(t, key, jose.ES256, map[string]any{"typ": typ}), noon, nil},
		"another kid":            {byKey, token(t, key, jose.ES256, map[string]any{"typ": typ, "kid": "two"}), noon, attest.ErrUntrusted},
		"another key":            {byKey, token(t, other, jose.ES256, map[string]any{"typ": typ, "kid": "one"}), noon, attest.ErrSignature},
		"a key that it brings":   {byKey, token(t, other, jose.ES256, map[string]any{"typ": typ, "jwk": jose.JSONWebKey{Key: other.Public()}}), noon, attest.ErrSignature},
		"another type":           {byKey, token(t, key, jose.ES256, map[string]any{"typ": "JWT", "kid": "one"}), noon, attest.ErrMalformed},
		"a shared secret":        {byKey, token(t, []byte("0123456789abcdef0123456789abcdef"), jose.HS256, map[string]any{"typ": typ, "kid": "one"}), noon, attest.ErrMalformed},
		"x5c where keys are":     {byKey, token(t, leaf, jose.ES256, map[string]any{"typ": typ, "x5c": chain(below)}), noon, attest.ErrUntrusted},
		"below the authority":    {byAuthority, token(t, leaf, jose.ES256, map[string]any{"typ": typ, "x5c": chain(below)}), noon, nil},
		"after its end":          {byAuthority, token(t, leaf, jose.ES256, map[string]any{"typ": typ, "x5c": chain(below)}), noon.Add(2 * time.Hour), attest.ErrUntrusted},
		"another's certificate":  {byAuthority, token(t, other, jose.ES256, map[string]any{"typ": typ, "x5c": chain(below)}), noon, attest.ErrSignature},
		"certified by itself":    {byAuthority, token(t, other, jose.ES256, map[string]any{"typ": typ, "x5c": chain(alone)}), noon, attest.ErrUntrusted},
		"no certificate at all":  {byAuthority, token(t, other, jose.ES256, map[string]any{"typ": typ, "x5c": []string{}}), noon, attest.ErrMalformed},
		"a long chain":           {byAuthority, token(t, leaf, jose.ES256, map[string]any{"typ": typ, "x5c": chain(below, alone, alone, alone, alone, alone)}), noon, attest.ErrMalformed},
		"kid where certificates": {byAuthority, token(t, leaf, jose.ES256, map[string]any{"typ": typ, "kid": "one"}), noon, attest.ErrUntrusted},
		"nothing":                {byKey, "", noon, attest.ErrMalformed},
		"no signature":           {byKey, base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"`+typ+`"}`)) + ".e30.", noon, attest.ErrMalformed},
	} {
		claims, err := c.by.Verify(c.token, typ, c.at)
		if !errors.Is(err, c.want) || (err == nil) != (claims != nil) {
			t.Errorf("%s: got %s, %v; want %v", name, claims, err, c.want)
		}
	}
}

func TestAFileOfAttestersIsRefused(t *testing.T) {
	key := p256(t)
	private, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key}}})
	if err != nil {
		t.Fatal(err)
	}
	authority := certificate(t, "authority", key, key, nil)
	leaf := certificate(t, "leaf", p256(t), key, authority)
	for name, raw := range map[string][]byte{
		"empty": nil, "no set": []byte("{"), "empty set": []byte(`{"keys":[]}`), "private key": private, "shared secret": []byte(`{"keys":[{"kty":"oct","k":"AAAA"}]}`),
		"no authority": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw}), "no certificate": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte{1}}),
		"broken certificate": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1}}),
	} {
		if _, err := attest.Parse(raw); err == nil {
			t.Errorf("%s: got nil, want an error", name)
		}
	}
}

func FuzzVerify(f *testing.F) {
	key := p256(f)
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public()}}})
	if err != nil {
		f.Fatal(err)
	}
	a, err := attest.Parse(set)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("e30.e30.e30")
	f.Add(token(f, p256(f), jose.ES256, map[string]any{"typ": typ}))
	f.Add(token(f, key, jose.ES256, map[string]any{"typ": typ, "x5c": []string{"AA=="}}))
	f.Fuzz(func(t *testing.T, raw string) {
		if claims, err := a.Verify(raw, typ, noon); err == nil {
			t.Errorf("got %s out of %q", claims, raw)
		}
	})
}
