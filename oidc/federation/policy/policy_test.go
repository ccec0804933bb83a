package policy_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/plinth-id/plinth/oidc/federation/policy"
)

// on puts JSON of one parameter, or of its policy, where the standard has it.
func on(parameter, raw string) json.RawMessage {
	if raw == "" {
		return json.RawMessage(`{"rp":{}}`)
	}
	return json.RawMessage(`{"rp":{"` + parameter + `":` + raw + `}}`)
}

func text(t *testing.T, m policy.Metadata, parameter string) string {
	t.Helper()
	value, ok := m["rp"][parameter]
	if !ok {
		return ""
	}
	raw, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// What each operator makes of a parameter; "!" is a refusal, "" a parameter that is not there.
func TestOperatorsDoWhatTheStandardSays(t *testing.T) {
	for _, s := range []struct{ rule, before, after string }{
		{`{"value":"x"}`, `"y"`, `"x"`},
		{`{"value":null}`, `"y"`, ``},
		{`{"value":3600}`, ``, `3600`},
		{`{"add":["b"]}`, `["a","b"]`, `["a","b"]`},
		{`{"add":["b"]}`, ``, `["b"]`},
		{`{"add":["b"]}`, `"a"`, `!`},
		{`{"default":"x"}`, ``, `"x"`},
		{`{"default":"x"}`, `"y"`, `"y"`},
		{`{"one_of":["x","y"]}`, `"y"`, `"y"`},
		{`{"one_of":["x","y"]}`, `"z"`, `!`},
		{`{"one_of":["x","y"]}`, ``, ``},
		{`{"subset_of":["x","y"]}`, `["y","z"]`, `["y"]`},
		{`{"subset_of":["x","y"]}`, `["z"]`, `[]`},
		{`{"subset_of":["x"],"essential":true}`, `["z"]`, `[]`},
		{`{"subset_of":["x"],"essential":true}`, ``, `!`},
		{`{"subset_of":["x","y"]}`, `"x"`, `!`},
		{`{"superset_of":["x"]}`, `["y"]`, `!`},
		{`{"superset_of":["x"]}`, `["x","y"]`, `["x","y"]`},
		{`{"superset_of":["x"]}`, `"x"`, `!`},
		{`{"essential":true}`, ``, `!`},
		{`{"essential":false}`, ``, ``},
		{`{"essential":true,"default":["x"],"add":["y"]}`, ``, `["y"]`},
		{`{"unheard_of":1}`, `"x"`, `"x"`},
		{`{"one_of":[{"a":1,"b":2}]}`, `{"b":2,"a":1}`, `{"a":1,"b":2}`},
	} {
		p, err := policy.Read(on("p", s.rule))
		if err != nil {
			t.Fatalf("%s: %v", s.rule, err)
		}
		m, err := policy.ReadMetadata(on("p", s.before))
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Apply(m)
		if (err != nil) != (s.after == "!") || err == nil && text(t, got, "p") != s.after {
			t.Fatalf("%s on %q: got %v, %v; want %q", s.rule, s.before, got, err, s.after)
		}
	}
}

func TestScopeIsASetOfWords(t *testing.T) {
	for _, s := range []struct{ rule, before, after string }{
		{`{"subset_of":["openid","email"]}`, `"openid  profile"`, `"openid"`},
		{`{"default":"openid email"}`, ``, `"openid email"`},
		{`{"value":["openid"]}`, `"x"`, `"openid"`},
		{`{"superset_of":["openid"]}`, `"email"`, `!`},
		{`{"add":["openid"]}`, `"email"`, `"email openid"`},
	} {
		p, err := policy.Read(on("scope", s.rule))
		if err != nil {
			t.Fatal(err)
		}
		m, err := policy.ReadMetadata(on("scope", s.before))
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Apply(m)
		if (err != nil) != (s.after == "!") || err == nil && text(t, got, "scope") != s.after {
			t.Fatalf("%s on %q: got %v, %v; want %q", s.rule, s.before, got, err, s.after)
		}
	}
}

func TestRulesThatContradictThemselvesAreNotRead(t *testing.T) {
	for _, rule := range []string{
		`{"value":null,"essential":true}`, `{"value":null,"default":"x"}`, `{"value":["a"],"add":["b"]}`, `{"value":"a","one_of":["b"]}`,
		`{"value":["a","b"],"subset_of":["a"]}`, `{"value":["a"],"superset_of":["a","b"]}`, `{"add":["a"],"one_of":["a"]}`, `{"add":["a"],"subset_of":["b"]}`,
		`{"one_of":["a"],"subset_of":["a"]}`, `{"one_of":["a"],"superset_of":["a"]}`, `{"subset_of":["a"],"superset_of":["b"]}`,
		`{"add":"a"}`, `{"one_of":[null]}`, `{"subset_of":[["a"]]}`, `{"superset_of":[true]}`, `{"essential":"true"}`, `{"default":null}`, `null`, `[]`,
	} {
		if p, err := policy.Read(on("p", rule)); err == nil {
			t.Fatalf("%s: got %v, want a refusal", rule, p)
		}
	}
	for _, raw := range []string{`null`, `[]`, `{"rp":null}`, `{"rp":[]}`, ``} {
		if p, err := policy.Read(json.RawMessage(raw)); err == nil {
			t.Fatalf("%q: got %v, want a refusal", raw, p)
		}
	}
}

func TestASuperiorBelowCanRestrictAndNeverLoosen(t *testing.T) {
	for _, s := range []struct{ above, below, before, after string }{
		{`{"value":"x"}`, `{"value":"x"}`, ``, `"x"`},
		{`{"value":"x"}`, `{"value":"y"}`, ``, `!`},
		{`{"value":"x"}`, `{"value":null}`, ``, `!`},
		{`{"default":"x"}`, `{"default":"y"}`, ``, `!`},
		{`{"add":["a"]}`, `{"add":["b","a"]}`, ``, `["a","b"]`},
		{`{"one_of":["a","b"]}`, `{"one_of":["b","c"]}`, `"b"`, `"b"`},
		{`{"one_of":["a"]}`, `{"one_of":["b"]}`, `"b"`, `!`},
		{`{"subset_of":["a","b"]}`, `{"subset_of":["b","c"]}`, `["a","b","c"]`, `["b"]`},
		{`{"subset_of":["a"]}`, `{"subset_of":["b"]}`, `["a","b"]`, `[]`},
		{`{"superset_of":["a"]}`, `{"superset_of":["b"]}`, `["a"]`, `!`},
		{`{"essential":true}`, `{"essential":false}`, ``, `!`},
		{`{"subset_of":["a"]}`, `{"value":["a","b"]}`, ``, `!`},
		{`{"subset_of":["a"]}`, `{"add":["b"]}`, `["a"]`, `!`},
		{`{"one_of":["a"]}`, `{"default":"a"}`, ``, `"a"`},
	} {
		above, err := policy.Read(on("p", s.above))
		if err != nil {
			t.Fatal(err)
		}
		below, err := policy.Read(on("p", s.below))
		if err != nil {
			t.Fatal(err)
		}
		m, err := policy.ReadMetadata(on("p", s.before))
		if err != nil {
			t.Fatal(err)
		}
		both, err := above.Merge(below)
		var got policy.Metadata
		if err == nil {
			got, err = both.Apply(m)
		}
		if (err != nil) != (s.after == "!") || err == nil && text(t, got, "p") != s.after {
			t.Fatalf("%s over %s on %q: got %v, %v; want %q", s.above, s.below, s.before, got, err, s.after)
		}
	}
}

func TestPoliciesOfOtherTypesTouchNothing(t *testing.T) {
	p, err := policy.Read(json.RawMessage(`{"op":{"p":{"value":"x"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	m, err := policy.ReadMetadata(on("p", `"y"`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Apply(m)
	if err != nil || len(got) != 1 || text(t, got, "p") != `"y"` {
		t.Fatalf("got %v, %v; want the metadata as it was", got, err)
	}
}

func TestLargeSetsAreMergedInTime(t *testing.T) {
	set := `["` + strings.Repeat(`a","`, 10_000) + `b"]`
	p, err := policy.Read(on("p", `{"subset_of":`+set+`,"superset_of":`+set+`}`))
	if err != nil {
		t.Fatal(err)
	}
	for range 8 {
		if p, err = p.Merge(p); err != nil {
			t.Fatal(err)
		}
	}
}

// Whatever two superiors demand, the merged policy is no looser than either: metadata
// that it has passed is left as it is by both, and by itself.
func FuzzMerge(f *testing.F) {
	f.Add(`{"rp":{"p":{"subset_of":["a","b"]}}}`, `{"rp":{"p":{"add":["a"],"default":["b"]}}}`, `{"rp":{"p":["a","c"]}}`)
	f.Add(`{"rp":{"p":{"value":"a","essential":true}}}`, `{"rp":{"p":{"one_of":["a","b"]}}}`, `{"rp":{}}`)
	f.Add(`{"rp":{"scope":{"superset_of":["openid"]}}}`, `{"rp":{"scope":{"subset_of":["openid","email"]}}}`, `{"rp":{"scope":"openid phone"}}`)
	f.Add(`{"a":{"b":{"value":null}}}`, `{"a":{"b":{"essential":false}}}`, `{"a":{"b":1}}`)
	f.Fuzz(func(t *testing.T, first, second, raw string) {
		above, err := policy.Read(json.RawMessage(first))
		if err != nil {
			return
		}
		below, err := policy.Read(json.RawMessage(second))
		if err != nil {
			return
		}
		m, err := policy.ReadMetadata(json.RawMessage(raw))
		if err != nil {
			return
		}
		both, err := above.Merge(below)
		if err != nil {
			return
		}
		passed, err := both.Apply(m)
		if err != nil {
			return
		}
		want, _ := json.Marshal(passed)
		for name, p := range map[string]policy.Policy{"above": above, "below": below, "both": both} {
			again, err := p.Apply(passed)
			got, _ := json.Marshal(again)
			if err != nil || string(got) != string(want) {
				t.Fatalf("%s makes %s of %s, %v", name, got, want, err)
			}
		}
	})
}
