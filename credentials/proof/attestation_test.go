package proof

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/plinth-id/plinth/internal/attest"
)

var maker = p256()

func attesters(t testing.TB) *attest.Attesters {
	t.Helper()
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: maker.Public(), KeyID: "maker"}}})
	if err != nil {
		t.Fatal(err)
	}
	a, err := attest.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// attestationOf is one by our maker; change may spoil it.
func attestationOf(t *testing.T, keys []crypto.PublicKey, change func(f *forged)) string {
	t.Helper()
	var all []jose.JSONWebKey
	for n, k := range keys {
		all = append(all, jose.JSONWebKey{Key: k, KeyID: string(rune('a' + n))})
	}
	f := forged{key: maker, alg: jose.ES256, typ: attestationType, header: map[string]any{"kid": "maker"}, claims: map[string]any{
		"iat": noon.Unix(), "exp": noon.Add(time.Hour).Unix(), "nonce": "n", "attested_keys": all,
		"key_storage": []string{"iso_18045_moderate"}, "user_authentication": []string{"iso_18045_high"}}}
	if change != nil {
		change(&f)
	}
	return f.jwt(t)
}

func trusting(t *testing.T) func(*Want) {
	return func(w *Want) {
		w.Attesters = attesters(t)
		w.Levels = &Levels{Storage: []string{"iso_18045_moderate", "iso_18045_high"}, User: []string{"iso_18045_high"}}
	}
}

func TestOneAttestationSpeaksForAllItsKeys(t *testing.T) {
	first, second, third := p256(), p256(), p256()
	token := attestationOf(t, []crypto.PublicKey{first.Public(), second.Public(), third.Public()}, nil)
	raw, err := json.Marshal([]string{token})
	if err != nil {
		t.Fatal(err)
	}
	g, err := Check(t.Context(), map[string]json.RawMessage{Attestation: raw}, want(trusting(t)))
	if err != nil || len(g.Keys) != 3 || !slices.Equal(g.Nonces, []string{"n"}) {
		t.Fatalf("got %v, %v; want three keys and one nonce", g, err)
	}
	for kid, header := range map[string]map[string]any{"jwk": {"jwk": jose.JSONWebKey{Key: second.Public()}}, "kid": {"kid": "b"}, "place": {"kid": "1"}} {
		header["key_attestation"] = token
		f := forged{second, jose.ES256, jwtType, header, goodProof(ed()).claims}
		g, err := check(t, want(trusting(t)), f.jwt(t))
		if err != nil || len(g.Keys) != 3 || !g.Keys[0].public.(*ecdsa.PublicKey).Equal(second.Public()) {
			t.Errorf("%s: got %v, %v; want three keys, that of the proof first", kid, g, err)
		}
	}
}

