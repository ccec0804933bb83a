package jose

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/plinth-id/plinth/credentials/vc/jws"
	"github.com/plinth-id/plinth/credentials/vc/sdjwt"
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

// vector is a case of W3C's test suite.
type vector struct {
	Number          int
	Name            string
	Input           string `json:"input_file"`
	Key             string `json:"key_file"`
	Fn, Feature     string
	DisclosurePaths []string `json:"disclosure_paths"`
	Expected        string   `json:"expected_result"`
}

// mediaTypes of the features that the suite tests.
var mediaTypes = map[string]string{
	"credential_jose": CredentialJWT, "presentation_jose": PresentationJWT, "credential_cose": CredentialCOSE,
	"presentation_cose": PresentationCOSE, "credential_sdjwt": CredentialSDJWT, "presentation_sdjwt": PresentationSDJWT,
}

func TestVectorsOfTheW3C(t *testing.T) {
	dir := filepath.Join(vectors(t), "vc-jose-cose")
	var all []vector
	if err := json.Unmarshal(load(t, dir, "expectations.json"), &all); err != nil || len(all) != 35 {
		t.Fatalf("got %d cases (%v), want 35", len(all), err)
	}
	for _, v := range all {
		t.Run(v.Name, func(t *testing.T) {
			key, id := suiteKey(t, load(t, dir, v.Key))
			input := load(t, dir, v.Input)
			var err error
			if v.Fn == "issue" {
				err = v.issue(t, input, key)
			} else {
				err = v.verify(t, input, key.Public(), id)
			}
			if (err == nil) != (v.Expected == "success") {
				t.Errorf("got %v, want %s", err, v.Expected)
			}
			// Several vectors of another fault are signed by another key than the suite
			// names; those must be refused for the fault as well.
			if errors.Is(err, ErrSignature) && !strings.Contains(v.Input, "signature") && v.Input != "credential-jose-unknown-extensions.txt" {
				t.Errorf("got %v, want the fault itself", err)
			}
		})
	}
}

func (v vector) verify(t *testing.T, input []byte, key crypto.PublicKey, id string) error {
	e := Envelope{MediaType: mediaTypes[v.Feature], Content: strings.TrimSpace(string(input))}
	if strings.HasSuffix(v.Feature, "cose") {
		var err error
		if e, err = ParseURL("data:application/" + e.MediaType + ";base64," + e.Content); err != nil {
			return err
		}
	}
	d, err := Verify(t.Context(), e, trusting(key))
	if err == nil && (d.KeyID != id || d.Claims == nil || strings.HasPrefix(v.Feature, "presentation") && len(d.Credentials) == 0) {
		t.Errorf("got %+v", d)
	}
	return err
}

func (v vector) issue(t *testing.T, input []byte, key crypto.Signer) error {
	signer, err := NewSigner(Config{Key: key, KeyID: "1"})
	if err != nil {
		t.Fatal(err)
	}
	document, err := jws.Object(input)
	if err != nil {
		t.Fatal(err)
	}
	in := SignInput{MediaType: mediaTypes[v.Feature], Document: document}
	for _, path := range v.DisclosurePaths {
		in.Selective = append(in.Selective, steps(path))
	}
	e, err := signer.Sign(in)
	if err != nil {
		return err
	}
	d, err := Verify(t.Context(), e, trusting(key.Public()))
	if got, want := len(d.Disclosed), len(v.DisclosurePaths); got != want {
		t.Errorf("got %d disclosed, want %d", got, want)
	}
	return err
}

// steps reads the suite's notation of a path: a.b[0].
func steps(path string) (all []any) {
	for _, name := range strings.Split(path, ".") {
		name, index, indexed := strings.Cut(name, "[")
		all = append(all, name)
		if indexed {
			i, _ := strconv.Atoi(strings.TrimSuffix(index, "]"))
			all = append(all, i)
		}
	}
	return all
}

func trusting(key crypto.PublicKey) Options {
	// The suite's presentations were made on some days of December 2024.
	o := Options{Now: func() time.Time { return time.Unix(1734311060, 0) }}
	o.Keys = func(context.Context, string, string) (crypto.PublicKey, error) { return key, nil }
	return o
}

func suiteKey(t *testing.T, raw []byte) (crypto.Signer, string) {
	t.Helper()
	var method struct{ SecretKeyJwk jose.JSONWebKey }
	if err := json.Unmarshal(raw, &method); err != nil {
		t.Fatal(err)
	}
	if key, ok := method.SecretKeyJwk.Key.(*ecdsa.PrivateKey); ok {
		return key, method.SecretKeyJwk.KeyID
	}
	return method.SecretKeyJwk.Key.(crypto.Signer), method.SecretKeyJwk.KeyID
}

// TestExamplesOfOpenID reads the JWTs of the Data Model 1.1 in the specifications.
func TestExamplesOfOpenID(t *testing.T) {
	dir := vectors(t)
	issued := strings.Join(strings.Fields(string(load(t, dir, "openid4vci", "examples", "credential_response_jwt_vc_json.txt"))), "")
	_, body, _ := strings.Cut(issued, "no-store")
	var response struct{ Credentials []struct{ Credential string } }
	if err := json.Unmarshal([]byte(body), &response); err != nil || len(response.Credentials) != 1 {
		t.Fatalf("got %v (%v), want one", response, err)
	}
	var set struct{ JWKS jose.JSONWebKeySet }
	if err := json.Unmarshal([]byte(strings.Join(strings.Fields(string(load(t, dir, "openid4vci", "examples", "issuer_jwks.json"))), "")), &set); err != nil {
		t.Fatal(err)
	}
	o := trusting(set.JWKS.Keys[0].Key)
	o.Now = func() time.Time { return time.Unix(1735689601, 0) }
	d, err := Verify(t.Context(), Envelope{MediaType: CredentialJWTBefore, Content: response.Credentials[0].Credential}, o)
	if err != nil || d.By != "https://credential-issuer.example.com" || d.KeyID != set.JWKS.Keys[0].KeyID {
		t.Errorf("issued: got %+v (%v)", d, err)
	}

	key, _ := suiteKey(t, load(t, dir, "vc-jose-cose", "vm-p256.json"))
	for _, c := range []struct {
		file, media, by string
	}{
		{"credentials/jwt_vc.json", CredentialJWTBefore, "https://example.gov/issuers/565049"},
		{"response/jwt_vc.json", PresentationJWTBefore, "did:example:ebfeb1f712ebc6f1c276e12ec21"},
	} {
		claims, err := jws.Object(load(t, dir, "openid4vp", "examples", c.file))
		if err != nil {
			t.Fatal(err)
		}
		o := trusting(key.Public())
		o.Now = func() time.Time { return time.Unix(1541493725, 0) }
		if c.media == PresentationJWTBefore {
			o.Binding = &sdjwt.Binding{Audience: "x509_san_dns:client.example.org", Nonce: "n-0S6_WzA2Mj"}
		}
		d, err := Verify(t.Context(), Envelope{MediaType: c.media, Content: compact(t, key, nil, claims)}, o)
		if err != nil || d.By != c.by {
			t.Errorf("%s: got %+v (%v), want %s", c.file, d, err, c.by)
		}
	}
}
