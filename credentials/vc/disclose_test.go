package vc

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/plinth-id/plinth/credentials/vc/disclosure"
	"github.com/plinth-id/plinth/credentials/vc/jsonld"
)

// p256Key is one for tests: made of a fixed number.
func p256Key(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.ParseRawPrivateKey(curve, bytes.Repeat([]byte{7}, (curve.Params().BitSize+7)/8))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func optionsFor(key crypto.PublicKey) VerifyOptions {
	o := options()
	o.Keys = list(key).Resolve
	return o
}

func list(key crypto.PublicKey) TrustList {
	multikey, err := Multikey(key)
	if err != nil {
		panic(err)
	}
	return TrustList{Issuers: []TrustedIssuer{{ID: issuer, Name: "Example", Keys: []TrustedKey{{issuerVM, multikey}}}}}
}

func disclosable(t testing.TB, d DraftInput) []byte {
	t.Helper()
	draft, err := NewDraft(d)
	if err != nil {
		t.Fatal(err)
	}
	base, err := draft.SignDisclosable(p256Key(t, elliptic.P256()), ProofInput{Method: issuerVM, Created: noon}, "/credentialSubject/type")
	if err != nil {
		t.Fatal(err)
	}
	return base.JSON()
}

// TestW3CDisclosure derives from the W3C's base proofs to the letter, and verifies
// what they derived.
func TestW3CDisclosure(t *testing.T) {
	dir := vectors(t)
	for folder, file := range map[string]string{"employ": "employSelective.json", "prc": "prCredSelective.json"} {
		t.Run(folder, func(t *testing.T) {
			known := published(t, dir)
			at := filepath.Join(dir, "vc-di-ecdsa/ecdsa-sd-2023", folder)
			var pointers []string
			if err := json.Unmarshal(load(t, dir, "vc-di-ecdsa", file), &pointers); err != nil {
				t.Fatal(err)
			}
			want := must[map[string]any](t)(jsonld.Parse(load(t, at, "derivedRevealDocument.json"), credentialBounds))
			shown, err := Disclose(load(t, at, "addSignedSDBase.json"), known, pointers...)
			if err != nil {
				t.Fatal(err)
			}
			got := must[map[string]any](t)(jsonld.Parse(shown, credentialBounds))
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %s, want %v", shown, want)
			}
			p := must[proof](t)(readProof(want["proof"].(map[string]any), purposeAssert))
			key := publicKey(t, load(t, dir, "vc-di-ecdsa/p256KeyPair.json"))
			if err := p.discloses(want, known, key); err != nil {
				t.Errorf("the published derived proof: got %v, want nil", err)
			}
			subject := want["credentialSubject"].(map[string]any)
			subject["birthCountry"] = "Elsewhere"
			if err := p.discloses(want, known, key); !errors.Is(err, ErrSignature) {
				t.Errorf("a changed claim: got %v, want %v", err, ErrSignature)
			}
		})
	}
}

// TestW3CBaseProofHashesAsTheirs makes base proofs of the W3C's documents and sees
// what is given to the issuer's key.
func TestW3CBaseProofHashesAsTheirs(t *testing.T) {
	dir := vectors(t)
	for _, folder := range []string{"employ", "prc"} {
		at := filepath.Join(dir, "vc-di-ecdsa/ecdsa-sd-2023", folder)
		doc := must[map[string]any](t)(jsonld.Parse(load(t, at, "addSignedSDBase.json"), credentialBounds))
		p := must[proof](t)(readProof(doc["proof"].(map[string]any), purposeAssert))
		config := must[[]byte](t)(p.config(doc, published(t, dir), crypto.SHA256))
		var want struct{ ProofHash string }
		if err := json.Unmarshal(load(t, at, "addHashData.json"), &want); err != nil {
			t.Fatal(err)
		}
		if got := hexText(config); got != want.ProofHash {
			t.Errorf("%s: got %s, want %s", folder, got, want.ProofHash)
		}
	}
}