func TestAttestationIsRefused(t *testing.T) {
	k, other := p256(), p256()
	keys := []crypto.PublicKey{k.Public()}
	set := func(name string, value any) func(*forged) { return func(f *forged) { f.claims[name] = value } }
	drop := func(name string) func(*forged) { return func(f *forged) { delete(f.claims, name) } }
	private, err := json.Marshal(jose.JSONWebKey{Key: k})
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*forged){
		"another maker":    func(f *forged) { f.key = other },
		"unknown maker":    func(f *forged) { f.header["kid"] = "somebody" },
		"other type":       func(f *forged) { f.typ = jwtType },
		"weak storage":     set("key_storage", []string{"iso_18045_basic"}),
		"no storage":       drop("key_storage"),
		"weak user":        set("user_authentication", []string{"iso_18045_moderate"}),
		"no keys":          set("attested_keys", []any{}),
		"too many keys":    set("attested_keys", []any{map[string]any{}, map[string]any{}, map[string]any{}, map[string]any{}, map[string]any{}}),
		"private key":      set("attested_keys", []json.RawMessage{private}),
		"no nonce":         drop("nonce"),
		"no iat":           drop("iat"),
		"expired":          set("exp", noon.Unix()),
		"from the future":  set("iat", noon.Add(time.Hour).Unix()),
		"old, without end": func(f *forged) { drop("exp")(f); set("iat", noon.Add(-48*time.Hour).Unix())(f) },
	} {
		token := attestationOf(t, keys, change)
		raw, err := json.Marshal([]string{token})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Check(t.Context(), map[string]json.RawMessage{Attestation: raw}, want(trusting(t))); err == nil {
			t.Errorf("%s: got nil, want it refused", name)
		}
		f := forged{k, jose.ES256, jwtType, map[string]any{"jwk": jose.JSONWebKey{Key: k.Public()}, "key_attestation": token}, goodProof(ed()).claims}
		if _, err := check(t, want(trusting(t)), f.jwt(t)); err == nil {
			t.Errorf("%s, in the header: got nil, want it refused", name)
		}
	}
	without := forged{k, jose.ES256, jwtType, map[string]any{"jwk": jose.JSONWebKey{Key: k.Public()}}, goodProof(ed()).claims}
	if _, err := check(t, want(trusting(t)), without.jwt(t)); err == nil {
		t.Error("got nil for a proof without the attestation that is needed")
	}
	stolen := forged{other, jose.ES256, jwtType, map[string]any{"jwk": jose.JSONWebKey{Key: other.Public()}, "key_attestation": attestationOf(t, keys, nil)}, goodProof(ed()).claims}
	if _, err := check(t, want(trusting(t)), stolen.jwt(t)); err == nil {
		t.Error("got nil for a key that the attestation is not about")
	}
	endless := forged{k, jose.ES256, jwtType, map[string]any{"jwk": jose.JSONWebKey{Key: k.Public()}, "key_attestation": attestationOf(t, keys, drop("exp"))}, goodProof(ed()).claims}
	if _, err := check(t, want(trusting(t)), endless.jwt(t)); err == nil {
		t.Error("got nil for an attestation in a header without exp (D.1)")
	}
	raw, err := json.Marshal([]string{attestationOf(t, keys, nil)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Check(t.Context(), map[string]json.RawMessage{Attestation: raw}, want()); err == nil {
		t.Error("got nil where no maker is trusted")
	}
	if _, err := Check(t.Context(), map[string]json.RawMessage{Attestation: raw, JWT: raw}, want(trusting(t))); err == nil {
		t.Error("got nil for two types of proof")
	}
}

func TestABatchHasKeysThatAreUnlike(t *testing.T) {
	a, b := ed(), ed()
	second := goodProof(b)
	second.claims["nonce"] = "m"
	g, err := check(t, want(), goodProof(a).jwt(t), second.jwt(t))
	if err != nil || len(g.Keys) != 2 || g.Keys[0].DID() != edDID(a) || !slices.Equal(g.Nonces, []string{"n", "m"}) {
		t.Errorf("got %v, %v; want two keys in order, and both nonces", g, err)
	}
	same := forged{a, jose.EdDSA, jwtType, map[string]any{"jwk": jose.JSONWebKey{Key: a.Public()}}, goodProof(a).claims}
	if _, err := check(t, want(), goodProof(a).jwt(t), same.jwt(t)); err == nil {
		t.Error("got nil for one key by two names, want it refused")
	}
	var many []string
	for range 5 {
		many = append(many, goodProof(ed()).jwt(t))
	}
	if _, err := check(t, want(), many...); err == nil {
		t.Error("got nil for more keys than may be, want it refused")
	}
	bad := goodProof(b)
	bad.claims["aud"] = "https://other.example.org"
	if _, err := check(t, want(), goodProof(a).jwt(t), bad.jwt(t)); err == nil {
		t.Error("got nil for a batch with one bad proof, want all refused")
	}
}

func TestACertificateCarriesTheKey(t *testing.T) {
	k := p256()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a phone"}, NotBefore: noon.Add(-time.Hour), NotAfter: noon.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	chain := []string{base64.StdEncoding.EncodeToString(der)}
	f := forged{k, jose.ES256, jwtType, map[string]any{"x5c": chain}, goodProof(ed()).claims}
	g, err := check(t, want(), f.jwt(t))
	if err != nil || len(g.Keys) != 1 || !g.Keys[0].public.(*ecdsa.PublicKey).Equal(k.Public()) {
		t.Errorf("got %v, %v; want the key of the certificate", g, err)
	}
	f.key = p256()
	if _, err := check(t, want(), f.jwt(t)); err == nil {
		t.Error("got nil for a signature by another key than the certificate's")
	}
	f.key = k
	f.claims["iat"] = noon.Add(2 * time.Hour).Unix()
	if _, err := check(t, want(func(w *Want) { w.Now = noon.Add(2 * time.Hour) }), f.jwt(t)); err == nil {
		t.Error("got nil for a certificate that has ended")
	}
}

func TestKeysAreReadAgain(t *testing.T) {
	k := p256()
	f := forged{k, jose.ES256, jwtType, map[string]any{"jwk": jose.JSONWebKey{Key: k.Public()}}, goodProof(ed()).claims}
	g, err := check(t, want(), goodProof(ed()).jwt(t), f.jwt(t))
	if err != nil {
		t.Fatal(err)
	}
	kept, err := Dump(g.Keys)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Load(kept)
	if err != nil || !slices.EqualFunc(g.Keys, again, func(a, b Key) bool { return a.DID() == b.DID() && a.Equal(b) }) {
		t.Errorf("got %v, %v; want the same keys by the same names", again, err)
	}
	for _, bad := range []string{"", "{}", `["did:web:example.org"]`} {
		if _, err := Load([]byte(bad)); err == nil {
			t.Errorf("%q: got nil, want an error", bad)
		}
	}
}

func FuzzProof(f *testing.F) {
	f.Add("jwt", `["e30.e30.e30"]`)
	f.Add("attestation", `["e30.e30.e30"]`)
	f.Add("jwt", `["eyJ0eXAiOiJvcGVuaWQ0dmNpLXByb29mK2p3dCIsImFsZyI6IkVTMjU2IiwieDVjIjpbIkFBPT0iXX0.e30.AA"]`)
	f.Add("di_vp", `[{"@context":["https://www.w3.org/ns/credentials/v2"],"type":["VerifiablePresentation"],"proof":{"type":"DataIntegrityProof","cryptosuite":"eddsa-rdfc-2022","challenge":"n"}}]`)
	w := want(func(w *Want) { w.Attesters = attesters(f) })
	f.Fuzz(func(t *testing.T, kind, raw string) {
		if g, err := Check(t.Context(), map[string]json.RawMessage{kind: json.RawMessage(raw)}, w); err == nil {
			t.Errorf("got %v out of %q, want nothing without a signature", g, raw)
		}
	})
}
