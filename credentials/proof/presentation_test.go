package proof

import (
	"crypto"
	"encoding/json"
	"strings"
	"testing"

	"github.com/plinth-id/plinth/credentials/vc"
)

// presentationBy is a proof of the type di_vp; change may spoil what it is made for.
func presentationBy(t *testing.T, key crypto.Signer, change func(*vc.ProofInput)) json.RawMessage {
	t.Helper()
	did, err := vc.DIDKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	name, err := vc.KeyName(did)
	if err != nil {
		t.Fatal(err)
	}
	draft, err := vc.NewPresentation(vc.PresentationInput{Holder: did})
	if err != nil {
		t.Fatal(err)
	}
	o := vc.ProofInput{Method: name, Created: noon, Challenge: "n", Domain: "https://id.example.org"}
	if change != nil {
		change(&o)
	}
	signed, err := draft.SignFor(key, o)
	if err != nil {
		t.Fatal(err)
	}
	return signed.JSON()
}

func TestAPresentationProvesAKey(t *testing.T) {
	of := func(all ...json.RawMessage) map[string]json.RawMessage {
		raw, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		return map[string]json.RawMessage{Presentation: raw}
	}
	a, b := ed(), p256()
	g, err := Check(t.Context(), of(presentationBy(t, a, nil), presentationBy(t, b, nil)), want())
	if err != nil || len(g.Keys) != 2 || g.Keys[0].DID() != edDID(a) || len(g.Nonces) != 1 || g.Nonces[0] != "n" {
		t.Fatalf("got %v, %v; want both keys and the nonce", g, err)
	}
	good := string(presentationBy(t, a, nil))
	for what, proofs := range map[string]map[string]json.RawMessage{
		"one key twice":       of(presentationBy(t, a, nil), presentationBy(t, a, nil)),
		"for somebody else":   of(presentationBy(t, a, func(o *vc.ProofInput) { o.Domain = "https://other.example.org" })),
		"for nobody":          of(presentationBy(t, a, func(o *vc.ProofInput) { o.Domain = "" })),
		"without a challenge": of(presentationBy(t, a, func(o *vc.ProofInput) { o.Challenge = "" })),
		"another challenge":   of(json.RawMessage(strings.Replace(good, `"challenge":"n"`, `"challenge":"m"`, 1))),
		"no presentation":     of(json.RawMessage(`{}`)),
		"no proof":            of(json.RawMessage(`{"@context":["https://www.w3.org/ns/credentials/v2"],"type":["VerifiablePresentation"],"proof":[]}`)),
		"long":                of(json.RawMessage(`{"proof":{"challenge":"` + strings.Repeat("x", maxPresentation) + `"}}`)),
		"none":                of(),
	} {
		if g, err := Check(t.Context(), proofs, want()); err == nil {
			t.Errorf("%s: got %v, want it refused", what, g)
		}
	}
	if _, err := Check(t.Context(), of(presentationBy(t, a, nil)), want(trusting(t))); err == nil {
		t.Error("got nil where an attestation is needed, want it refused")
	}
}
