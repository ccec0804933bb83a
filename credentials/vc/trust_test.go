package vc

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// anchor is a certificate of an authority, or of nobody.
func anchor(t testing.TB, authority bool) []byte {
	t.Helper()
	key := p256Key(t, elliptic.P256())
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Example IACA", Country: []string{"UT"}},
		NotBefore: noon, NotAfter: noon.AddDate(9, 0, 0), IsCA: authority, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func edition(t testing.TB, sequence uint64) TrustList {
	t.Helper()
	trust := list(issuerKey.Public())
	trust.Issuers = append(trust.Issuers, TrustedIssuer{ID: "https://mdl.example.org", Name: "Licences", X509: [][]byte{anchor(t, true)}})
	trust.Sequence, trust.Issued, trust.Expires = sequence, noon, noon.AddDate(0, 0, 7)
	return trust
}

func TestSignedTrustListIsRead(t *testing.T) {
	for _, key := range []crypto.Signer{issuerKey, p256Key(t, elliptic.P256())} {
		compact := must[[]byte](t)(SignTrustList(edition(t, 3), key))
		got, err := ParseSignedTrustList(compact, Edition{Keys: []crypto.PublicKey{holderKey.Public(), key.Public()}, Now: noon.Add(time.Hour)})
		if err != nil || got.Sequence != 3 || got.Name("https://mdl.example.org") != "Licences" {
			t.Fatalf("got %+v (%v)", got, err)
		}
		anchors := got.Anchors()
		if len(anchors) != 1 || anchors[0].Issuer.Name != "Licences" || anchors[0].Certificate.Subject.CommonName != "Example IACA" {
			t.Errorf("got %+v, want one anchor", anchors)
		}
		if _, err := Verify(t.Context(), signed(t, amina()), VerifyOptions{Keys: got.Resolve, Now: options().Now}); err != nil {
			t.Errorf("got %v, want nil", err)
		}
	}
}

// TestEarlierListNamesTheNextSigner hands the list on to a new key.
func TestEarlierListNamesTheNextSigner(t *testing.T) {
	first := edition(t, 1)
	first.Signers = []TrustedKey{{"urn:next", must[string](t)(Multikey(holderKey.Public()))}}
	compact := must[[]byte](t)(SignTrustList(edition(t, 2), holderKey))
	if got, err := ParseSignedTrustList(compact, Edition{After: first, Now: noon}); err != nil || got.Sequence != 2 {
		t.Errorf("got %d (%v), want 2", got.Sequence, err)
	}
	if _, err := ParseSignedTrustList(compact, Edition{Now: noon}); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("without a key: got %v, want %v", err, ErrUnknownKey)
	}
}

