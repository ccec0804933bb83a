package keyset

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/plinth-id/plinth/registry/partner"
)

func jwks(t *testing.T, kids ...string) []byte {
	t.Helper()
	var set jose.JSONWebKeySet
	for _, kid := range kids {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key.Public(), KeyID: kid, Use: "sig", Algorithm: "ES256"})
	}
	raw, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func client(address string) partner.Client {
	return partner.Client{ID: "rp", Kept: partner.Kept{JWKSURI: address}}
}

func TestAKeyThatFollowsAnotherIsFoundAndAStrangerCostsOneFetch(t *testing.T) {
	var fetches, broken atomic.Int64
	served := atomic.Pointer[[]byte]{}
	first := jwks(t, "one")
	served.Store(&first)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fetches.Add(1)
		if broken.Load() > 0 {
			w.WriteHeader(500)
			return
		}
		w.Write(*served.Load())
	}))
	defer server.Close()
	now := time.Now()
	s := New(server.Client(), func() time.Time { return now })
	ask := func(kid string) []Key {
		t.Helper()
		keys, err := s.Of(t.Context(), client(server.URL), kid)
		if err != nil {
			t.Fatal(err)
		}
		return keys
	}
	ask("one")
	ask("one")
	if fetches.Load() != 1 {
		t.Fatalf("got %d fetches, want one", fetches.Load())
	}
	both := jwks(t, "one", "two")
	served.Store(&both)
	now = now.Add(time.Minute)
	if keys := ask("two"); len(keys) != 2 || fetches.Load() != 2 {
		t.Fatalf("got %d keys after %d fetches, want the new one too", len(keys), fetches.Load())
	}
	for range 10 {
		ask("made-up")
	}
	if fetches.Load() != 2 {
		t.Errorf("got %d fetches, want none for a key that is not there a moment later", fetches.Load())
	}
	broken.Store(1)
	now = now.Add(time.Hour)
	if keys := ask("two"); len(keys) != 2 {
		t.Errorf("got %d keys while the address does not answer, want the old ones", len(keys))
	}
	now = now.Add(48 * time.Hour)
	if _, err := s.Of(t.Context(), client(server.URL), "two"); err == nil {
		t.Error("got keys that are two days old")
	}
}

func TestKeysAreBoundedPublicAndStrong(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: private, KeyID: "mine"}}})
	if err != nil {
		t.Fatal(err)
	}
	var many []string
	for i := range maxKeys + 1 {
		many = append(many, fmt.Sprint(i))
	}
	for name, raw := range map[string][]byte{"private": secret, "too many": jwks(t, many...), "no JSON": []byte("keys"), "a secret": []byte(`{"keys":[{"kty":"oct","k":"c2VjcmV0","kid":"s"}]}`)} {
		if keys, err := parse(raw); err == nil {
			t.Errorf("%s: got %d keys, want none", name, len(keys))
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB","x5c":["!"]}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		keys, err := parse(raw)
		for _, k := range keys {
			if err != nil || k.Public == nil || partner.Strong(k.Public) != "" {
				t.Fatalf("got %v, %v", k, err)
			}
		}
	})
}
