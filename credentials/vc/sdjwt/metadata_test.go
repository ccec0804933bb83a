package sdjwt

import (
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
)

const (
	baseType = `{"vct":"urn:base","display":[{"locale":"en","name":"Base"}],"claims":[
		{"path":["name"],"display":[{"locale":"en","label":"Name"}],"sd":"always","mandatory":true},
		{"path":["address","city"],"display":[{"locale":"en","label":"City"}]},
		{"path":["country"],"sd":"never","svg_id":"country"}]}`
	childType = `{"vct":"urn:example:nid:1","extends":"urn:base","unknown":1,"claims":[
		{"path":["address","city"],"sd":"always","display":[{"locale":"en","label":"Town"}]},
		{"path":["nationalities",null],"sd":"always","mandatory":true}]}`
)

func TestTypeIsLaidOverWhatItExtends(t *testing.T) {
	m, err := ResolveType(vct, Integrity([]byte(childType)), [][]byte{[]byte(childType), []byte(baseType)})
	if err != nil {
		t.Fatal(err)
	}
	want := []ClaimMetadata{
		{Path: []any{"name"}, Display: []ClaimDisplay{{Locale: "en", Label: "Name"}}, Selective: "always", Mandatory: true},
		{Path: []any{"address", "city"}, Display: []ClaimDisplay{{Locale: "en", Label: "Town"}}, Selective: "always"},
		{Path: []any{"country"}, Selective: "never", SVGID: "country"},
		{Path: []any{"nationalities", nil}, Selective: "always", Mandatory: true},
	}
	if !reflect.DeepEqual(m.Claims, want) || m.VCT != vct || len(m.Display) != 1 {
		t.Errorf("got %+v, want %+v", m, want)
	}
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := ParseTypeMetadata(raw); err != nil || !reflect.DeepEqual(again, m) {
		t.Errorf("written and read: got %+v (%v), want %+v", again, err, m)
	}
}

func TestTypesThatDoNotHoldTogether(t *testing.T) {
	self := `{"vct":"urn:example:nid:1","extends":"urn:example:nid:1"}`
	for what, c := range map[string]struct {
		integrity string
		documents []string
		want      error
	}{
		"nothing":               {"", nil, ErrTooLarge},
		"of another type":       {"", []string{baseType}, ErrMalformed},
		"its base is missing":   {"", []string{childType}, ErrMalformed},
		"more than it extends":  {"", []string{childType, baseType, baseType}, ErrMalformed},
		"a circle":              {"", []string{self, self}, ErrMalformed},
		"other bytes":           {Integrity([]byte(baseType)), []string{childType, baseType}, ErrIntegrity},
		"an unknown hash":       {"md5-AAAA", []string{childType, baseType}, ErrIntegrity},
		"other bytes of a base": {"", []string{`{"vct":"urn:example:nid:1","extends":"urn:base","extends#integrity":"sha256-AAAA"}`, baseType}, ErrIntegrity},
		"always made never":     {"", []string{`{"vct":"urn:example:nid:1","extends":"urn:base","claims":[{"path":["name"],"sd":"never"}]}`, baseType}, ErrMalformed},
		"never made allowed":    {"", []string{`{"vct":"urn:example:nid:1","extends":"urn:base","claims":[{"path":["country"],"sd":"allowed"}]}`, baseType}, ErrMalformed},
		"an svg_id taken":       {"", []string{`{"vct":"urn:example:nid:1","extends":"urn:base","claims":[{"path":["x"],"svg_id":"country"}]}`, baseType}, ErrMalformed},
	} {
		var documents [][]byte
		for _, d := range c.documents {
			documents = append(documents, []byte(d))
		}
		if _, err := ResolveType(vct, c.integrity, documents); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", what, err, c.want)
		}
	}
}

