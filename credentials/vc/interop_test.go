package vc

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plinth-id/plinth/credentials/vc/jws"
)

// peer is Digital Bazaar's libraries, driven by bench/interop/di.mjs.
type peer struct {
	t     *testing.T
	dir   string
	world map[string]any
}

// do gives the document that a step makes, or why it was not done.
func (p peer) do(step string) (document json.RawMessage, reason string) {
	p.t.Helper()
	raw, err := json.Marshal(p.world)
	if err != nil {
		p.t.Fatal(err)
	}
	file := filepath.Join(p.t.TempDir(), "world.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		p.t.Fatal(err)
	}
	command := exec.Command("node", "di.mjs", step, file)
	command.Dir = p.dir
	out, _ := command.Output() // it says itself what went wrong
	answer := struct {
		Verified *bool
		Document json.RawMessage
		Reason   string
	}{}
	if err := json.Unmarshal(bytes.TrimSpace(out), &answer); err != nil {
		p.t.Fatalf("%s: %q (%v)", step, out, err)
	}
	if answer.Document == nil && (answer.Verified == nil || !*answer.Verified) && answer.Reason == "" {
		answer.Reason = "it does not say why"
	}
	return answer.Document, answer.Reason
}

// made is a document that the peer must be able to make.
func (p peer) made(step string) json.RawMessage {
	p.t.Helper()
	document, reason := p.do(step)
	if reason != "" {
		p.t.Fatalf("%s: the peer says %s", step, reason)
	}
	return document
}

func party(t *testing.T, key crypto.Signer, id, method string) map[string]any {
	t.Helper()
	jwk, err := jws.JWK(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	switch key := key.(type) {
	case ed25519.PrivateKey:
		jwk["d"] = b64(key.Seed())
	case *ecdsa.PrivateKey:
		jwk["d"] = b64(must[[]byte](t)(key.Bytes()))
	}
	return map[string]any{"key": jwk, "controller": id, "method": method}
}

// TestInteropBothWays signs, shows and verifies with libraries that share no code with
// ours, by every suite: each step is done by either, on what the other has made.
func TestInteropBothWays(t *testing.T) {
	dir := os.Getenv("PLINTH_INTEROP")
	if dir == "" {
		t.Skip("PLINTH_INTEROP is not set: it is the folder bench/interop with its modules")
	}
	for name, c := range map[string]struct {
		key   crypto.Signer
		suite string
	}{
		"eddsa-rdfc-2022":        {issuerKey, "eddsa-rdfc-2022"},
		"ecdsa-rdfc-2019, P-256": {p256Key(t, elliptic.P256()), "ecdsa-rdfc-2019"},
		"ecdsa-rdfc-2019, P-384": {p256Key(t, elliptic.P384()), "ecdsa-rdfc-2019"},
		"ecdsa-sd-2023":          {p256Key(t, elliptic.P256()), "ecdsa-sd-2023"},
	} {
		t.Run(name, func(t *testing.T) {
			did := must[string](t)(DIDKey(holderKey.Public()))
			d := amina()
			d.Subject = did
			draft := must[Draft](t)(NewDraft(d))
			var ours Signed
			var err error
			if c.suite == suiteDisclose {
				ours, err = draft.SignDisclosable(c.key, ProofInput{Key: c.key.Public(), Method: issuerVM, Created: noon})
			} else {
				ours, err = draft.Sign(c.key, issuerVM, noon)
			}
			if err != nil {
				t.Fatal(err)
			}
			url, context := IdentityContext("https://id.example.org")
			p := peer{t, dir, party(t, c.key, issuer, issuerVM)}
			p.world["suite"], p.world["contexts"], p.world["now"] = c.suite, map[string]json.RawMessage{url: context}, noon.AddDate(0, 1, 0)
			p.world["created"] = noon
			p.world["holder"] = party(t, holderKey, did, must[string](t)(KeyName(did)))
			p.world["challenge"], p.world["domain"] = challenge, domain
			p.world["document"] = unproven(t, ours.JSON())
			theirs := p.made("sign")
			p.world["pointers"] = []string{"/credentialSubject/birthDate"}
			o := optionsFor(c.key.Public())

			shown := map[string][]byte{"signed by us": ours.JSON(), "signed by the peer": theirs}
			if c.suite == suiteDisclose {
				for who, document := range map[string][]byte{"us": ours.JSON(), "the peer": theirs} {
					p.world["document"] = json.RawMessage(document)
					shown["signed by "+who] = p.made("disclose")
					shown["signed by "+who+", disclosed by us"] = must[[]byte](t)(Disclose(document, Contexts{}, "/credentialSubject/birthDate"))
				}
			}
			for how, document := range shown {
				p.t = t
				p.judge(how, document, o)
			}
		})
	}
}

// judge has a document verified by both, alone and in the hands of its holder, and a
// changed one refused by both.
func (p peer) judge(how string, document []byte, o VerifyOptions) {
	t := p.t
	t.Helper()
	if _, err := Verify(t.Context(), document, o); err != nil {
		t.Errorf("%s: we say %v", how, err)
	}
	p.world["document"] = json.RawMessage(document)
	if _, reason := p.do("verify"); reason != "" {
		t.Errorf("%s: the peer says %s", how, reason)
	}
	presentation := p.made("present")
	if got, err := VerifyPresentation(t.Context(), presentation, asked()); err != nil || len(got.Credentials) != 1 {
		t.Errorf("%s, shown by the peer: got %d credentials (%v), want one", how, len(got.Credentials), err)
	} else if _, err := Verify(t.Context(), got.Credentials[0].Document, o); err != nil {
		t.Errorf("%s, shown by the peer: we say %v", how, err)
	}
	did := p.world["holder"].(map[string]any)["controller"].(string)
	draft := must[Draft](t)(NewPresentation(PresentationInput{Holder: did, Credentials: [][]byte{document}}))
	shown := must[Signed](t)(draft.SignFor(holderKey, ProofInput{Method: must[string](t)(KeyName(did)), Created: noon, Challenge: challenge, Domain: domain}))
	p.world["document"] = json.RawMessage(shown.JSON())
	if _, reason := p.do("receive"); reason != "" {
		t.Errorf("%s, shown by us: the peer says %s", how, reason)
	}
	changed := bytes.Replace(document, []byte("1984-04-18"), []byte("1948-04-18"), 1)
	if bytes.Equal(changed, document) {
		t.Fatalf("%s: nothing was changed", how)
	}
	if _, err := Verify(t.Context(), changed, o); err == nil {
		t.Errorf("%s, changed: we take it", how)
	}
	p.world["document"] = json.RawMessage(changed)
	if _, reason := p.do("verify"); !strings.Contains(strings.ToLower(reason), "signature") {
		t.Errorf("%s, changed: the peer says %q, want that the signature does not hold", how, reason)
	}
}

// unproven is a document without its proof.
func unproven(t *testing.T, document []byte) json.RawMessage {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(document, &members); err != nil {
		t.Fatal(err)
	}
	delete(members, "proof")
	return must[[]byte](t)(json.Marshal(members))
}
