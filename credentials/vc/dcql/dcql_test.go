package dcql

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// read takes JSON as a credential would be read.
func read(t *testing.T, text string) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

const pid = "https://credentials.example.com/identity_credential"

func person(t *testing.T, claims string) Candidate {
	return Candidate{Format: FormatSDJWT, Types: []string{pid}, Bound: true, Claims: read(t, claims)}
}

// vectors is the folder with the queries of the specification.
func vectors(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("TESTDATA_DIR"); dir != "" {
		return filepath.Join(dir, "vectors", "openid4vp", "examples")
	}
	if os.Getenv("CI") != "" {
		t.Fatal("TESTDATA_DIR is not set")
	}
	t.Skip("TESTDATA_DIR is not set: skipped the queries of OpenID4VP")
	return ""
}

func TestQueriesOfTheSpecificationAreUnderstood(t *testing.T) {
	dir := vectors(t)
	files := must(filepath.Glob(filepath.Join(dir, "query_lang", "*.json")))
	if len(files) < 7 {
		t.Fatalf("got %d queries, want all of the specification", len(files))
	}
	address := `"address":{"street_address":"1 Road"}`
	doe := person(t, `{"family_name":"Doe","given_name":"John","postal_code":"90211","locality":"L","region":"R","date_of_birth":"2000-01-01",`+address+`}`)
	roe := person(t, `{"family_name":"Roe","given_name":"John","postal_code":"90211",`+address+`}`)
	reduced := Candidate{Format: FormatSDJWT, Types: []string{"https://credentials.example.com/reduced_identity_credential"}, Bound: true, Claims: roe.Claims}
	residence := Candidate{Format: FormatSDJWT, Types: []string{"https://cred.example/residence_credential"}, Bound: true, Claims: doe.Claims}
	mdl := Candidate{Format: FormatMdoc, Types: []string{"org.iso.18013.5.1.mDL"}, Bound: true, Claims: read(t, `{"org.iso.18013.5.1":{"given_name":"A","family_name":"B","portrait":"AA"}}`)}
	vehicle := Candidate{Format: FormatMdoc, Types: []string{"org.iso.7367.1.mVRC"}, Bound: true, Claims: read(t, `{"org.iso.7367.1":{"vehicle_holder":"A"},"org.iso.18013.5.1":{"given_name":"A"}}`)}
	for file, c := range map[string]struct {
		have []Candidate
		want string // the queries that are answered, and how many claims leave
	}{
		"simple.json":                   {[]Candidate{doe}, "my_credential:3"},
		"simple_mdoc.json":              {[]Candidate{doe, vehicle}, "my_credential:2"},
		"multi_credentials.json":        {[]Candidate{doe, vehicle}, "mdl:2 pid:3"},
		"claims_alternatives.json":      {[]Candidate{doe}, "pid:4"},
		"value_matching_simple.json":    {[]Candidate{roe, doe}, "my_credential:4"},
		"credentials_alternatives.json": {[]Candidate{reduced, residence}, "pid_reduced_cred_1:2 pid_reduced_cred_2:3"},
		"complex_mdoc.json":             {[]Candidate{mdl}, "mdl-id:3"},
	} {
		q, err := Parse(must(os.ReadFile(filepath.Join(dir, "query_lang", file))))
		if err == nil {
			err = q.Askable()
		}
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if got := chosen(q, c.have); got != c.want {
			t.Errorf("%s: got %q, want %q", file, got, c.want)
		}
		if got := chosen(q, c.have[:len(c.have)-1]); got != "" {
			t.Errorf("%s, with a credential less: got %q, want nothing", file, got)
		}
	}
	for _, file := range []string{"dcql_jwt_vc.json", "dcql_ldp_vc.json"} {
		q, err := Parse(must(os.ReadFile(filepath.Join(dir, "request", file))))
		if err != nil || q.Askable() != nil || len(q.Credentials[0].Types) == 0 {
			t.Errorf("%s: got %v, %v", file, q.Credentials, err)
		}
	}
}

