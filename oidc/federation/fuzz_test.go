package federation

import (
	"crypto/ed25519"
	"encoding/json"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Whatever an entity signs is read without a fall, and what passes is what may pass.
func FuzzReadStatement(f *testing.F) {
	const own = `{"iss":"https://a.example","sub":"https://a.example","iat":1,"exp":3000,"jwks":{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`
	f.Add(own + `,"authority_hints":["https://b.example"],"metadata":{"openid_relying_party":{"scope":"openid"}}}`)
	f.Add(own + `,"trust_marks":[{"trust_mark_type":"x","trust_mark":"y"}],"trust_mark_owners":{"x":{"sub":"https://c.example","jwks":{"keys":[]}}},"trust_mark_issuers":{"x":[]}}`)
	f.Add(`{"iss":"https://b.example","sub":"https://a.example","iat":1.5,"exp":3e3,"jwks":{"keys":[{"kty":"x"}]},"metadata_policy":{"a":{"b":{"add":["c"]}}},` +
		`"constraints":{"max_path_length":1,"naming_constraints":{"permitted":[".a"]},"allowed_entity_types":[]},"crit":[]}`)
	f.Add(`{"iss":null,"iss":1}`)
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "k").WithType(typeStatement))
	if err != nil {
		f.Fatal(err)
	}
	now := time.Unix(2000, 0)
	f.Fuzz(func(t *testing.T, claims string) {
		jws, err := signer.Sign([]byte(claims))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := jws.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		s, err := readStatement(raw, now)
		if err != nil {
			return
		}
		if !isEntity(s.issuer) || !isEntity(s.subject) || now.After(s.expires.Add(skew)) || len(s.keys.Keys) == 0 || s.has("crit") || s.has("aud") {
			t.Fatalf("got %+v from %s", s, claims)
		}
		if s.own() && (s.policy != nil || s.constraints.maxPath != nil) || !s.own() && s.hints != nil {
			t.Fatalf("got claims of the other kind from %s", claims)
		}
	})
}

// The same for what is no JWT at all.
func FuzzOpen(f *testing.F) {
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("eyJhbGciOiJFUzI1NiIsInR5cCI6ImVudGl0eS1zdGF0ZW1lbnQrand0Iiwia2lkIjoiayJ9.e30.AAAA")
	f.Add("a.b.c.d.e")
	f.Fuzz(func(t *testing.T, raw string) {
		s, err := open(raw, typeStatement, maxStatement)
		if err == nil && (s.kid == "" || s.claims == nil) {
			t.Fatalf("got %+v from %q", s, raw)
		}
	})
}

// A constraint that is read can be asked, and excludes what it names.
func FuzzConstraints(f *testing.F) {
	f.Add(`{"max_path_length":0,"naming_constraints":{"permitted":[".example"],"excluded":["a.example"]}}`, "https://a.example.")
	f.Add(`{"naming_constraints":{"permitted":[]}}`, "https://a.example:8443/x")
	f.Fuzz(func(t *testing.T, raw, id string) {
		c, err := readConstraints(json.RawMessage(raw))
		if err != nil || !isEntity(id) {
			return
		}
		held := c.hold([]string{id}) == nil
		if held && c.named && len(c.permitted) == 0 {
			t.Fatalf("%s lies within no name at all", id)
		}
	})
}
