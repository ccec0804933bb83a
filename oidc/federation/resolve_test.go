package federation_test

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/oidc/federation"
)

func TestAChainLeadsFromALeafToTheAnchor(t *testing.T) {
	w := open(t, nil)
	w.entities[middle].spoilSub = func(_, claims map[string]any) { claims["exp"] = w.now().Add(20 * time.Minute).Unix() }
	c, err := w.f.Resolve(t.Context(), leaf)
	must(t, err)
	if c.Subject != leaf || c.Anchor != anchor || c.Superior != middle || len(c.Statements) != 4 {
		t.Fatalf("got %+v, want the chain leaf, middle, anchor", c)
	}
	if left := c.Expires.Sub(w.now()); left > 21*time.Minute || left < 19*time.Minute {
		t.Fatalf("got %s, want the chain to end with the first of its statements", left)
	}
	if got := c.Metadata["openid_relying_party"]["client_name"]; got != "Ministry of Examples" {
		t.Fatalf("got %v, want the metadata of the leaf", got)
	}
}

func TestPoliciesAndMetadataOfSuperiorsAreApplied(t *testing.T) {
	w := open(t, nil)
	w.entities[anchor].above(w.entities[middle], map[string]any{"metadata_policy": map[string]any{"openid_relying_party": map[string]any{
		"scope": map[string]any{"subset_of": []string{"openid", "email"}}, "contacts": map[string]any{"add": []string{"help@anchor.example"}}}}})
	w.entities[middle].above(w.entities[leaf], map[string]any{
		"metadata":        map[string]any{"openid_relying_party": map[string]any{"policy_uri": "https://middle.example/p"}, "oauth_client": map[string]any{"x": 1}},
		"metadata_policy": map[string]any{"openid_relying_party": map[string]any{"contacts": map[string]any{"add": []string{"help@middle.example"}}}}})
	c, err := w.f.Resolve(t.Context(), leaf)
	must(t, err)
	m := c.Metadata["openid_relying_party"]
	if m["scope"] != "openid email" || m["policy_uri"] != "https://middle.example/p" || len(m["contacts"].([]any)) != 2 {
		t.Fatalf("got %v, want what both superiors made of it", m)
	}
	if _, ok := c.Metadata["oauth_client"]; ok {
		t.Fatal("a superior must not make the leaf something that it is not")
	}
}

