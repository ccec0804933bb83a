package pex

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/plinth-id/plinth/credentials/vc/dcql"
)

func definitionOf(format, fields string) string {
	return `{"id":"x","input_descriptors":[{"id":"card 1","format":{"` + format + `":{}},"constraints":{"limit_disclosure":"required","fields":[` + fields + `]}}]}`
}

func query(t *testing.T, text string) dcql.Query {
	t.Helper()
	raw, err := Query([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	q, err := dcql.Parse(raw)
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return q
}

func claims(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestDefinitionMeansTheSameInDCQL(t *testing.T) {
	const vct = `{"path":["$.vct"],"filter":{"type":"string","const":"urn:x"}}`
	for name, c := range map[string]struct {
		definition, format string
		types              []string
		good, bad          string
	}{
		"SD-JWT VC": {definitionOf("vc+sd-jwt", vct+`,{"path":["$.given_name","$.first_name"]},{"path":["$.age"],"filter":{"type":"integer","enum":[18,19]}}`),
			dcql.FormatSDJWT, []string{"urn:x"}, `{"first_name":"A","age":19}`, `{"given_name":"A","age":17}`},
		"W3C": {definitionOf("ldp_vp", `{"path":["$.type","$.vc.type"],"filter":{"type":"array","contains":{"type":"string","pattern":"^NationalID$"}}},{"path":["$.vc.credentialSubject.name","$.credentialSubject.name"]}`),
			dcql.FormatLDP, nil, `{"type":["VerifiableCredential","NationalID"],"credentialSubject":{"name":"A"}}`, `{"type":["VerifiableCredential"],"credentialSubject":{"name":"A"}}`},
		"mdoc": {strings.Replace(definitionOf("mso_mdoc", `{"path":["$['org.iso.18013.5.1']['family_name']"],"intent_to_retain":true}`), "card 1", "org.iso.18013.5.1.mDL", 1),
			dcql.FormatMdoc, []string{"org.iso.18013.5.1.mDL"}, `{"org.iso.18013.5.1":{"family_name":"A"}}`, `{"org.iso.18013.5.1":{"given_name":"A"}}`},
		"optional": {definitionOf("jwt_vc_json", `{"path":["$.credentialSubject.a"]},{"path":["$.credentialSubject.b"],"optional":true}`),
			dcql.FormatJWT, nil, `{"credentialSubject":{"a":1}}`, `{"credentialSubject":{"b":1}}`},
	} {
		q := query(t, c.definition)
		for text, possible := range map[string]bool{c.good: true, c.bad: false} {
			have := []dcql.Candidate{{Format: c.format, Types: c.types, Bound: true, Claims: claims(t, text)}}
			if got := q.Match(have).Possible; got != possible {
				t.Errorf("%s, %s: got %v, want %v", name, text, got, possible)
			}
		}
		if c.types != nil && q.Match([]dcql.Candidate{{Format: c.format, Types: []string{"other"}, Bound: true, Claims: claims(t, c.good)}}).Possible {
			t.Errorf("%s: another type answers", name)
		}
	}
}

func TestRequirementsChooseFromGroups(t *testing.T) {
	q := query(t, `{"id":"x","format":{"ldp_vc":{},"jwt_vc_json":{}},"submission_requirements":[{"rule":"pick","count":1,"from":"A"},{"rule":"all","from":"B"}],
		"input_descriptors":[{"id":"a","group":["A"],"constraints":{}},{"id":"b","group":["A"],"constraints":{}},{"id":"c","group":["B"],"constraints":{}}]}`)
	if len(q.Credentials) != 6 || len(q.Sets) != 2 || len(q.Sets[0].Options) != 4 || len(q.Sets[1].Options) != 2 {
		t.Errorf("got %s", q.JSON())
	}
}

func TestWhatCannotBeCheckedIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"nothing":        {``, ErrMalformed},
		"no descriptors": {`{"id":"x"}`, ErrMalformed},
		"twice":          {`{"id":"x","input_descriptors":[{"id":"a"},{"id":"a"}]}`, ErrMalformed},
		"no format":      {`{"id":"x","input_descriptors":[{"id":"a"}]}`, ErrUnsupported},
		"other format":   {definitionOf("ac_vp", ``), ErrUnsupported},
		"minimum":        {definitionOf("ldp_vc", `{"path":["$.credentialSubject.age"],"filter":{"type":"integer","minimum":18}}`), ErrUnsupported},
		"wild pattern":   {definitionOf("ldp_vc", `{"path":["$.type"],"filter":{"pattern":"^A.*B$"}}`), ErrUnsupported},
		"deep search":    {definitionOf("ldp_vc", `{"path":["$..name"]}`), ErrUnsupported},
		"expression":     {definitionOf("ldp_vc", `{"path":["$.a[?(@.b)]"]}`), ErrUnsupported},
		"nested":         {`{"id":"x","format":{"ldp_vc":{}},"submission_requirements":[{"rule":"all","from_nested":[{}]}],"input_descriptors":[{"id":"a","group":["A"]}]}`, ErrUnsupported},
		"pick two":       {`{"id":"x","format":{"ldp_vc":{}},"submission_requirements":[{"rule":"pick","count":2,"from":"A"}],"input_descriptors":[{"id":"a","group":["A"]},{"id":"b","group":["A"]},{"id":"c","group":["A"]}]}`, ErrUnsupported},
		"large":          {definitionOf("ldp_vc", `{"path":["`+strings.Repeat("x", maxBytes)+`"]}`), ErrMalformed},
	} {
		if _, err := Query([]byte(c.text)); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestSubmissionIsSorted(t *testing.T) {
	asked := definitionOf("ldp_vp", ``)
	id := query(t, asked).Credentials[0].ID
	one := func(path string) string {
		return `{"id":"s","definition_id":"x","descriptor_map":[{"id":"card 1","format":"ldp_vp","path":"` + path + `","path_nested":{"format":"ldp_vc","path":"$.verifiableCredential[0]"}}]}`
	}
	for name, c := range map[string]struct{ token, submission, want string }{
		"alone":            {`{"a":1}`, one("$"), `{"a":1}`},
		"in an array":      {`["x","y"]`, one("$[1]"), `"y"`},
		"past the end":     {`["x"]`, one("$[1]"), ``},
		"not an array":     {`"x"`, one("$[0]"), ``},
		"deep":             {`[["x"]]`, one("$[0][0]"), ``},
		"other definition": {`{}`, strings.Replace(one("$"), `"x"`, `"y"`, 1), ``},
		"other descriptor": {`{}`, strings.Replace(one("$"), `card 1`, `card 2`, 1), ``},
		"other format":     {`{}`, strings.Replace(one("$"), `ldp_vp`, `zip`, 1), ``},
		"none":             {`{}`, `{"definition_id":"x","descriptor_map":[]}`, ``},
		"no JSON":          {`{}`, `x`, ``},
	} {
		got, err := Answer([]byte(asked), []byte(c.token), []byte(c.submission))
		if c.want == "" {
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("%s: got %s, %v, want a refusal", name, got, err)
			}
			continue
		}
		if err != nil || len(got[id]) != 1 || string(got[id][0]) != c.want {
			t.Errorf("%s: got %s, %v, want %s", name, got, err, c.want)
		}
	}
}

// FuzzQuery: no definition makes the package panic, and every translation is DCQL.
func FuzzQuery(f *testing.F) {
	f.Add(definitionOf("vc+sd-jwt", `{"path":["$.vct"],"filter":{"const":"x"}},{"path":["$.a","$['b'][0][*]"]}`), `["x"]`, `{"definition_id":"x","descriptor_map":[{"id":"card 1","format":"vc+sd-jwt","path":"$[0]"}]}`)
	f.Fuzz(func(t *testing.T, text, token, submission string) {
		raw, err := Query([]byte(text))
		if err == nil {
			if _, err := dcql.Parse(raw); err != nil && !errors.Is(err, dcql.ErrMalformed) && !errors.Is(err, dcql.ErrTooLarge) {
				t.Errorf("%s: %v", raw, err)
			}
		}
		_, _ = Answer([]byte(text), []byte(token), []byte(submission))
	})
}
