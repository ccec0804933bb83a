package vc

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var holderKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, 32))

const (
	challenge = "n-0S6_WzA2Mj"
	domain    = "x509_san_dns:verifier.example.org"
)

// presented is a presentation by a key, with two credentials and an envelope.
func presented(t testing.TB, key crypto.Signer, change func(*PresentationInput, *ProofInput)) []byte {
	t.Helper()
	did, err := DIDKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	name, err := KeyName(did)
	if err != nil {
		t.Fatal(err)
	}
	second := amina()
	second.ID = "urn:uuid:0195bd9c-2c6b-7a60-8a3c-5b6b0b1a2c3e"
	envelope, err := Envelope{"application/vc+jwt", "eyJhbGciOiJFUzI1NiJ9.e30.AAAA"}.Document()
	if err != nil {
		t.Fatal(err)
	}
	p := PresentationInput{ID: "urn:uuid:1", Holder: did, Credentials: [][]byte{signed(t, amina()), signed(t, second), envelope}}
	proof := ProofInput{Method: name, Created: noon, Challenge: challenge, Domain: domain}
	change(&p, &proof)
	draft, err := NewPresentation(p)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := draft.SignFor(key, proof)
	if err != nil {
		t.Fatal(err)
	}
	return whole.JSON()
}

func asIs(*PresentationInput, *ProofInput) {}

func asked() VerifyOptions {
	return VerifyOptions{Now: func() time.Time { return noon.Add(time.Minute) }, Challenge: challenge, Domain: domain}
}

func TestPresentationHandsItsCredentialsBack(t *testing.T) {
	for _, key := range []crypto.Signer{holderKey, p256Key(t, elliptic.P256()), p256Key(t, elliptic.P384())} {
		p, err := VerifyPresentation(t.Context(), presented(t, key, asIs), asked())
		if err != nil {
			t.Fatal(err)
		}
		did := must[string](t)(DIDKey(key.Public()))
		if p.Holder != did || p.ID != "urn:uuid:1" || !p.Created.Equal(noon) || len(p.Credentials) != 3 {
			t.Fatalf("got %+v", p)
		}
		for _, c := range p.Credentials[:2] {
			if got, err := Verify(t.Context(), c.Document, options()); err != nil || got.Issuer != issuer {
				t.Errorf("got %v (%v), want a credential of %s", got.Issuer, err, issuer)
			}
		}
		if got := p.Credentials[2]; got.Document != nil || got.Envelope.MediaType != "application/vc+jwt" || got.Envelope.Token != "eyJhbGciOiJFUzI1NiJ9.e30.AAAA" {
			t.Errorf("got %+v, want the envelope", got)
		}
	}
}

func TestWhoSignsIsTheHolderWhereNoneIsNamed(t *testing.T) {
	p, err := VerifyPresentation(t.Context(), presented(t, holderKey, func(p *PresentationInput, _ *ProofInput) { p.Holder = "" }), asked())
	if want := must[string](t)(DIDKey(holderKey.Public())); err != nil || p.Holder != want {
		t.Errorf("got %q (%v), want %q", p.Holder, err, want)
	}
}

func TestPresentationForAnotherIsRefused(t *testing.T) {
	document := presented(t, holderKey, asIs)
	plain := presented(t, holderKey, func(_ *PresentationInput, p *ProofInput) { p.Challenge, p.Domain = "", "" })
	for name, c := range map[string]struct {
		document []byte
		change   func(*VerifyOptions)
		want     error
	}{
		"another challenge":  {document, func(o *VerifyOptions) { o.Challenge = "other" }, ErrAudience},
		"no challenge":       {document, func(o *VerifyOptions) { o.Challenge = "" }, ErrAudience},
		"another domain":     {document, func(o *VerifyOptions) { o.Domain = "other" }, ErrAudience},
		"no domain":          {document, func(o *VerifyOptions) { o.Domain = "" }, ErrAudience},
		"made for nobody":    {plain, func(*VerifyOptions) {}, ErrAudience},
		"from the future":    {document, func(o *VerifyOptions) { o.Now = func() time.Time { return noon.Add(-time.Hour) } }, ErrNotYetValid},
		"a credential":       {signed(t, amina()), func(*VerifyOptions) {}, ErrMalformed},
		"by an unknown key":  {document, func(o *VerifyOptions) { o.Keys = list(issuerKey.Public()).Resolve }, ErrUnknownKey},
		"expired":            {presented(t, holderKey, func(_ *PresentationInput, p *ProofInput) { p.Expires = noon.Add(time.Second) }), func(*VerifyOptions) {}, ErrExpired},
		"a changed holder":   {bytes.Replace(document, []byte(`"holder":"did:key:z6Mk`), []byte(`"holder":"did:key:z6Mm`), 1), func(*VerifyOptions) {}, ErrForeignKey},
		"a changed claim":    {bytes.Replace(document, []byte("1984"), []byte("1994"), 1), func(*VerifyOptions) {}, ErrSignature},
		"a changed proof in": {bytes.Replace(document, []byte(issuerVM), []byte(issuer+"#9"), 1), func(*VerifyOptions) {}, ErrSignature},
		"a changed envelope": {bytes.Replace(document, []byte("e30.AAAA"), []byte("e30.AAAB"), 1), func(*VerifyOptions) {}, ErrSignature},
		"another purpose":    {bytes.Replace(document, []byte(`"authentication"`), []byte(`"assertionMethod"`), 1), func(*VerifyOptions) {}, ErrUnsupported},
		"undefined":          {bytes.Replace(document, []byte(`"holder"`), []byte(`"bogus":1,"holder"`), 1), func(*VerifyOptions) {}, ErrUndefinedTerm},
	} {
		o := asked()
		c.change(&o)
		if p, err := VerifyPresentation(t.Context(), c.document, o); !errors.Is(err, c.want) || p.Holder != "" {
			t.Errorf("%s: got %v and %q, want %v and nothing", name, err, p.Holder, c.want)
		}
	}
}

