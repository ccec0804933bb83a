package disclosure

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/plinth-id/plinth/credentials/vc/jsonld"
)

var bounds = jsonld.Bounds{Bytes: 64 << 10, Depth: 16, Objects: 256, Values: 2048}

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

func load(t *testing.T, into any, parts ...string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	if into != nil {
		if err := json.Unmarshal(raw, into); err != nil {
			t.Fatal(err)
		}
	}
	return raw
}

// TestW3CVectors goes through the steps of a base proof that the W3C published: the
// statements under hidden labels, those that are mandatory, and their hash.
func TestW3CVectors(t *testing.T) {
	dir := filepath.Join(vectors(t), "vc-di-ecdsa")
	known, err := jsonld.Contexts{}.With("https://w3id.org/citizenship/v4rc1", load(t, nil, dir, "../jsonld-contexts/citizenship-v4rc1.jsonld"))
	if err != nil {
		t.Fatal(err)
	}
	var keys struct{ HMACKeyString string }
	load(t, &keys, dir, "ecdsa-sd-2023/SDKeyMaterial.json")
	secret, err := hex.DecodeString(keys.HMACKeyString)
	if err != nil {
		t.Fatal(err)
	}
	for folder, file := range map[string]string{"employ": "employMandatory.json", "prc": "prCredMandatory.json"} {
		at := filepath.Join(dir, "ecdsa-sd-2023", folder)
		doc, err := jsonld.Parse(load(t, nil, at, "addSignedSDBase.json"), bounds)
		if err != nil {
			t.Fatal(err)
		}
		value := doc["proof"].(map[string]any)["proofValue"].(string)
		delete(doc, "proof")
		var lines, pointers []string
		var hashes struct{ MandatoryHash string }
		var groups struct{ MandatoryIndexes, SelectiveIndexes []int }
		load(t, &lines, at, "addBaseDocHMACCanon.json")
		load(t, &pointers, dir, file)
		load(t, &hashes, at, "addHashData.json")
		load(t, &groups, at, "derivedGroupIndexes.json")
		whole, err := Document{doc, known}.group(secret)
		if err != nil || !slices.Equal(whole.lines, lines) {
			t.Errorf("%s: got %v (%v), want %v", folder, whole.lines, err, lines)
		}
		always, err := whole.choose(pointers)
		if err != nil || hex.EncodeToString(always.hash(whole.lines)) != hashes.MandatoryHash {
			t.Errorf("%s: got %x (%v), want %s", folder, always.hash(whole.lines), err, hashes.MandatoryHash)
		}
		for _, i := range groups.MandatoryIndexes {
			if !always.at[i] {
				t.Errorf("%s: statement %d is not mandatory", folder, i)
			}
		}
		b, err := parseBase(value)
		if err != nil || !slices.Equal(b.Mandatory, pointers) || hex.EncodeToString(b.Secret) != hex.EncodeToString(secret) {
			t.Fatalf("%s: got %+v (%v)", folder, b, err)
		}
		if again, err := b.encode(); err != nil || again != value {
			t.Errorf("%s: written again: got %s (%v), want %s", folder, again, err, value)
		}
		own, err := parseKey(b.Public)
		if err != nil {
			t.Fatal(err)
		}
		next := 0
		for i, line := range whole.lines {
			if !always.at[i] {
				if !fits(own, line, b.Signatures[next]) {
					t.Errorf("%s: the signature of statement %d does not fit", folder, i)
				}
				next++
			}
		}
	}
}

func TestCBORThatIsNoProofIsRefused(t *testing.T) {
	for name, raw := range map[string][]byte{
		"nothing":         nil,
		"no head":         {0x85},
		"another head":    {0xd9, 0x5d, 0x02, 0x80},
		"no array":        {0xd9, 0x5d, 0x01, 0xa0},
		"too short":       {0xd9, 0x5d, 0x01, 0x80},
		"a long array":    append([]byte{0xd9, 0x5d, 0x01, 0x9a, 0xff, 0xff, 0xff, 0xff}, make([]byte, 64)...),
		"without an end":  {0xd9, 0x5d, 0x01, 0x9f, 0xff},
		"a deep one":      append([]byte{0xd9, 0x5d, 0x01}, slices.Repeat([]byte{0x81}, 1000)...),
		"a short value":   {0xd9, 0x5d, 0x01, 0x85, 0x41, 1, 0x41, 1, 0x80, 0xa0, 0x80},
		"something after": {0xd9, 0x5d, 0x01, 0x85, 0x41, 1, 0x41, 1, 0x80, 0xa0, 0x80, 0x00},
	} {
		if _, err := parseDerived(raw); !errors.Is(err, jsonld.ErrMalformed) {
			t.Errorf("%s: got %v, want %v", name, err, jsonld.ErrMalformed)
		}
		if _, err := parseBase("u" + base64.RawURLEncoding.EncodeToString(raw)); !errors.Is(err, jsonld.ErrMalformed) {
			t.Errorf("%s: got %v, want %v", name, err, jsonld.ErrMalformed)
		}
	}
}

func FuzzParseValue(f *testing.F) {
	f.Add([]byte{0xd9, 0x5d, 0x00, 0x85, 0x41, 1, 0x41, 1, 0x41, 1, 0x80, 0x80})
	f.Add([]byte{0xd9, 0x5d, 0x01, 0x85, 0x41, 1, 0x41, 1, 0x80, 0xa0, 0x80})
	f.Fuzz(func(t *testing.T, raw []byte) {
		if d, err := parseDerived(raw); err == nil && len(d.Signature) != 64 {
			t.Errorf("got a signature of %d bytes", len(d.Signature))
		}
		if b, err := parseBase("u" + base64.RawURLEncoding.EncodeToString(raw)); err == nil && len(b.Signature) != 64 {
			t.Errorf("got a signature of %d bytes", len(b.Signature))
		}
	})
}