// chosen tells what leaves when the holder chooses nothing else.
func chosen(q Query, have []Candidate) string {
	a := q.Match(have)
	var all []string
	for _, id := range q.Least(a) {
		at := slices.IndexFunc(a.Credentials, func(m Matched) bool { return m.ID == id })
		all = append(all, fmt.Sprintf("%s:%d", id, len(a.Credentials[at].Choices[0].Claims)))
	}
	return strings.Join(all, " ")
}

func TestPathsLeadWhereTheSpecificationSays(t *testing.T) {
	claims := read(t, `{"name":"Arthur Dent","address":{"street_address":"42 Market Street","locality":"Milliways"},
		"degrees":[{"type":"BSc"},{"type":"MSc"},{"other":1}],"nationalities":["British","Betelgeusian"],"grid":[[1,2],[3]]}`)
	for _, c := range []struct {
		path Path
		want string
	}{
		{Path{"name"}, `[Arthur Dent]`},
		{Path{"address", "locality"}, `[Milliways]`},
		{Path{"degrees", nil, "type"}, `[BSc MSc]`},
		{Path{"nationalities", 1}, `[Betelgeusian]`},
		{Path{"grid", nil, 1}, `[2]`},
		{Path{"grid", nil, nil}, `[1 2 3]`},
		{Path{"nationalities", 2}, `[]`},
		{Path{"nothing"}, `[]`},
		{Path{"name", "first"}, `[]`},   // text is not an object
		{Path{"address", 0}, `[]`},      // an object is not an array
		{Path{"address", nil}, `[]`},    // nor that
		{Path{"degrees", "type"}, `[]`}, // an array is not an object
		{Path{"degrees", nil, 0}, `[]`}, // its elements are objects
		{Path{"degrees", 1.5}, `[]`},    // no such step
		{Path{"degrees", 1, "type"}, `[MSc]`},
	} {
		got := []any{}
		for _, f := range Select(claims, c.path) {
			got = append(got, f.Value)
			if again := Select(claims, f.At); len(again) != 1 || fmt.Sprint(again[0].Value) != fmt.Sprint(f.Value) {
				t.Errorf("%v: the place %v does not lead back", c.path, f.At)
			}
		}
		if fmt.Sprint(got) != c.want {
			t.Errorf("%v: got %v, want %s", c.path, got, c.want)
		}
	}
}

// ask is a query for one credential with some members replaced.
func ask(members string) string {
	return `{"credentials":[{"id":"a","format":"dc+sd-jwt","meta":{"vct_values":["` + pid + `"]}` + members + `}]}`
}

