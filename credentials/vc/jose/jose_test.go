package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"math/big"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/veraison/go-cose"

	"github.com/plinth-id/plinth/credentials/vc/jws"
	"github.com/plinth-id/plinth/credentials/vc/sdjwt"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const issuerID = "did:web:id.example.org"

type object = map[string]any

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func amina() object {
	return object{
		"@context": []any{contextV2}, "id": "urn:uuid:1", "type": []any{typeCredential, "NationalID"}, "issuer": issuerID,
		"validFrom": noon.Format(time.RFC3339), "validUntil": noon.AddDate(2, 0, 0).Format(time.RFC3339),
		"credentialSubject": object{"id": "did:key:z6Mk", "givenName": "Amina", "birthDate": "1984-04-18"},
	}
}

func presentation(credentials ...Envelope) object {
	all := make([]any, len(credentials))
	for i, e := range credentials {
		all[i] = e.Object()
	}
	return object{"@context": []any{contextV2}, "type": typePresentation, "holder": "did:key:z6Mk", "verifiableCredential": all}
}

func at(key crypto.PublicKey, now time.Time) Options {
	o := trusting(key)
	o.Now = func() time.Time { return now }
	return o
}

func secure(t testing.TB, key crypto.Signer, in SignInput) Envelope {
	t.Helper()
	signer, err := NewSigner(Config{Key: key, KeyID: issuerID + "#1"})
	if err != nil {
		t.Fatal(err)
	}
	e, err := signer.Sign(in)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// compact is a JWT of any claims, with a good signature.
func compact(t testing.TB, key crypto.Signer, header, claims object) string {
	t.Helper()
	signer, err := jws.NewSigner(key, header)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signer.Sign(raw)
	if err != nil {
		t.Fatal(err)
	}
	return string(token)
}

func TestWhatWasSecuredIsRead(t *testing.T) {
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	for name, key := range map[string]crypto.Signer{"ES256": newKey(t), "EdDSA": ed} {
		var inside []Envelope
		for _, media := range []string{CredentialJWT, CredentialSDJWT, CredentialCOSE} {
			e := secure(t, key, SignInput{MediaType: media, Document: amina(), Selective: [][]any{{"credentialSubject", "birthDate"}}})
			again, err := ParseURL(e.URL())
			if err != nil || again != e {
				t.Errorf("%s %s: got %v (%v), want %v", name, media, again, err, e)
			}
			d, err := Verify(t.Context(), again, at(key.Public(), noon))
			want := amina()
			if media == CredentialSDJWT {
				want["iss"] = issuerID
			}
			if err != nil || d.By != issuerID || d.KeyID != issuerID+"#1" || !d.ValidFrom.Equal(noon) || !reflect.DeepEqual(d.Claims, want) {
				t.Errorf("%s %s: got %+v (%v)", name, media, d, err)
			}
			inside = append(inside, e)
		}
		for _, media := range []string{PresentationJWT, PresentationSDJWT, PresentationCOSE} {
			e := secure(t, key, SignInput{MediaType: media, Document: presentation(inside...)})
			raw, _ := json.Marshal(e.Object())
			again, err := ParseJSON(raw)
			if err != nil || again != e {
				t.Errorf("%s %s: got %v (%v), want %v", name, media, again, err, e)
			}
			d, err := Verify(t.Context(), again, at(key.Public(), noon))
			if err != nil || d.By != "did:key:z6Mk" || !reflect.DeepEqual(d.Credentials, inside) {
				t.Errorf("%s %s: got %+v (%v)", name, media, d, err)
			}
		}
	}
}

func TestDocumentsThatCannotBeSecured(t *testing.T) {
	signer, err := NewSigner(Config{Key: newKey(t)})
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		media  string
		change object
		want   error
	}{
		"another media type":  {"vc+ld+json", nil, ErrMediaType},
		"of 1.1":              {CredentialJWTBefore, nil, ErrMediaType},
		"no issuer":           {CredentialJWT, object{"issuer": nil}, ErrMalformed},
		"another context":     {CredentialJWT, object{"@context": []any{contextV1}}, ErrMalformed},
		"no subject":          {CredentialJWT, object{"credentialSubject": nil}, ErrMalformed},
		"the claim vc":        {CredentialJWT, object{"vc": object{}}, ErrMalformed},
		"a claim at the top":  {CredentialJWT, object{"givenName": "Amina"}, ErrUnsupported},
		"another iss":         {CredentialJWT, object{"iss": "did:web:other.example"}, ErrConflict},
		"not a credential":    {CredentialJWT, object{"type": "NationalID"}, ErrMalformed},
		"not JSON":            {CredentialCOSE, object{"name": func() {}}, ErrMalformed},
		"a date without zone": {CredentialCOSE, object{"validFrom": "2026-03-01"}, ErrMalformed},
	} {
		document := amina()
		maps.Copy(document, c.change)
		if _, err := signer.Sign(SignInput{MediaType: c.media, Document: document}); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", what, err, c.want)
		}
	}
}

