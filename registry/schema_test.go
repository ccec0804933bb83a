package registry

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/plinth-id/plinth/internal/fault"
)

func person(t *testing.T, text string) map[string]any {
	t.Helper()
	var p map[string]any
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

const ada = `{"fullName":[{"language":"eng","value":"Ada Lovelace"},{"language":"ara","value":"آدا لوفلايس"}],"dateOfBirth":"1990/12/10",
	"gender":[{"language":"eng","value":"Female"}],"phone":"+212600000001","email":"ada@example.org"}`

func TestPersonOfTheDefaultSchemaPasses(t *testing.T) {
	s := DefaultSchema()
	for _, text := range []string{ada, `{"identity":` + ada + `}`} {
		if err := s.Check(person(t, text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestEveryViolationIsNamed(t *testing.T) {
	for _, c := range []struct{ text, field, rule string }{
		{`{"dateOfBirth":"1990/12/10"}`, "fullName", "is required"},
		{strings.Replace(ada, "1990/12/10", "1990/02/30", 1), "dateOfBirth", "must be a day that exists"},
		{strings.Replace(ada, "1990/12/10", "tomorrow", 1), "dateOfBirth", "must match"},
		{strings.Replace(ada, "ada@example.org", "nobody", 1), "email", "must match"},
		{strings.Replace(ada, `"phone"`, `"fone"`, 1), "fone", "is not in the identity schema"},
		{strings.Replace(ada, `"eng","value":"Ada Lovelace"`, `"eng","value":"Ada\u0007"`, 1), "fullName", "control characters"},
		{`{"fullName":"Ada","dateOfBirth":"1990/12/10"}`, "fullName", "got string"},
	} {
		err := DefaultSchema().Check(person(t, c.text))
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v, want a fault", c.text, err)
			continue
		}
		found := false
		for _, f := range fault.Of(err).Fields {
			found = found || f.Name == c.field && strings.Contains(f.Rule, c.rule)
		}
		if !found {
			t.Errorf("got %v, want %s: %s", fault.Of(err).Fields, c.field, c.rule)
		}
	}
}

func TestViolationsDoNotRepeatTheValue(t *testing.T) {
	err := DefaultSchema().Check(person(t, strings.ReplaceAll(strings.Replace(ada, "ada@example.org", "secret-mail", 1), "1990/12/10", "secret-date")))
	if err == nil || strings.Contains(err.Error(), "secret-") {
		t.Fatalf("got %v, want no value in it", err)
	}
}

func TestSchemasInTheFieldLoad(t *testing.T) {
	for _, file := range []string{"mosip-samples/id-schema/id-schema-v1.3.0-default.json", "mosip-samples/id-schema/id-schema-docs-sample.json"} {
		raw, err := os.ReadFile(testdata(t, file))
		if err != nil {
			t.Fatal(err)
		}
		s, err := LoadSchema(raw)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if len(s.Biometrics()) != 13 || len(s.Documents()) < 4 {
			t.Errorf("%s: got %v and %v, want 13 positions and the documents", file, s.Biometrics(), s.Documents())
		}
		err = s.Check(person(t, `{"identity":{"IDSchemaVersion":0.1,"fullName":[{"language":"eng","value":"Al"}]}}`))
		rules := map[string]string{}
		for _, f := range fault.Of(err).Fields {
			rules[f.Name] = f.Rule
		}
		if !strings.Contains(rules["fullName"], "{3,50}") || rules["phone"] != "is required" {
			t.Errorf("%s: got %v, want the lookahead rule of fullName and a missing phone", file, rules)
		}
	}
}

func TestBadSchemasAreRefused(t *testing.T) {
	for _, text := range []string{``, `{}`, `[]`, `{"properties":{"identity":{"properties":{"a":{"$ref":"http://elsewhere/x.json"}}}}}`,
		`{"properties":{"identity":{"properties":{"a":{"validators":[{"type":"regex","validator":"("}]}}}}}`,
		`{"properties":{"identity":{"properties":{"a":{"fieldCategory":"secret"}}}}}`,
		`{"properties":{"identity":{"properties":{"a":{"bioAttributes":["tail"]}}}}}`} {
		if _, err := LoadSchema([]byte(text)); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v, want a fault", text, err)
		}
	}
}

// A machine that is busy must not tell a person that their data are wrong.
func TestAPatternThatTakesTooLongRefusesNobody(t *testing.T) {
	for _, text := range []string{`{"properties":{"identity":{"properties":{"a":{"type":"string","pattern":"(?=a)(a+)+$"}}}}}`,
		`{"properties":{"identity":{"properties":{"a":{"type":"string","validators":[{"type":"regex","validator":"(?=a)(a+)+$"}]}}}}}`} {
		s, err := LoadSchema([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Check(map[string]any{"a": strings.Repeat("a", 60) + "!"}); !errors.Is(err, errSlow) || fault.Is(err, fault.Invalid) {
			t.Errorf("got %v, want that it took too long", err)
		}
		if err := s.Check(map[string]any{"a": "aaa"}); err != nil {
			t.Errorf("got %v, want a good text to pass", err)
		}
	}
}

func FuzzLoadSchema(f *testing.F) {
	f.Add(defaultSchema)
	f.Add([]byte(`{"properties":{"identity":{"properties":{"a":{"type":"string","pattern":"(a+)+$"}}}}}`))
	f.Fuzz(func(_ *testing.T, document []byte) { _, _ = LoadSchema(document) })
}

func FuzzCheck(f *testing.F) {
	s := DefaultSchema()
	f.Add([]byte(ada))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var p map[string]any
		if json.Unmarshal(raw, &p) == nil {
			_ = s.Check(p)
		}
	})
}
