package vc

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/plinth-id/plinth/credentials/vc/jsonld"
)

var (
	issuerKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))
	noon      = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

const (
	issuer     = "did:web:id.example.org"
	issuerVM   = issuer + "#1"
	holder     = "did:key:z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2"
	credential = "urn:uuid:0195bd9c-2c6b-7a60-8a3c-5b6b0b1a2c3d"
)

// amina is a credential with every kind of value that ours have.
func amina() DraftInput {
	context, _ := IdentityContext("https://id.example.org")
	return DraftInput{
		ID: credential, Issuer: issuer, Subject: holder,
		ValidFrom: noon, ValidUntil: noon.AddDate(2, 0, 0),
		Types: []string{TypeNationalID}, Contexts: []string{context},
		Status: &StatusEntry{Purpose: "revocation", List: "https://id.example.org/status/7", Index: 41293},
		Claims: map[string]any{
			"type": "Person",
			"fullName": []any{
				map[string]any{"@value": "Amina Yusuf", "@language": "en"},
				map[string]any{"@value": "أمينة يوسف", "@language": "ar"},
			},
			"birthDate": "1984-04-18", "gender": "female", "phone": "+254 700 000 001", "ageOver18": true,
			"email": "amina@example.org", "uinMasked": "••••••4821",
			"address": map[string]any{"addressLine": []string{"12 \"Palm\" Lane", "Flat 3"}, "country": "KE", "postalCode": 100},
		},
	}
}

func signed(t testing.TB, d DraftInput) []byte {
	t.Helper()
	draft, err := NewDraft(d)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := draft.Sign(issuerKey, issuerVM, noon)
	if err != nil {
		t.Fatal(err)
	}
	return whole.JSON()
}

func options() VerifyOptions {
	return VerifyOptions{
		Keys: func(_ context.Context, method string) (crypto.PublicKey, error) {
			if strings.HasPrefix(method, issuer+"#") {
				return issuerKey.Public(), nil
			}
			return nil, ErrUnknownKey
		},
		Now: func() time.Time { return noon.Add(time.Hour) },
	}
}

