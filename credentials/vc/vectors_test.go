package vc

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mr-tron/base58"
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

func published(t *testing.T, dir string) Contexts {
	t.Helper()
	var c Contexts
	for url, file := range map[string]string{
		"https://www.w3.org/ns/credentials/examples/v2": "credentials-examples-v2.jsonld",
		"https://w3id.org/citizenship/v4rc1":            "citizenship-v4rc1.jsonld",
	} {
		var err error
		if c, err = c.With(url, load(t, dir, "jsonld-contexts", file)); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func TestBaseContextIsTheOneThatW3CPublished(t *testing.T) {
	sum := sha256.Sum256(credentialsV2)
	if got, want := hex.EncodeToString(sum[:]), "59955ced6697d61e03f2b2556febe5308ab16842846f5b586d7f1f7adec92734"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestW3CVectorsOfTheSuites goes through each step that the W3C published: the
// canonical forms, their hashes, the signed message, and the proof value.
func TestW3CVectorsOfTheSuites(t *testing.T) {
	dir := vectors(t)
	for _, v := range []struct{ folder, suffix, keys string }{
		{"vc-di-eddsa/eddsa-rdfc-2022", "DataInt", "vc-di-eddsa/keyPair.json"},
		{"vc-di-eddsa/eddsa-rdfc-2022/employ", "DataInt", "vc-di-eddsa/keyPair.json"},
		{"vc-di-ecdsa/ecdsa-rdfc-2019-p256", "ECDSAP256", "vc-di-ecdsa/p256KeyPair.json"},
		{"vc-di-ecdsa/ecdsa-rdfc-2019-p256/employ", "ECDSAP256", "vc-di-ecdsa/p256KeyPair.json"},
	} {
		t.Run(v.folder, func(t *testing.T) {
			known := published(t, dir)
			doc, err := parse(load(t, dir, v.folder, "signed"+v.suffix+".json"))
			if err != nil {
				t.Fatal(err)
			}
			p, err := readProof(doc)
			if err != nil {
				t.Fatal(err)
			}
			message, err := p.message(doc, known)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := hex.EncodeToString(message), text(load(t, dir, v.folder, "combinedHash"+v.suffix+".txt")); got != want {
				t.Errorf("message: got %s, want %s", got, want)
			}
			delete(doc, "proof")
			got, err := statements(doc, known)
			if want := string(load(t, dir, v.folder, "canonDoc"+v.suffix+".txt")); err != nil || text([]byte(got)) != text([]byte(want)) {
				t.Errorf("canonical document: got %q (%v), want %q", got, err, want)
			}
			if err := p.check(publicKey(t, load(t, dir, v.keys)), message); err != nil {
				t.Errorf("the published signature: got %v, want nil", err)
			}
		})
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

// TestW3CKeyGivesTheirProofValue signs the W3C's document with the W3C's key.
func TestW3CKeyGivesTheirProofValue(t *testing.T) {
	dir := vectors(t)
	var pair struct{ PrivateKeyMultibase string }
	if err := json.Unmarshal(load(t, dir, "vc-di-eddsa/keyPair.json"), &pair); err != nil {
		t.Fatal(err)
	}
	seed, err := base58.Decode(strings.TrimPrefix(pair.PrivateKeyMultibase, "z"))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := parse(load(t, dir, "vc-di-eddsa/eddsa-rdfc-2022/signedDataInt.json"))
	if err != nil {
		t.Fatal(err)
	}
	theirs := signed["proof"].(map[string]any)
	delete(signed, "proof")
	quads, err := statements(signed, published(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	message := hashData(proofStatements(theirs["verificationMethod"].(string), theirs["created"].(string)), sha256.Sum256([]byte(quads)))
	signature := ed25519.Sign(ed25519.NewKeyFromSeed(seed[2:]), message)
	if got, want := "z"+base58.Encode(signature), theirs["proofValue"]; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
