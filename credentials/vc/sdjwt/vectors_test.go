package sdjwt

import (
	"context"
	"crypto"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plinth-id/plinth/credentials/vc/jws"
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
	t.Skip("TESTDATA_DIR is not set: skipped the vectors of the IETF")
	return ""
}

func load(t *testing.T, to any, parts ...string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	if err := d.Decode(to); err != nil {
		t.Fatal(err)
	}
}

type vector struct {
	Kind, Token string
	Header      struct{ Typ string }
	Payload     map[string]any
	Disclosures []struct {
		Disclosure, SHA256 string
		Contents           []any
	}
	Processed  map[string]any `json:"processed_payload"`
	KeyBinding struct {
		Payload struct {
			Aud, Nonce string
			Iat        int64
		}
	} `json:"key_binding_jwt"`
	InText bool `json:"processed_payload_found_in_text"`
}

func jwk(t *testing.T, object map[string]any) crypto.PublicKey {
	t.Helper()
	delete(object, "d")
	key, err := jws.ParseJWK(object)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestVectorsOfTheIETF checks every token of RFC 9901 and of the draft of SD-JWT VC.
func TestVectorsOfTheIETF(t *testing.T) {
	dir := vectors(t)
	for _, folder := range []string{"sd-jwt", "sd-jwt-vc"} {
		var keys struct{ Issuer map[string]any }
		load(t, &keys, dir, folder, "keys.json")
		issuer := jwk(t, keys.Issuer)
		files, _ := filepath.Glob(filepath.Join(dir, folder, "sdjwt*.json"))
		if len(files) == 0 {
			t.Fatalf("no vectors in %s", folder)
		}
		for _, file := range files {
			t.Run(folder+"/"+filepath.Base(file), func(t *testing.T) {
				var v vector
				load(t, &v, file)
				v.check(t, issuer)
			})
		}
	}
}

func (v vector) check(t *testing.T, issuer crypto.PublicKey) {
	at := time.Unix(1748537244, 0)
	o := Options{Now: func() time.Time { return at }}
	o.Keys = func(context.Context, string, string) (crypto.PublicKey, error) { return issuer, nil }
	if v.Header.Typ != TypeVC {
		o.Types = []string{v.Header.Typ}
	}
	if v.Kind == "sd-jwt+kb" {
		at = time.Unix(v.KeyBinding.Payload.Iat, 0)
		o.Binding = &Binding{Audience: v.KeyBinding.Payload.Aud, Nonce: v.KeyBinding.Payload.Nonce}
	}
	if v.Kind == "jwt" { // the issuer's part alone
		v.Token += "~"
	}
	c, err := Verify(t.Context(), v.Token, o)
	if err != nil {
		t.Fatal(err)
	}
	if v.Processed != nil && !reflect.DeepEqual(c.Claims, v.Processed) {
		t.Errorf("claims: got %v, want %v", c.Claims, v.Processed)
	}
	if got, want := len(c.Disclosed), len(v.Disclosures); got != want {
		t.Errorf("disclosures: got %d, want %d", got, want)
	}
	if got, want := c.Bound, v.Kind == "sd-jwt+kb"; got != want {
		t.Errorf("bound: got %v, want %v", got, want)
	}
	for i, want := range v.Disclosures {
		d, err := readDisclosure(want.Disclosure)
		if err != nil || !slices.ContainsFunc(want.Contents, func(v any) bool { return reflect.DeepEqual(v, d.value) }) {
			t.Errorf("disclosure %d: got %v (%v), want %v", i, d, err, want.Contents)
		}
		if got := digest(crypto.SHA256, want.Disclosure); got != want.SHA256 {
			t.Errorf("digest %d: got %s, want %s", i, got, want.SHA256)
		}
	}
	changed := []byte(v.Token)
	changed[strings.IndexByte(v.Token, '.')+20] ^= 1
	if _, err := Verify(t.Context(), string(changed), o); err == nil {
		t.Error("a changed payload: got valid, want an error")
	}
}
