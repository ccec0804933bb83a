package vc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mr-tron/base58"

	"github.com/plinth-id/plinth/credentials/vc/jsonld"
)

// vectors is the folder of outside test data.
func vectors(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("TESTDATA_DIR"); dir != "" {
		return filepath.Join(dir, "vectors")
	}
	if os.Getenv("CI") != "" {
		t.Fatal("TESTDATA_DIR is not set")
	}
	t.Skip("TESTDATA_DIR is not set: skipped the vectors of the W3C")
	return ""
}

func load(t *testing.T, parts ...string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// published knows what the vectors use beside what is bundled.
func published(t *testing.T, dir string) Contexts {
	t.Helper()
	c, err := Contexts{}.With("https://w3id.org/citizenship/v4rc1", load(t, dir, "jsonld-contexts", "citizenship-v4rc1.jsonld"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

var suites = []struct{ folder, suffix, keys string }{
	{"vc-di-eddsa/eddsa-rdfc-2022", "DataInt", "vc-di-eddsa/keyPair.json"},
	{"vc-di-eddsa/eddsa-rdfc-2022/employ", "DataInt", "vc-di-eddsa/keyPair.json"},
	{"vc-di-eddsa/eddsa-jcs-2022", "JCS", "vc-di-eddsa/keyPair.json"},
	{"vc-di-eddsa/Ed25519Signature2020", "EdSig", "vc-di-eddsa/keyPair.json"},
	{"vc-di-ecdsa/ecdsa-rdfc-2019-p256", "ECDSAP256", "vc-di-ecdsa/p256KeyPair.json"},
	{"vc-di-ecdsa/ecdsa-rdfc-2019-p256/employ", "ECDSAP256", "vc-di-ecdsa/p256KeyPair.json"},
	{"vc-di-ecdsa/ecdsa-rdfc-2019-p384", "ECDSAP384", "vc-di-ecdsa/p384KeyPair.json"},
	{"vc-di-ecdsa/ecdsa-rdfc-2019-p384/employ", "ECDSAP384", "vc-di-ecdsa/p384KeyPair.json"},
	{"vc-di-ecdsa/ecdsa-jcs-2019-p256", "JCSECDSAP256", "vc-di-ecdsa/p256KeyPair.json"},
	{"vc-di-ecdsa/ecdsa-jcs-2019-p384", "JCSECDSAP384", "vc-di-ecdsa/p384KeyPair.json"},
}

// TestW3CVectorsOfTheSuites goes through each step that the W3C published: the
// canonical form, its hash, the signed message, and the proof value.
func TestW3CVectorsOfTheSuites(t *testing.T) {
	dir := vectors(t)
	for _, v := range suites {
		t.Run(v.folder, func(t *testing.T) {
			known := published(t, dir)
			doc := must[map[string]any](t)(jsonld.Parse(load(t, dir, v.folder, "signed"+v.suffix+".json"), credentialBounds))
			p := must[proof](t)(readProof(doc["proof"].(map[string]any), purposeAssert))
			key := publicKey(t, load(t, dir, v.keys))
			hash := must[crypto.Hash](t)(hashOf(p.suite, key))
			config := must[[]byte](t)(p.config(doc, known, hash))
			if got, want := hex.EncodeToString(config), text(load(t, dir, v.folder, "proofHash"+v.suffix+".txt")); got != want {
				t.Errorf("hash of the proof: got %s, want %s", got, want)
			}
			message := must[[]byte](t)(p.message(doc, known, hash))
			if got, want := hex.EncodeToString(message), text(load(t, dir, v.folder, "combinedHash"+v.suffix+".txt")); got != want {
				t.Errorf("message: got %s, want %s", got, want)
			}
			if err := checkSignature(key, message, p.value); err != nil {
				t.Errorf("the published signature: got %v, want nil", err)
			}
			message[3] ^= 1
			if err := checkSignature(key, message, p.value); !errors.Is(err, ErrSignature) {
				t.Errorf("of another document: got %v, want %v", err, ErrSignature)
			}
			delete(doc, "proof")
			want := text(load(t, dir, v.folder, "canonDoc"+v.suffix+".txt"))
			if isJCS(p.suite) {
				if got := must[[]byte](t)(jsonld.Canonical(doc)); string(got) != want {
					t.Errorf("canonical document: got %s, want %s", got, want)
				}
				return
			}
			quads, err := known.Statements(doc)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := quads.Canonical(hash); err != nil || strings.TrimSpace(got.String()) != want {
				t.Errorf("canonical document: got %q (%v), want %q", got, err, want)
			}
		})
	}
}

// TestW3CProofOfAnotherPartyProvesNothing verifies the documents as they are, whose
// issuer does not own the key, and with the issuer changed to the owner.
func TestW3CProofOfAnotherPartyProvesNothing(t *testing.T) {
	dir := vectors(t)
	for _, v := range suites {
		document := load(t, dir, v.folder, "signed"+v.suffix+".json")
		o := VerifyOptions{Contexts: published(t, dir)}
		if _, err := Verify(t.Context(), document, o); !errors.Is(err, ErrForeignKey) {
			t.Errorf("%s: got %v, want %v", v.folder, err, ErrForeignKey)
		}
		var doc map[string]any
		if err := json.Unmarshal(document, &doc); err != nil {
			t.Fatal(err)
		}
		method := doc["proof"].(map[string]any)["verificationMethod"].(string)
		doc["issuer"], _, _ = strings.Cut(method, "#")
		if _, err := Verify(t.Context(), must[[]byte](t)(json.Marshal(doc)), o); !errors.Is(err, ErrSignature) {
			t.Errorf("%s with the issuer changed: got %v, want %v", v.folder, err, ErrSignature)
		}
	}
}

// TestW3CProofSets takes each proof of a set by itself; the set must hold, a chain
// is refused.
func TestW3CProofSets(t *testing.T) {
	dir := filepath.Join(vectors(t), "vc-di-eddsa/proof-set-chain")
	for _, file := range []string{"signedProofSet1.json", "signedProofSet2.json"} {
		doc := must[map[string]any](t)(jsonld.Parse(load(t, dir, file), credentialBounds))
		for _, item := range listOf(doc["proof"]) {
			p := must[proof](t)(readProof(item.(map[string]any), purposeAssert))
			if err := (VerifyOptions{}).holds(t.Context(), doc, p); err != nil {
				t.Errorf("%s, %s: got %v, want nil", file, p.doc["id"], err)
			}
		}
	}
	for _, file := range []string{"signedProofChain1.json", "signedProofChain2.json"} {
		doc := must[map[string]any](t)(jsonld.Parse(load(t, dir, file), credentialBounds))
		proofs := doc["proof"].([]any)
		if _, err := readProof(proofs[len(proofs)-1].(map[string]any), purposeAssert); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: got %v, want %v", file, err, ErrUnsupported)
		}
	}
}

func text(raw []byte) string { return strings.TrimSpace(string(raw)) }

func publicKey(t *testing.T, raw []byte) crypto.PublicKey {
	t.Helper()
	var pair struct{ PublicKeyMultibase string }
	if err := json.Unmarshal(raw, &pair); err != nil {
		t.Fatal(err)
	}
	key, err := ParseMultikey(pair.PublicKeyMultibase)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Multikey(key); err != nil || again != pair.PublicKeyMultibase {
		t.Fatalf("got %s (%v), want %s", again, err, pair.PublicKeyMultibase)
	}
	return key
}

// secret reads a private key of the vectors.
func secret(t *testing.T, raw []byte) crypto.Signer {
	t.Helper()
	var pair struct{ PrivateKeyMultibase, SecretKeyMultibase string }
	if err := json.Unmarshal(raw, &pair); err != nil {
		t.Fatal(err)
	}
	key := must[[]byte](t)(base58.Decode(strings.TrimPrefix(pair.PrivateKeyMultibase+pair.SecretKeyMultibase, "z")))[2:]
	if pair.PrivateKeyMultibase != "" {
		return ed25519.NewKeyFromSeed(key)
	}
	for _, curve := range curves {
		if len(key) == (curve.Params().BitSize+7)/8 {
			return must[*ecdsa.PrivateKey](t)(ecdsa.ParseRawPrivateKey(curve.Curve, key))
		}
	}
	t.Fatal("no private key")
	return nil
}

// TestW3CKeysGiveProofsLikeTheirs signs the W3C's document with the W3C's keys: by
// Ed25519 to the letter, by ECDSA (which draws a number) so that it verifies.
func TestW3CKeysGiveProofsLikeTheirs(t *testing.T) {
	dir := vectors(t)
	for _, v := range suites {
		if strings.Contains(v.folder, "jcs") || strings.Contains(v.folder, "2020") {
			continue
		}
		var signed map[string]any
		if err := json.Unmarshal(load(t, dir, v.folder, "signed"+v.suffix+".json"), &signed); err != nil {
			t.Fatal(err)
		}
		theirs := signed["proof"].(map[string]any)
		delete(signed, "proof")
		known := published(t, dir)
		draft := must[Draft](t)(ParseDraft(must[[]byte](t)(json.Marshal(signed)), known))
		method := theirs["verificationMethod"].(string)
		draft.party, _, _ = strings.Cut(method, "#")
		key := secret(t, load(t, dir, v.keys))
		at := must[time.Time](t)(optionalTime(theirs, "created"))
		ours := must[Signed](t)(draft.Sign(key, method, at))
		doc := must[map[string]any](t)(jsonld.Parse(ours.JSON(), credentialBounds))
		object := doc["proof"].(map[string]any)
		if got, want := object["proofValue"], theirs["proofValue"]; strings.Contains(v.folder, "eddsa") && got != want {
			t.Errorf("%s: got %s, want %s", v.folder, got, want)
		}
		p := must[proof](t)(readProof(object, purposeAssert))
		if err := (VerifyOptions{Contexts: known}).holds(t.Context(), doc, p); err != nil {
			t.Errorf("%s: got %v, want nil", v.folder, err)
		}
	}
}

func TestBaseContextIsTheOneThatW3CPublished(t *testing.T) {
	sum := sha256.Sum256(load(t, "jsonld/contexts/credentials-v2.jsonld"))
	if got, want := hex.EncodeToString(sum[:]), "59955ced6697d61e03f2b2556febe5308ab16842846f5b586d7f1f7adec92734"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func hexText(raw []byte) string { return hex.EncodeToString(raw) }

func b64(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }
