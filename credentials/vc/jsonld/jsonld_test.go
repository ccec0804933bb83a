package jsonld

import (
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/piprate/json-gold/ld"

	"github.com/plinth-id/plinth/credentials/vc/rdf"
)

var bounds = Bounds{Bytes: 64 << 10, Depth: 16, Objects: 256, Values: 2048}

// TestCanonicalFormIsJSONGolds compares ours with that of an implementation that was
// checked against others, on random graphs in which many nodes look alike.
func TestCanonicalFormIsJSONGolds(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 3))
		term := func() rdf.Term {
			switch r.IntN(4) {
			case 0:
				return rdf.IRI(fmt.Sprintf("urn:x:%d", r.IntN(2)))
			default:
				return rdf.Blank(fmt.Sprintf("n%d", r.IntN(5)))
			}
		}
		var d rdf.Dataset
		for range 2 + r.IntN(9) {
			q := rdf.Quad{Subject: term(), Predicate: fmt.Sprintf("urn:p:%d", r.IntN(2)), Object: term()}
			if r.IntN(3) == 0 {
				q.Object = rdf.Literal(fmt.Sprint(r.IntN(2)), rdf.XSDInteger)
			}
			if q.Subject != q.Object { // json-gold counts such a statement twice
				d = append(d, q)
			}
		}
		same := map[string]string{}
		for i := range 5 {
			same[fmt.Sprintf("n%d", i)] = fmt.Sprintf("n%d", i)
		}
		given, err := ld.ParseNQuadsFrom(strings.Join(d.Lines(same), ""))
		if err != nil {
			t.Fatal(err)
		}
		options := ld.NewJsonLdOptions("")
		options.Algorithm, options.Format = ld.AlgorithmURDNA2015, "application/n-quads"
		want, err := ld.NewJsonLdApi().Normalize(given, options)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := d.Canonical(crypto.SHA256); err != nil || got.String() != want {
			t.Fatalf("seed %d: got\n%s (%v), want\n%s", seed, got, err, want)
		}
	}
}

const document = `{"@context":["https://www.w3.org/ns/credentials/v2","https://id.example/contexts/identity/v1"],
	"id":"urn:uuid:1","type":["VerifiableCredential","NationalID"],"issuer":{"id":"did:example:i","name":"Office"},
	"validFrom":"2026-03-01T12:00:00Z","credentialSubject":{"id":"did:example:s","type":"Person",
	"fullName":[{"@value":"Amina \"A\" Yusuf","@language":"en"},{"@value":"أمينة","@language":"ar"}],
	"birthDate":"1984-04-18","ageOver18":true,"postalCode":[100,1.5,0.25,-3],
	"address":[{"addressLine":["12 Palm\nLane","12 Palm\nLane"],"country":"KE"},{"country":"UG"},{}]},
	"credentialStatus":{"type":"BitstringStatusListEntry","statusPurpose":"revocation","statusListIndex":"1","statusListCredential":"https://id.example/status/7"}}`

// TestStatementsAreJSONGolds compares what a document states with what json-gold
// makes of it.
func TestStatementsAreJSONGolds(t *testing.T) {
	doc, err := Parse([]byte(document), bounds)
	if err != nil {
		t.Fatal(err)
	}
	options := ld.NewJsonLdOptions("")
	options.DocumentLoader, options.Algorithm, options.Format = Contexts{}, ld.AlgorithmURDNA2015, "application/n-quads"
	want, err := ld.NewJsonLdProcessor().Normalize(doc, options)
	if err != nil {
		t.Fatal(err)
	}
	quads, err := Contexts{}.Statements(doc)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := quads.Canonical(crypto.SHA256); err != nil || got.String() != want {
		t.Errorf("got\n%s (%v), want\n%s", got, err, want)
	}
}

