package sdjwt

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// FuzzVerify looks for a token that is taken and that nobody has issued.
func FuzzVerify(f *testing.F) {
	h := newHouse(f, ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32)))
	h.holder = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, 32)) // the same in every process
	good, o := presented(f, h)
	want, err := Verify(f.Context(), good, o)
	if err != nil {
		f.Fatal(err)
	}
	pieces := strings.Split(good, "~")
	jwt := strings.Split(pieces[0], ".")
	form, _ := json.Marshal(object{"payload": jwt[1], "protected": jwt[0], "signature": jwt[2],
		"header": object{"disclosures": pieces[1 : len(pieces)-1], "kb_jwt": pieces[len(pieces)-1]}})
	f.Add(good)
	f.Add(string(form))
	f.Add(pieces[0] + "~")
	f.Fuzz(func(t *testing.T, token string) {
		if c, err := Verify(t.Context(), token, o); err == nil && !reflect.DeepEqual(c.Claims, want.Claims) {
			t.Errorf("nobody signed %v", c.Claims)
		}
		if held, err := Open(token); err == nil {
			for _, path := range held.Disclosed {
				if _, err := held.Choose([][]any{path}); err != nil {
					t.Errorf("%v cannot be chosen: %v", path, err)
				}
			}
		}
	})
}

// FuzzWeave puts disclosures together that an issuer has signed without a thought.
func FuzzWeave(f *testing.F) {
	_, digest := shown(`["salt","name",{"_sd":["x"],"n":[{"...":"y"}]}]`)
	f.Add(`{"_sd":["`+digest+`"],"a":[{"...":"b"}]}`, `["salt","name",{"_sd":["x"],"n":[{"...":"y"}]}]`)
	f.Add(`{"_sd":[]}`, `["salt",null]`)
	f.Fuzz(func(t *testing.T, payload, disclosure string) {
		var claims object
		if json.Unmarshal([]byte(payload), &claims) != nil {
			return
		}
		encoded, _ := shown(disclosure)
		p := parts{claims: claims, hash: defaultHash, disclosures: []string{encoded}}
		root, err := p.weave()
		if err != nil {
			return
		}
		if c, err := read(root, true); err == nil && strings.Contains(strings.Join(keysOf(c.Claims), " "), "_sd") {
			t.Errorf("digests are left: %v", c.Claims)
		}
	})
}

func keysOf(v any) (all []string) {
	switch v := v.(type) {
	case object:
		for name, inner := range v {
			if name == "_sd" {
				all = append(all, name)
			}
			all = append(all, keysOf(inner)...)
		}
	case []any:
		for _, inner := range v {
			all = append(all, keysOf(inner)...)
		}
	}
	return all
}

// FuzzTypeMetadata reads what some address has answered.
func FuzzTypeMetadata(f *testing.F) {
	f.Add([]byte(baseType), []byte(childType))
	f.Fuzz(func(t *testing.T, base, child []byte) {
		m, err := ParseTypeMetadata(child)
		if err != nil {
			return
		}
		_, _ = ResolveType(m.VCT, "", [][]byte{child, base})
		_ = (&node{object: map[string]*node{"name": {value: "x"}}}).conformsTo(m)
	})
}

func (n *node) conformsTo(m TypeMetadata) error {
	return Credential{Type: m.VCT, root: n}.Conforms(m)
}
