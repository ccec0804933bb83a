package sdjwt

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	issuerID = "https://id.example.org"
	vct      = "urn:example:nid:1"
)

func newKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// house is an issuer, a holder and a verifier who trusts the issuer.
type house struct {
	issuer  *Issuer
	holder  crypto.Signer
	options Options
}

func newHouse(t testing.TB, key crypto.Signer) house {
	t.Helper()
	issuer, err := NewIssuer(IssuerConfig{Key: key, ID: issuerID, KeyID: "1"})
	if err != nil {
		t.Fatal(err)
	}
	h := house{issuer: issuer, holder: newKey(t, elliptic.P256())}
	h.options.Now = func() time.Time { return noon.Add(time.Hour) }
	h.options.Keys = func(_ context.Context, issuer, keyID string) (crypto.PublicKey, error) {
		if issuer == issuerID && keyID == "1" {
			return key.Public(), nil
		}
		return nil, ErrUnknownKey
	}
	return h
}

// amina is a credential with thirteen claims that may be kept back, in every place
// that they can have.
func amina(holder crypto.PublicKey) Draft {
	return Draft{
		Type: vct, Holder: holder, IssuedAt: noon, Expires: noon.AddDate(2, 0, 0),
		Status: &Status{URI: "https://id.example.org/status/7", Index: 41293},
		Claims: map[string]any{
			"given_name": "Amina", "family_name": "يوسف", "birthdate": "1984-04-18", "email": "amina@example.org",
			"phone_number": "+254700000001", "sex": 2, "nationalities": []any{"KE", "TZ"}, "number": json.Number("12345678901234567890"),
			"address":           map[string]any{"street_address": "12 \"Palm\" Lane", "locality": "Mombasa", "country": "KE"},
			"age_equal_or_over": map[string]any{"18": true, "65": false},
			"issuing_country":   "KE",
		},
		Selective: [][]any{
			{"given_name"}, {"family_name"}, {"birthdate"}, {"email"}, {"phone_number"}, {"sex"}, {"number"},
			{"nationalities", nil}, {"address"}, {"address", "street_address"}, {"age_equal_or_over", "18"}, {"age_equal_or_over", "65"},
		},
	}
}

func issue(t testing.TB, h house, d Draft) string {
	t.Helper()
	token, err := h.issuer.Issue(d)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestWhatWasIssuedIsRead(t *testing.T) {
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	for name, key := range map[string]crypto.Signer{
		"ES256": newKey(t, elliptic.P256()), "ES384": newKey(t, elliptic.P384()), "EdDSA": ed,
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, key)
			d := amina(h.holder.Public())
			token := issue(t, h, d)
			if got, want := strings.Count(token, "~"), 14; got != want {
				t.Errorf("got %d disclosures, want %d", got-1, want-1)
			}
			c, err := Verify(t.Context(), token, h.options)
			if err != nil {
				t.Fatal(err)
			}
			d.Claims["sex"] = json.Number("2")
			for name, want := range d.Claims {
				if got := c.Claims[name]; !reflect.DeepEqual(got, want) {
					t.Errorf("%s: got %v, want %v", name, got, want)
				}
			}
			if c.Type != vct || c.Issuer != issuerID || *c.Status != *d.Status || c.OtherStatus || !c.Times.Expires.Equal(d.Expires) || len(c.Disclosed) != 13 {
				t.Errorf("got %+v", c)
			}
		})
	}
}

