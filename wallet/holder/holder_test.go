package holder

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// nobody knows no keys of issuers.
var nobody = Finder{Now: time.Now,
	DID: func(context.Context, string, string) (crypto.PublicKey, error) { return nil, errors.New("unknown") },
	Issuer: func(context.Context, string, string, string) (crypto.PublicKey, error) {
		return nil, errors.New("unknown")
	}}

// Whatever an issuer sends, it is either a credential with a signature or refused.
func FuzzDocument(f *testing.F) {
	for name := range formats {
		f.Add(name, []byte(`{"@context":["https://www.w3.org/ns/credentials/v2"],"type":["VerifiableCredential"],"credentialSubject":{"id":"did:key:z","a":[{"@value":"x"}]}}`))
		f.Add(name, []byte(`"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJkaWQ6andrOngifQ.AAAA~"`))
		f.Add(name, []byte(`"omppc3N1ZXJBdXRohEGgoEGgQQA"`))
	}
	f.Fuzz(func(t *testing.T, name string, document []byte) {
		if _, ok := formats[name]; !ok {
			return
		}
		if err := formats[name].verify(t.Context(), nobody, "https://issuer.example", document); err == nil {
			t.Errorf("%s: %q was verified by nobody's key", name, document)
		}
		if said, err := formats[name].open(document); err == nil {
			_ = lines(said, nil)
		}
	})
}

func TestLinesFollowTheIssuersOrder(t *testing.T) {
	said := Facts{Hidden: []string{"iss"}, Tree: map[string]any{"iss": "x", "a": "1", "b": map[string]any{"c": true, "d": []any{"x", "y"}}, "n": []any{map[string]any{"@value": "Ada", "@language": "en"}}}}
	got := lines(said, []ClaimLabel{{Path: []any{"n"}, Display: []Label{{Name: "Name"}}}, {Path: []any{"b", "d"}}})
	var order []any
	for _, l := range got {
		order = append(order, l.Path[len(l.Path)-1])
	}
	if raw, _ := json.Marshal(order); string(raw) != `["n","d","a","c"]` || got[0].Labels[0].Name != "Name" {
		t.Errorf("got %s, %+v", raw, got)
	}
}

func TestCopiesMakeRoomByTheirPolicy(t *testing.T) {
	old := Card{ID: "1", Refill: &Refill{Key: "k"}, Copies: []Copy{{Key: "used", Used: 1}, {Key: "fresh"}}}
	for policy, want := range map[string]int{"": 3, "once_only": 2, "limited_time": 1, "rotating_batch": 3, "per_relying_party": 3} {
		c := old
		if policy != "" {
			c.Reuse = &Reuse{ID: policy}
		}
		got := c.With(Card{ID: "2", Copies: []Copy{{Key: "new"}}})
		if len(got.Copies) != want || got.ID != "1" || got.Refill == nil {
			t.Errorf("%q: got %+v, want %d copies of the same card", policy, got, want)
		}
	}
}

func TestSignaturesAreCheckedBeforeTheyAreUsed(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w := Waiting{Key: jose.JSONWebKey{Key: key.Public()}, Data: []byte("x")}
	for name, given := range map[string][][]byte{"none": nil, "short": {make([]byte, 63)}, "zero": {make([]byte, 64)}, "two": {make([]byte, 64), make([]byte, 64)}} {
		if err := Signed([]Waiting{w}, given); err == nil {
			t.Errorf("%s: got nil, want it refused", name)
		}
	}
	private, _ := json.Marshal(jose.JSONWebKey{Key: key})
	for _, raw := range []string{string(private), `{}`, `{"kty":"oct","k":"AA"}`, `"x"`} {
		if _, err := ParseKeys([]json.RawMessage{json.RawMessage(raw)}); err == nil {
			t.Errorf("%s was taken for a public key", raw)
		}
	}
}