func TestHolderShowsAPart(t *testing.T) {
	key := p256Key(t, elliptic.P256())
	base := disclosable(t, amina())
	if _, err := VerifyBase(t.Context(), base, optionsFor(key.Public())); err != nil {
		t.Errorf("the holder's check: got %v, want nil", err)
	}
	for name, c := range map[string]struct {
		pointers []string
		want     []string
	}{
		"one claim":        {[]string{"/credentialSubject/birthDate"}, []string{"birthDate", "type"}},
		"a part of one":    {[]string{"/credentialSubject/address/country"}, []string{"address", "type"}},
		"one of two texts": {[]string{"/credentialSubject/fullName/1"}, []string{"fullName", "type"}},
		"nothing more":     {nil, []string{"type"}},
		"everything":       {[]string{""}, []string{"address", "ageOver18", "birthDate", "email", "fullName", "gender", "phone", "type", "uinMasked"}},
	} {
		shown, err := Disclose(base, Contexts{}, c.pointers...)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := Verify(t.Context(), shown, optionsFor(key.Public()))
		if err != nil || got.Suite != suiteDisclose || len(got.Status) != 1 || got.Subject != holder || got.ValidUntil.IsZero() {
			t.Errorf("%s: got %+v (%v)", name, got, err)
		}
		var names []string
		for claim := range got.Claims {
			names = append(names, claim)
		}
		if slices.Sort(names); !slices.Equal(names, c.want) {
			t.Errorf("%s: got %v, want %v", name, names, c.want)
		}
	}
}

func TestWhatIsShownCannotBeChanged(t *testing.T) {
	key := p256Key(t, elliptic.P256())
	base := disclosable(t, amina())
	shown := string(must[[]byte](t)(Disclose(base, Contexts{}, "/credentialSubject/birthDate", "/credentialSubject/address")))
	other := string(must[[]byte](t)(Disclose(base, Contexts{}, "/credentialSubject/gender")))
	value := func(document string) string {
		var doc struct{ Proof struct{ ProofValue string } }
		if err := json.Unmarshal([]byte(document), &doc); err != nil {
			t.Fatal(err)
		}
		return doc.Proof.ProofValue
	}
	raw := must[[]byte](t)(disclosure.Decode(value(shown)))
	for name, c := range map[string]struct {
		document string
		want     error
	}{
		"a claim":              {strings.Replace(shown, "1984", "1994", 1), ErrSignature},
		"a nested claim":       {strings.Replace(shown, `"KE"`, `"TZ"`, 1), ErrSignature},
		"a mandatory member":   {strings.Replace(shown, "2028", "2038", 1), ErrSignature},
		"a claim left out":     {strings.Replace(shown, `"birthDate":"1984-04-18",`, "", 1), ErrMalformed},
		"a claim added":        {strings.Replace(shown, `"birthDate"`, `"gender":"male","birthDate"`, 1), ErrMalformed},
		"the proof of others":  {strings.Replace(shown, value(shown), value(other), 1), ErrMalformed},
		"a base proof":         {string(base), ErrMalformed},
		"the status withheld":  {strings.Replace(shown, `"statusPurpose":"revocation",`, "", 1), ErrMalformed},
		"a proof cut short":    {strings.Replace(shown, value(shown), value(shown)[:len(value(shown))-8], 1), ErrMalformed},
		"not the CBOR of one":  {strings.Replace(shown, value(shown), "u2V0BgA", 1), ErrMalformed},
		"another multibase":    {strings.Replace(shown, value(shown), "z"+value(shown)[1:], 1), ErrMalformed},
		"another suite's form": {strings.Replace(shown, suiteDisclose, suiteECDSA, 1), ErrMalformed},
	} {
		if _, err := Verify(t.Context(), []byte(c.document), optionsFor(key.Public())); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	for i := range raw {
		changed := bytes.Clone(raw)
		changed[i] ^= 1
		document := strings.Replace(shown, value(shown), "u"+b64(changed), 1)
		if _, err := Verify(t.Context(), []byte(document), optionsFor(key.Public())); err == nil {
			t.Errorf("byte %d of the proof value changed: got valid, want an error", i)
		}
	}
	if _, err := Verify(t.Context(), []byte(shown), options()); !errors.Is(err, ErrSignature) {
		t.Errorf("a key of another kind: got %v, want %v", err, ErrSignature)
	}
}

func TestPointerToNothingIsRefused(t *testing.T) {
	base := disclosable(t, amina())
	for pointer, want := range map[string]error{
		"/credentialSubject/bogus":             ErrMalformed,
		"credentialSubject":                    ErrMalformed,
		"/credentialSubject/fullName/2":        ErrMalformed,
		"/credentialSubject/fullName/-1":       ErrMalformed,
		"/credentialSubject/gender/0":          ErrMalformed,
		"/credentialSubject/fullName/0/@value": ErrUnsupported,
	} {
		if _, err := Disclose(base, Contexts{}, pointer); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", pointer, err, want)
		}
	}
	if _, err := Disclose(signed(t, amina()), Contexts{}, ""); !errors.Is(err, ErrUnsupported) {
		t.Errorf("of another suite: got %v, want %v", err, ErrUnsupported)
	}
}

