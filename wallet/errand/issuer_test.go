package errand

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/wallet/holder"
)

// issuer is one whose every word a test can change. It gives JWTs of a did:jwk.
type issuer struct {
	*httptest.Server
	key    ed25519.PrivateKey
	meta   map[string]any
	give   func(i *issuer, request map[string]any) (int, map[string]any)
	told   []string
	nonces int // DPoP nonces that are asked for before one is good
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{}
	_, i.key, _ = ed25519.GenerateKey(rand.Reader)
	mux := http.NewServeMux()
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	i.meta = map[string]any{"credential_issuer": i.URL, "credential_endpoint": i.URL + "/credential", "nonce_endpoint": i.URL + "/nonce", "notification_endpoint": i.URL + "/notify", "deferred_credential_endpoint": i.URL + "/credential",
		"credential_configurations_supported": map[string]any{"card": map[string]any{"format": "jwt_vc_json", "scope": "card", "cryptographic_binding_methods_supported": []string{"jwk"},
			"proof_types_supported": map[string]any{"jwt": map[string]any{"proof_signing_alg_values_supported": []string{"ES256"}}}}}}
	i.give = func(i *issuer, request map[string]any) (int, map[string]any) {
		return http.StatusOK, map[string]any{"credentials": []any{map[string]any{"credential": i.card(t, i.key, holderOf(t, request), time.Hour)}}, "notification_id": "n"}
	}
	say := func(w http.ResponseWriter, status int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc("GET /.well-known/openid-credential-issuer", func(w http.ResponseWriter, _ *http.Request) { say(w, 200, i.meta) })
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", func(w http.ResponseWriter, _ *http.Request) {
		say(w, 200, map[string]any{"issuer": i.URL, "token_endpoint": i.URL + "/token", "dpop_signing_alg_values_supported": []string{"ES256"}})
	})
	mux.HandleFunc("POST /nonce", func(w http.ResponseWriter, _ *http.Request) { say(w, 200, map[string]string{"c_nonce": "fresh"}) })
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		if i.nonces > 0 {
			i.nonces--
			w.Header().Set("DPoP-Nonce", "d")
			say(w, 400, map[string]string{"error": "use_dpop_nonce"})
			return
		}
		kind := "DPoP"
		if r.Header.Get("DPoP") == "" {
			kind = "Bearer"
		}
		say(w, 200, map[string]string{"access_token": "t", "token_type": kind})
	})
	mux.HandleFunc("POST /credential", func(w http.ResponseWriter, r *http.Request) {
		var request map[string]any
		_ = json.NewDecoder(r.Body).Decode(&request)
		status, body := i.give(i, request)
		say(w, status, body)
	})
	mux.HandleFunc("POST /notify", func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		i.told = append(i.told, string(raw))
		w.WriteHeader(http.StatusNoContent)
	})
	return i
}

// holderOf is the key in the proof of a request, of draft 13 or of 1.0.
func holderOf(t *testing.T, request map[string]any) jose.JSONWebKey {
	t.Helper()
	var raw string
	if proofs, ok := request["proofs"].(map[string]any); ok {
		raw = proofs["jwt"].([]any)[0].(string)
	} else if proof, ok := request["proof"].(map[string]any); ok {
		raw = proof["jwt"].(string)
	}
	token, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Errorf("no proof in %v", request)
		return jose.JSONWebKey{}
	}
	return *token.Headers[0].JSONWebKey
}

func (i *issuer) card(t *testing.T, key ed25519.PrivateKey, to jose.JSONWebKey, life time.Duration) string {
	t.Helper()
	did, err := vc.DIDJWK(i.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", did+"#0"))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := vc.DIDJWK(to.Key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jwt.Signed(signer).Claims(map[string]any{"iss": did, "sub": subject, "nbf": time.Now().Add(-time.Hour).Unix(), "exp": time.Now().Add(life).Unix(),
		"vc": map[string]any{"type": []string{"VerifiableCredential", "Card"}, "credentialSubject": map[string]any{"name": "Ada"}}}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// errands runs a fetch to its end with keys at hand, and gives the card that was kept.
func (i *issuer) errands(t *testing.T) (*holder.Card, error) {
	t.Helper()
	r := newRunner()
	offer := `{"credential_issuer":"` + i.URL + `","credential_configuration_ids":["card"],"grants":{"` + preAuthorized + `":{"pre-authorized_code":"c"}}}`
	f, said, err := r.Begin(t.Context(), Wish{Offer: "openid-credential-offer://?credential_offer=" + url.QueryEscape(offer)})
	if err != nil {
		return nil, err
	}
	private := make(map[string]*ecdsa.PrivateKey)
	var keys holder.Keys
	for range said.Kinds[0].Keys {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, jose.JSONWebKey{Key: key.Public()})
		private[holder.Thumbprint(keys[len(keys)-1])] = key
	}
	turn, err := r.Accept(t.Context(), f, Acceptance{Keys: keys})
	var kept *holder.Card
	for err == nil {
		if turn.Card != nil {
			kept = turn.Card
		}
		if turn.Done || turn.Later != nil {
			return kept, nil
		}
		var signatures [][]byte
		for _, s := range turn.Sign {
			digest := sha256.Sum256(s.Data)
			a, b, failed := ecdsa.Sign(rand.Reader, private[s.Key], digest[:])
			if failed != nil {
				t.Fatal(failed)
			}
			signature := make([]byte, 64)
			a.FillBytes(signature[:32])
			b.FillBytes(signature[32:])
			signatures = append(signatures, signature)
		}
		// What is held between two turns survives being written down.
		raw, failed := json.Marshal(f)
		f = new(Fetch)
		if failed != nil || json.Unmarshal(raw, f) != nil {
			t.Fatal("the errand cannot be held")
		}
		turn, err = r.Resume(t.Context(), f, signatures)
	}
	return kept, err
}