func TestWhatWasSignedIsRead(t *testing.T) {
	d := amina()
	got, err := Verify(t.Context(), signed(t, d), options())
	if err != nil {
		t.Fatal(err)
	}
	status := *d.Status
	status.Type = typeStatus
	d.Claims["address"] = map[string]any{"addressLine": []any{"12 \"Palm\" Lane", "Flat 3"}, "country": "KE", "postalCode": 100.0}
	want := Credential{
		ID: d.ID, Issuer: issuer, Types: []string{TypeCredential, TypeNationalID},
		ValidFrom: d.ValidFrom, ValidUntil: d.ValidUntil, Subject: holder, Claims: d.Claims, Status: []StatusEntry{status},
		Method: issuerVM, Suite: suiteEdDSA, Created: noon,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestPlainProofIsWhatCanonicalisingGives(t *testing.T) {
	for _, extra := range []map[string]any{
		nil,
		{"expires": "2027-01-01T00:00:00Z", "challenge": "a \"quoted\" one", "domain": "https://verifier.example"},
		{"proofPurpose": purposeAuth, "cryptosuite": suiteECDSA},
	} {
		doc, err := jsonld.Parse(signed(t, amina()), credentialBounds)
		if err != nil {
			t.Fatal(err)
		}
		config := maps.Clone(doc["proof"].(map[string]any))
		delete(config, "proofValue")
		maps.Copy(config, extra)
		got, ok := plainConfig(config, doc["@context"])
		config["@context"] = doc["@context"]
		quads, err := Contexts{}.Statements(config)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		want, err := quads.Canonical(crypto.SHA256)
		if err != nil || strings.Join(got, "") != want.String() {
			t.Errorf("got %s (%v), want %s", got, err, want)
		}
	}
}

func TestHashIsThatOfTheBytesHandedOver(t *testing.T) {
	draft, _ := NewDraft(amina())
	signed, err := draft.Sign(issuerKey, issuerVM, noon)
	if got, want := signed.Hash(), sha256.Sum256(signed.JSON()); err != nil || got != want {
		t.Errorf("got %x (%v), want %x", got, err, want)
	}
}

// TestEveryByteOfAValueIsSigned changes each byte of each value in turn.
func TestEveryByteOfAValueIsSigned(t *testing.T) {
	document := signed(t, amina())
	var doc map[string]any
	if err := json.Unmarshal(document, &doc); err != nil {
		t.Fatal(err)
	}
	delete(doc, "@context") // at whose address it stands is not a statement
	for _, value := range valuesOf(doc) {
		at := bytes.Index(document, []byte(value))
		if at < 0 {
			continue // escaped in JSON; its parts are covered by others
		}
		step := max(1, len(value)/12)
		for i := at; i < at+len(value); i += step {
			changed := bytes.Clone(document)
			changed[i] ^= 1
			if _, err := Verify(t.Context(), changed, options()); err == nil {
				t.Errorf("byte %d of %q: got valid, want an error", i-at, value)
			}
		}
	}
}

func valuesOf(v any) (all []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, item := range v {
			all = append(all, valuesOf(item)...)
		}
	case map[string]any:
		for _, item := range v {
			all = append(all, valuesOf(item)...)
		}
	}
	return all
}

// TestReshapedDocumentIsRefused writes the same statements in other ways, which a
// reader of plain JSON would read differently, and adds what is not signed.
func TestReshapedDocumentIsRefused(t *testing.T) {
	inline := map[string]any{"givenName": "https://plinth.id/vocab#familyName"}
	for name, c := range map[string]struct {
		change func(doc, subject map[string]any)
		want   error
	}{
		"a claim without a term":     {func(_, s map[string]any) { s["bogus"] = "1" }, ErrUndefinedTerm},
		"a type without a term":      {func(_, s map[string]any) { s["type"] = []any{"Person", "Bogus"} }, ErrUndefinedTerm},
		"a bogus member of the root": {func(d, _ map[string]any) { d["bogus"] = true }, ErrUndefinedTerm},
		"a null":                     {func(_, s map[string]any) { s["nationality"] = nil }, ErrMalformed},
		"an empty array":             {func(_, s map[string]any) { s["nationality"] = []any{} }, ErrMalformed},
		"a claim by its IRI":         {func(_, s map[string]any) { s["https://plinth.id/vocab#gender"] = s["gender"]; delete(s, "gender") }, ErrUnsupported},
		"a keyword":                  {func(_, s map[string]any) { s["@type"] = s["type"]; delete(s, "type") }, ErrUnsupported},
		"@included":                  {func(d, _ map[string]any) { d["@included"] = []any{map[string]any{"id": holder}} }, ErrUnsupported},
		"an added direction":         {func(_, s map[string]any) { s["gender"] = map[string]any{"@value": "female", "@direction": "rtl"} }, ErrSignature},
		"a subject in two parts":     {func(d, s map[string]any) { d["credentialSubject"] = []any{s, map[string]any{"id": holder}} }, ErrMalformed},
		"a status in two parts": {func(d, _ map[string]any) {
			d["credentialStatus"] = []any{d["credentialStatus"], map[string]any{"id": "urn:x"}}
		}, ErrMalformed},
		"a removed status":            {func(d, _ map[string]any) { delete(d, "credentialStatus") }, ErrSignature},
		"a removed claim":             {func(_, s map[string]any) { delete(s, "gender") }, ErrSignature},
		"an added claim":              {func(_, s map[string]any) { s["nationality"] = "KE" }, ErrSignature},
		"a relative name":             {func(d, _ map[string]any) { d["id"] = "me" }, ErrMalformed},
		"an inline context":           {func(d, _ map[string]any) { d["@context"] = append(d["@context"].([]any), inline) }, ErrContext},
		"an unknown context":          {func(d, _ map[string]any) { d["@context"] = append(d["@context"].([]any), "https://evil.example/v1") }, ErrContext},
		"a context in the subject":    {func(_, s map[string]any) { s["@context"] = inline }, ErrUnsupported},
		"a context in the proof":      {func(d, _ map[string]any) { d["proof"].(map[string]any)["@context"] = ContextV2 }, ErrUnsupported},
		"no base context":             {func(d, _ map[string]any) { d["@context"] = d["@context"].([]any)[1:] }, ErrUnsupported},
		"nine proofs":                 {func(d, _ map[string]any) { p := d["proof"]; d["proof"] = []any{p, p, p, p, p, p, p, p, p} }, ErrTooLarge},
		"a chain of proofs":           {func(d, _ map[string]any) { d["proof"].(map[string]any)["previousProof"] = "urn:uuid:1" }, ErrUnsupported},
		"no proof":                    {func(d, _ map[string]any) { delete(d, "proof") }, ErrMalformed},
		"another suite":               {func(d, _ map[string]any) { d["proof"].(map[string]any)["cryptosuite"] = "bbs-2023" }, ErrUnsupported},
		"the other suite":             {func(d, _ map[string]any) { d["proof"].(map[string]any)["cryptosuite"] = suiteECDSA }, ErrSignature},
		"another purpose":             {func(d, _ map[string]any) { d["proof"].(map[string]any)["proofPurpose"] = "authentication" }, ErrUnsupported},
		"another key of the issuer":   {func(d, _ map[string]any) { d["proof"].(map[string]any)["verificationMethod"] = issuer + "#2" }, ErrSignature},
		"the key of somebody else":    {func(d, _ map[string]any) { d["proof"].(map[string]any)["verificationMethod"] = "did:web:b.example#1" }, ErrForeignKey},
		"another issuer":              {func(d, _ map[string]any) { d["issuer"] = "did:web:b.example" }, ErrForeignKey},
		"a proof that expires":        {func(d, _ map[string]any) { d["proof"].(map[string]any)["expires"] = "2030-01-01T00:00:00Z" }, ErrSignature},
		"an issuer with a false name": {func(d, _ map[string]any) { d["issuer"] = map[string]any{"id": issuer, "name": "Other"} }, ErrSignature},
	} {
		t.Run(name, func(t *testing.T) {
			var doc map[string]any
			if err := json.Unmarshal(signed(t, amina()), &doc); err != nil {
				t.Fatal(err)
			}
			c.change(doc, doc["credentialSubject"].(map[string]any))
			raw, err := json.Marshal(doc)
			if err != nil {
				t.Fatal(err)
			}
			credential, err := Verify(t.Context(), raw, options())
			if !errors.Is(err, c.want) || credential.ID != "" {
				t.Errorf("got %v and %q, want %v and nothing", err, credential.ID, c.want)
			}
		})
	}
}

func TestHarmfulJSONIsRefused(t *testing.T) {
	good := string(signed(t, amina()))
	for name, c := range map[string]struct {
		document string
		want     error
	}{
		"a repeated key":        {strings.Replace(good, `"gender"`, `"gender":"male","gender"`, 1), ErrMalformed},
		"a control character":   {strings.Replace(good, "female", `fe\u0001male`, 1), ErrMalformed},
		"half a surrogate":      {strings.Replace(good, "female", `fe\ud800male`, 1), ErrMalformed},
		"not UTF-8":             {strings.Replace(good, "female", "fe\xffmale", 1), ErrMalformed},
		"a large number":        {strings.Replace(good, ":100", ":1e21", 1), ErrMalformed},
		"a tiny number":         {strings.Replace(good, ":100", ":1e-7", 1), ErrMalformed},
		"something after it":    {good + "{}", ErrMalformed},
		"cut short":             {good[:len(good)-1], ErrMalformed},
		"an array":              {"[" + good + "]", ErrMalformed},
		"empty":                 {"", ErrMalformed},
		"too long":              {good + strings.Repeat(" ", credentialBounds.Bytes), ErrTooLarge},
		"too deep":              {strings.Replace(good, ":100", ":"+strings.Repeat(`{"country":`, 20)+"1"+strings.Repeat("}", 20), 1), ErrTooLarge},
		"too many objects":      {strings.Replace(good, ":100", ":["+strings.Repeat(`{},`, credentialBounds.Objects)+"1]", 1), ErrTooLarge},
		"too many values":       {strings.Replace(good, ":100", ":["+strings.Repeat("1,", credentialBounds.Values)+"1]", 1), ErrTooLarge},
		"too many nodes":        {strings.Replace(good, ":100", ":["+strings.Repeat(`{"country":"A"},`, 40)+"1]", 1), ErrTooLarge},
		"nodes that look alike": {strings.Replace(good, ":100", ":["+strings.Repeat(`{"region":[{"country":"A"},{"country":"A"},{"country":"A"}]},`, 4)+"1]", 1), ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Verify(t.Context(), []byte(c.document), options()); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestDraftThatVerifiersWouldReadDifferentlyIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*DraftInput)
		want   error
	}{
		"an undefined claim":     {func(d *DraftInput) { d.Claims["bogus"] = "x" }, ErrUndefinedTerm},
		"an undefined type":      {func(d *DraftInput) { d.Types = []string{"Bogus"} }, ErrUndefinedTerm},
		"a control character":    {func(d *DraftInput) { d.Claims["gender"] = "a\x7fb" }, ErrMalformed},
		"a relative issuer":      {func(d *DraftInput) { d.Issuer = "me" }, ErrMalformed},
		"a relative subject":     {func(d *DraftInput) { d.Subject = "me" }, ErrMalformed},
		"a blank subject":        {func(d *DraftInput) { d.Subject = "_:b0" }, ErrMalformed},
		"no id":                  {func(d *DraftInput) { d.ID = "" }, ErrMalformed},
		"a number out of range":  {func(d *DraftInput) { d.Claims["postalCode"] = uint64(1) << 53 }, ErrMalformed},
		"an unknown context":     {func(d *DraftInput) { d.Contexts = []string{"https://example.org/v1"} }, ErrContext},
		"nothing to say":         {func(d *DraftInput) { d.Claims, d.Subject = nil, "" }, ErrMalformed},
		"what JSON cannot write": {func(d *DraftInput) { d.Claims["gender"] = func() {} }, ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			d := amina()
			c.change(&d)
			if _, err := NewDraft(d); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestProtectedTermCannotBeRedefined(t *testing.T) {
	const url = "https://example.org/evil/v1"
	known, err := Contexts{}.With(url, []byte(`{"@context":{"fullName":"https://example.org/nothing"}}`))
	if err != nil {
		t.Fatal(err)
	}
	d := amina()
	d.Contexts, d.Known = append(d.Contexts, url), known
	if _, err := NewDraft(d); !errors.Is(err, ErrContext) {
		t.Errorf("got %v, want %v", err, ErrContext)
	}
}

func TestBundledContextCannotBeReplaced(t *testing.T) {
	identity, document := IdentityContext("https://b.example/")
	for _, url := range []string{ContextV2, identity} {
		if _, err := (Contexts{}).With(url, document); !errors.Is(err, ErrContext) {
			t.Errorf("%s: got %v, want %v", url, err, ErrContext)
		}
	}
}

func TestContextIsTheSameAtEveryDeployment(t *testing.T) {
	_, a := IdentityContext("https://a.example")
	url, b := IdentityContext("http://localhost:8080/")
	if want := "http://localhost:8080/contexts/identity/v1"; url != want || !bytes.Equal(a, b) {
		t.Errorf("got %s, want %s and one document", url, want)
	}
}

func TestValidityIsHalfOpenAndToldApartFromForgery(t *testing.T) {
	d := amina()
	document := signed(t, d)
	for name, c := range map[string]struct {
		now  time.Time
		want error
	}{
		"before":   {d.ValidFrom.Add(-time.Second), ErrNotYetValid},
		"at start": {d.ValidFrom, nil},
		"at end":   {d.ValidUntil, ErrExpired},
		"after":    {d.ValidUntil.AddDate(1, 0, 0), ErrExpired},
	} {
		t.Run(name, func(t *testing.T) {
			o := options()
			o.Now = func() time.Time { return c.now }
			got, err := Verify(t.Context(), document, o)
			if !errors.Is(err, c.want) || got.ID != d.ID {
				t.Errorf("got %v and %q, want %v and the credential", err, got.ID, c.want)
			}
		})
	}
}

func TestOnlyAKeyOfTheIssuerSigns(t *testing.T) {
	draft, err := NewDraft(amina())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := draft.Sign(issuerKey, "did:web:b.example#1", noon); !errors.Is(err, ErrForeignKey) {
		t.Errorf("got %v, want %v", err, ErrForeignKey)
	}
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := draft.Sign(p521, issuerVM, noon); !errors.Is(err, ErrUnsupported) {
		t.Errorf("got %v, want %v", err, ErrUnsupported)
	}
	if _, err := (Draft{}).Sign(issuerKey, issuerVM, noon); !errors.Is(err, ErrMalformed) {
		t.Errorf("an empty draft: got %v, want %v", err, ErrMalformed)
	}
}

func TestSignatureOfAnotherKeyIsRefused(t *testing.T) {
	o := options()
	other := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, 32))
	for name, c := range map[string]struct {
		key  crypto.PublicKey
		want error
	}{"other": {other.Public(), ErrSignature}, "short": {ed25519.PublicKey{1}, ErrSignature}, "none": {nil, ErrUnknownKey}} {
		o.Keys = func(context.Context, string) (crypto.PublicKey, error) { return c.key, nil }
		if _, err := Verify(t.Context(), signed(t, amina()), o); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func FuzzVerify(f *testing.F) {
	good := signed(f, amina())
	f.Add(good)
	f.Add(bytes.Replace(good, []byte("female"), []byte("male"), 1))
	f.Add([]byte(`{"@context":["https://www.w3.org/ns/credentials/v2"],"type":"VerifiableCredential","issuer":"a:b","credentialSubject":{"@value":1}}`))
	want, err := Verify(f.Context(), good, options())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		got, err := Verify(t.Context(), document, options())
		if err != nil {
			return
		}
		if got.ID != want.ID || got.Subject != want.Subject || !reflect.DeepEqual(got.Status, want.Status) || !got.ValidUntil.Equal(want.ValidUntil) {
			t.Errorf("nobody signed %s", document)
		}
	})
}
