package vc

import (
	"crypto"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/mr-tron/base58"

	"github.com/plinth-id/plinth/credentials/vc/jsonld"
)

// proven signs a document as it is, with a proof as it is: what no draft of ours
// would let pass.
func proven(t testing.TB, doc, config map[string]any, known Contexts) []byte {
	t.Helper()
	full := map[string]any{
		"type": typeProof, "cryptosuite": suiteEdDSA, "created": "2026-03-01T12:00:00Z",
		"proofPurpose": purposeAssert, "verificationMethod": issuerVM,
	}
	maps.Copy(full, config)
	doc = maps.Clone(doc)
	doc["proof"] = full
	raw, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	read, err := jsonld.Parse(raw, credentialBounds)
	if err != nil {
		t.Fatal(err)
	}
	suite, _ := full["cryptosuite"].(string)
	message, err := proof{doc: read["proof"].(map[string]any), suite: suite}.message(read, known, crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := sign(issuerKey, message)
	if err != nil {
		t.Fatal(err)
	}
	full["proofValue"] = "z" + base58.Encode(signature)
	raw, err = json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// old is a credential of Data Model 1.1, as many issuers still write them.
func old() map[string]any {
	return map[string]any{
		"@context": []any{ContextV1, "https://w3id.org/security/data-integrity/v2", "https://id.example.org/contexts/identity/v1"},
		"id":       "urn:uuid:1", "type": []any{TypeCredential, TypeNationalID}, "issuer": issuer,
		"issuanceDate": "2026-03-01T12:00:00Z", "expirationDate": "2027-03-01T12:00:00Z",
		"credentialSubject": map[string]any{"id": holder, "givenName": "Amina"},
	}
}

func TestDataModel11IsRead(t *testing.T) {
	document := proven(t, old(), nil, Contexts{})
	got, err := Verify(t.Context(), document, options())
	if err != nil || got.Claims["givenName"] != "Amina" || !got.ValidFrom.Equal(noon) || !got.ValidUntil.Equal(noon.AddDate(1, 0, 0)) {
		t.Errorf("got %+v (%v)", got, err)
	}
	o := options()
	o.Now = func() time.Time { return noon.AddDate(1, 0, 0) }
	if _, err := Verify(t.Context(), document, o); !errors.Is(err, ErrExpired) {
		t.Errorf("a year later: got %v, want %v", err, ErrExpired)
	}
	both := old()
	both["validUntil"] = "2030-03-01T12:00:00Z"
	if _, err := Verify(t.Context(), must[[]byte](t)(json.Marshal(both)), options()); !errors.Is(err, ErrUnsupported) {
		t.Errorf("two ends: got %v, want %v", err, ErrUnsupported)
	}
	if _, err := ParseDraft(must[[]byte](t)(json.Marshal(old())), Contexts{}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("to be signed: got %v, want %v", err, ErrUnsupported)
	}
}

// doc2 is a credential of Data Model 2.0 with what is to be added.
func doc2(more map[string]any) map[string]any {
	doc := map[string]any{
		"@context": []any{ContextV2, "https://id.example.org/contexts/identity/v1"},
		"type":     []any{TypeCredential}, "issuer": issuer, "credentialSubject": map[string]any{"givenName": "Amina"},
	}
	maps.Copy(doc, more)
	return doc
}

func TestProofSaysForWhatItIs(t *testing.T) {
	bound := proven(t, doc2(nil), map[string]any{"domain": []any{"a.example", "b.example"}, "challenge": "1", "nonce": "2", "id": "urn:proof:1"}, Contexts{})
	for name, c := range map[string]struct {
		document []byte
		change   func(*VerifyOptions)
		want     error
	}{
		"not asked for":     {bound, func(*VerifyOptions) {}, nil},
		"a domain of its":   {bound, func(o *VerifyOptions) { o.Domain = "b.example" }, nil},
		"another domain":    {bound, func(o *VerifyOptions) { o.Domain = "c.example" }, ErrAudience},
		"its challenge":     {bound, func(o *VerifyOptions) { o.Challenge = "1" }, nil},
		"another challenge": {bound, func(o *VerifyOptions) { o.Challenge = "2" }, ErrAudience},
		"an expired proof":  {proven(t, doc2(nil), map[string]any{"expires": "2026-03-01T12:30:00Z"}, Contexts{}), func(*VerifyOptions) {}, ErrExpired},
		"a future proof":    {proven(t, doc2(nil), map[string]any{"created": "2026-03-02T12:30:00Z"}, Contexts{}), func(*VerifyOptions) {}, ErrNotYetValid},
		"another purpose":   {proven(t, doc2(nil), map[string]any{"proofPurpose": purposeAuth}, Contexts{}), func(*VerifyOptions) {}, ErrUnsupported},
		"no purpose":        {proven(t, doc2(nil), map[string]any{"proofPurpose": "capabilityInvocation"}, Contexts{}), func(*VerifyOptions) {}, ErrUnsupported},
		"a broken date":     {[]byte(strings.Replace(string(bound), "2026-03-01T12:00:00Z", "yesterday", 1)), func(*VerifyOptions) {}, ErrMalformed},
		"a broken domain":   {[]byte(strings.Replace(string(bound), `"a.example"`, `1`, 1)), func(*VerifyOptions) {}, ErrMalformed},
	} {
		o := options()
		c.change(&o)
		if _, err := Verify(t.Context(), c.document, o); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestJSONCanonicalisedProofs(t *testing.T) {
	context := doc2(nil)["@context"]
	jcs := map[string]any{"cryptosuite": suiteEdDSAJCS, "@context": context}
	document := string(proven(t, doc2(nil), jcs, Contexts{}))
	for name, c := range map[string]struct {
		document string
		want     error
	}{
		"as it was signed":  {document, nil},
		"a claim changed":   {strings.Replace(document, "Amina", "Halima", 1), ErrSignature},
		"contexts of ours":  {strings.Replace(document, `"@context":["https://www.w3.org/ns/credentials/v2",`, `"@context":["https://www.w3.org/ns/credentials/v2","https://www.w3.org/ns/credentials/examples/v2",`, 1), ErrContext},
		"the other suite":   {strings.Replace(document, suiteEdDSAJCS, suiteECDSAJCS, 1), ErrSignature},
		"the RDF suite":     {strings.Replace(document, suiteEdDSAJCS, suiteEdDSA, 1), ErrUnsupported},
		"a claim undefined": {string(proven(t, doc2(map[string]any{"bogus": "x"}), jcs, Contexts{})), nil},
	} {
		if _, err := Verify(t.Context(), []byte(c.document), options()); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestSeveralSubjectsAreReadAsSeveral(t *testing.T) {
	two := doc2(map[string]any{"credentialSubject": []any{
		map[string]any{"id": "did:example:a", "givenName": "Amina"}, map[string]any{"id": "did:example:b", "givenName": "Halima"},
	}})
	got, err := Verify(t.Context(), proven(t, two, nil, Contexts{}), options())
	if err != nil || len(got.Subjects) != 2 || got.Subject != "" || got.Claims != nil || got.Subjects[1].Claims["givenName"] != "Halima" {
		t.Errorf("got %+v (%v), want two subjects", got, err)
	}
}

func TestWhatTheDataModelForbids(t *testing.T) {
	for name, c := range map[string]struct {
		more map[string]any
		want error
	}{
		"nothing of it":              {nil, nil},
		"a name in two languages":    {map[string]any{"name": []any{map[string]any{"@value": "a", "@language": "en"}, map[string]any{"@value": "b", "@language": "ar", "@direction": "rtl"}}}, nil},
		"a typed name":               {map[string]any{"name": map[string]any{"@value": "a", "@type": "urn:t"}}, ErrMalformed},
		"a name that is a number":    {map[string]any{"name": 1}, ErrMalformed},
		"a resource without digest":  {map[string]any{"relatedResource": map[string]any{"id": "https://example.org/a"}}, ErrMalformed},
		"a resource with a digest":   {map[string]any{"relatedResource": map[string]any{"id": "https://example.org/a", "digestSRI": "sha384-x"}}, nil},
		"a resource twice":           {map[string]any{"relatedResource": []any{map[string]any{"id": "urn:a", "digestSRI": "x"}, map[string]any{"id": "urn:a", "digestSRI": "y"}}}, ErrMalformed},
		"a schema without an id":     {map[string]any{"credentialSchema": map[string]any{"type": "JsonSchema"}}, ErrMalformed},
		"evidence without a type":    {map[string]any{"evidence": map[string]any{"id": "urn:a"}}, ErrMalformed},
		"evidence that is text":      {map[string]any{"evidence": "seen"}, ErrMalformed},
		"a status of no type":        {map[string]any{"credentialStatus": map[string]any{"id": "urn:a"}}, ErrMalformed},
		"a subject that is text":     {map[string]any{"credentialSubject": holder}, ErrMalformed},
		"an issuer that is a number": {map[string]any{"issuer": 7}, ErrMalformed},
		"a type that is a number":    {map[string]any{"type": []any{TypeCredential, 7}}, ErrMalformed},
		"the old dates":              {map[string]any{"issuanceDate": "2026-03-01T12:00:00Z"}, ErrUnsupported},
		"a date without a zone":      {map[string]any{"validFrom": "2026-03-01T12:00:00"}, ErrMalformed},
	} {
		if _, err := ParseDraft(must[[]byte](t)(json.Marshal(doc2(c.more))), Contexts{}); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

// TestInlineContextNeedsLeave signs with a context in the document: whoever may
// rename claims could make a reader see another.
func TestInlineContextNeedsLeave(t *testing.T) {
	inline := doc2(map[string]any{"@context": []any{ContextV2, map[string]any{"motto": "https://example.org/motto"}}})
	inline["credentialSubject"] = map[string]any{"motto": "Onward"}
	open := Contexts{}.WithInline()
	raw := must[[]byte](t)(json.Marshal(inline))
	if _, err := ParseDraft(raw, Contexts{}); !errors.Is(err, ErrContext) {
		t.Errorf("got %v, want %v", err, ErrContext)
	}
	document := must[Signed](t)(must[Draft](t)(ParseDraft(raw, open)).Sign(issuerKey, issuerVM, noon)).JSON()
	if _, err := Verify(t.Context(), document, options()); !errors.Is(err, ErrContext) {
		t.Errorf("got %v, want %v", err, ErrContext)
	}
	o := options()
	o.Contexts = open
	if _, err := Verify(t.Context(), document, o); err != nil {
		t.Errorf("with leave: got %v, want nil", err)
	}
}

func TestEnvelopesAreRecognised(t *testing.T) {
	const good = `{"@context":"https://www.w3.org/ns/credentials/v2","type":"EnvelopedVerifiableCredential","id":"data:application/vc+jwt,e30.e30.AA"}`
	for name, c := range map[string]struct {
		document string
		want     Envelope
		err      error
	}{
		"a credential":           {good, Envelope{"application/vc+jwt", "e30.e30.AA"}, nil},
		"a presentation":         {strings.Replace(strings.Replace(good, "Credential\"", "Presentation\"", 1), "vc+jwt", "vp+sd-jwt", 1), Envelope{"application/vp+sd-jwt", "e30.e30.AA"}, nil},
		"with parameters":        {strings.Replace(good, "jwt,", "jwt;charset=utf-8,", 1), Envelope{"application/vc+jwt", "e30.e30.AA"}, nil},
		"COSE":                   {strings.Replace(good, "vc+jwt,e30.e30.AA", "vc+cose;base64,0oQ=", 1), Envelope{"application/vc+cose", "\xd2\x84"}, nil},
		"broken base64":          {strings.Replace(good, "vc+jwt,e30.e30.AA", "vc+cose;base64,0oQ", 1), Envelope{}, ErrMalformed},
		"an address":             {strings.Replace(good, "data:application/vc+jwt,", "https://example.org/", 1), Envelope{}, ErrMalformed},
		"text":                   {strings.Replace(good, "application/vc+jwt", "text/html", 1), Envelope{}, ErrMalformed},
		"empty":                  {strings.Replace(good, "e30.e30.AA", "", 1), Envelope{}, ErrMalformed},
		"of another context":     {strings.Replace(good, "ns/credentials/v2", "2018/credentials/v1", 1), Envelope{}, ErrMalformed},
		"with a claim beside it": {strings.Replace(good, `"type"`, `"issuer":"did:example:i","type"`, 1), Envelope{}, ErrMalformed},
		"not an envelope":        {`{"type":"VerifiableCredential"}`, Envelope{}, ErrUnsupported},
	} {
		got, err := ParseEnvelope([]byte(c.document))
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: got %+v (%v), want %+v (%v)", name, got, err, c.want, c.err)
		}
	}
}