func TestTrustListThatMustNotBeBelieved(t *testing.T) {
	good := string(must[[]byte](t)(SignTrustList(edition(t, 3), issuerKey)))
	parts := strings.Split(good, ".")
	typed := func(typ string, payload []byte, key any, algorithm jose.SignatureAlgorithm) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
		if err != nil {
			t.Fatal(err)
		}
		return must[string](t)(must[*jose.JSONWebSignature](t)(signer.Sign(payload)).CompactSerialize())
	}
	payload := must[[]byte](t)(base64.RawURLEncoding.DecodeString(parts[1]))
	timeless := bytes.Replace(payload, []byte(`"sequence":3,`), nil, 1)
	e := Edition{Keys: []crypto.PublicKey{issuerKey.Public()}, Now: noon.Add(time.Hour)}
	after := e
	after.After = edition(t, 4)
	late, early := e, e
	late.Now, early.Now = noon.AddDate(0, 0, 7), noon.Add(-time.Hour)
	other := e
	other.Keys = []crypto.PublicKey{holderKey.Public(), p256Key(t, elliptic.P256()).Public()}
	for name, c := range map[string]struct {
		compact string
		e       Edition
		want    error
	}{
		"an older one":         {good, after, ErrStale},
		"an expired one":       {good, late, ErrExpired},
		"one of the future":    {good, early, ErrNotYetValid},
		"by another key":       {good, other, ErrSignature},
		"a changed one":        {parts[0] + "." + base64.RawURLEncoding.EncodeToString(bytes.Replace(payload, []byte("Example"), []byte("Exemple"), 1)) + "." + parts[2], e, ErrSignature},
		"another type":         {typed("JWT", payload, issuerKey, jose.EdDSA), e, ErrUnsupported},
		"without a sequence":   {typed(typeTrust, timeless, issuerKey, jose.EdDSA), e, ErrMalformed},
		"not a list":           {typed(typeTrust, []byte(`{"issuers":[]}`), issuerKey, jose.EdDSA), e, ErrMalformed},
		"a shared secret":      {typed(typeTrust, payload, bytes.Repeat([]byte{1}, 32), jose.HS256), e, ErrMalformed},
		"no algorithm":         {base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"`+typeTrust+`"}`)) + "." + parts[1] + ".", e, ErrMalformed},
		"a plain list":         {string(payload), e, ErrMalformed},
		"an enormous one":      {good + strings.Repeat("A", 2*maxTrust), e, ErrTooLarge},
		"nothing":              {"", e, ErrMalformed},
		"the JSON form of one": {`{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`, e, ErrMalformed},
	} {
		if _, err := ParseSignedTrustList([]byte(c.compact), c.e); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestTrustListThatMustNotBeSigned(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*TrustList)
		key    crypto.Signer
		want   error
	}{
		"without a sequence":  {func(l *TrustList) { l.Sequence = 0 }, issuerKey, ErrMalformed},
		"without an end":      {func(l *TrustList) { l.Expires = time.Time{} }, issuerKey, ErrMalformed},
		"not an authority":    {func(l *TrustList) { l.Issuers[1].X509[0] = anchor(t, false) }, issuerKey, ErrMalformedKey},
		"not a certificate":   {func(l *TrustList) { l.Issuers[1].X509[0] = []byte{1} }, issuerKey, ErrMalformedKey},
		"not a signer":        {func(l *TrustList) { l.Signers = []TrustedKey{{"urn:x", "z1"}} }, issuerKey, ErrMalformedKey},
		"by a key of P-384":   {func(*TrustList) {}, p256Key(t, elliptic.P384()), ErrUnsupported},
		"an issuer's foreign": {func(l *TrustList) { l.Issuers[0].Keys[0].ID = "did:web:b.example#1" }, issuerKey, ErrForeignKey},
	} {
		l := edition(t, 1)
		c.change(&l)
		if _, err := SignTrustList(l, c.key); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

// controller writes a DID document with a key in every form.
func controller(t *testing.T) []byte {
	t.Helper()
	jwkOf := func(key crypto.PublicKey) map[string]any {
		var k map[string]any
		if err := json.Unmarshal(must[[]byte](t)(json.Marshal(must[jwk](t)(newJWK(key)))), &k); err != nil {
			t.Fatal(err)
		}
		return k
	}
	p256, p384 := p256Key(t, elliptic.P256()).Public(), p256Key(t, elliptic.P384()).Public()
	private := jwkOf(p256)
	private["d"] = "AA"
	return must[[]byte](t)(json.Marshal(map[string]any{
		"@context": "https://www.w3.org/ns/did/v1", "id": issuer,
		"verificationMethod": []any{
			map[string]any{"id": issuer + "#multi", "type": "Multikey", "controller": issuer, "publicKeyMultibase": must[string](t)(Multikey(issuerKey.Public()))},
			map[string]any{"id": "#jwk", "type": "JsonWebKey", "controller": issuer, "publicKeyJwk": jwkOf(p256)},
			map[string]any{"id": issuer + "#private", "type": "JsonWebKey", "controller": issuer, "publicKeyJwk": private},
			map[string]any{"id": issuer + "#rsa", "type": "JsonWebKey2020", "controller": issuer, "publicKeyJwk": map[string]any{"kty": "RSA", "n": "AA", "e": "AQAB"}},
			map[string]any{"id": "did:web:b.example#1", "type": "Multikey", "controller": issuer, "publicKeyMultibase": must[string](t)(Multikey(p256))},
			map[string]any{"id": issuer + "#twice", "type": "Multikey", "publicKeyMultibase": must[string](t)(Multikey(p256))},
			map[string]any{"id": issuer + "#twice", "type": "Multikey", "publicKeyMultibase": must[string](t)(Multikey(p384))},
		},
		"assertionMethod": []any{"#multi", issuer + "#jwk", issuer + "#private", issuer + "#rsa", "did:web:b.example#1", issuer + "#twice",
			map[string]any{"id": issuer + "#embedded", "type": "JsonWebKey", "publicKeyJwk": jwkOf(p384)}},
		"authentication": []any{issuer + "#jwk"},
	}))
}

func TestKeysOfADIDDocument(t *testing.T) {
	c := must[Controller](t)(ParseController(controller(t), issuer))
	for name, want := range map[string]crypto.PublicKey{
		"multi": issuerKey.Public(), "jwk": p256Key(t, elliptic.P256()).Public(), "embedded": p256Key(t, elliptic.P384()).Public(),
	} {
		if got, err := c.AssertionKey(issuer + "#" + name); err != nil || !got.(equaler).Equal(want) {
			t.Errorf("%s: got %v (%v), want %v", name, got, err, want)
		}
	}
	for _, name := range []string{issuer + "#private", issuer + "#rsa", "did:web:b.example#1", issuer + "#twice", issuer + "#none", "", "#jwk"} {
		if got, err := c.AssertionKey(name); !errors.Is(err, ErrUnknownKey) {
			t.Errorf("%s: got %v (%v), want %v", name, got, err, ErrUnknownKey)
		}
	}
	if _, err := c.AuthenticationKey(issuer + "#jwk"); err != nil {
		t.Errorf("got %v, want nil", err)
	}
	if _, err := c.AuthenticationKey(issuer + "#multi"); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("for another purpose: got %v, want %v", err, ErrUnknownKey)
	}
	for name, c := range map[string]struct {
		document []byte
		want     error
	}{
		"of another": {bytes.Replace(controller(t), []byte(`"id":"`+issuer+`",`), []byte(`"id":"did:web:b.example",`), 1), ErrUnknownKey},
		"not JSON":   {[]byte("x"), ErrMalformed},
		"too large":  {bytes.Repeat([]byte(" "), maxController+1), ErrTooLarge},
	} {
		if _, err := ParseController(c.document, issuer); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func FuzzParseController(f *testing.F) {
	f.Add([]byte(`{"id":"did:web:id.example.org","verificationMethod":[{"id":"#1","publicKeyMultibase":"z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2"}],"assertionMethod":["#1"]}`))
	f.Add([]byte(`{"id":"did:web:id.example.org","assertionMethod":[{"id":"#1","publicKeyJwk":{"kty":"EC","crv":"P-384","x":"AA","y":"AA"}}]}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		c, err := ParseController(document, issuer)
		if err != nil {
			return
		}
		switch key, err := c.AssertionKey(issuer + "#1"); key.(type) {
		case ed25519.PublicKey, *ecdsa.PublicKey:
		default:
			if err == nil {
				t.Errorf("got %T, want a key", key)
			}
		}
	})
}

func FuzzParseSignedTrustList(f *testing.F) {
	good, err := SignTrustList(edition(f, 3), issuerKey)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"issuers":[{"id":"did:web:a","keys":[]}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if l, err := ParseSignedTrustList(raw, Edition{Keys: []crypto.PublicKey{issuerKey.Public()}, Now: noon}); err == nil && l.Sequence != 3 {
			t.Errorf("nobody signed %s", raw)
		}
		_, _ = ParseTrustList(raw)
	})
}