func TestMalformedTypesAreRefused(t *testing.T) {
	for _, raw := range []string{
		``, `[]`, `{}`, `{"vct":1}`, `{"vct":"a","vct":"b"}`, `{"vct":"a","claims":{}}`, `{"vct":"a","claims":[{}]}`,
		`{"vct":"a","claims":[{"path":[]}]}`, `{"vct":"a","claims":[{"path":[-1]}]}`, `{"vct":"a","claims":[{"path":[1.5]}]}`,
		`{"vct":"a","claims":[{"path":[{}]}]}`, `{"vct":"a","claims":[{"path":["x"]},{"path":["x"]}]}`,
		`{"vct":"a","claims":[{"path":["x"],"sd":"sometimes"}]}`, `{"vct":"a","claims":[{"path":["x"],"svg_id":"1x"}]}`,
		`{"vct":"a","claims":[{"path":["x"],"display":[{"locale":"en"}]}]}`, `{"vct":"a","display":[{"name":"x"}]}`,
	} {
		if _, err := ParseTypeMetadata([]byte(raw)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %v, want ErrMalformed", raw, err)
		}
	}
}

func TestStrongestHashDecides(t *testing.T) {
	document := []byte("x")
	good := Integrity(document)
	const sha384 = "sha384-" + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	for integrity, want := range map[string]error{
		good: nil, "sha256-AAAA " + good: nil, good + "?option": nil, "md5-AAAA " + good: nil,
		good + " " + sha384: ErrIntegrity, "sha256-AAAA": ErrIntegrity, "": ErrIntegrity, "sha256": ErrIntegrity,
	} {
		if err := CheckIntegrity(document, integrity); !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", integrity, err, want)
		}
	}
}

func TestCredentialConformsToItsType(t *testing.T) {
	h := newHouse(t, newKey(t, elliptic.P256()))
	m, err := ResolveType(vct, "", [][]byte{[]byte(childType), []byte(baseType)})
	if err != nil {
		t.Fatal(err)
	}
	claims := func(change func(object)) object {
		c := object{"name": "Amina", "country": "KE", "address": object{"city": "Mombasa"}, "nationalities": []any{"KE", "TZ"}}
		change(c)
		return c
	}
	nothing := func(object) {}
	as := [][]any{{"name"}, {"address", "city"}, {"nationalities", nil}}
	for what, c := range map[string]struct {
		claims    object
		selective [][]any
		good      bool
	}{
		"as described":              {claims(nothing), as, true},
		"an optional one is absent": {claims(func(o object) { delete(o, "address") }), as, true},
		"its parent as well":        {claims(nothing), append(as[:3:3], []any{"address"}), true},
		"always, and is not":        {claims(nothing), as[1:], false},
		"one of several is not":     {claims(nothing), [][]any{{"name"}, {"address", "city"}, {"nationalities", 0}}, false},
		"never, and is":             {claims(nothing), append(as[:3:3], []any{"country"}), false},
		"a mandatory one is absent": {claims(func(o object) { delete(o, "name") }), as, false},
		"no element":                {claims(func(o object) { o["nationalities"] = []any{} }), as, false},
		"of another shape":          {claims(func(o object) { o["address"] = "Mombasa" }), as[:1], false},
	} {
		held, err := Receive(t.Context(), issue(t, h, Draft{Type: vct, Claims: c.claims, Selective: c.selective}), h.options)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if err := held.Conforms(m); (err == nil) != c.good || err != nil && !errors.Is(err, ErrType) {
			t.Errorf("%s: got %v, want %v", what, err, c.good)
		}
		if !c.good {
			continue
		}
		// A verifier who is shown little cannot say that anything is missing.
		chosen, err := held.Choose(nil)
		if err != nil {
			t.Fatal(err)
		}
		shown, err := Verify(t.Context(), chosen.String(), h.options)
		if err != nil {
			t.Fatal(err)
		}
		if err := shown.Conforms(m); err != nil {
			t.Errorf("%s, nothing shown: got %v, want nil", what, err)
		}
	}
	other := m
	other.VCT = "urn:other"
	if held, err := Receive(t.Context(), issue(t, h, Draft{Type: vct}), h.options); err != nil || !errors.Is(held.Conforms(other), ErrType) {
		t.Errorf("another type: got nil, want ErrType (%v)", err)
	}
}
