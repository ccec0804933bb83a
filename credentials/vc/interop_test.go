package vc

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/mr-tron/base58"
)

// peer is Digital Bazaar's suites, driven by bench/interop/suites.mjs.
type peer struct {
	t   *testing.T
	dir string
}

func (p peer) do(step string, world map[string]any) (document []byte, reason string) {
	p.t.Helper()
	address, context := IdentityContext("https://id.example.org")
	world = maps.Clone(world)
	world["contexts"] = map[string]any{address: json.RawMessage(context)}
	world["challenge"], world["domain"] = challenge, domain
	file := filepath.Join(p.t.TempDir(), "world.json")
	if err := os.WriteFile(file, must[[]byte](p.t)(json.Marshal(world)), 0o600); err != nil {
		p.t.Fatal(err)
	}
	command := exec.Command("node", "suites.mjs", step, file)
	command.Dir = p.dir
	out, _ := command.Output() // it says itself what went wrong
	var answer struct {
		Verified bool
		Document json.RawMessage
		Reason   string
	}
	if err := json.Unmarshal(bytes.TrimSpace(out), &answer); err != nil {
		p.t.Fatalf("%s: %q (%v)", step, out, err)
	}
	if !answer.Verified && answer.Reason == "" {
		answer.Reason = "refused"
	}
	return answer.Document, answer.Reason
}

// mixed is a credential with texts that are hard to get right: directions, several
// languages, escapes, numbers.
func mixed(t *testing.T, key crypto.Signer) (d DraftInput, method string) {
	t.Helper()
	d = amina()
	d.Issuer = must[string](t)(DIDKey(key.Public()))
	d.Claims["gender"] = map[string]any{"@value": "أنثى", "@language": "ar", "@direction": "rtl"}
	d.Claims["nationality"] = []any{map[string]any{"@value": "é\"\n\\", "@language": "zh-Hant"}, 1.5, true, 12345}
	return d, must[string](t)(KeyName(d.Issuer))
}

func TestInteropBothWays(t *testing.T) {
	dir := os.Getenv("PLINTH_INTEROP")
	if dir == "" {
		t.Skip("PLINTH_INTEROP is not set: skipped @digitalbazaar's suites")
	}
	p := peer{t, dir}
	for _, key := range []crypto.Signer{issuerKey, p256Key(t, elliptic.P256()), p256Key(t, elliptic.P384())} {
		d, method := mixed(t, key)
		suite, _, err := suiteOf(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		ours := must[Signed](t)(must[Draft](t)(NewDraft(d)).Sign(key, method, noon)).JSON()
		if _, reason := p.do("verify", map[string]any{"document": json.RawMessage(ours), "suite": suite}); reason != "" {
			t.Errorf("%s: they refuse ours: %s", suite, reason)
		}
		changed := bytes.Replace(ours, []byte("1984"), []byte("1994"), 1)
		if _, reason := p.do("verify", map[string]any{"document": json.RawMessage(changed), "suite": suite}); reason == "" {
			t.Errorf("%s: they take a changed one", suite)
		}
		d.ID = "urn:uuid:0195bd9c-2c6b-7a60-8a3c-5b6b0b1a2c3f"
		second := must[Signed](t)(must[Draft](t)(NewDraft(d)).Sign(key, method, noon)).JSON()
		shown := presented(t, key, func(p *PresentationInput, _ *ProofInput) { p.Credentials = [][]byte{ours, second} })
		if _, reason := p.do("verify", map[string]any{"document": json.RawMessage(shown), "suite": suite}); reason != "" {
			t.Errorf("%s: they refuse our presentation: %s", suite, reason)
		}
		if key, ok := key.(*ecdsa.PrivateKey); ok {
			theirs(p, key, suite)
		}
	}
	parts(p, p256Key(t, elliptic.P256()))
}

// theirKey writes a private key as they read it.
func theirKey(t *testing.T, key *ecdsa.PrivateKey) map[string]any {
	head := map[elliptic.Curve][]byte{elliptic.P256(): {0x86, 0x26}, elliptic.P384(): {0x87, 0x26}}[key.Curve]
	return map[string]any{
		"publicKeyMultibase": must[string](t)(Multikey(key.Public())),
		"secretKeyMultibase": "z" + base58.Encode(append(head, must[[]byte](t)(key.Bytes())...)),
	}
}

// theirs verifies what they sign.
func theirs(p peer, key *ecdsa.PrivateKey, suite string) {
	t := p.t
	d, _ := mixed(t, key)
	document := must[map[string]any](t)(d.document())
	world := map[string]any{"document": document, "suite": suite, "key": theirKey(t, key)}
	credential, reason := p.do("sign", world)
	if reason != "" {
		t.Fatal(reason)
	}
	o := asked()
	if _, err := Verify(t.Context(), credential, VerifyOptions{Now: options().Now}); !errors.Is(err, ErrNotYetValid) { // they sign with the clock
		t.Errorf("%s: we refuse theirs: %v", suite, err)
	}
	world["document"] = map[string]any{
		"@context": []string{ContextV2}, "type": []string{TypePresentation}, "holder": d.Issuer, "verifiableCredential": []any{json.RawMessage(credential)},
	}
	presentation, reason := p.do("sign", world)
	if reason != "" {
		t.Fatal(reason)
	}
	o.Now = nil
	if got, err := VerifyPresentation(t.Context(), presentation, o); err != nil || len(got.Credentials) != 1 {
		t.Errorf("%s: we refuse their presentation: %v", suite, err)
	}
}

// parts shows parts of what either signed, and has the other verify them.
func parts(p peer, key *ecdsa.PrivateKey) {
	t := p.t
	d, method := mixed(t, key)
	pointers := []string{"/credentialSubject/birthDate", "/credentialSubject/fullName/1", "/credentialSubject/address/country"}
	base := must[Signed](t)(must[Draft](t)(NewDraft(d)).SignDisclosable(key, ProofInput{Method: method, Created: noon}, "/credentialSubject/type")).JSON()
	shown := must[[]byte](t)(Disclose(base, Contexts{}, pointers...))
	if _, reason := p.do("verify", map[string]any{"document": json.RawMessage(shown), "suite": suiteDisclose}); reason != "" {
		t.Errorf("they refuse our part: %s", reason)
	}
	derived, reason := p.do("derive", map[string]any{"document": json.RawMessage(base), "pointers": pointers})
	if reason != "" {
		t.Fatal(reason)
	}
	if _, err := Verify(t.Context(), derived, VerifyOptions{Now: options().Now}); err != nil {
		t.Errorf("we refuse their part of ours: %v", err)
	}
	theirs, reason := p.do("sign", map[string]any{"document": must[map[string]any](t)(d.document()), "suite": suiteDisclose, "pointers": []string{"/issuer"}, "key": theirKey(t, key)})
	if reason != "" {
		t.Fatal(reason)
	}
	part := must[[]byte](t)(Disclose(theirs, Contexts{}, pointers...))
	if _, err := Verify(t.Context(), part, VerifyOptions{Now: options().Now}); !errors.Is(err, ErrNotYetValid) {
		t.Errorf("we refuse our part of theirs: %v", err)
	}
}