func TestHolderShowsNoMoreThanWasChosen(t *testing.T) {
	h := newHouse(t, newKey(t, elliptic.P256()))
	held, err := Receive(t.Context(), issue(t, h, amina(h.holder.Public())), h.options)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		paths [][]any
		shown [][]any
	}{
		"nothing":           {nil, nil},
		"one":               {[][]any{{"given_name"}}, [][]any{{"given_name"}}},
		"with its parent":   {[][]any{{"address", "street_address"}}, [][]any{{"address"}, {"address", "street_address"}}},
		"beside its sister": {[][]any{{"address", "locality"}}, [][]any{{"address"}}},
		"with its children": {[][]any{{"address"}}, [][]any{{"address"}, {"address", "street_address"}}},
		"one element":       {[][]any{{"nationalities", 1}}, [][]any{{"nationalities", 1}}},
		"every element":     {[][]any{{"nationalities", nil}}, [][]any{{"nationalities", 0}, {"nationalities", 1}}},
		"in the clear":      {[][]any{{"issuing_country"}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := held.Choose(c.paths)
			if err != nil {
				t.Fatal(err)
			}
			unbound, err := p.Bind(Occasion{Audience: "x509_hash:abc", Nonce: "n", At: noon.Add(time.Hour)})
			if err != nil {
				t.Fatal(err)
			}
			token, err := unbound.Sign(h.holder)
			if err != nil {
				t.Fatal(err)
			}
			o := h.options
			o.Binding = &Binding{Audience: "x509_hash:abc", Nonce: "n"}
			got, err := Verify(t.Context(), token, o)
			if err != nil || !got.Bound || !reflect.DeepEqual(got.Disclosed, c.shown) {
				t.Errorf("got %v, bound %v (%v), want %v", got.Disclosed, got.Bound, err, c.shown)
			}
		})
	}
	for name, path := range map[string][]any{
		"no such claim": {"nickname"}, "no such element": {"nationalities", 2}, "into a text": {"given_name", "x"},
		"an index of an object": {"address", 0}, "empty": {}, "another step": {1.5},
	} {
		if _, err := held.Choose([][]any{path}); !errors.Is(err, ErrPath) {
			t.Errorf("%s: got %v, want ErrPath", name, err)
		}
	}
}