// spoils are worlds in which nobody may believe the leaf.
var spoils = map[string]struct {
	spoil      func(w *world)
	code, word string
}{
	"configuration signed with another key":      {func(w *world) { w.entities[leaf].spoil = foreignKey(w) }, "invalid_trust_chain", "not its own"},
	"configuration with a key of its own choice": {func(w *world) { w.entities[leaf].key = newKey(w.t) }, "invalid_trust_chain", "not signed"},
	"key that the superior does not vouch for": {func(w *world) {
		w.entities[middle].spoilSub = func(_, claims map[string]any) { claims["jwks"] = w.ours.keys() }
	}, "invalid_trust_chain", "not signed"},
	"intermediate whose key the anchor does not know": {func(w *world) {
		w.entities[anchor].spoilSub = func(_, claims map[string]any) { claims["jwks"] = w.ours.keys() }
	}, "invalid_trust_chain", "not signed"},
	"configuration expired": {func(w *world) {
		w.entities[leaf].spoil = func(_, claims map[string]any) { claims["exp"] = w.now().Add(-11 * time.Second).Unix() }
	}, "invalid_trust_chain", "expired"},
	"statement expired": {func(w *world) {
		w.entities[anchor].spoilSub = func(_, claims map[string]any) { claims["exp"] = w.now().Add(-time.Minute).Unix() }
	}, "invalid_trust_chain", "expired"},
	"statement of the future": {func(w *world) {
		w.entities[middle].spoilSub = func(_, claims map[string]any) { claims["iat"] = w.now().Add(time.Minute).Unix() }
	}, "invalid_trust_chain", "iat"},
	"statement about another": {func(w *world) {
		w.entities[middle].spoilSub = func(_, claims map[string]any) { claims["sub"] = "https://other.example" }
	}, "invalid_trust_chain", "another entity"},
	"statement of another": {func(w *world) {
		w.entities[middle].spoilSub = func(_, claims map[string]any) { claims["iss"] = anchor }
	}, "invalid_trust_chain", "another entity"},
	"configuration of another": {func(w *world) {
		w.entities[leaf].spoil = func(_, claims map[string]any) { claims["iss"], claims["sub"] = middle, middle }
	}, "invalid_trust_chain", "not its own"},
	"no superior":      {func(w *world) { w.entities[leaf].hints = nil }, "invalid_trust_chain", "names no superior"},
	"unknown superior": {func(w *world) { w.entities[leaf].hints = []string{provider + "/nowhere"} }, "invalid_trust_chain", "cannot be fetched"},
	"superior that does not know it": {func(w *world) {
		delete(w.entities[middle].below, leaf)
	}, "invalid_trust_chain", "cannot be fetched"},
	"anchor with other keys than we know": {func(w *world) {
		w.entities[anchor].key = newKey(w.t)
	}, "invalid_trust_chain", "not signed"},
	"unknown anchor": {func(w *world) {
		w.entity("https://false.example")
		w.entities["https://false.example"].above(w.entities[middle], nil)
		w.entities[middle].hints = []string{"https://false.example"}
	}, "invalid_trust_chain", "names no superior"},
	"loop": {func(w *world) {
		w.entities[middle].hints = []string{leaf}
		w.entities[leaf].above(w.entities[middle], nil)
	}, "invalid_trust_chain", "names no superior"},
	"critical claim": {func(w *world) {
		w.entities[leaf].spoil = func(_, claims map[string]any) { claims["crit"], claims["jti"] = []string{"jti"}, "x" }
	}, "invalid_trust_chain", "critical claim"},
	"critical operator": {func(w *world) {
		w.entities[anchor].spoilSub = func(_, claims map[string]any) { claims["metadata_policy_crit"] = []string{"regexp"} }
	}, "invalid_trust_chain", "critical operator"},
	"policy conflict": {func(w *world) {
		w.entities[anchor].above(w.entities[middle], demands("scope", map[string]any{"value": "openid"}))
		w.entities[middle].above(w.entities[leaf], demands("scope", map[string]any{"value": "openid email"}))
	}, "invalid_metadata", "scope"},
	"policy of a leaf that is not met": {func(w *world) {
		w.entities[anchor].above(w.entities[middle], demands("client_uri", map[string]any{"essential": true}))
	}, "invalid_metadata", "essential"},
	"policy that cannot be": {func(w *world) {
		w.entities[anchor].above(w.entities[middle], demands("client_uri", map[string]any{"one_of": []string{"a"}, "subset_of": []string{"a"}}))
	}, "invalid_trust_chain", "client_uri"},
	"path too long":   {func(w *world) { w.constrain(map[string]any{"max_path_length": 0}) }, "invalid_trust_chain", "intermediates"},
	"path below zero": {func(w *world) { w.constrain(map[string]any{"max_path_length": -1}) }, "invalid_trust_chain", "max_path_length"},
	"name not permitted": {func(w *world) {
		w.constrain(map[string]any{"naming_constraints": map[string]any{"permitted": []string{"middle.example", ".rp.example"}}})
	}, "invalid_trust_chain", "outside of the names"},
	"name excluded": {func(w *world) {
		w.constrain(map[string]any{"naming_constraints": map[string]any{"permitted": []string{".example"}, "excluded": []string{"rp.example"}}})
	}, "invalid_trust_chain", "outside of the names"},
	"too large": {func(w *world) {
		w.entities[leaf].spoil = func(_, claims map[string]any) { claims["more"] = strings.Repeat("x", 64<<10) }
	}, "invalid_trust_chain", "longer"},
	"wrong content type": {func(w *world) {
		w.entities[leaf].pages["/.well-known/openid-federation"] = page{"application/jwt", w.entities[leaf].configuration()}
	}, "invalid_trust_chain", "cannot be fetched"},
	"wrong typ": {func(w *world) {
		w.entities[leaf].pages["/.well-known/openid-federation"] = page{"application/entity-statement+jwt", w.entities[leaf].sign("JWT", nil, w.entities[leaf].claims())}
	}, "invalid_trust_chain", "typ"},
	"made for a registration": {func(w *world) {
		w.entities[leaf].spoil = func(_, claims map[string]any) { claims["aud"] = provider }
	}, "invalid_trust_chain", "registration"},
	"null in metadata": {func(w *world) {
		w.entities[leaf].metadata["openid_relying_party"].(map[string]any)["logo_uri"] = nil
	}, "invalid_trust_chain", "null"},
	"private keys": {func(w *world) {
		w.entities[leaf].spoil = func(_, claims map[string]any) {
			claims["jwks"] = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: w.entities[leaf].key, KeyID: leaf}}}
		}
	}, "invalid_trust_chain", "public keys only"},
	"two keys of one kid": {func(w *world) {
		w.entities[leaf].spoil = func(_, claims map[string]any) {
			one := w.entities[leaf].keys().Keys[0]
			claims["jwks"] = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{one, one}}
		}
	}, "invalid_trust_chain", "kid of its own"},
	"policy in a configuration": {func(w *world) {
		w.entities[leaf].spoil = func(_, claims map[string]any) { claims["metadata_policy"] = map[string]any{} }
	}, "invalid_trust_chain", "metadata_policy"},
	"hints in a statement about another": {func(w *world) {
		w.entities[middle].spoilSub = func(_, claims map[string]any) { claims["authority_hints"] = []string{anchor} }
	}, "invalid_trust_chain", "authority_hints"},
	"empty hints": {func(w *world) {
		w.entities[leaf].spoil = func(_, claims map[string]any) { claims["authority_hints"] = []string{} }
	}, "invalid_trust_chain", "authority_hints"},
}

