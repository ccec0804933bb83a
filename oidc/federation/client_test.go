package federation_test

import (
	"crypto/rand"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/oidc/federation"
)

func TestARelyingPartyOfTheFederationIsRegisteredOnce(t *testing.T) {
	w := open(t, nil)
	for range 3 {
		must(t, w.f.Client(t.Context(), leaf))
	}
	if len(w.taken) != 1 || len(w.asked) != 5 {
		t.Fatalf("got %d registrations after %v, want one", len(w.taken), w.asked)
	}
	got := w.taken[0]
	if got.id != leaf || got.metadata["client_id"] != leaf || got.metadata["jwks"] == nil || got.metadata["client_name"] != "Ministry of Examples" {
		t.Fatalf("got %+v, want the metadata of the leaf", got)
	}
	if left := got.expires.Sub(w.now()); left > time.Hour || left < 50*time.Minute {
		t.Fatalf("got %s, want what is left of the chain", left)
	}
	w.ahead.Store(int64(2 * time.Hour))
	must(t, w.f.Client(t.Context(), leaf))
	if len(w.taken) != 2 {
		t.Fatalf("got %d registrations, want another after the first has ended", len(w.taken))
	}
	if n := count(t, w.pool, `SELECT count(*) FROM audit_entry WHERE event = 'client-federated'`); n != 2 {
		t.Fatalf("got %d entries in the log, want 2", n)
	}
}

func TestManyWhoAskAtOnceMakeOneRegistration(t *testing.T) {
	w := open(t, nil)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if err := w.f.Client(t.Context(), leaf); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if len(w.taken) > 2 { // one more if somebody asked between the end of the first and its answer
		t.Fatalf("got %d registrations, want one", len(w.taken))
	}
}

func TestARegistrationLastsADayAtMost(t *testing.T) {
	w := open(t, nil)
	long := func(_, claims map[string]any) { claims["exp"] = w.now().Add(1000 * time.Hour).Unix() }
	for _, e := range w.entities {
		e.spoil, e.spoilSub = long, long
	}
	must(t, w.f.Client(t.Context(), leaf))
	if left := w.taken[0].expires.Sub(w.now()); left > 24*time.Hour || left < 23*time.Hour {
		t.Fatalf("got %s, want a day", left)
	}
}

func TestAFailureIsRememberedForAMinute(t *testing.T) {
	w := open(t, nil)
	hints := w.entities[leaf].hints
	w.entities[leaf].hints = nil
	first, second := w.f.Client(t.Context(), leaf), w.f.Client(t.Context(), leaf)
	refused(t, first, "invalid_trust_chain", "names no superior")
	if second == nil || len(w.asked) != 1 {
		t.Fatalf("got %v after %v, want the failure without another fetch", second, w.asked)
	}
	w.entities[leaf].hints = hints
	w.ahead.Store(int64(61 * time.Second))
	must(t, w.f.Client(t.Context(), leaf))
}

func TestOnlyWhoComesThisWayIsRegistered(t *testing.T) {
	for name, s := range map[string]struct {
		spoil func(m map[string]any)
		word  string
	}{
		"another way":     {func(m map[string]any) { m["client_registration_types"] = []string{"explicit"} }, "client_registration_types"},
		"no way":          {func(m map[string]any) { delete(m, "client_registration_types") }, "client_registration_types"},
		"another client":  {func(m map[string]any) { m["client_id"] = "https://other.example" }, "client_id"},
		"no keys":         {func(m map[string]any) { delete(m, "jwks") }, "no keys"},
		"keys unreadable": {func(m map[string]any) { m["jwks"] = "none" }, "jwks"},
		"symmetric keys": {func(m map[string]any) {
			m["jwks"] = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: []byte("0123456789abcdef0123456789abcdef"), KeyID: "x"}}}
		}, "public keys only"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open(t, nil)
			s.spoil(w.entities[leaf].metadata["openid_relying_party"].(map[string]any))
			refused(t, w.f.Client(t.Context(), leaf), "invalid_metadata", s.word)
			if len(w.taken) != 0 {
				t.Fatalf("got %v, want nobody registered", w.taken)
			}
		})
	}
}

func TestWhoIsNoRelyingPartyIsNotRegistered(t *testing.T) {
	w := open(t, nil)
	refused(t, w.f.Client(t.Context(), middle), "invalid_metadata", "openid_relying_party")
	if err := w.f.Client(t.Context(), provider); !fault.Is(err, fault.NotFound) {
		t.Fatalf("got %v, want nothing about ourselves", err)
	}
}

func TestWhatRegisterRefusesIsNotKept(t *testing.T) {
	w := open(t, nil)
	w.refuses = fault.New(fault.Invalid, "No such scope.").Named("client-invalid")
	refused(t, w.f.Client(t.Context(), leaf), "client-invalid", "No such scope")
	w.refuses = nil
	w.ahead.Store(int64(61 * time.Second))
	must(t, w.f.Client(t.Context(), leaf))
}

