package federation_test

import (
	"encoding/json"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/oidc/federation"
)

func member(claims map[string]any, path ...string) any {
	var at any = claims
	for _, name := range path {
		inner, _ := at.(map[string]any)
		at = inner[name]
	}
	return at
}

func TestALeafSaysWhoItIsAndUnderWhomItStands(t *testing.T) {
	w := open(t, nil)
	c := w.opens(w.get("/.well-known/openid-federation", nil), "entity-statement+jwt")
	if c["iss"] != provider || c["sub"] != provider || member(c, "metadata", "openid_provider", "issuer") != provider {
		t.Fatalf("got %v, want our configuration", c)
	}
	if hints := c["authority_hints"].([]any); len(hints) != 1 || hints[0] != anchor {
		t.Fatalf("got %v, want our superior", hints)
	}
	if got := member(c, "metadata", "openid_provider", "federation_registration_endpoint"); got != provider+"/oidc/federation/register" {
		t.Fatalf("got %v, want the registration endpoint", got)
	}
	for _, name := range []string{"federation_fetch_endpoint", "federation_list_endpoint"} {
		if got := member(c, "metadata", "federation_entity", name); got != nil {
			t.Fatalf("got %v as %s of a leaf, want none", got, name)
		}
	}
}

func TestASuperiorShowsWhomItStandsAbove(t *testing.T) {
	w := open(t, believing)
	s := w.subordinate(w.entities[leaf])
	s.Constraints = json.RawMessage(`{"max_path_length":0}`)
	must(t, w.f.AddSubordinate(t.Context(), s))
	other := w.subordinate(w.entities[middle])
	other.EntityTypes, other.Intermediate = nil, true
	must(t, w.f.AddSubordinate(t.Context(), other))
	c := w.opens(w.get("/.well-known/openid-federation", nil), "entity-statement+jwt")
	if member(c, "metadata", "federation_entity", "federation_fetch_endpoint") != provider+"/oidc/federation/fetch" || c["authority_hints"] != nil || c["trust_anchor_hints"] != nil {
		t.Fatalf("got %v, want the configuration of an anchor", c)
	}
	about := w.opens(w.get("/oidc/federation/fetch", url.Values{"sub": {leaf}}), "entity-statement+jwt")
	if about["sub"] != leaf || member(about, "constraints", "max_path_length") != 0.0 || about["jwks"] == nil || about["metadata_policy"] != nil {
		t.Fatalf("got %v, want what we state of the leaf", about)
	}
	w.get("/oidc/federation/fetch", nil).refuses(t, 400, "invalid_request")
	w.get("/oidc/federation/fetch", url.Values{"sub": {provider}}).refuses(t, 400, "invalid_request")
	w.get("/oidc/federation/fetch", url.Values{"sub": {"https://other.example"}}).refuses(t, 404, "not_found")
	w.get("/oidc/federation/fetch", url.Values{"sub": {"\x00"}}).refuses(t, 400, "invalid_request")
}

func TestThoseBelowUsCanBeListed(t *testing.T) {
	w := open(t, believing)
	must(t, w.f.AddSubordinate(t.Context(), w.subordinate(w.entities[leaf])))
	other := w.subordinate(w.entities[middle])
	other.EntityTypes, other.Intermediate = []string{"federation_entity"}, true
	must(t, w.f.AddSubordinate(t.Context(), other))
	_, err := w.f.IssueTrustMark(t.Context(), federation.Mark{Type: "https://op.example/marks/a", Entity: leaf})
	must(t, err)
	for query, want := range map[string][]string{
		"":                                     {middle, leaf},
		"entity_type=openid_relying_party":     {leaf},
		"entity_type=a&entity_type=b":          {},
		"intermediate=true":                    {middle},
		"intermediate=false":                   {middle, leaf},
		"trust_marked=true":                    {leaf},
		"trust_mark_type=https://op.example/b": {},
		"trust_mark_type=https://op.example/marks/a&entity_type=federation_entity&entity_type=openid_relying_party": {leaf},
	} {
		values, err := url.ParseQuery(query)
		must(t, err)
		a := w.get("/oidc/federation/list", values)
		var got []string
		must(t, json.Unmarshal([]byte(a.text), &got))
		if a.status != 200 || !slices.Equal(got, want) {
			t.Fatalf("got %d %s for %q, want %v", a.status, a.text, query, want)
		}
	}
	w.get("/oidc/federation/list", url.Values{"trust_marked": {"perhaps"}}).refuses(t, 400, "invalid_request")
	w.get("/oidc/federation/list", url.Values{"entity_type": {"\xff"}}).refuses(t, 400, "invalid_request")
	all, err := w.f.ListSubordinates(t.Context())
	if err != nil || len(all) != 2 || all[0].Entity != middle || !all[0].Intermediate {
		t.Fatalf("got %v, %v; want both", all, err)
	}
}

