package federation_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/plinth-id/plinth/internal/fault"
)

const statementKind = "application/entity-statement+jwt"

// request is the configuration that the leaf makes for us.
func (w *world) request(header map[string]any, change func(claims map[string]any)) string {
	claims := w.entities[leaf].claims()
	claims["aud"] = provider
	if change != nil {
		change(claims)
	}
	return w.entities[leaf].sign("entity-statement+jwt", header, claims)
}

// chain is one from the leaf to the anchor, as the leaf would bring it.
func (w *world) chain() []string {
	return []string{w.entities[leaf].configuration(), w.entities[middle].about(leaf), w.entities[anchor].about(middle), w.entities[anchor].configuration()}
}

// peer is a chain from us to the anchor.
func (w *world) peer() []string {
	w.entities[anchor].above(w.ours, nil)
	ours := map[string]any{"iss": provider, "sub": provider, "iat": w.now().Unix(), "exp": w.now().Add(time.Hour).Unix(), "jwks": w.ours.keys(), "authority_hints": []string{anchor}}
	return []string{w.ours.sign("entity-statement+jwt", nil, ours), w.entities[anchor].about(provider), w.entities[anchor].configuration()}
}

func (w *world) enrol(kind, body string) answer {
	w.t.Helper()
	return w.post("/oidc/federation/register", kind, body)
}

// welcomed checks the answer to a registration.
func (w *world) welcomed(a answer) map[string]any {
	w.t.Helper()
	c := w.opens(a, "explicit-registration-response+jwt")
	hints, _ := c["authority_hints"].([]any)
	if c["iss"] != provider || c["sub"] != leaf || c["aud"] != leaf || c["trust_anchor"] != anchor || len(hints) != 1 || hints[0] != middle || c["jwks"] == nil ||
		member(c, "metadata", "openid_relying_party", "client_id") != leaf {
		w.t.Fatalf("got %v, want the registration of the leaf", c)
	}
	if len(w.taken) == 0 || w.taken[len(w.taken)-1].expires.Unix() != int64(c["exp"].(float64)) {
		w.t.Fatalf("got %v, want a registration that ends with the answer", w.taken)
	}
	return c
}

func TestARelyingPartyMayAskToBeRegistered(t *testing.T) {
	w := open(t, nil)
	w.entities[leaf].metadata = map[string]any{} // what counts is what was made for us
	m := relyingParty(w.entities[leaf])
	m["client_name"] = "For you alone"
	c := w.welcomed(w.enrol(statementKind, w.request(nil, stating(m))))
	if member(c, "metadata", "openid_relying_party", "client_name") != "For you alone" || w.taken[0].metadata["client_name"] != "For you alone" {
		t.Fatalf("got %v, want the metadata of the request", c)
	}
	asked := len(w.asked)
	must(t, w.f.Client(t.Context(), leaf))
	if len(w.taken) != 1 || len(w.asked) != asked {
		t.Fatalf("got %d registrations, want the one that was asked for to hold", len(w.taken))
	}
	w.welcomed(w.enrol(statementKind, w.request(nil, stating(m)))) // and to be renewed
	if len(w.taken) != 2 {
		t.Fatalf("got %d registrations, want another", len(w.taken))
	}
}

// stating puts metadata of a relying party into a request.
func stating(m map[string]any) func(claims map[string]any) {
	return func(claims map[string]any) { claims["metadata"] = map[string]any{"openid_relying_party": m} }
}

func TestAChainThatIsBroughtSavesTheFetches(t *testing.T) {
	w := open(t, nil)
	for name, send := range map[string]func() answer{
		"in the body": func() answer {
			chain := w.chain()
			chain[0] = w.request(nil, nil)
			raw, err := json.Marshal(chain)
			must(t, err)
			return w.enrol("application/trust-chain+json", string(raw))
		},
		"in the header": func() answer { return w.enrol(statementKind, w.request(map[string]any{"trust_chain": w.chain()}, nil)) },
		"without the anchor's own": func() answer {
			return w.enrol(statementKind, w.request(map[string]any{"trust_chain": w.chain()[:3]}, nil))
		},
		"with one for us": func() answer {
			return w.enrol(statementKind, w.request(map[string]any{"trust_chain": w.chain(), "peer_trust_chain": w.peer()}, nil))
		},
	} {
		w.asked = nil
		w.welcomed(send())
		if len(w.asked) != 0 {
			t.Fatalf("%s: got %v fetched, want nothing", name, w.asked)
		}
	}
}

