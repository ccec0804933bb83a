package vc

import (
	"bytes"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

// specimen has all that a credential of the kind can have.
func specimen() DraftInput {
	d := amina()
	d.Further = []StatusEntry{{Purpose: "suspension", List: "https://id.example.org/status/8", Index: 1}}
	d.More = map[string]any{
		"name":             []any{map[string]any{"@value": "Identity", "@language": "en"}},
		"credentialSchema": map[string]any{"id": "https://id.example.org/schema/1", "type": "JsonSchema"},
	}
	d.Claims["nationality"] = []string{"KE", "UG"}
	d.Claims["guardian"] = map[string]any{"id": "did:example:guardian", "givenName": "Halima", "birthDate": "1960-01-01"}
	d.Claims["portrait"] = "data:image/webp;base64,UklGRg=="
	return d
}

func shaped(t testing.TB) Shape {
	t.Helper()
	s, err := NewShape(specimen())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// letters are such that escapes, sorting and UTF-8 all have their turn.
var letters = []rune("abZ09 \"\\\n\r\t'<>{}|^`_:@#/.,-–éßğأمينة़िहिन्दी漢字🙂\u00a0\u200f\ufeff")

type dice struct{ *rand.Rand }

func (r dice) text() string {
	b := make([]rune, r.IntN(20))
	for i := range b {
		b[i] = letters[r.IntN(len(letters))]
	}
	return string(b)
}

func (r dice) value(depth int) any {
	switch r.IntN(9) {
	case 0:
		return r.IntN(2) == 0
	case 1:
		return r.IntN(1 << 40)
	case 2:
		return float64(r.IntN(1<<20)) / 8
	case 3:
		return map[string]any{"@value": r.text(), "@language": []string{"en", "ar", "zh-Hant", "x-Y1"}[r.IntN(3)]}
	case 4:
		return map[string]any{"@value": r.text(), "@language": "ar", "@direction": "rtl"}
	case 5:
		return map[string]any{"@value": r.text()}
	case 6, 7:
		if depth > 0 {
			all := make([]any, 1+r.IntN(4))
			for i := range all {
				if all[i] = r.value(0); i > 0 && r.IntN(3) == 0 {
					all[i] = all[0] // said twice
				}
			}
			return all
		}
	}
	return r.text()
}

func (r dice) object(keys ...string) map[string]any {
	object := map[string]any{}
	for _, key := range keys {
		if r.IntN(3) > 0 {
			object[key] = r.value(1)
		}
	}
	return object
}

// input is a credential of the kind with random values, of which some are missing.
func (r dice) input() DraftInput {
	d := specimen()
	d.Claims = r.object("fullName", "gender", "phone", "ageOver18", "email", "uinMasked", "nationality", "portrait", "birthDate")
	d.Claims["type"] = "Person"
	for range r.IntN(3) {
		address := r.object("addressLine", "country", "postalCode")
		if r.IntN(2) == 0 {
			address["id"] = fmt.Sprintf("urn:address:%d", r.IntN(1000))
		}
		all, _ := d.Claims["address"].([]any)
		d.Claims["address"] = append(all, address)
	}
	if r.IntN(2) == 0 {
		d.Claims["guardian"] = r.object("givenName", "birthDate")
	}
	if r.IntN(2) == 0 {
		d.Subject = ""
	}
	if r.IntN(2) == 0 {
		d.ValidUntil = time.Time{}
	}
	if r.IntN(3) == 0 {
		d.More = nil
	}
	switch r.IntN(3) {
	case 0:
		d.Status = nil
	case 1:
		d.Further = nil
	}
	return d
}

// TestShapeStatesWhatJSONLDDoes compares thousands of random credentials of one kind,
// byte by byte, and what is refused as well.
func TestShapeStatesWhatJSONLDDoes(t *testing.T) {
	s := shaped(t)
	refused := 0
	for seed := range uint64(1500) {
		r := dice{rand.New(rand.NewPCG(seed, 1))}
		d := r.input()
		fast, errFast := s.Draft(d)
		full, errFull := NewDraft(d)
		if errFast != nil || errFull != nil {
			refused++
			if errFull != nil && errFast == nil {
				t.Fatalf("seed %d: the shape took what JSON-LD refuses: %v", seed, errFull)
			}
			if errFast != nil && errFull == nil && !errors.Is(errFast, ErrShape) {
				t.Fatalf("seed %d: got %v for what JSON-LD takes", seed, errFast)
			}
			continue
		}
		compare(t, seed, fast, full)
	}
	if refused > 300 {
		t.Errorf("%d of 1500 were refused: the test tests little", refused)
	}
}

func compare(t *testing.T, seed uint64, fast, full Draft) {
	t.Helper()
	a, errA := canonical(fast.quads, 5)
	b, errB := canonical(full.quads, 5)
	if errA != nil || errB != nil || a.String() != b.String() || !bytes.Equal(fast.sum, full.sum) {
		t.Fatalf("seed %d: got\n%s (%v), want\n%s (%v)", seed, a, errA, b, errB)
	}
	if !reflect.DeepEqual(fast.doc, full.doc) {
		t.Fatalf("seed %d: got %v, want %v", seed, fast.doc, full.doc)
	}
	if err := fast.Recheck(); err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
}

func TestShapedCredentialIsVerified(t *testing.T) {
	s := shaped(t)
	d := specimen()
	draft := must[Draft](t)(s.Draft(d))
	ed := must[Signed](t)(draft.Sign(issuerKey, issuerVM, noon))
	if want := signed(t, d); !bytes.Equal(ed.JSON(), want) {
		t.Errorf("got %s, want %s", ed.JSON(), want)
	}
	if _, err := Verify(t.Context(), ed.JSON(), options()); err != nil {
		t.Errorf("got %v, want nil", err)
	}
	key := p256Key(t, elliptic.P384())
	p384 := must[Signed](t)(draft.Sign(key, issuerVM, noon))
	if _, err := Verify(t.Context(), p384.JSON(), optionsFor(key.Public())); err != nil {
		t.Errorf("by P-384: got %v, want nil", err)
	}
	base := must[Signed](t)(draft.SignDisclosable(p256Key(t, elliptic.P256()), ProofInput{Method: issuerVM, Created: noon}))
	if _, err := VerifyBase(t.Context(), base.JSON(), optionsFor(p256Key(t, elliptic.P256()).Public())); err != nil {
		t.Errorf("in parts: got %v, want nil", err)
	}
}

func TestWhatHasAnotherShapeIsRefused(t *testing.T) {
	s := shaped(t)
	for name, c := range map[string]struct {
		change func(*DraftInput)
		want   error
	}{
		"another claim":        {func(d *DraftInput) { d.Claims["locality"] = "Nairobi" }, ErrShape},
		"a claim undefined":    {func(d *DraftInput) { d.Claims["bogus"] = "x" }, ErrShape},
		"another type":         {func(d *DraftInput) { d.Types = []string{"Other"} }, ErrShape},
		"another context":      {func(d *DraftInput) { d.Contexts = nil }, ErrShape},
		"a subject's type":     {func(d *DraftInput) { d.Claims["type"] = "Organization" }, ErrShape},
		"no subject's type":    {func(d *DraftInput) { delete(d.Claims, "type") }, ErrShape},
		"an object for a text": {func(d *DraftInput) { d.Claims["gender"] = map[string]any{"country": "KE"} }, ErrShape},
		"a text for an object": {func(d *DraftInput) { d.Claims["address"] = "Nairobi" }, ErrShape},
		"an abbreviated name":  {func(d *DraftInput) { d.Subject = "id:x" }, ErrShape},
		"a typed value":        {func(d *DraftInput) { d.Claims["gender"] = map[string]any{"@value": "x", "@type": "urn:t"} }, ErrShape},
		"a relative issuer":    {func(d *DraftInput) { d.Issuer = "me" }, ErrShape},
		"a null":               {func(d *DraftInput) { d.Claims["gender"] = nil }, ErrMalformed},
		"an empty array":       {func(d *DraftInput) { d.Claims["gender"] = []any{} }, ErrMalformed},
		"a control character":  {func(d *DraftInput) { d.Claims["gender"] = "a\x7fb" }, ErrMalformed},
		"one in a tagged text": {func(d *DraftInput) { d.Claims["gender"] = map[string]any{"@value": "\x01", "@language": "en"} }, ErrMalformed},
		"not a language":       {func(d *DraftInput) { d.Claims["gender"] = map[string]any{"@value": "x", "@language": "e n"} }, ErrMalformed},
		"an empty language":    {func(d *DraftInput) { d.Claims["gender"] = map[string]any{"@value": "x", "@language": ""} }, ErrShape},
		"an unsafe number":     {func(d *DraftInput) { d.Claims["gender"] = uint64(1) << 53 }, ErrMalformed},
		"half a number":        {func(d *DraftInput) { d.Claims["gender"] = 1e-9 }, ErrMalformed},
		"what is not JSON":     {func(d *DraftInput) { d.Claims["gender"] = func() {} }, ErrMalformed},
		"one node twice":       {func(d *DraftInput) { d.Claims["guardian"].(map[string]any)["id"] = d.Subject }, ErrMalformed},
		"an end before it":     {func(d *DraftInput) { d.ValidUntil = d.ValidFrom.AddDate(-1, 0, 0) }, ErrMalformed},
		"said twice":           {func(d *DraftInput) { d.More["issuer"] = issuer }, ErrMalformed},
	} {
		d := specimen()
		c.change(&d)
		if _, err := s.Draft(d); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	if _, err := (Shape{}).Draft(specimen()); !errors.Is(err, ErrShape) {
		t.Errorf("no shape: got %v, want %v", err, ErrShape)
	}
}

func TestKindsWithoutAShape(t *testing.T) {
	const url = "https://example.org/odd/v1"
	known, err := Contexts{}.With(url, []byte(`{"@context":{"@protected":true,
		"steps":{"@id":"https://example.org/steps","@container":"@list"},"motto":{"@id":"https://example.org/motto","@container":"@language"},
		"raw":{"@id":"https://example.org/raw","@type":"@json"},"right":{"@id":"https://example.org/right","@direction":"rtl"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]any{
		"steps": []any{"a", "b"}, "motto": map[string]any{"en": "Onward"}, "raw": map[string]any{"a": 1}, "right": "x",
	} {
		d := amina()
		d.Contexts, d.Known = append(d.Contexts, url), known
		d.Claims[name] = value
		if _, err := NewDraft(d); err != nil {
			t.Errorf("%s: the long way: got %v, want nil", name, err)
		}
		if _, err := NewShape(d); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: got %v, want %v", name, err, ErrUnsupported)
		}
	}
}

func TestRecheckNoticesOtherStatements(t *testing.T) {
	draft := must[Draft](t)(shaped(t).Draft(specimen()))
	draft.doc["credentialSubject"].(map[string]any)["gender"] = "male"
	if err := draft.Recheck(); !errors.Is(err, ErrShape) {
		t.Errorf("got %v, want %v", err, ErrShape)
	}
	if err := (Draft{}).Recheck(); !errors.Is(err, ErrMalformed) {
		t.Errorf("got %v, want %v", err, ErrMalformed)
	}
}

func FuzzShape(f *testing.F) {
	s := shaped(f)
	f.Add("Amina", "en", "1984-04-18", "KE", `{"a":1}`)
	f.Add("\"\\\n", "zh-Hant", "x", "", `[1,true,"x",{"@value":"y","@language":"ar"}]`)
	f.Fuzz(func(t *testing.T, name, language, birth, country, raw string) {
		d := specimen()
		d.Claims["fullName"] = []any{map[string]any{"@value": name, "@language": language}, birth}
		d.Claims["birthDate"] = birth
		d.Claims["address"] = map[string]any{"country": country}
		d.Subject = strings.TrimSpace(country)
		var claim any
		if json.Unmarshal([]byte(raw), &claim) == nil {
			d.Claims["gender"] = claim
		}
		fast, errFast := s.Draft(d)
		full, errFull := NewDraft(d)
		if errFast == nil && errFull != nil {
			t.Fatalf("the shape took what JSON-LD refuses: %v", errFull)
		}
		if errFast == nil {
			compare(t, 0, fast, full)
		}
	})
}