func TestWhatWouldBreakEveryChainIsNotStated(t *testing.T) {
	w := open(t, nil)
	for field, spoil := range map[string]func(s *federation.Subordinate){
		"entity":   func(s *federation.Subordinate) { s.Entity = provider },
		"jwks":     func(s *federation.Subordinate) { s.Keys = nil },
		"metadata": func(s *federation.Subordinate) { s.Metadata = json.RawMessage(`{"a":null}`) },
		"metadata_policy": func(s *federation.Subordinate) {
			s.Policy = json.RawMessage(`{"a":{"b":{"value":null,"essential":true}}}`)
		},
		"constraints": func(s *federation.Subordinate) {
			s.Constraints = json.RawMessage(`{"allowed_entity_types":["federation_entity"]}`)
		},
		"entity_types": func(s *federation.Subordinate) { s.EntityTypes = []string{""} },
	} {
		s := w.subordinate(w.entities[leaf])
		spoil(&s)
		f := fault.Of(w.f.AddSubordinate(t.Context(), s))
		if f == nil || f.Kind != fault.Invalid || len(f.Fields) != 1 || f.Fields[0].Name != field {
			t.Fatalf("got %v, want %s refused", f, field)
		}
	}
	if err := w.f.RemoveSubordinate(t.Context(), leaf); !fault.Is(err, fault.NotFound) {
		t.Fatalf("got %v, want nobody to remove", err)
	}
}

func TestWeResolveThoseAloneWhomWeHaveToDoWith(t *testing.T) {
	w := open(t, nil)
	query := url.Values{"sub": {leaf}, "trust_anchor": {"https://other.example", anchor}}
	w.get("/oidc/federation/resolve", query).refuses(t, 404, "not_found")
	if len(w.asked) != 0 {
		t.Fatalf("got %v, want nobody asked for a stranger", w.asked)
	}
	must(t, w.f.Client(t.Context(), leaf))
	c := w.opens(w.get("/oidc/federation/resolve", query), "resolve-response+jwt")
	if c["sub"] != leaf || len(c["trust_chain"].([]any)) != 4 || member(c, "metadata", "openid_relying_party", "client_name") != "Ministry of Examples" {
		t.Fatalf("got %v, want the leaf resolved", c)
	}
	asked := len(w.asked)
	query.Set("entity_type", "federation_entity")
	c = w.opens(w.get("/oidc/federation/resolve", query), "resolve-response+jwt")
	if member(c, "metadata", "openid_relying_party") != nil || member(c, "metadata", "federation_entity") == nil || len(w.asked) != asked {
		t.Fatalf("got %v after %d fetches more, want one entity type, from memory", c, len(w.asked)-asked)
	}
	w.get("/oidc/federation/resolve", url.Values{"sub": {leaf}}).refuses(t, 400, "invalid_request")
	w.get("/oidc/federation/resolve", url.Values{"sub": {leaf}, "trust_anchor": {middle}}).refuses(t, 404, "invalid_trust_anchor")
}

const markType = "https://op.example/marks/member"

func TestATrustMarkIsActiveUntilItEnds(t *testing.T) {
	w := open(t, nil)
	status := func(mark string) any {
		a := w.post("/oidc/federation/trust-mark-status", "application/x-www-form-urlencoded", url.Values{"trust_mark": {mark}}.Encode())
		c := w.opens(a, "trust-mark-status-response+jwt")
		if c["trust_mark"] != mark {
			t.Fatalf("got %v, want the mark that was asked about", c["trust_mark"])
		}
		return c["status"]
	}
	of := url.Values{"sub": {leaf}, "trust_mark_type": {markType}}
	w.get("/oidc/federation/trust-mark", of).refuses(t, 404, "not_found")
	short, err := w.f.IssueTrustMark(t.Context(), federation.Mark{Type: markType, Entity: leaf, Life: time.Minute, Ref: "https://op.example/about"})
	must(t, err)
	lasting, err := w.f.IssueTrustMark(t.Context(), federation.Mark{Type: markType, Entity: leaf})
	must(t, err)
	if a, b := status(short), status(lasting); a != "active" || b != "active" {
		t.Fatalf("got %v and %v, want active", a, b)
	}
	w.ahead.Store(int64(2 * time.Minute))
	if a, b := status(short), status(lasting); a != "expired" || b != "active" {
		t.Fatalf("got %v and %v, want expired and active", a, b)
	}
	if a := w.get("/oidc/federation/trust-mark", of); a.text != lasting || w.opens(a, "trust-mark+jwt")["trust_mark_type"] != markType {
		t.Fatalf("got %s, want the mark that holds", a.text)
	}
	must(t, w.f.RevokeTrustMark(t.Context(), markType, leaf))
	if got := status(lasting); got != "revoked" {
		t.Fatalf("got %v, want revoked", got)
	}
	w.get("/oidc/federation/trust-mark", of).refuses(t, 404, "not_found")
	if err := w.f.RevokeTrustMark(t.Context(), markType, leaf); !fault.Is(err, fault.NotFound) {
		t.Fatalf("got %v, want nothing left to revoke", err)
	}
	forged := w.entities[leaf].sign("trust-mark+jwt", nil, map[string]any{"iss": provider, "sub": leaf, "trust_mark_type": markType})
	w.post("/oidc/federation/trust-mark-status", "application/x-www-form-urlencoded", "trust_mark="+forged).refuses(t, 404, "not_found")
	w.post("/oidc/federation/trust-mark-status", "application/x-www-form-urlencoded", "").refuses(t, 400, "invalid_request")
}