func foreignKey(w *world) func(header, claims map[string]any) {
	return func(_, claims map[string]any) { // another key under the kid of the old
		keys := w.ours.keys()
		keys.Keys[0].KeyID = claims["iss"].(string)
		claims["jwks"] = keys
	}
}

func demands(parameter string, operators map[string]any) map[string]any {
	return map[string]any{"metadata_policy": map[string]any{"openid_relying_party": map[string]any{parameter: operators}}}
}

func (w *world) constrain(constraints map[string]any) {
	w.entities[anchor].above(w.entities[middle], map[string]any{"constraints": constraints})
}

func TestNobodyIsBelievedOnABrokenChain(t *testing.T) {
	for name, s := range spoils {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open(t, nil)
			s.spoil(w)
			_, err := w.f.Resolve(t.Context(), leaf)
			refused(t, err, s.code, s.word)
			if err := w.f.Client(t.Context(), leaf); err == nil || len(w.taken) != 0 {
				t.Fatalf("got %v and %v registered, want nobody", err, w.taken)
			}
		})
	}
}

func TestConstraintsThatHoldChangeNothingButTypes(t *testing.T) {
	w := open(t, nil)
	w.entities[leaf].metadata["oauth_client"] = map[string]any{}
	w.constrain(map[string]any{"max_path_length": 1, "naming_constraints": map[string]any{"permitted": []string{".example"}, "excluded": []string{".rp.example"}},
		"allowed_entity_types": []string{"openid_relying_party"}, "unheard_of": true})
	c, err := w.f.Resolve(t.Context(), leaf)
	must(t, err)
	_, client := c.Metadata["oauth_client"]
	if client || c.Metadata["federation_entity"] == nil || c.Metadata["openid_relying_party"] == nil {
		t.Fatalf("got %v, want the allowed types and federation_entity", c.Metadata)
	}
}

func TestOneWayThatHoldsIsEnough(t *testing.T) {
	w := open(t, nil)
	w.entities[leaf].hints = []string{"https://gone.example", leaf, middle, anchor}
	w.entities[middle].hints = []string{leaf, anchor}
	c, err := w.f.Resolve(t.Context(), leaf)
	must(t, err)
	if c.Superior != middle {
		t.Fatalf("got %s, want the only superior that speaks for it", c.Superior)
	}
	seen := map[string]bool{}
	for _, url := range w.asked {
		if seen[url] {
			t.Fatalf("%s was fetched twice in one resolution", url)
		}
		seen[url] = true
	}
}

func TestAnAnchorRightAboveIsTakenFirst(t *testing.T) {
	w := open(t, nil)
	w.entities[leaf].hints = []string{middle, anchor}
	w.entities[anchor].above(w.entities[leaf], nil)
	c, err := w.f.Resolve(t.Context(), leaf)
	must(t, err)
	if c.Superior != anchor || len(w.asked) != 3 {
		t.Fatalf("got %s after %v, want the shortest chain", c.Superior, w.asked)
	}
}

func TestAnAnchorItselfNeedsNobody(t *testing.T) {
	w := open(t, nil)
	c, err := w.f.Resolve(t.Context(), anchor)
	if err != nil || c.Superior != "" || len(c.Statements) != 1 {
		t.Fatalf("got %+v, %v; want a chain of its configuration alone", c, err)
	}
}

