package sdjwt

import (
	"context"
	"crypto"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"maps"
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

// unwrapped reads a token that a specification has broken into lines.
func unwrapped(t *testing.T, parts ...string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(string(raw)), "")
}

// exampleIssuer is the key of the examples of all these specifications.
func exampleIssuer(t *testing.T, dir string) Options {
	t.Helper()
	var keys struct{ Issuer map[string]any }
	load(t, &keys, dir, "sd-jwt-vc", "keys.json")
	key := jwk(t, keys.Issuer)
	o := Options{Now: func() time.Time { return time.Unix(1744743394, 0) }}
	o.Keys = func(context.Context, string, string) (crypto.PublicKey, error) { return key, nil }
	return o
}

// TestExamplesOfOpenID4VP are an SD-JWT VC with JSON-LD in it, and its presentation.
func TestExamplesOfOpenID4VP(t *testing.T) {
	dir := vectors(t)
	folder := filepath.Join(dir, "openid4vp", "examples", "sd_jwt_vcld", "01")
	o := exampleIssuer(t, dir)
	var payload, all, want, header, binding map[string]any
	load(t, &payload, folder, "sd_jwt_payload.json")
	load(t, &all, folder, "user_claims.json")
	load(t, &want, folder, "verified_contents.json")
	load(t, &header, folder, "kb_jwt_header.json")
	load(t, &binding, folder, "kb_jwt_payload.json")

	held, err := Receive(t.Context(), unwrapped(t, folder, "sd_jwt_issuance.txt"), o)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(held.parts.claims, payload) {
		t.Errorf("payload: got %v, want %v", held.parts.claims, payload)
	}
	for name, want := range all {
		if got := held.Claims[name]; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	if got, want := held.parts.signed, unwrapped(t, folder, "sd_jwt_jws_part.txt"); got != want {
		t.Errorf("the issuer's part: got %s, want %s", got, want)
	}

	presentation := unwrapped(t, folder, "sd_jwt_presentation.txt")
	o.Binding = &Binding{Audience: binding["aud"].(string), Nonce: binding["nonce"].(string)}
	c, err := Verify(t.Context(), presentation, o)
	if err != nil || !reflect.DeepEqual(c.Claims, want) {
		t.Errorf("presented: got %v (%v), want %v", c.Claims, err, want)
	}
	chosen, err := held.Choose([][]any{{"ld", "credentialSubject", "givenName"}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := digest(chosen.hash, chosen.shown), binding["sd_hash"]; got != want {
		t.Errorf("sd_hash: got %s, want %s", got, want)
	}
	if got, want := chosen.shown+unwrapped(t, folder, "kb_jwt_serialized.txt"), presentation; got != want {
		t.Errorf("chosen: got %s, want %s", got, want)
	}
	if token, err := jws.Parse(unwrapped(t, folder, "kb_jwt_serialized.txt")); err != nil || token.Header.Type != header["typ"] || token.Header.Algorithm != header["alg"] {
		t.Errorf("binding: got %+v (%v), want %v", token.Header, err, header)
	}
}

// TestExampleCredentialOfOpenID4VP issues the example's claims and finds its digests'
// places; the specification does not give the salts.
func TestExampleCredentialOfOpenID4VP(t *testing.T) {
	dir := vectors(t)
	folder := filepath.Join(dir, "openid4vp", "examples", "credentials")
	var unsecured, payload map[string]any
	load(t, &unsecured, folder, "sd_jwt_vc_unsecured.json")
	load(t, &payload, folder, "sd_jwt_vc.json")
	h := newHouse(t, newKey(t, elliptic.P256()))
	d := Draft{Type: unsecured["vct"].(string), Claims: maps.Clone(unsecured), Holder: jwk(t, payload["cnf"].(map[string]any)["jwk"].(map[string]any))}
	delete(d.Claims, "vct")
	for name := range d.Claims {
		d.Selective = append(d.Selective, []any{name})
	}
	p, err := take(issue(t, h, d))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"vct", "cnf", "_sd_alg"} {
		if got, want := p.claims[name], payload[name]; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	if got, want := len(p.claims["_sd"].([]any)), len(d.Claims); got != want {
		t.Errorf("got %d digests, want %d", got, want)
	}
}

// TestExampleOfOpenID4VCI is a credential response's.
func TestExampleOfOpenID4VCI(t *testing.T) {
	dir := vectors(t)
	_, body, _ := strings.Cut(unwrapped(t, dir, "openid4vci", "examples", "credential_response_sd_jwt_vc.txt"), "no-store")
	var response struct{ Credentials []struct{ Credential string } }
	if err := json.Unmarshal([]byte(body), &response); err != nil || len(response.Credentials) != 1 {
		t.Fatalf("got %v (%v), want one", response, err)
	}
	held, err := Receive(t.Context(), response.Credentials[0].Credential, exampleIssuer(t, dir))
	if err != nil || len(held.Disclosed) != 9 || held.Claims["given_name"] != "John" {
		t.Errorf("got %v (%v), want John with nine claims disclosed", held.Claims, err)
	}
}

// TestTypeMetadataOfTheIETF issues the draft's example as its metadata describes it.
func TestTypeMetadataOfTheIETF(t *testing.T) {
	dir := filepath.Join(vectors(t), "sd-jwt-vc")
	raw, err := os.ReadFile(filepath.Join(dir, "type-metadata-A_2-2.json"))
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	load(t, &claims, dir, "type-metadata-A_2-1.json")
	own, err := ParseTypeMetadata(raw)
	if err != nil || len(own.Claims) != 7 || len(own.Display) != 2 || own.Display[0].Rendering.Simple.TextColor != "#FFFFFF" || own.Display[1].Rendering.SVGTemplates[0].Properties.Contrast != "high" {
		t.Fatalf("got %+v (%v)", own, err)
	}
	vct := claims["vct"].(string)
	if _, err := ResolveType(vct, "", [][]byte{raw}); !errors.Is(err, ErrMalformed) {
		t.Errorf("without what it extends: got %v, want ErrMalformed", err)
	}
	// The draft does not print what it extends, and lays its own document out otherwise
	// than the bytes it has hashed.
	if err := CheckIntegrity(raw, claims["vct#integrity"].(string)); !errors.Is(err, ErrIntegrity) {
		t.Errorf("other bytes: got %v, want ErrIntegrity", err)
	}
	h := newHouse(t, newKey(t, elliptic.P256()))
	d := Draft{Type: vct, Claims: claims}
	delete(claims, "vct")
	for _, c := range own.Claims {
		if c.Selective == always {
			d.Selective = append(d.Selective, c.Path)
		}
	}
	held, err := Receive(t.Context(), issue(t, h, d), h.options)
	if err != nil {
		t.Fatal(err)
	}
	if err := held.Conforms(own); err != nil {
		t.Errorf("got %v, want nil", err)
	}
}
