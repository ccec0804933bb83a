package kind

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/plinth-id/plinth/registry"
)

func TestBuiltinKindsAreGood(t *testing.T) {
	names := map[string]bool{}
	for _, k := range Builtin() {
		names[k.Name] = true
	}
	if !names["national_id"] || !names["proof_of_age"] {
		t.Errorf("got %v, want national_id and proof_of_age", names)
	}
}

func TestDefinitionsThatContradictThemselvesAreRefused(t *testing.T) {
	good := string(BuiltinDocument("national_id"))
	for name, c := range map[string][2]string{
		"an unknown member":       {`"days"`, `"dayz"`},
		"no days":                 {`"days": 730`, `"days": 0`},
		"suspension alone":        {"\"revocation\",\n  \"suspension\"", `"suspension"`},
		"a suite that is unknown": {"eddsa-rdfc-2022", "bbs-2023"},
		"a claim twice":           {`{"name": "gender"`, `{"name": "birthDate"`},
		"a place twice":           {`"ldp_vc": ["gender"]`, `"ldp_vc": ["birthDate"]`},
		"a place within another":  {`["address", "locality"]`, `["name", "locality"]`},
		"the issuer's own claim":  {`"dc+sd-jwt": ["gender"]`, `"dc+sd-jwt": ["exp"]`},
		"a digest's name":         {`"dc+sd-jwt": ["gender"]`, `"dc+sd-jwt": ["address", "_sd"]`},
		"two sources":             {`{"claim": "gender"}`, `{"claim": "gender", "field": "gender"}`},
		"a claim nobody knows":    {`{"claim": "gender"}`, `{"claim": "shoe_size"}`},
		"an age without a number": {`"age_over_18"}`, `"age_over_x"}`},
		"a remote logo":           {`"background_color": "#0b3d5c",`, `"background_color": "#0b3d5c", "logo": {"uri": "https://example.org/logo.png"},`},
		"a colour in words":       {`"#0b3d5c"`, `"blue"`},
		"a version of no code":    {`"largest_version": 23`, `"largest_version": 41`},
		"a policy of nobody":      {"arf_annex_ii", "mine"},
		"once and for a time":     {`"limited_time",`, `"limited_time", "once_only",`},
		"the subject's id":        {`"ldp_vc": ["gender"]`, `"ldp_vc": ["id"]`},
		"a key that is reserved":  {`"claim169": 9`, `"claim169": 2`},
	} {
		if !strings.Contains(good, c[0]) {
			t.Fatalf("%s: %q is not in the document", name, c[0])
		}
		if _, err := Parse([]byte(strings.Replace(good, c[0], c[1], 1))); !errors.Is(err, ErrDefinition) {
			t.Errorf("%s: got %v, want it refused", name, err)
		}
	}
}

func TestAgesAreThoseOfTheDayOfIssue(t *testing.T) {
	who := registry.Identity{Fields: map[string]any{"dateOfBirth": "2008/02/29"}}
	for day, want := range map[string]bool{"2026-02-28": false, "2026-03-01": true} {
		from, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		if got := (Source{Claim: "age_over_18"}).value(Facts{Who: who, From: from}); got != want {
			t.Errorf("%s: got %v, want %v", day, got, want)
		}
	}
}

func TestAMandatoryClaimIsNeverLeftOut(t *testing.T) {
	for _, k := range Builtin() {
		for _, format := range k.In() {
			err := k.each(format, Facts{}, func(Claim, any) {})
			if !errors.Is(err, ErrMissing) {
				t.Errorf("%s: got %v for somebody of whom nothing is known, want it missing", k.Configuration(format), err)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, k := range Builtin() {
		f.Add(BuiltinDocument(k.Name))
	}
	f.Add([]byte(`{"id":"a"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		k, err := Parse(raw)
		if err != nil {
			return
		}
		who := registry.Identity{Fields: map[string]any{"fullName": "x", "dateOfBirth": "2000/01/01"}}
		facts := Facts{Who: who, From: time.Now(), Until: time.Now()}
		_, _ = k.Subject(facts)
		_, _, _ = k.Disclosures(facts)
		_, _ = k.Elements(facts)
		_, _, _ = k.Printed(facts)
	})
}