func TestKeysMayBeFetchedWhenTheEntitySignsThem(t *testing.T) {
	for name, s := range map[string]struct {
		change func(rp *entity, claims map[string]any) string // gives the typ
		good   bool
	}{
		"signed":     {func(*entity, map[string]any) string { return "jwk-set+jwt" }, true},
		"wrong typ":  {func(*entity, map[string]any) string { return "JWT" }, false},
		"of another": {func(_ *entity, claims map[string]any) string { claims["sub"] = middle; return "jwk-set+jwt" }, false},
		"expired": {func(rp *entity, claims map[string]any) string {
			claims["exp"] = rp.w.now().Add(-time.Minute).Unix()
			return "jwk-set+jwt"
		}, false},
		"another key": {func(rp *entity, _ map[string]any) string {
			rp.pages["/.well-known/openid-federation"] = page{"application/entity-statement+jwt", rp.configuration()}
			rp.key = newKey(rp.w.t)
			return "jwk-set+jwt"
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open(t, nil)
			rp := w.entities[leaf]
			m := rp.metadata["openid_relying_party"].(map[string]any)
			delete(m, "jwks")
			m["signed_jwks_uri"] = leaf + "/keys"
			claims := map[string]any{"iss": leaf, "sub": leaf, "keys": rp.keys().Keys}
			typ := s.change(rp, claims)
			rp.pages["/keys"] = page{"application/jwk-set+jwt", rp.sign(typ, nil, claims)}
			err := w.f.Client(t.Context(), leaf)
			if (err == nil) != s.good || len(w.taken) != 0 != s.good {
				t.Fatalf("got %v and %v, want good %v", err, w.taken, s.good)
			}
			if s.good && (w.taken[0].metadata["jwks"] == nil || w.taken[0].metadata["signed_jwks_uri"] != nil) {
				t.Fatalf("got %v, want the keys in place of their address", w.taken[0].metadata)
			}
		})
	}
}

func TestKeysThatAreFetchedAreFetchedAgainWithinTheHour(t *testing.T) {
	w := open(t, nil)
	rp := w.entities[leaf]
	rp.metadata["openid_relying_party"].(map[string]any)["jwks_uri"] = leaf + "/keys"
	delete(rp.metadata["openid_relying_party"].(map[string]any), "jwks")
	raw, err := json.Marshal(rp.keys())
	must(t, err)
	rp.pages["/keys"] = page{"application/json", string(raw)}
	for _, e := range w.entities {
		e.spoil = func(_, claims map[string]any) { claims["exp"] = w.now().Add(9 * time.Hour).Unix() }
		e.spoilSub = e.spoil
	}
	must(t, w.f.Client(t.Context(), leaf))
	if left := w.taken[0].expires.Sub(w.now()); left > time.Hour {
		t.Fatalf("got %s, want an hour at most", left)
	}
}

// believing makes us an anchor for those right below us.
func believing(w *world, c *federation.Config) {
	c.Anchors = map[string]jose.JSONWebKeySet{provider: {}}
	c.Authorities = nil
	w.entities[leaf].hints = []string{provider}
}

func (w *world) subordinate(e *entity) federation.Subordinate {
	w.t.Helper()
	raw, err := json.Marshal(e.keys())
	must(w.t, err)
	return federation.Subordinate{Entity: e.id, Keys: raw, EntityTypes: []string{"openid_relying_party"}}
}

func TestWeCanBeTheAnchorOfOurRelyingParties(t *testing.T) {
	w := open(t, believing)
	refused(t, w.f.Client(t.Context(), leaf), "not_found", "")
	w.ahead.Store(int64(61 * time.Second))
	s := w.subordinate(w.entities[leaf])
	s.Policy = json.RawMessage(`{"openid_relying_party":{"scope":{"subset_of":["openid"]}}}`)
	must(t, w.f.AddSubordinate(t.Context(), s))
	must(t, w.f.Client(t.Context(), leaf))
	if got := w.taken[0].metadata["scope"]; got != "openid" {
		t.Fatalf("got %v, want what our policy leaves", got)
	}
	must(t, w.f.RemoveSubordinate(t.Context(), leaf))
	w.ahead.Store(int64(122 * time.Second))
	if err := w.f.Client(t.Context(), leaf); err == nil {
		t.Fatal("got nil, want the entity gone with what we stated about it")
	}
}

func TestWeCanBeAnIntermediate(t *testing.T) {
	w := open(t, func(w *world, c *federation.Config) {
		w.entities[leaf].hints = []string{provider}
		w.entities[anchor].above(w.ours, nil)
	})
	must(t, w.f.AddSubordinate(t.Context(), w.subordinate(w.entities[leaf])))
	c, err := w.f.Resolve(t.Context(), leaf)
	if err != nil || c.Superior != provider || c.Anchor != anchor {
		t.Fatalf("got %+v, %v; want the chain through us", c, err)
	}
}

func TestRegistrationsThatEndedAreSwept(t *testing.T) {
	w := open(t, nil)
	must(t, w.f.Client(t.Context(), leaf))
	w.ahead.Store(int64(2 * time.Hour))
	must(t, w.f.Sweep(t.Context()))
	if n := count(t, w.pool, `SELECT count(*) FROM oidc_federation_client`); n != 0 {
		t.Fatalf("got %d rows, want none", n)
	}
}

func count(t *testing.T, db postgres.DB, query string) (n int) {
	t.Helper()
	must(t, db.QueryRow(t.Context(), query).Scan(&n))
	return n
}

func TestConfigIsChecked(t *testing.T) {
	good := func() federation.Config {
		var c federation.Config
		open(t, func(_ *world, config *federation.Config) { c = *config })
		return c
	}()
	for name, spoil := range map[string]func(c *federation.Config){
		"no pool":          func(c *federation.Config) { c.Pool = nil },
		"no keys":          func(c *federation.Config) { c.Keys = nil },
		"no register":      func(c *federation.Config) { c.Register = nil },
		"anchor sans keys": func(c *federation.Config) { c.Anchors = map[string]jose.JSONWebKeySet{anchor: {}} },
		"anchor plain":     func(c *federation.Config) { c.Anchors = map[string]jose.JSONWebKeySet{"anchor": c.Keys()} },
		"own authority":    func(c *federation.Config) { c.Authorities = []string{provider} },
		"authority plain":  func(c *federation.Config) { c.Authorities = []string{rand.Text()} },
	} {
		c := good
		spoil(&c)
		if _, err := federation.New(c); err == nil {
			t.Fatalf("%s: got nil, want a refusal", name)
		}
	}
}