// TestObjectsThatAreNoNodesAreDisclosed discloses a member whose object is a map of
// languages, and one that is JSON.
func TestObjectsThatAreNoNodesAreDisclosed(t *testing.T) {
	const url = "https://example.org/more/v1"
	known, err := Contexts{}.With(url, []byte(`{"@context":{"@protected":true,"motto":{"@id":"https://example.org/motto","@container":"@language"},"raw":{"@id":"https://example.org/raw","@type":"@json"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	d := amina()
	d.Contexts, d.Known = append(d.Contexts, url), known
	d.Claims["motto"] = map[string]any{"en": "Onward", "ar": "إلى الأمام"}
	d.Claims["raw"] = map[string]any{"b": []any{1, map[string]any{"c": true}}, "a": "x"}
	o := optionsFor(p256Key(t, elliptic.P256()).Public())
	o.Contexts = known
	base := disclosable(t, d)
	for _, pointer := range []string{"/credentialSubject/motto", "/credentialSubject/raw", "/credentialSubject/address/country", ""} {
		shown, err := Disclose(base, known, pointer)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(t.Context(), shown, o); err != nil {
			t.Errorf("%s: got %v, want nil", pointer, err)
		}
	}
}

func FuzzDisclose(f *testing.F) {
	base := disclosable(f, amina())
	f.Add(base, "/credentialSubject/birthDate")
	f.Add(base, "")
	shown, err := Disclose(base, Contexts{}, "/credentialSubject/address")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(shown, "/issuer")
	o := optionsFor(p256Key(f, elliptic.P256()).Public())
	f.Fuzz(func(t *testing.T, document []byte, pointer string) {
		if c, err := Verify(t.Context(), document, o); err == nil && c.ID != credential {
			t.Errorf("nobody signed %s", document)
		}
		if shown, err := Disclose(document, Contexts{}, pointer); err == nil {
			if c, err := Verify(t.Context(), shown, o); err == nil && c.ID != credential {
				t.Errorf("nobody signed %s", shown)
			}
		}
	})
}

func FuzzProofValue(f *testing.F) {
	base := disclosable(f, amina())
	var doc map[string]any
	if err := json.Unmarshal(base, &doc); err != nil {
		f.Fatal(err)
	}
	object := doc["proof"].(map[string]any)
	raw, err := disclosure.Decode(object["proofValue"].(string))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte{0xd9, 0x5d, 0x01, 0x85})
	o := optionsFor(p256Key(f, elliptic.P256()).Public())
	f.Fuzz(func(t *testing.T, value []byte) {
		object["proofValue"] = "u" + b64(value)
		document, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(t.Context(), document, o); err == nil {
			t.Error("a base proof, or a broken one: got valid")
		}
		if !bytes.Equal(value, raw) {
			_, _ = Disclose(document, Contexts{}, "/credentialSubject/gender")
		}
	})
}