// TestBrowserSignsInTwoSteps makes the signature away from the document, as a
// browser that holds the key does.
func TestBrowserSignsInTwoSteps(t *testing.T) {
	for _, key := range []crypto.Signer{holderKey, p256Key(t, elliptic.P256()), p256Key(t, elliptic.P384())} {
		did := must[string](t)(DIDJWK(key.Public()))
		draft := must[Draft](t)(NewPresentation(PresentationInput{Holder: did, Credentials: [][]byte{signed(t, amina())}}))
		pending := must[Pending](t)(draft.Prepare(ProofInput{Key: key.Public(), Method: did + "#0", Created: noon, Challenge: challenge, Domain: domain}))
		signature := must[[]byte](t)(sign(key, pending.Message()))
		whole := must[Signed](t)(pending.Finish(signature))
		if p, err := VerifyPresentation(t.Context(), whole.JSON(), asked()); err != nil || p.Holder != did {
			t.Errorf("got %q (%v), want %q", p.Holder, err, did)
		}
		signature[1] ^= 1
		if _, err := pending.Finish(signature); !errors.Is(err, ErrSignature) {
			t.Errorf("got %v, want %v", err, ErrSignature)
		}
		if _, err := pending.Finish(nil); !errors.Is(err, ErrSignature) {
			t.Errorf("got %v, want %v", err, ErrSignature)
		}
	}
	if _, err := (Pending{}).Finish(nil); !errors.Is(err, ErrMalformed) {
		t.Errorf("got %v, want %v", err, ErrMalformed)
	}
}

// token signs like a token whose keys we cannot see, and may be at fault.
type token struct {
	crypto.Signer
	fault bool
}

func (k token) Sign(random io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	if k.fault {
		digest = slices.Concat(digest[1:], digest[:1])
	}
	return k.Signer.Sign(random, digest, o)
}

func TestFaultOfATokenIsNoticed(t *testing.T) {
	draft := must[Draft](t)(NewDraft(amina()))
	for _, key := range []crypto.Signer{issuerKey, p256Key(t, elliptic.P256()), p256Key(t, elliptic.P384())} {
		if _, err := draft.Sign(token{key, false}, issuerVM, noon); err != nil {
			t.Errorf("got %v, want nil", err)
		}
		if _, err := draft.Sign(token{key, true}, issuerVM, noon); !errors.Is(err, ErrSignature) {
			t.Errorf("got %v, want %v", err, ErrSignature)
		}
	}
}

func TestEveryKeySignsInItsSuite(t *testing.T) {
	for _, key := range []crypto.Signer{issuerKey, p256Key(t, elliptic.P256()), p256Key(t, elliptic.P384())} {
		draft := must[Draft](t)(NewDraft(amina()))
		whole := must[Signed](t)(draft.Sign(key, issuerVM, noon))
		got, err := Verify(t.Context(), whole.JSON(), optionsFor(key.Public()))
		want := suiteECDSA
		if _, ed := key.(ed25519.PrivateKey); ed {
			want = suiteEdDSA
		}
		if err != nil || got.Suite != want {
			t.Errorf("got %q (%v), want %q", got.Suite, err, want)
		}
		for _, other := range []elliptic.Curve{elliptic.P256(), elliptic.P384()} {
			if k := p256Key(t, other); !k.Equal(key) {
				if _, err := Verify(t.Context(), whole.JSON(), optionsFor(k.Public())); !errors.Is(err, ErrSignature) {
					t.Errorf("%s by a key of %s: got %v, want %v", want, other.Params().Name, err, ErrSignature)
				}
			}
		}
	}
}