// TestContextsAreSharedSafely is for the race detector: contexts are kept.
func TestContextsAreSharedSafely(t *testing.T) {
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 5 {
				doc, err := Parse([]byte(document), bounds)
				if err == nil {
					_, err = Contexts{}.Statements(doc)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

func TestKeptContextsAreBounded(t *testing.T) {
	known := Contexts{}
	for i := range 8 {
		var err error
		if known, err = known.With(fmt.Sprintf("https://example.org/v%d", i), []byte(`{"@context":{"x":"https://example.org/x"}}`)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range maxCached + 10 {
		listed := []any{CredentialsV2}
		for bit := range 8 {
			if i>>bit&1 == 1 {
				listed = append(listed, fmt.Sprintf("https://example.org/v%d", bit))
			}
		}
		if _, err := known.Statements(map[string]any{"@context": listed, "type": "VerifiableCredential"}); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(known.parsed.active); got > maxCached {
		t.Errorf("got %d, want at most %d", got, maxCached)
	}
}

func inline(context string) string {
	return strings.Replace(document, `"https://id.example/contexts/identity/v1"]`, `"https://id.example/contexts/identity/v1",`+context+`]`, 1)
}

// TestInlineContextCannotHideWhatDecides writes what a reader must see under another
// name, which inline contexts would allow.
func TestInlineContextCannotHideWhatDecides(t *testing.T) {
	for name, c := range map[string]struct {
		document string
		want     error
	}{
		"a harmless one":      {inline(`{"Extra":"https://example.org/Extra"}`), nil},
		"an alias for status": {strings.Replace(inline(`{"other":{"@id":"https://www.w3.org/2018/credentials#credentialStatus","@type":"@id"}}`), `"credentialStatus"`, `"other"`, 1), ErrContext},
		"the end of validity": {strings.Replace(inline(`{"ends":"https://www.w3.org/2018/credentials#validUntil"}`), `"validFrom"`, `"ends":"2027-01-01T00:00:00Z","validFrom"`, 1), ErrContext},
		"a protected term":    {inline(`{"fullName":"https://example.org/x"}`), ErrContext},
		"no context at all":   {inline(`{"@base":"https://example.org/"}`), ErrContext},
		"an import":           {inline(`{"@import":"https://example.org/v1","@version":1.1}`), ErrContext},
		"an unknown scope":    {strings.Replace(inline(`{"Person2":{"@id":"https://example.org/P","@context":"https://example.org/v1"}}`), `"Person"`, `"Person2"`, 1), ErrContext},
		"a number":            {inline(`1`), ErrContext},
		"an enormous one":     {inline(`{"x":["` + strings.Repeat(`a","`, maxInline) + `"]}`), ErrTooLarge},
		"a false address":     {inline(`"https ://x"`), ErrContext},
	} {
		doc, err := Parse([]byte(c.document), bounds)
		if err != nil {
			t.Fatal(err)
		}
		known := Contexts{}.WithInline()
		if _, err = known.Listed(doc, CredentialsV2); err == nil {
			_, err = known.Statements(doc)
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	doc, _ := Parse([]byte(inline(`{"Extra":"https://example.org/Extra"}`)), bounds)
	if _, err := (Contexts{}).Listed(doc, CredentialsV2); !errors.Is(err, ErrContext) {
		t.Errorf("without leave: got %v, want %v", err, ErrContext)
	}
}

func TestWhatStatesNothingIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		from, to string
		want     error
	}{
		"a relative name":       {"did:example:s", "me", ErrMalformed},
		"a blank name":          {"did:example:s", "_:b0", ErrMalformed},
		"a node in two places":  {`{"country":"UG"}`, `{"id":"did:example:s","country":"UG"}`, ErrMalformed},
		"an undefined claim":    {`"ageOver18"`, `"ageOver19"`, ErrUndefinedTerm},
		"an undefined type":     {`"NationalID"`, `"National"`, ErrUndefinedTerm},
		"a direction of no way": {`"@language":"ar"`, `"@language":"ar","@direction":"up"`, ErrMalformed},
	} {
		doc, err := Parse([]byte(strings.Replace(document, c.from, c.to, 1)), bounds)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := (Contexts{}).Statements(doc); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestListsAndJSONAreStated(t *testing.T) {
	known, err := Contexts{}.With("https://example.org/v1", []byte(`{"@context":{"steps":{"@id":"urn:steps","@container":"@list"},"raw":{"@id":"urn:raw","@type":"@json"},"size":{"@id":"urn:size","@type":"http://www.w3.org/2001/XMLSchema#double"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := Parse([]byte(`{"@context":["https://www.w3.org/ns/credentials/v2","https://example.org/v1"],"type":"VerifiableCredential","steps":["a",2],"raw":{"b":[1,"é\n\""],"a":true},"size":[3,0.1,-20]}`), bounds)
	if err != nil {
		t.Fatal(err)
	}
	quads, err := known.Statements(doc)
	if err != nil {
		t.Fatal(err)
	}
	c, err := quads.Canonical(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`<urn:raw> "{\"a\":true,\"b\":[1,\"é\\n\\\"\"]}"^^<http://www.w3.org/1999/02/22-rdf-syntax-ns#JSON>`,
		`#first> "2"^^<http://www.w3.org/2001/XMLSchema#integer>`, `#rest> <http://www.w3.org/1999/02/22-rdf-syntax-ns#nil>`,
		`<urn:size> "3.0E0"^^`, `<urn:size> "1.0E-1"^^`, `<urn:size> "-2.0E1"^^`,
	} {
		if !strings.Contains(c.String(), want) {
			t.Errorf("got %s, want %s in it", c, want)
		}
	}
}

// The examples of RFC 8785, as far as their numbers are taken.
func TestCanonicalJSON(t *testing.T) {
	for in, want := range map[string]string{
		`{"b":1,"a":[true,"x"],"":{"c":"\u00e9\u20ac"}}`:                                                                      `{"":{"c":"é€"},"a":[true,"x"],"b":1}`,
		`{"\u20ac":"Euro","\r":"CR","1":"One","\u0080":"Control","\ud83d\ude02":"Smiley","\u00f6":"Latin","\ufb33":"Hebrew"}`: "{\"\\r\":\"CR\",\"1\":\"One\",\"\u0080\":\"Control\",\"ö\":\"Latin\",\"€\":\"Euro\",\"😂\":\"Smiley\",\"\ufb33\":\"Hebrew\"}",
		`{"n":[0.000001,1.5,100000000000000,-0.25]}`:                                                                          `{"n":[0.000001,1.5,100000000000000,-0.25]}`,
	} {
		doc, err := Parse([]byte(in), bounds)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Canonical(doc); err != nil || string(got) != want {
			t.Errorf("got %s (%v), want %s", got, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(document))
	f.Add([]byte(`{"a":[1,true,"x",{"@value":"y","@language":"en"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		doc, err := Parse(raw, bounds)
		if err != nil {
			return
		}
		text, err := Canonical(doc)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(text, Bounds{Bytes: 1 << 20, Depth: bounds.Depth, Objects: bounds.Objects, Values: bounds.Values})
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if twice, err := Canonical(again); err != nil || string(twice) != string(text) {
			t.Errorf("got %s (%v), want %s", twice, err, text)
		}
		if !json.Valid(text) {
			t.Errorf("not JSON: %s", text)
		}
		if CheckPlain(doc) == nil {
			known := Contexts{}.WithInline()
			if _, err := known.Listed(doc, CredentialsV2, CredentialsV1); err == nil {
				_, _ = known.Statements(doc)
			}
		}
	})
}
