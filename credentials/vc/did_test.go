package vc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func everyKind(t *testing.T) []crypto.PublicKey {
	t.Helper()
	keys := []crypto.PublicKey{issuerKey.Public()}
	for _, curve := range curves {
		key, err := ecdsa.GenerateKey(curve.Curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key.Public())
	}
	return keys
}

type equaler interface{ Equal(crypto.PublicKey) bool }

func TestKeySurvivesItsDIDs(t *testing.T) {
	for _, key := range everyKind(t) {
		for _, write := range []func(crypto.PublicKey) (string, error){DIDKey, DIDJWK} {
			did, err := write(key)
			if err != nil {
				t.Fatal(err)
			}
			name, err := KeyName(did)
			if err != nil || !strings.HasPrefix(name, did+"#") {
				t.Errorf("got %q (%v), want a name of %q", name, err, did)
			}
			for _, s := range []string{did, name} {
				if got, err := ParseDID(s); err != nil || !got.(equaler).Equal(key) {
					t.Errorf("%s: got %v (%v), want %v", s, got, err, key)
				}
			}
		}
	}
}

// The examples of the did:key and did:jwk specifications.
func TestPublishedDIDsAreRead(t *testing.T) {
	for _, did := range []string{
		"did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",
		"did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169#zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169",
		"did:jwk:eyJjcnYiOiJQLTI1NiIsImt0eSI6IkVDIiwieCI6ImFjYklRaXVNczNpOF91c3pFakoydHBUdFJNNEVVM3l6OTFQSDZDZEgyVjAiLCJ5IjoiX0tjeUxqOXZXTXB0bm1LdG00NkdxRHo4d2Y3NEk1TEtncmwyR3pIM25TRSJ9#0",
	} {
		if _, err := ParseDID(did); err != nil {
			t.Errorf("%s: got %v, want a key", did, err)
		}
	}
}

func TestWhatIsNoKeyIsRefused(t *testing.T) {
	private := base64.RawURLEncoding.EncodeToString([]byte(`{"kty":"OKP","crv":"Ed25519","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","d":"AA"}`))
	offCurve := base64.RawURLEncoding.EncodeToString([]byte(`{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`))
	for _, did := range []string{
		"", "did:key:", "did:key:z", "did:key:z6Mk", "did:key:u6Mk", "did:web:example.org", "did:jwk:e30", "did:jwk:" + private, "did:jwk:" + offCurve,
		"did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK#other", "did:key:z" + strings.Repeat("1", 10000),
	} {
		if _, err := ParseDID(did); !errors.Is(err, ErrMalformedKey) {
			t.Errorf("%.60s: got %v, want %v", did, err, ErrMalformedKey)
		}
	}
}

func TestDIDWebOfABaseURL(t *testing.T) {
	for base, want := range map[string]string{
		"https://id.example.org":           "did:web:id.example.org",
		"http://localhost:8080/":           "did:web:localhost%3A8080",
		"https://Example.org/id/national/": "did:web:example.org:id:national",
		"urn:x":                            "",
		"http://[::1]:80":                  "",
	} {
		if got, err := DIDWeb(base); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: got %q (%v), want %q", base, got, err, want)
		}
	}
}

func TestDIDDocumentNamesEachKey(t *testing.T) {
	keys := everyKind(t)
	raw, err := DIDDocument(issuer, []VerificationKey{{issuer + "#1", keys[0]}, {issuer + "#2", keys[1]}})
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		ID                 string
		AssertionMethod    []string
		VerificationMethod []struct{ ID, Type, Controller, PublicKeyMultibase string }
	}
	if err := json.Unmarshal(raw, &document); err != nil {
		t.Fatal(err)
	}
	if document.ID != issuer || len(document.AssertionMethod) != 2 || len(document.VerificationMethod) != 2 {
		t.Fatalf("got %s", raw)
	}
	for i, m := range document.VerificationMethod {
		got, err := ParseMultikey(m.PublicKeyMultibase)
		if err != nil || !got.(equaler).Equal(keys[i]) || m.Type != "Multikey" || m.Controller != issuer || m.ID != document.AssertionMethod[i] {
			t.Errorf("got %+v (%v), want key %d", m, err, i)
		}
	}
	if _, err := DIDDocument(issuer, []VerificationKey{{"did:web:b.example#1", keys[0]}}); !errors.Is(err, ErrForeignKey) {
		t.Errorf("a key of another: got %v, want %v", err, ErrForeignKey)
	}
}

func TestTrustListKnowsItsIssuersAndNoOthers(t *testing.T) {
	multikey, err := Multikey(issuerKey.Public())
	if err != nil {
		t.Fatal(err)
	}
	written, err := json.Marshal(TrustList{Issuers: []TrustedIssuer{{ID: issuer, Name: "Example", Keys: []TrustedKey{{issuerVM, multikey}}}}})
	if err != nil {
		t.Fatal(err)
	}
	list, err := ParseTrustList(written)
	if err != nil {
		t.Fatal(err)
	}
	o := options()
	o.Keys = list.Resolve
	if _, err := Verify(t.Context(), signed(t, amina()), o); err != nil {
		t.Errorf("got %v, want nil", err)
	}
	if _, err := list.Resolve(t.Context(), issuer+"#2"); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("got %v, want %v", err, ErrUnknownKey)
	}
	if got := list.Name(issuer) + list.Name("did:web:b.example"); got != "Example" {
		t.Errorf("got %q, want %q", got, "Example")
	}
	for name, c := range map[string]struct {
		list string
		want error
	}{
		"not JSON":         {"issuers", ErrMalformed},
		"empty":            {`{"issuers":[]}`, ErrMalformed},
		"relative":         {`{"issuers":[{"id":"me"}]}`, ErrMalformed},
		"a key of another": {strings.Replace(string(written), issuerVM, "did:web:b.example#1", 1), ErrForeignKey},
		"not a key":        {strings.Replace(string(written), multikey, "z1", 1), ErrMalformedKey},
		"too long":         {string(written) + strings.Repeat(" ", maxTrust), ErrTooLarge},
	} {
		if _, err := ParseTrustList([]byte(c.list)); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}