// TestSetOfProofsMustHold signs a credential twice.
func TestSetOfProofsMustHold(t *testing.T) {
	p256 := p256Key(t, elliptic.P256())
	first := signed(t, amina())
	draft := must[Draft](t)(ParseDraft(first, Contexts{}))
	both := must[Signed](t)(draft.Sign(p256, issuer+"#2", noon)).JSON()
	o := options()
	trust := list(issuerKey.Public())
	trust.Issuers[0].Keys = append(trust.Issuers[0].Keys, TrustedKey{issuer + "#2", must[string](t)(Multikey(p256.Public()))})
	o.Keys = trust.Resolve
	if c, err := Verify(t.Context(), both, o); err != nil || c.Method != issuerVM {
		t.Errorf("got %q (%v), want %q", c.Method, err, issuerVM)
	}
	for name, c := range map[string]struct {
		from, to string
		want     error
	}{
		"one of them broken":      {`"proofValue":"z`, `"proofValue":"z1`, ErrMalformed},
		"a claim changed":         {"1984", "1994", ErrSignature},
		"one of an unknown suite": {suiteECDSA, "bbs-2023", nil},
		"one of another party":    {issuer + "#2", "did:web:b.example#2", nil},
		"one by an unknown key":   {issuer + "#2", issuer + "#3", nil},
	} {
		changed := strings.Replace(string(both), c.from, c.to, 1)
		if _, err := Verify(t.Context(), []byte(changed), o); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

// TestDataModel takes what the W3C's test suite of the data model takes, and refuses
// what it refuses. As there, credentials without an issuer are given one.
func TestDataModel(t *testing.T) {
	dir := filepath.Join(vectors(t), "vcdm-2.0")
	files := must[[]string](t)(filepath.Glob(filepath.Join(dir, "*.json")))
	files = append(files, must[[]string](t)(filepath.Glob(filepath.Join(dir, "*", "*.json")))...)
	if len(files) < 90 {
		t.Fatalf("got %d files, want all", len(files))
	}
	for _, file := range files {
		var doc map[string]any
		// The suite puts dates in the place of these words.
		dated := strings.NewReplacer("PAST DATE", "2020-01-01T00:00:00Z", "FUTURE DATE", "2120-01-01T00:00:00Z").Replace(string(load(t, file)))
		if err := json.Unmarshal([]byte(dated), &doc); err != nil {
			t.Fatal(err)
		}
		base := filepath.Base(file)
		parse := ParsePresentation
		if !strings.HasPrefix(base, "presentation-") {
			parse = ParseDraft
			if given, ok := doc["issuer"]; !ok && base != "credential-no-issuer-fail.json" {
				doc["issuer"] = issuer
			} else if object, ok := given.(map[string]any); ok {
				if _, ok := object["id"]; !ok {
					object["id"] = issuer
				}
			}
		}
		raw := must[[]byte](t)(json.Marshal(doc))
		draft, err := parse(raw, Contexts{}.WithInline())
		switch {
		case strings.Contains(base, "-fail") && err == nil:
			t.Errorf("%s: got nil, want a refusal", base)
		case !strings.Contains(base, "-fail") && err != nil:
			t.Errorf("%s: got %v, want nil", base, err)
		}
		if err == nil {
			roundTrip(t, base, draft)
		}
	}
}

// roundTrip signs what was taken, and verifies it.
func roundTrip(t *testing.T, file string, draft Draft) {
	t.Helper()
	key := p256Key(t, elliptic.P256())
	if draft.party == "" {
		draft.party = must[string](t)(DIDKey(key.Public()))
	}
	draft.proofs = nil
	method := draft.party + "#1"
	whole, err := draft.SignFor(key, ProofInput{Method: method, Created: noon, Challenge: challenge})
	if err != nil {
		t.Errorf("%s: %v", file, err)
		return
	}
	o := VerifyOptions{Now: func() time.Time { return noon }, Challenge: challenge, Contexts: Contexts{}.WithInline()}
	o.Keys = TrustList{Issuers: []TrustedIssuer{{ID: draft.party, Keys: []TrustedKey{{method, must[string](t)(Multikey(key.Public()))}}}}}.Resolve
	if draft.purpose == purposeAuth {
		_, err = VerifyPresentation(t.Context(), whole.JSON(), o)
	} else {
		_, err = Verify(t.Context(), whole.JSON(), o)
	}
	if err != nil && !errors.Is(err, ErrExpired) && !errors.Is(err, ErrNotYetValid) {
		t.Errorf("%s: signed, then got %v", file, err)
	}
}

func FuzzVerifyPresentation(f *testing.F) {
	good := presented(f, holderKey, asIs)
	f.Add(good)
	f.Add(bytes.Replace(good, []byte("authentication"), []byte("assertionMethod"), 1))
	f.Add([]byte(`{"@context":["https://www.w3.org/ns/credentials/v2"],"type":"VerifiablePresentation","verifiableCredential":[{}]}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		_, _ = ParseEnvelope(document)
		if p, err := VerifyPresentation(t.Context(), document, asked()); err == nil && (p.ID != "urn:uuid:1" || len(p.Credentials) != 3) {
			t.Errorf("nobody signed %s", document)
		}
	})
}