func TestFaultyJWTsAreRefused(t *testing.T) {
	key := newKey(t)
	good := object{"typ": CredentialJWT}
	for what, c := range map[string]struct {
		header, change object
		want           error
	}{
		"good":                     {good, nil, nil},
		"no typ":                   {object{}, nil, ErrMediaType},
		"typ of a presentation":    {object{"typ": PresentationJWT}, nil, ErrMediaType},
		"typ of a JWT":             {object{"typ": "JWT"}, nil, ErrMediaType},
		"cty of something else":    {object{"typ": CredentialJWT, "cty": "vp"}, nil, ErrMediaType},
		"crit":                     {object{"typ": CredentialJWT, "crit": []any{"x"}, "x": 1}, nil, ErrUnsupported},
		"vc":                       {good, object{"vc": object{}}, ErrMalformed},
		"vp":                       {good, object{"vp": "x"}, ErrMalformed},
		"iss of another":           {good, object{"iss": "did:web:other.example"}, ErrConflict},
		"iss that is no text":      {good, object{"iss": 1}, ErrConflict},
		"the signature has ended":  {good, object{"exp": noon.Unix()}, ErrExpired},
		"the credential has ended": {good, object{"validUntil": noon.Format(time.RFC3339)}, ErrExpired},
		"not valid yet":            {good, object{"validFrom": noon.AddDate(0, 1, 0).Format(time.RFC3339)}, ErrNotYetValid},
		"signed tomorrow":          {good, object{"iat": noon.AddDate(0, 0, 1).Unix()}, ErrNotYetValid},
		"exp as text":              {good, object{"exp": "2026"}, ErrMalformed},
		"an issuer without a name": {good, object{"issuer": object{"name": "x"}}, ErrMalformed},
		"no subjects":              {good, object{"credentialSubject": []any{}}, ErrMalformed},
		"types that are no text":   {good, object{"type": []any{1}}, ErrMalformed},
	} {
		document := amina()
		maps.Copy(document, c.change)
		d, err := Verify(t.Context(), Envelope{CredentialJWT, compact(t, key, c.header, document)}, at(key.Public(), noon.Add(time.Hour)))
		if !errors.Is(err, c.want) || (d.Claims != nil) != (err == nil || errors.Is(err, ErrExpired) || errors.Is(err, ErrNotYetValid)) {
			t.Errorf("%s: got %+v (%v), want %v", what, d, err, c.want)
		}
	}
	token := compact(t, key, good, amina())
	if _, err := Verify(t.Context(), Envelope{CredentialJWT, token}, at(newKey(t).Public(), noon)); !errors.Is(err, ErrSignature) {
		t.Errorf("another key: got %v, want ErrSignature", err)
	}
	if _, err := Verify(t.Context(), Envelope{"text/plain", token}, at(key.Public(), noon)); !errors.Is(err, ErrMediaType) {
		t.Errorf("another media type: got %v, want ErrMediaType", err)
	}
	o := at(key.Public(), noon)
	o.Binding = &sdjwt.Binding{Audience: "a", Nonce: "n"}
	for _, media := range []string{CredentialJWT, CredentialSDJWT, CredentialCOSE} {
		e := secure(t, key, SignInput{MediaType: media, Document: amina()})
		if _, err := Verify(t.Context(), e, o); !errors.Is(err, ErrNotBound) {
			t.Errorf("%s, for an occasion: got %v, want ErrNotBound", media, err)
		}
	}
	for _, alg := range []string{"none", "HS256"} {
		head := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"` + alg + `","typ":"vc+jwt"}`))
		pieces := strings.Split(token, ".")
		if _, err := Verify(t.Context(), Envelope{CredentialJWT, head + "." + pieces[1] + "."}, at(key.Public(), noon)); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: got %v, want ErrUnsupported", alg, err)
		}
	}
}

func TestFaultyCOSEIsRefused(t *testing.T) {
	key := newKey(t)
	good := secure(t, key, SignInput{MediaType: CredentialCOSE, Document: amina()})
	for i := 0; i < len(good.Content); i += 5 {
		changed := []byte(good.Content)
		changed[i] ^= 1
		if d, err := Verify(t.Context(), Envelope{CredentialCOSE, string(changed)}, at(key.Public(), noon)); err == nil {
			t.Errorf("byte %d: got %+v, want an error", i, d)
		}
	}
	for what, c := range map[string]struct {
		change func(*cose.Sign1Message)
		want   error
	}{
		"no typ":        {func(m *cose.Sign1Message) { delete(m.Headers.Protected, cose.HeaderLabelType) }, ErrMediaType},
		"another typ":   {func(m *cose.Sign1Message) { m.Headers.Protected[cose.HeaderLabelType] = "application/vp+cose" }, ErrMediaType},
		"CoAP's number": {func(m *cose.Sign1Message) { m.Headers.Protected[cose.HeaderLabelContentType] = int64(50) }, ErrMediaType},
		"crit": {func(m *cose.Sign1Message) {
			m.Headers.Protected[cose.HeaderLabelCritical] = []any{int64(99)}
			m.Headers.Protected[int64(99)] = 1
		}, ErrUnsupported},
		"a chain of nothing": {func(m *cose.Sign1Message) { m.Headers.Unprotected[cose.HeaderLabelX5Chain] = []byte("x") }, ErrMalformed},
		"not JSON":           {func(m *cose.Sign1Message) { m.Payload = []byte("x") }, ErrMalformed},
	} {
		var m cose.Sign1Message
		if err := m.UnmarshalCBOR([]byte(good.Content)); err != nil {
			t.Fatal(err)
		}
		m.Signature, m.Headers.RawProtected, m.Headers.RawUnprotected = nil, nil, nil
		c.change(&m)
		signer, _ := cose.NewSigner(cose.AlgorithmES256, key)
		if err := m.Sign(rand.Reader, nil, signer); err != nil {
			t.Fatal(err)
		}
		raw, err := m.MarshalCBOR()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(t.Context(), Envelope{CredentialCOSE, string(raw)}, at(key.Public(), noon)); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", what, err, c.want)
		}
	}
	// COSE_Sign1 with an empty signature, as some publish it.
	raw := []byte(good.Content)
	empty := append(raw[:len(raw)-66:len(raw)-66], 0x40)
	if _, err := Verify(t.Context(), Envelope{CredentialCOSE, string(empty)}, at(key.Public(), noon)); !errors.Is(err, ErrMalformed) {
		t.Errorf("an empty signature: got %v, want ErrMalformed", err)
	}
}

// TestDocumentsOfBefore are JWTs of the Data Model 1.1.
func TestDocumentsOfBefore(t *testing.T) {
	key := newKey(t)
	inside := object{"@context": contextV1, "type": []any{typeCredential}, "credentialSubject": object{"givenName": "Amina"}}
	claims := object{"iss": issuerID, "nbf": noon.Unix(), "exp": noon.AddDate(1, 0, 0).Unix(), "jti": "urn:uuid:1", "sub": "did:key:z6Mk", "vc": inside}
	for what, c := range map[string]struct {
		header, claims, inside object
		want                   error
	}{
		"good":                       {object{"typ": "JWT"}, nil, nil, nil},
		"without typ":                {nil, nil, nil, nil},
		"saying the same twice":      {nil, nil, object{"issuer": object{"id": issuerID, "name": "x"}, "id": "urn:uuid:1"}, nil},
		"without a subject's id":     {nil, object{"sub": nil}, nil, nil},
		"typ of 2.0":                 {object{"typ": CredentialJWT}, nil, nil, ErrMediaType},
		"no vc":                      {nil, object{"vc": nil}, nil, ErrMalformed},
		"vp as well":                 {nil, object{"vp": object{}}, nil, ErrMalformed},
		"another issuer":             {nil, nil, object{"issuer": "did:web:other.example"}, ErrConflict},
		"another id":                 {nil, nil, object{"id": "urn:uuid:2"}, ErrConflict},
		"another subject":            {nil, nil, object{"credentialSubject": object{"id": "did:key:other"}}, ErrConflict},
		"several subjects":           {nil, nil, object{"credentialSubject": []any{object{}, object{}}}, ErrMalformed},
		"the context of 2.0":         {nil, nil, object{"@context": contextV2}, ErrMalformed},
		"ended by exp":               {nil, object{"exp": noon.Unix()}, nil, ErrExpired},
		"ended by its own date":      {nil, object{"exp": nil}, object{"expirationDate": noon.Format(time.RFC3339)}, ErrExpired},
		"not begun":                  {nil, object{"nbf": noon.AddDate(0, 1, 0).Unix()}, nil, ErrNotYetValid},
		"ended, but the date is not": {nil, object{"exp": noon.Unix()}, object{"expirationDate": noon.AddDate(1, 0, 0).Format(time.RFC3339)}, ErrExpired},
	} {
		whole, document := maps.Clone(claims), maps.Clone(inside)
		maps.Copy(document, c.inside)
		whole["vc"] = document
		maps.Copy(whole, c.claims)
		maps.DeleteFunc(whole, func(_ string, v any) bool { return v == nil })
		d, err := Verify(t.Context(), Envelope{CredentialJWTBefore, compact(t, key, c.header, whole)}, at(key.Public(), noon.Add(time.Hour)))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", what, err, c.want)
		}
		if err == nil && (d.By != issuerID || d.Claims["id"] != "urn:uuid:1" || !d.ValidFrom.Equal(noon)) {
			t.Errorf("%s: got %+v", what, d)
		}
	}
}

// TestOccasionOfAPresentation is that of the JWTs that are signed by the holder.
func TestOccasionOfAPresentation(t *testing.T) {
	key := newKey(t)
	before := object{"vp": object{"@context": contextV1, "type": typePresentation, "verifiableCredential": []any{"a.b.c"}}}
	now := presentation(Envelope{CredentialJWT, "a.b.c"})
	for what, c := range map[string]struct {
		change object
		want   error
	}{
		"good":                {nil, nil},
		"among several":       {object{"aud": []any{"x", "x509_hash:abc"}}, nil},
		"for nothing":         {object{"aud": nil, "nonce": nil}, ErrNotBound},
		"another nonce":       {object{"nonce": "m"}, ErrNonce},
		"a nonce of no kind":  {object{"nonce": 1}, ErrNonce},
		"another audience":    {object{"aud": "abc"}, ErrAudience},
		"without an audience": {object{"aud": nil}, ErrAudience},
		"too old":             {object{"iat": noon.Add(-time.Hour).Unix()}, ErrStale},
	} {
		for _, media := range []string{PresentationJWT, PresentationJWTBefore} {
			claims := object{"iss": "did:key:z6Mk", "aud": "x509_hash:abc", "nonce": "n", "iat": noon.Unix()}
			document, header := now, object{"typ": PresentationJWT}
			if media == PresentationJWTBefore {
				document, header = before, object{"typ": "JWT"}
			}
			maps.Copy(claims, document)
			maps.Copy(claims, c.change)
			maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
			o := at(key.Public(), noon)
			o.Binding = &sdjwt.Binding{Audience: "x509_hash:abc", Nonce: "n"}
			d, err := Verify(t.Context(), Envelope{media, compact(t, key, header, claims)}, o)
			if !errors.Is(err, c.want) || err == nil && (len(d.Credentials) != 1 || d.By != "did:key:z6Mk") {
				t.Errorf("%s %s: got %+v (%v), want %v", media, what, d, err, c.want)
			}
		}
	}
	before["vp"].(object)["verifiableCredential"] = []any{object{"proof": "x"}}
	token := compact(t, key, nil, before)
	if _, err := Verify(t.Context(), Envelope{PresentationJWTBefore, token}, at(key.Public(), noon)); !errors.Is(err, ErrUnsupported) {
		t.Errorf("another format inside: got %v, want ErrUnsupported", err)
	}
}

func TestEnvelopesThatHoldNothing(t *testing.T) {
	for what, c := range map[string]struct {
		document object
		want     error
	}{
		"not a data URL":    {object{"type": envelopedCredential, "id": "https://x.example"}, ErrMalformed},
		"nothing in it":     {object{"type": envelopedCredential, "id": "data:application/vc+jwt,"}, ErrMalformed},
		"another type":      {object{"type": typeCredential, "id": "data:application/vc+jwt,a.b.c"}, ErrMalformed},
		"of the other kind": {object{"type": envelopedCredential, "id": "data:application/vp+jwt,a.b.c"}, ErrMalformed},
		"text":              {object{"type": envelopedCredential, "id": "data:text/plain,a"}, ErrMalformed},
		"JSON":              {object{"type": envelopedCredential, "id": "data:application/vc,{}"}, ErrMediaType},
		"COSE in the clear": {object{"type": envelopedCredential, "id": "data:application/vc+cose,abcd"}, ErrMalformed},
		"not base64":        {object{"type": envelopedCredential, "id": "data:application/vc+cose;base64,!"}, ErrMalformed},
		"no id":             {object{"type": envelopedCredential}, ErrMalformed},
		"no type":           {object{"id": "data:application/vc+jwt,a.b.c"}, ErrMalformed},
	} {
		if _, err := ParseObject(c.document); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", what, err, c.want)
		}
	}
	got, err := ParseURL("data:application/VC+JWT;charset=utf-8;base64," + base64.StdEncoding.EncodeToString([]byte("a.b.c")))
	if want := (Envelope{CredentialJWT, "a.b.c"}); err != nil || got != want {
		t.Errorf("got %v (%v), want %v", got, err, want)
	}
}

// FuzzVerify looks for an envelope that is taken and that nobody has signed.
func FuzzVerify(f *testing.F) {
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	for _, media := range []string{CredentialJWT, CredentialSDJWT, CredentialCOSE} {
		e := secure(f, key, SignInput{MediaType: media, Document: amina()})
		f.Add(e.MediaType, e.Content)
		f.Add("", e.URL())
	}
	f.Add(PresentationJWTBefore, compact(f, key, nil, object{"vp": object{"@context": contextV1, "type": typePresentation, "verifiableCredential": "a.b.c"}}))
	f.Add("", `{"type":"EnvelopedVerifiableCredential","id":"data:application/vc+jwt,a.b.c"}`)
	want := amina()["credentialSubject"]
	f.Fuzz(func(t *testing.T, media, content string) {
		e := Envelope{MediaType: media, Content: content}
		if media == "" {
			var err error
			if e, err = ParseURL(content); err != nil {
				if e, err = ParseJSON([]byte(content)); err != nil {
					return
				}
			}
		}
		if d, err := Verify(t.Context(), e, at(key.Public(), noon)); err == nil && d.Credentials == nil && !reflect.DeepEqual(d.Claims["credentialSubject"], want) {
			t.Errorf("nobody signed %+v", d.Claims)
		}
	})
}

// TestChainsOfEnvelopes has each kind of envelope signed under a certificate.
func TestChainsOfEnvelopes(t *testing.T) {
	rootKey, key := newKey(t), newKey(t)
	certify := func(c x509.Certificate, key, by crypto.Signer, parent *x509.Certificate) *x509.Certificate {
		c.SerialNumber, c.NotBefore, c.NotAfter = big.NewInt(1), noon.AddDate(-1, 0, 0), noon.AddDate(1, 0, 0)
		if parent == nil {
			parent = &c
		}
		der, err := x509.CreateCertificate(rand.Reader, &c, parent, key.Public(), by)
		if err != nil {
			t.Fatal(err)
		}
		made, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	root := certify(x509.Certificate{Subject: pkix.Name{CommonName: "Root"}, IsCA: true, BasicConstraintsValid: true}, rootKey, rootKey, nil)
	name, _ := url.Parse(issuerID)
	leaf := certify(x509.Certificate{Subject: pkix.Name{CommonName: "The Registry"}, URIs: []*url.URL{name}}, key, rootKey, root)
	pool, strangers := x509.NewCertPool(), x509.NewCertPool()
	pool.AddCert(root)
	for _, chain := range [][]*x509.Certificate{{leaf}, {leaf, root}} {
		signer, err := NewSigner(Config{Key: key, Chain: chain})
		if err != nil {
			t.Fatal(err)
		}
		for _, media := range []string{CredentialJWT, CredentialSDJWT, CredentialCOSE} {
			e, err := signer.Sign(SignInput{MediaType: media, Document: amina()})
			if err != nil {
				t.Fatal(err)
			}
			o := Options{Trust: jws.Trust{Anchors: pool}, Now: func() time.Time { return noon }}
			if d, err := Verify(t.Context(), e, o); err != nil || d.By != issuerID || len(d.Chain) != 2 || !d.Chain[1].Equal(root) {
				t.Errorf("%s: got %+v (%v)", media, d, err)
			}
			o.HAIP = true
			if _, err := Verify(t.Context(), e, o); (err == nil) != (len(chain) == 1) {
				t.Errorf("%s of %d, by HAIP: got %v", media, len(chain), err)
			}
			o.Anchors = strangers
			if _, err := Verify(t.Context(), e, o); !errors.Is(err, ErrUntrusted) {
				t.Errorf("%s, of a stranger: got %v, want ErrUntrusted", media, err)
			}
			other := amina()
			other["issuer"] = "did:web:other.example"
			if e, err = signer.Sign(SignInput{MediaType: media, Document: other}); err != nil {
				t.Fatal(err)
			}
			o = Options{Trust: jws.Trust{Anchors: pool}, Now: o.Now}
			if d, err := Verify(t.Context(), e, o); !errors.Is(err, ErrUntrusted) {
				t.Errorf("%s, in the name of another: got %q (%v), want ErrUntrusted", media, d.By, err)
			}
		}
	}
}

func TestHolderPresents(t *testing.T) {
	issuer, holder := newKey(t), newKey(t)
	before := compact(t, issuer, nil, object{"iss": issuerID, "vc": object{"@context": contextV1, "type": typeCredential, "credentialSubject": object{}}})
	for media, credential := range map[string]Envelope{
		PresentationJWT:       secure(t, issuer, SignInput{MediaType: CredentialJWT, Document: amina()}),
		PresentationJWTBefore: {CredentialJWTBefore, before},
	} {
		in := PresentInput{
			MediaType: media, Credentials: []Envelope{credential}, Holder: "did:key:z6Mk", KeyID: "did:key:z6Mk#1", Key: holder.Public(),
			Occasion: sdjwt.Occasion{Audience: "x509_hash:abc", Nonce: "n", At: noon},
		}
		unsigned, err := Present(in)
		if err != nil {
			t.Fatal(err)
		}
		signature, err := jws.SignInput(holder, unsigned.Input())
		if err != nil {
			t.Fatal(err)
		}
		e, err := unsigned.With(signature)
		if err != nil {
			t.Fatal(err)
		}
		o := at(holder.Public(), noon)
		o.Binding = &sdjwt.Binding{Audience: "x509_hash:abc", Nonce: "n"}
		d, err := Verify(t.Context(), e, o)
		if err != nil || d.By != "did:key:z6Mk" || d.KeyID != "did:key:z6Mk#1" || !reflect.DeepEqual(d.Credentials, in.Credentials) {
			t.Errorf("%s: got %+v (%v)", media, d, err)
		}
		if _, err := Verify(t.Context(), d.Credentials[0], at(issuer.Public(), noon)); err != nil {
			t.Errorf("%s, inside: got %v, want nil", media, err)
		}
		foreign, _ := jws.SignInput(issuer, unsigned.Input())
		if _, err := unsigned.With(foreign); !errors.Is(err, sdjwt.ErrHolderKey) {
			t.Errorf("%s by another key: got %v, want ErrHolderKey", media, err)
		}
		for what, change := range map[string]func(*PresentInput){
			"nobody":          func(in *PresentInput) { in.Holder = "" },
			"no nonce":        func(in *PresentInput) { in.Occasion.Nonce = "" },
			"another format":  func(in *PresentInput) { in.MediaType = PresentationCOSE },
			"a transaction":   func(in *PresentInput) { in.Occasion.Transaction = []string{"x"} },
			"a key of no use": func(in *PresentInput) { in.Key = "key" },
		} {
			faulty := in
			change(&faulty)
			if _, err := Present(faulty); err == nil {
				t.Errorf("%s, %s: got nil, want an error", media, what)
			}
		}
	}
}