// tower puts so many intermediates between the anchor and the leaf.
func (w *world) tower(n int) {
	below := w.entities[leaf]
	for i := range n {
		e := w.entity(fmt.Sprintf("https://i%d.example", i))
		e.above(below, nil)
		below.hints = []string{e.id}
		below = e
	}
	below.hints = []string{anchor}
	w.entities[anchor].above(below, nil)
}

func TestAChainHasAtMostEightStatements(t *testing.T) {
	w := open(t, nil)
	w.tower(5)
	c, err := w.f.Resolve(t.Context(), leaf)
	if err != nil || len(c.Statements) != 8 {
		t.Fatalf("got %d statements, %v; want 8", len(c.Statements), err)
	}
	w = open(t, nil)
	w.tower(6)
	_, err = w.f.Resolve(t.Context(), leaf)
	refused(t, err, "invalid_trust_chain", "at most 8 statements")
}

func TestAResolutionFetchesAtMostTwenty(t *testing.T) {
	w := open(t, nil)
	w.entities[leaf].hints = nil
	for i := range 8 {
		e := w.entity(fmt.Sprintf("https://a%d.example", i))
		e.above(w.entities[leaf], nil)
		w.entities[leaf].hints = append(w.entities[leaf].hints, e.id)
		for j := range 8 {
			e.hints = append(e.hints, fmt.Sprintf("https://b%d-%d.example", i, j))
		}
	}
	for id, e := range w.entities {
		for _, hint := range e.hints {
			if strings.HasPrefix(id, "https://a") && strings.HasPrefix(hint, "https://b") {
				w.serve(strings.TrimPrefix(hint, "https://"), e) // answers with what is not its own
			}
		}
	}
	_, err := w.f.Resolve(t.Context(), leaf)
	refused(t, err, "invalid_trust_chain", "more than 20")
	if len(w.asked) != 20 {
		t.Fatalf("got %d fetches, want 20", len(w.asked))
	}
}

func TestWithoutAnchorsNobodyIsResolved(t *testing.T) {
	w := open(t, func(_ *world, c *federation.Config) { c.Anchors, c.Register = nil, nil })
	_, err := w.f.Resolve(t.Context(), leaf)
	refused(t, err, "invalid_trust_anchor", "")
	if err := w.f.Client(t.Context(), leaf); !fault.Is(err, fault.NotFound) || len(w.asked) != 0 {
		t.Fatalf("got %v after %v, want nobody asked", err, w.asked)
	}
}

func TestOnlyAddressesWithHTTPSAreAsked(t *testing.T) {
	w := open(t, nil)
	for _, id := range []string{"", "rp.example", "http://rp.example", "https://rp.example?x=1", "https://rp.example#x", "https://u@rp.example", "https://", "ftp://rp.example",
		"https://rp.example/\x00", "https://rp.example/" + strings.Repeat("x", 600), "http://127.0.0.1:1", "https://rp.example/\xff"} {
		if _, err := w.f.Resolve(t.Context(), id); fault.Of(err) == nil || fault.Of(err).Kind == fault.Internal {
			t.Fatalf("got %v for %q, want a refusal", err, id)
		}
	}
	if len(w.asked) != 0 {
		t.Fatalf("got %v, want nobody asked", w.asked)
	}
}

func TestEveryAllowedAlgorithmIsTakenAndNoOther(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	must(t, err)
	for _, s := range []struct {
		algorithm jose.SignatureAlgorithm
		key       *rsa.PrivateKey
		good      bool
	}{{jose.PS256, key, true}, {jose.RS256, key, true}, {jose.RS512, key, false}, {jose.RS256, weak, false}} {
		w := open(t, nil)
		rp, set := w.entities[leaf], jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: s.key.Public(), KeyID: "r"}}}
		w.entities[middle].above(rp, map[string]any{"jwks": set})
		claims := rp.claims()
		claims["jwks"] = set
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: s.algorithm, Key: s.key}, (&jose.SignerOptions{}).WithHeader("kid", "r").WithType("entity-statement+jwt"))
		must(t, err)
		raw, err := jwt.Signed(signer).Claims(claims).Serialize()
		must(t, err)
		rp.pages["/.well-known/openid-federation"] = page{"application/entity-statement+jwt", raw}
		if _, err := w.f.Resolve(t.Context(), leaf); (err == nil) != s.good {
			t.Fatalf("got %v for %s with %d bits, want good %v", err, s.algorithm, s.key.N.BitLen(), s.good)
		}
	}
}