func TestABadTrustMarkIsNotGiven(t *testing.T) {
	w := open(t, nil)
	f := fault.Of(func() error {
		_, err := w.f.IssueTrustMark(t.Context(), federation.Mark{Type: "x", Entity: "y", Life: -1})
		return err
	}())
	if f == nil || len(f.Fields) != 3 {
		t.Fatalf("got %v, want three fields refused", f)
	}
}

func TestOnlyTrustMarksThatHoldArePassedOn(t *testing.T) {
	w := open(t, believing)
	must(t, w.f.AddSubordinate(t.Context(), w.subordinate(w.entities[leaf])))
	good, err := w.f.IssueTrustMark(t.Context(), federation.Mark{Type: markType, Entity: leaf})
	must(t, err)
	revoked, err := w.f.IssueTrustMark(t.Context(), federation.Mark{Type: markType + "2", Entity: leaf})
	must(t, err)
	must(t, w.f.RevokeTrustMark(t.Context(), markType+"2", leaf))
	foreign, err := w.f.IssueTrustMark(t.Context(), federation.Mark{Type: markType, Entity: middle})
	must(t, err)
	forged := w.entities[leaf].sign("trust-mark+jwt", nil, map[string]any{"iss": provider, "sub": leaf, "trust_mark_type": markType, "iat": w.now().Unix()})
	w.entities[leaf].spoil = func(_, claims map[string]any) {
		claims["trust_marks"] = []map[string]string{{"trust_mark_type": markType, "trust_mark": forged}, {"trust_mark_type": markType + "2", "trust_mark": revoked},
			{"trust_mark_type": markType, "trust_mark": good}, {"trust_mark_type": markType, "trust_mark": foreign}}
	}
	c := w.opens(w.get("/oidc/federation/resolve", url.Values{"sub": {leaf}, "trust_anchor": {provider}}), "resolve-response+jwt")
	passed, _ := c["trust_marks"].([]any)
	if len(passed) != 1 || passed[0].(map[string]any)["trust_mark"] != good {
		t.Fatalf("got %v, want the one mark that holds", passed)
	}
}

func TestAMarkOfAnOwnedTypeNeedsItsDelegation(t *testing.T) {
	w := open(t, nil)
	owner := w.entities[middle]
	w.entities[anchor].spoil = func(_, claims map[string]any) {
		claims["trust_mark_issuers"] = map[string]any{markType: []string{anchor}}
		claims["trust_mark_owners"] = map[string]any{markType: map[string]any{"sub": middle, "jwks": owner.keys()}}
	}
	borne := func(delegation map[string]any) int {
		w.ahead.Add(int64(11 * time.Minute)) // or the chain comes from memory
		mark := map[string]any{"iss": anchor, "sub": leaf, "trust_mark_type": markType, "iat": w.now().Unix(), "exp": w.now().Add(time.Minute).Unix()}
		if delegation != nil {
			mark["delegation"] = owner.sign("trust-mark-delegation+jwt", nil, delegation)
		}
		signed := w.entities[anchor].sign("trust-mark+jwt", nil, mark)
		w.entities[leaf].spoil = func(_, claims map[string]any) {
			claims["trust_marks"] = []map[string]string{{"trust_mark_type": markType, "trust_mark": signed}}
		}
		must(t, w.f.Client(t.Context(), leaf))
		c := w.opens(w.get("/oidc/federation/resolve", url.Values{"sub": {leaf}, "trust_anchor": {anchor}}), "resolve-response+jwt")
		passed, _ := c["trust_marks"].([]any)
		return len(passed)
	}
	w.ahead.Store(int64(time.Hour))
	delegation := map[string]any{"iss": middle, "sub": anchor, "trust_mark_type": markType, "iat": time.Now().Unix()}
	if borne(nil) != 0 {
		t.Fatal("got the mark of an owned type without its delegation")
	}
	delegation["trust_mark_type"] = markType + "2"
	if borne(delegation) != 0 {
		t.Fatal("got a mark by the delegation of another type")
	}
	delegation["trust_mark_type"] = markType
	if borne(delegation) != 1 {
		t.Fatal("got no mark, want the one that the owner stands behind")
	}
}