func TestWhatAnIssuerSendsIsCheckedBeforeItIsKept(t *testing.T) {
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, forger, _ := ed25519.GenerateKey(rand.Reader)
	answer := func(credential any) (int, map[string]any) {
		return http.StatusOK, map[string]any{"credentials": []any{map[string]any{"credential": credential}}, "notification_id": "n"}
	}
	for name, c := range map[string]struct {
		give func(i *issuer, request map[string]any) (int, map[string]any)
		code string
	}{
		"in order": {nil, ""},
		"bound to another key": {func(i *issuer, _ map[string]any) (int, map[string]any) {
			return answer(i.card(t, i.key, jose.JSONWebKey{Key: stranger.Public()}, time.Hour))
		}, "credential-bad"},
		"signed by another": {func(i *issuer, r map[string]any) (int, map[string]any) {
			return answer(i.card(t, forger, holderOf(t, r), time.Hour))
		}, "credential-bad"},
		"out of date": {func(i *issuer, r map[string]any) (int, map[string]any) {
			return answer(i.card(t, i.key, holderOf(t, r), -time.Minute))
		}, "credential-bad"},
		"no credential": {func(*issuer, map[string]any) (int, map[string]any) { return 200, map[string]any{} }, "issuer-answer"},
		"an object":     {func(*issuer, map[string]any) (int, map[string]any) { return answer(map[string]any{}) }, "credential-bad"},
		"a refusal": {func(*issuer, map[string]any) (int, map[string]any) {
			return 400, map[string]any{"error": "credential_request_denied"}
		}, "credential-refused"},
		"too many": {func(*issuer, map[string]any) (int, map[string]any) {
			return 200, map[string]any{"credentials": make([]any, 50)}
		}, "issuer-answer"},
		"a nonce for ever": {func(*issuer, map[string]any) (int, map[string]any) {
			return 400, map[string]any{"error": "invalid_nonce"}
		}, "issuer-answer"},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIssuer(t)
			if c.give != nil {
				i.give = c.give
			}
			card, err := i.errands(t)
			if c.code == "" {
				if err != nil || card == nil || card.Lines[0].Value != "Ada" || len(i.told) != 1 || !strings.Contains(i.told[0], "credential_accepted") {
					t.Fatalf("got %+v, %v, %v; want the card kept and the issuer told", card, err, i.told)
				}
				return
			}
			if f := fault.Of(err); f == nil || f.Code != c.code || card != nil {
				t.Errorf("got %+v, %v; want %s and nothing kept", card, err, c.code)
			}
			if c.code == "credential-bad" && (len(i.told) != 1 || !strings.Contains(i.told[0], "credential_failure")) {
				t.Errorf("got %v, want the issuer told", i.told)
			}
		})
	}
}

func TestNoncesOfDPoPAreTaken(t *testing.T) {
	i := newIssuer(t)
	i.nonces = 1
	if card, err := i.errands(t); err != nil || card == nil {
		t.Errorf("got %v, %v after one nonce", card, err)
	}
	i.nonces = 100
	if _, err := i.errands(t); fault.Of(err) == nil || fault.Of(err).Code != "issuer-answer" {
		t.Errorf("got %v from a server that is never content, want issuer-answer", err)
	}
}

func TestAnIssuerOfDraft13IsUnderstood(t *testing.T) {
	i := newIssuer(t)
	delete(i.meta, "nonce_endpoint")
	i.meta["credential_configurations_supported"].(map[string]any)["card"].(map[string]any)["display"] = []any{map[string]any{"name": "Old card"}}
	asked := false
	i.give = func(i *issuer, request map[string]any) (int, map[string]any) {
		if request["format"] != "jwt_vc_json" || request["proofs"] != nil {
			t.Errorf("got %v, want a request of draft 13", request)
		}
		if !asked {
			asked = true
			return 400, map[string]any{"error": "invalid_proof", "c_nonce": "n"}
		}
		return 200, map[string]any{"credential": i.card(t, i.key, holderOf(t, request), time.Hour)}
	}
	if card, err := i.errands(t); err != nil || card == nil || card.Display[0].Name != "Old card" {
		t.Errorf("got %+v, %v; want the card", card, err)
	}
}

func TestMetadataIsBounded(t *testing.T) {
	i := newIssuer(t)
	i.meta["display"] = []any{map[string]any{"name": strings.Repeat("x", maxAnswer)}}
	if _, err := i.errands(t); fault.Of(err) == nil || fault.Of(err).Code != "issuer-answer" {
		t.Errorf("got %v for metadata without end, want issuer-answer", err)
	}
}

func TestACardThatComesLaterIsWaitedFor(t *testing.T) {
	i := newIssuer(t)
	i.give = func(*issuer, map[string]any) (int, map[string]any) {
		return http.StatusAccepted, map[string]any{"transaction_id": "later", "interval": 1}
	}
	if card, err := i.errands(t); err != nil || card != nil {
		t.Errorf("got %v, %v; want to be told to wait", card, err)
	}
}