// unwelcome are requests by which nobody may be registered.
var unwelcome = map[string]struct {
	send   func(w *world) answer
	status int
	code   string
}{
	"another content type": {func(w *world) answer { return w.enrol("application/json", w.request(nil, nil)) }, 400, "invalid_request"},
	"no content type":      {func(w *world) answer { return w.enrol("", w.request(nil, nil)) }, 400, "invalid_request"},
	"no statement":         {func(w *world) answer { return w.enrol(statementKind, "x.y.z") }, 400, "invalid_request"},
	"no chain":             {func(w *world) answer { return w.enrol("application/trust-chain+json", "{}") }, 400, "invalid_request"},
	"no audience": {func(w *world) answer {
		return w.enrol(statementKind, w.entities[leaf].configuration())
	}, 400, "invalid_request"},
	"another audience": {func(w *world) answer {
		return w.enrol(statementKind, w.request(nil, func(claims map[string]any) { claims["aud"] = anchor }))
	}, 400, "invalid_request"},
	"two audiences": {func(w *world) answer {
		return w.enrol(statementKind, w.request(nil, func(claims map[string]any) { claims["aud"] = []string{provider, anchor} }))
	}, 400, "invalid_request"},
	"another signature": {func(w *world) answer {
		w.entities[leaf].spoil = foreignKey(w)
		return w.enrol(statementKind, w.request(nil, func(claims map[string]any) { foreignKey(w)(nil, claims) }))
	}, 400, "invalid_request"},
	"no relying party": {func(w *world) answer {
		return w.enrol(statementKind, w.request(nil, func(claims map[string]any) { delete(claims, "metadata") }))
	}, 400, "invalid_request"},
	"expired": {func(w *world) answer {
		return w.enrol(statementKind, w.request(nil, func(claims map[string]any) { claims["exp"] = 1 }))
	}, 400, "invalid_request"},
	"another way": {func(w *world) answer {
		w.entities[leaf].metadata["openid_relying_party"].(map[string]any)["client_registration_types"] = []string{"automatic"}
		return w.enrol(statementKind, w.request(nil, nil))
	}, 400, "invalid_metadata"},
	"superior that does not know it": {func(w *world) answer {
		delete(w.entities[middle].below, leaf)
		return w.enrol(statementKind, w.request(nil, nil))
	}, 400, "invalid_trust_chain"},
	"chain of another": {func(w *world) answer {
		chain := w.chain()
		chain[0] = w.entities[middle].configuration()
		return w.enrol(statementKind, w.request(map[string]any{"trust_chain": chain}, nil))
	}, 400, "invalid_trust_chain"},
	"chain with a gap": {func(w *world) answer {
		chain := w.chain()
		return w.enrol(statementKind, w.request(map[string]any{"trust_chain": []string{chain[0], chain[2], chain[3]}}, nil))
	}, 400, "invalid_trust_chain"},
	"chain to an unknown anchor": {func(w *world) answer {
		return w.enrol(statementKind, w.request(map[string]any{"trust_chain": w.chain()[:2]}, nil))
	}, 404, "invalid_trust_anchor"},
	"chain that goes round": {func(w *world) answer {
		w.entities[leaf].above(w.entities[middle], nil)
		chain := []string{w.entities[leaf].configuration(), w.entities[middle].about(leaf), w.entities[leaf].about(middle), w.entities[middle].about(leaf),
			w.entities[anchor].about(middle), w.entities[anchor].configuration()}
		return w.enrol(statementKind, w.request(map[string]any{"trust_chain": chain}, nil))
	}, 400, "invalid_trust_chain"},
	"empty chain": {func(w *world) answer {
		return w.enrol(statementKind, w.request(map[string]any{"trust_chain": []string{}}, nil))
	}, 400, "invalid_request"},
	"chain within a chain": {func(w *world) answer {
		raw, err := json.Marshal([]string{w.request(map[string]any{"trust_chain": w.chain()}, nil)})
		must(w.t, err)
		return w.enrol("application/trust-chain+json", string(raw))
	}, 400, "invalid_request"},
	"chain for us of another": {func(w *world) answer {
		return w.enrol(statementKind, w.request(map[string]any{"peer_trust_chain": w.chain()}, nil))
	}, 400, "invalid_trust_chain"},
	"too large": {func(w *world) answer {
		return w.enrol(statementKind, w.request(map[string]any{"trust_chain": []string{strings.Repeat("x", 300<<10)}}, nil))
	}, 400, "invalid_trust_chain"},
	"refused by us": {func(w *world) answer {
		w.refuses = fault.New(fault.Invalid, "It cannot be.").Named("client-invalid").At("scope", "is unknown")
		return w.enrol(statementKind, w.request(nil, nil))
	}, 400, "invalid_client_metadata"},
}

func TestABadRequestIsRefused(t *testing.T) {
	for name, s := range unwelcome {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open(t, nil)
			s.send(w).refuses(t, s.status, s.code)
			if n := count(t, w.pool, `SELECT count(*) FROM oidc_federation_client`); n != 0 || len(w.taken) != 0 {
				t.Fatalf("got %d rows and %v, want nobody registered", n, w.taken)
			}
		})
	}
}

func TestABodyIsBounded(t *testing.T) {
	w := open(t, nil)
	if got := w.enrol(statementKind, strings.Repeat("x", 513<<10)); got.status != 413 {
		t.Fatalf("got %d, want 413", got.status)
	}
}