func TestMalformedQueriesAreRefused(t *testing.T) {
	deep := strings.Repeat("[", 20) + strings.Repeat("]", 20)
	many := `{"path":["a"]}` + strings.Repeat(`,{"path":["a"]}`, maxItems)
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"nothing":             {``, ErrMalformed},
		"array":               {`[]`, ErrMalformed},
		"two":                 {ask("") + ask(""), ErrMalformed},
		"no credentials":      {`{}`, ErrMalformed},
		"empty":               {`{"credentials":[]}`, ErrMalformed},
		"not an object":       {`{"credentials":["a"]}`, ErrMalformed},
		"no id":               {`{"credentials":[{"format":"x","meta":{}}]}`, ErrMalformed},
		"odd id":              {`{"credentials":[{"id":"a b","format":"x","meta":{}}]}`, ErrMalformed},
		"no format":           {`{"credentials":[{"id":"a","meta":{}}]}`, ErrMalformed},
		"no meta":             {`{"credentials":[{"id":"a","format":"x"}]}`, ErrMalformed},
		"id twice":            {`{"credentials":[{"id":"a","format":"x","meta":{}},{"id":"a","format":"x","meta":{}}]}`, ErrMalformed},
		"repeated key":        {`{"credentials":[{"id":"a","id":"b","format":"x","meta":{}}]}`, ErrMalformed},
		"vct not text":        {`{"credentials":[{"id":"a","format":"dc+sd-jwt","meta":{"vct_values":[1]}}]}`, ErrMalformed},
		"doctype not text":    {`{"credentials":[{"id":"a","format":"mso_mdoc","meta":{"doctype_value":[]}}]}`, ErrMalformed},
		"types not lists":     {`{"credentials":[{"id":"a","format":"ldp_vc","meta":{"type_values":["x"]}}]}`, ErrMalformed},
		"mdoc path":           {`{"credentials":[{"id":"a","format":"mso_mdoc","meta":{},"claims":[{"path":["x"]}]}]}`, ErrMalformed},
		"mdoc path index":     {`{"credentials":[{"id":"a","format":"mso_mdoc","meta":{},"claims":[{"path":["x",0]}]}]}`, ErrMalformed},
		"multiple is text":    {ask(`,"multiple":"no"`), ErrMalformed},
		"binding is null":     {ask(`,"require_cryptographic_holder_binding":null`), ErrMalformed},
		"no claims":           {ask(`,"claims":[]`), ErrMalformed},
		"claim is text":       {ask(`,"claims":["a"]`), ErrMalformed},
		"empty path":          {ask(`,"claims":[{"path":[]}]`), ErrMalformed},
		"negative index":      {ask(`,"claims":[{"path":["a",-1]}]`), ErrMalformed},
		"fraction":            {ask(`,"claims":[{"path":["a",1.5]}]`), ErrMalformed},
		"true in a path":      {ask(`,"claims":[{"path":["a",true]}]`), ErrMalformed},
		"no values":           {ask(`,"claims":[{"path":["a"],"values":[]}]`), ErrMalformed},
		"object as value":     {ask(`,"claims":[{"path":["a"],"values":[{}]}]`), ErrMalformed},
		"fraction as value":   {ask(`,"claims":[{"path":["a"],"values":[1.5]}]`), ErrMalformed},
		"claim id twice":      {ask(`,"claims":[{"id":"x","path":["a"]},{"id":"x","path":["b"]}]`), ErrMalformed},
		"sets without claims": {ask(`,"claim_sets":[["a"]]`), ErrMalformed},
		"sets without ids":    {ask(`,"claims":[{"path":["a"]}],"claim_sets":[["a"]]`), ErrMalformed},
		"set of the unknown":  {ask(`,"claims":[{"id":"x","path":["a"]}],"claim_sets":[["y"]]`), ErrMalformed},
		"authority":           {ask(`,"trusted_authorities":[{"type":"aki"}]`), ErrMalformed},
		"option unknown":      {strings.TrimSuffix(ask(""), "}") + `,"credential_sets":[{"options":[["b"]]}]}`, ErrMalformed},
		"no options":          {strings.TrimSuffix(ask(""), "}") + `,"credential_sets":[{}]}`, ErrMalformed},
		"option empty":        {strings.TrimSuffix(ask(""), "}") + `,"credential_sets":[{"options":[[]]}]}`, ErrMalformed},
		"deep":                {`{"credentials":` + deep + `}`, ErrTooLarge},
		"many claims":         {ask(`,"claims":[` + many + `]`), ErrTooLarge},
		"many values":         {`{"x":[0` + strings.Repeat(",0", 9000) + `]}`, ErrTooLarge},
		"large":               {`{"x":"` + strings.Repeat("x", maxBytes) + `"}`, ErrTooLarge},
		"broken text":         {"{\"\xff\":1}", ErrMalformed},
	} {
		if _, err := Parse([]byte(c.text)); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestVerifierAsksMoreStrictlyThanAWalletReads(t *testing.T) {
	for name, text := range map[string]string{
		"unknown format":  `{"credentials":[{"id":"a","format":"x","meta":{}}]}`,
		"no type":         `{"credentials":[{"id":"a","format":"dc+sd-jwt","meta":{}}]}`,
		"one claim twice": ask(`,"claims":[{"path":["a",0]},{"path":["a",0]}]`),
	} {
		if q := must(Parse([]byte(text))); !errors.Is(q.Askable(), ErrMalformed) {
			t.Errorf("%s: got %v, want a refusal", name, q.Askable())
		}
	}
	q := must(Parse([]byte(ask(`, "claims": [ {"path":["a"]} ], "unknown":{"b":1}`))))
	if err := q.Askable(); err != nil {
		t.Errorf("got %v, want what is not defined to be passed over", err)
	}
	var again Query
	if err := json.Unmarshal(must(json.Marshal(q)), &again); err != nil || !bytes.Equal(again.JSON(), q.JSON()) {
		t.Errorf("got %s, %v, want %s", again.JSON(), err, q.JSON())
	}
}

func TestClaimTwiceLeavesOnce(t *testing.T) {
	q := must(Parse([]byte(ask(`,"claims":[{"path":["a"]},{"path":["a"]}]`))))
	if got := chosen(q, []Candidate{person(t, `{"a":1}`)}); got != "a:1" {
		t.Errorf("got %s, want one claim", got)
	}
}

func TestAuthoritiesAndBindingNarrowTheChoice(t *testing.T) {
	q := must(Parse([]byte(ask(`,"trusted_authorities":[{"type":"aki","values":["k1","k2"]}]`))))
	mine := person(t, `{}`)
	if q.Match([]Candidate{mine}).Possible {
		t.Error("a credential of an unknown authority answers")
	}
	mine.Authorities = map[string][]string{"aki": {"k2"}}
	if !q.Match([]Candidate{mine}).Possible {
		t.Error("the credential of the authority does not answer")
	}
	mine.Bound = false
	if q.Match([]Candidate{mine}).Possible {
		t.Error("a credential without a holder's key answers")
	}
	free := must(Parse([]byte(ask(`,"require_cryptographic_holder_binding":false`))))
	if !free.Match([]Candidate{mine}).Possible {
		t.Error("a credential without a holder's key does not answer where none is needed")
	}
}

func TestResponseIsComparedWithTheQuery(t *testing.T) {
	q := must(Parse([]byte(`{"credentials":[
		{"id":"pid","format":"dc+sd-jwt","meta":{"vct_values":["` + pid + `"]},"claims":[{"path":["age"],"values":[18,21]},{"path":["ok"],"values":[true]}]},
		{"id":"ld","format":"ldp_vc","meta":{"type_values":[["A","B"],["C"]]},"multiple":true,"claims":[{"path":["credentialSubject","n"]}]},
		{"id":"more","format":"mso_mdoc","meta":{"doctype_value":"d"},"trusted_authorities":[{"type":"aki","values":["k"]}]}],
		"credential_sets":[{"options":[["pid"],["ld"]]},{"required":false,"options":[["more"]]}]}`)))
	good := person(t, `{"age":18,"ok":true}`)
	ld := Candidate{Format: FormatLDP, Types: []string{"B", "A", "X"}, Bound: true, Claims: read(t, `{"credentialSubject":{"n":"x"}}`)}
	doc := Candidate{Format: FormatMdoc, Types: []string{"d"}, Bound: true, Authorities: map[string][]string{"aki": {"k"}}}
	with := func(c Candidate, change func(*Candidate)) []Candidate { change(&c); return []Candidate{c} }
	for name, c := range map[string]struct {
		response map[string][]Candidate
		want     error
	}{
		"good":                  {map[string][]Candidate{"pid": {good}}, nil},
		"the other option":      {map[string][]Candidate{"ld": {ld, ld}}, nil},
		"with the optional":     {map[string][]Candidate{"pid": {good}, "more": {doc}}, nil},
		"nothing":               {map[string][]Candidate{}, ErrIncomplete},
		"only the optional":     {map[string][]Candidate{"more": {doc}}, ErrIncomplete},
		"unasked":               {map[string][]Candidate{"pid": {good}, "x": {good}}, ErrUnasked},
		"two of one":            {map[string][]Candidate{"pid": {good, good}}, ErrCount},
		"none of one":           {map[string][]Candidate{"pid": {good}, "ld": {}}, ErrCount},
		"failing values":        {map[string][]Candidate{"pid": {person(t, `{"age":17,"ok":true}`)}}, ErrClaims},
		"text for a number":     {map[string][]Candidate{"pid": {person(t, `{"age":"18","ok":true}`)}}, ErrClaims},
		"text for a truth":      {map[string][]Candidate{"pid": {person(t, `{"age":18,"ok":"true"}`)}}, ErrClaims},
		"missing claim":         {map[string][]Candidate{"pid": {person(t, `{"age":18}`)}}, ErrClaims},
		"number of CBOR":        {map[string][]Candidate{"pid": with(good, func(c *Candidate) { c.Claims = map[string]any{"age": uint64(21), "ok": true} })}, nil},
		"number as a double":    {map[string][]Candidate{"pid": with(good, func(c *Candidate) { c.Claims = map[string]any{"age": 21.0, "ok": true} })}, nil},
		"other format":          {map[string][]Candidate{"pid": {ld}}, ErrFormat},
		"other type":            {map[string][]Candidate{"pid": with(good, func(c *Candidate) { c.Types = []string{"x"} })}, ErrType},
		"half of the types":     {map[string][]Candidate{"ld": with(ld, func(c *Candidate) { c.Types = []string{"A", "X"} })}, ErrType},
		"no holder":             {map[string][]Candidate{"pid": with(good, func(c *Candidate) { c.Bound = false })}, ErrUnbound},
		"another authority":     {map[string][]Candidate{"pid": {good}, "more": with(doc, func(c *Candidate) { c.Authorities = nil })}, ErrAuthority},
		"one bad among several": {map[string][]Candidate{"ld": {ld, good}}, ErrFormat},
	} {
		if err := q.Check(c.response); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

// FuzzParse: no text makes the package panic, and a query that is read is the same
// when it is read again.
func FuzzParse(f *testing.F) {
	for _, text := range []string{ask(""), ask(`,"claims":[{"id":"x","path":["a",null,0],"values":["b",1,true]}],"claim_sets":[["x"]]`),
		`{"credentials":[{"id":"m","format":"mso_mdoc","meta":{"doctype_value":"d"},"claims":[{"path":["n","e"],"intent_to_retain":true}]}],"credential_sets":[{"options":[["m"]],"required":false}]}`, `{"credentials":null}`} {
		f.Add(text, `{"a":[[1,"b"],{"c":true}]}`)
	}
	f.Fuzz(func(t *testing.T, text, claims string) {
		q, err := Parse([]byte(text))
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrTooLarge) {
				t.Errorf("got %v, want an error of the package", err)
			}
			return
		}
		again, err := Parse(q.JSON())
		if err != nil || !bytes.Equal(again.JSON(), q.JSON()) {
			t.Errorf("got %s (%v), want %s", again.JSON(), err, q.JSON())
		}
		var held any
		_ = json.Unmarshal([]byte(claims), &held) // what cannot be read claims nothing
		var have []Candidate
		for _, c := range q.Credentials {
			have = append(have, Candidate{Format: c.Format, Types: slices.Concat(c.Types...), Bound: true, Claims: held})
		}
		a := q.Match(have)
		response := map[string][]Candidate{}
		for _, id := range q.Least(a) {
			at := slices.IndexFunc(a.Credentials, func(m Matched) bool { return m.ID == id })
			response[id] = []Candidate{have[a.Credentials[at].Choices[0].Candidate]}
		}
		if a.Possible {
			if err := q.Check(response); err != nil {
				t.Errorf("a wallet's answer is refused: %v", err)
			}
		}
	})
}