func BenchmarkIssue13Disclosures(b *testing.B) {
	h := newHouse(b, newKey(b, elliptic.P256()))
	d := amina(h.holder.Public())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.issuer.Issue(d); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify13Disclosures(b *testing.B) {
	h := newHouse(b, newKey(b, elliptic.P256()))
	token := issue(b, h, amina(h.holder.Public()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Verify(b.Context(), token, h.options); err != nil {
			b.Fatal(err)
		}
	}
}

func TestDraftsThatCannotBeSigned(t *testing.T) {
	key := newKey(t, elliptic.P256())
	h := newHouse(t, key)
	deep := any("x")
	for range maxDepth + 1 {
		deep = []any{deep}
	}
	for what, c := range map[string]struct {
		change func(*Draft)
		want   error
	}{
		"exp kept back":             {func(d *Draft) { d.Selective = [][]any{{"exp"}} }, ErrProtected},
		"vct kept back":             {func(d *Draft) { d.Selective = [][]any{{"vct"}} }, ErrProtected},
		"in cnf":                    {func(d *Draft) { d.Selective = [][]any{{"cnf", "jwk"}} }, ErrProtected},
		"in status":                 {func(d *Draft) { d.Selective = [][]any{{"status", "status_list", "idx"}} }, ErrProtected},
		"vct#integrity kept back":   {func(d *Draft) { d.Selective = [][]any{{"vct#integrity"}} }, ErrProtected},
		"no type":                   {func(d *Draft) { d.Type = "" }, ErrMalformed},
		"iss twice":                 {func(d *Draft) { d.Claims["iss"] = "x" }, ErrClash},
		"exp twice":                 {func(d *Draft) { d.Claims["exp"] = 1 }, ErrClash},
		"_sd":                       {func(d *Draft) { d.Claims["_sd"] = []any{} }, ErrReserved},
		"_sd in a kept claim":       {func(d *Draft) { d.Claims["address"] = map[string]any{"_sd": "x"} }, ErrReserved},
		"dots":                      {func(d *Draft) { d.Claims["address"] = map[string]any{"...": "x"} }, ErrReserved},
		"_sd_alg":                   {func(d *Draft) { d.Claims["_sd_alg"] = "x" }, ErrReserved},
		"a path into a text":        {func(d *Draft) { d.Selective = [][]any{{"given_name", "x"}} }, ErrPath},
		"elements of an object":     {func(d *Draft) { d.Selective = [][]any{{"address", nil}} }, ErrPath},
		"a name in an array":        {func(d *Draft) { d.Selective = [][]any{{"nationalities", "x"}} }, ErrPath},
		"an empty path":             {func(d *Draft) { d.Selective = [][]any{{}} }, ErrPath},
		"a step of another kind":    {func(d *Draft) { d.Selective = [][]any{{"nationalities", 1.0}} }, ErrPath},
		"a negative step":           {func(d *Draft) { d.Selective = [][]any{{"nationalities", -1}} }, ErrPath},
		"too deep":                  {func(d *Draft) { d.Claims["x"] = deep }, ErrTooLarge},
		"not a value of JSON":       {func(d *Draft) { d.Claims["x"] = struct{}{} }, ErrMalformed},
		"not a number":              {func(d *Draft) { d.Claims["x"] = json.Number("1e") }, ErrMalformed},
		"not UTF-8":                 {func(d *Draft) { d.Claims["x"] = "\xff" }, ErrMalformed},
		"a picture without end":     {func(d *Draft) { d.Claims["email"] = strings.Repeat("x", maxBytes) }, ErrTooLarge},
		"decoys without end":        {func(d *Draft) { d.Decoys = 1 << 20 }, ErrTooLarge},
		"a holder's key of no kind": {func(d *Draft) { d.Holder = "key" }, ErrKey},
	} {
		d := amina(h.holder.Public())
		c.change(&d)
		if _, err := h.issuer.Issue(d); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", what, err, c.want)
		}
	}
	if _, err := NewIssuer(IssuerConfig{Key: key}); !errors.Is(err, ErrMalformed) {
		t.Errorf("an issuer without a name: got %v, want ErrMalformed", err)
	}
	// A draft that failed leaves nothing behind for the next.
	if _, err := Verify(t.Context(), issue(t, h, amina(nil)), h.options); err != nil {
		t.Errorf("afterwards: got %v, want nil", err)
	}
}

func TestSaltsAndDecoysAreNew(t *testing.T) {
	h := newHouse(t, newKey(t, elliptic.P256()))
	d := amina(nil)
	d.Decoys = 3
	seen := map[string]bool{}
	digests := 0
	for range 20 {
		p, err := take(issue(t, h, d))
		if err != nil {
			t.Fatal(err)
		}
		for _, encoded := range p.disclosures {
			disclosure, err := readDisclosure(encoded)
			if err != nil || seen[encoded] {
				t.Fatalf("%v twice (%v)", disclosure, err)
			}
			seen[encoded] = true
		}
		digests = len(p.claims["_sd"].([]any))
		if _, err := p.weave(); err != nil {
			t.Error(err)
		}
	}
	if got, want := digests, 8+3; got != want {
		t.Errorf("got %d digests at the top, want %d", got, want)
	}
}

// TestPathsOverlap has one element named, and things in every one.
func TestPathsOverlap(t *testing.T) {
	h := newHouse(t, newKey(t, elliptic.P256()))
	degree := func(name string) map[string]any { return map[string]any{"name": name, "year": 2001, "at": "Nairobi"} }
	d := Draft{
		Type: vct, Claims: map[string]any{"degrees": []any{degree("a"), degree("b")}, "langs": []string{"en", "sw"}},
		Selective: [][]any{{"degrees", 1}, {"degrees", nil, "name"}, {"degrees", 1, "year"}, {"langs", nil}, {"absent", "x"}, {"langs", 9}},
	}
	c, err := Verify(t.Context(), issue(t, h, d), h.options)
	want := [][]any{{"degrees", 0, "name"}, {"degrees", 1}, {"degrees", 1, "name"}, {"degrees", 1, "year"}, {"langs", 0}, {"langs", 1}}
	if err != nil || !reflect.DeepEqual(c.Disclosed, want) {
		t.Errorf("got %v (%v), want %v", c.Disclosed, err, want)
	}
}
