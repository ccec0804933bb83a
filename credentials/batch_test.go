package credentials

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/plinth-id/plinth/credentials/proof"
	"github.com/plinth-id/plinth/credentials/verifier"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/registry/auth"
)

// alter changes the card for one test.
func (h *house) alter(change func(k *Kind)) {
	all := maps.Clone(*h.active.Load())
	k := all[NationalID]
	change(&k)
	all[NationalID] = k
	h.active.Store(&all)
}

// proofsFor makes good proofs of new keys, all with one nonce.
func (h *house) proofsFor(t *testing.T, n int) []string {
	t.Helper()
	nonce, err := h.Nonce()
	must(t, err)
	var all []string
	for range n {
		f := goodProof(ed())
		f.claims["aud"], f.claims["nonce"], f.claims["iat"] = h.ID(), nonce, h.now().Unix()
		all = append(all, f.jwt(t))
	}
	return all
}

func batchOf(t *testing.T, proofs []string) CredentialRequest {
	t.Helper()
	raw, err := json.Marshal(proofs)
	must(t, err)
	id := NationalID
	return CredentialRequest{Configuration: &id, Proofs: map[string]json.RawMessage{"jwt": raw}}
}

func refused(t *testing.T, what string, err error, code string) {
	t.Helper()
	if f := fault.Of(err); err == nil || f.Code != code {
		t.Errorf("%s: got %v, want %s", what, err, code)
	}
}

func TestEachCopyOfABatchIsUnlikeTheOthers(t *testing.T) {
	h := newHouse(t)
	token := h.token(t, NationalID)
	answer, err := h.Issue(t.Context(), h.tokens[token], batchOf(t, h.proofsFor(t, 20)))
	must(t, err)
	if len(answer.Credentials) != 20 {
		t.Fatalf("got %d credentials, want 20", len(answer.Credentials))
	}
	seen := map[string]bool{}
	for _, document := range answer.Credentials {
		var d struct {
			ID      string `json:"id"`
			Subject struct {
				ID string `json:"id"`
			} `json:"credentialSubject"`
			Status []struct {
				At string `json:"statusListIndex"`
			} `json:"credentialStatus"`
		}
		must(t, json.Unmarshal(document, &d))
		for _, mark := range []string{d.ID, d.Subject.ID, "index " + d.Status[0].At} {
			if mark == "" || seen[mark] {
				t.Errorf("got %q twice, or not at all: copies can be joined by it", mark)
			}
			seen[mark] = true
		}
	}
	if v := h.judge(t, answer.Credentials[19], fetch); v.Verdict != verifier.Valid {
		t.Errorf("got %s: %s; want valid", v.Verdict, codes(v))
	}
	if n := h.count(t, "SELECT count(*) FROM credential_issuance WHERE state = 'issued'"); n != 20 {
		t.Errorf("got %d lines in the ledger, want 20", n)
	}
	if got, _ := ask(t, "POST", h.url+"/vci/notification", token, `{"notification_id":"`+answer.Notification+`","event":"credential_accepted"}`); got.StatusCode != 204 {
		t.Errorf("got %d for the notification, want 204", got.StatusCode)
	}
	if n := h.count(t, "SELECT count(*) FROM credential_issuance WHERE outcome = 'credential_accepted'"); n != 20 {
		t.Errorf("got %d accepted copies, want 20", n)
	}
}

func TestABatchIsRefusedAsAWhole(t *testing.T) {
	h := newHouse(t)
	token := h.tokens[h.token(t, NationalID)]
	spent, fresh := h.proofsFor(t, 1), h.proofsFor(t, 1)
	_, err := h.Issue(t.Context(), token, batchOf(t, spent))
	must(t, err)
	twice := h.proofsFor(t, 1)
	good := h.proofsFor(t, 2)
	bad := goodProof(ed())
	bad.claims["aud"], bad.claims["iat"], bad.claims["nonce"] = "https://other.example.org", h.now().Unix(), "n"
	for what, c := range map[string]struct {
		proofs []string
		code   string
	}{
		"more than the bound":      {h.proofsFor(t, 21), "invalid_proof"},
		"one key twice":            {append(twice, twice...), "invalid_proof"},
		"one for somebody else":    {append(h.proofsFor(t, 1), bad.jwt(t)), "invalid_proof"},
		"a spent nonce among them": {append(fresh, goodProofWith(t, h, nonceOf(t, spent[0]))), "invalid_nonce"},
		"a replayed proof":         {spent, "invalid_nonce"},
		"a nonce of nobody":        {append(good[:1:1], goodProofAt(t, h)), "invalid_nonce"},
	} {
		_, err := h.Issue(t.Context(), token, batchOf(t, c.proofs))
		refused(t, what, err, c.code)
	}
	if n := h.count(t, "SELECT count(*) FROM credential_issuance"); n != 1 {
		t.Errorf("got %d lines in the ledger, want 1", n)
	}
	// What was refused used nothing up.
	if _, err := h.Issue(t.Context(), token, batchOf(t, append(fresh, good...))); err != nil {
		t.Errorf("got %v for proofs with two nonces that are both fresh, want the credentials", err)
	}
}

// nonceOf reads the nonce of a proof.
func nonceOf(t *testing.T, proof string) string {
	t.Helper()
	parsed, err := jose.ParseSignedCompact(proof, []jose.SignatureAlgorithm{jose.EdDSA})
	must(t, err)
	var claims struct {
		Nonce string `json:"nonce"`
	}
	must(t, json.Unmarshal(parsed.UnsafePayloadWithoutVerification(), &claims))
	return claims.Nonce
}

func goodProofWith(t *testing.T, h *house, nonce string) string {
	t.Helper()
	f := goodProof(ed())
	f.claims["aud"], f.claims["iat"], f.claims["nonce"] = h.ID(), h.now().Unix(), nonce
	return f.jwt(t)
}

// However many ask at once, a person gets no more in a day than there are.
func TestCopiesOfADayAreCounted(t *testing.T) {
	h := newHouse(t)
	h.alter(func(k *Kind) { k.Daily = 10 })
	token := h.tokens[h.token(t, NationalID)]
	var requests []CredentialRequest
	for range 8 {
		requests = append(requests, batchOf(t, h.proofsFor(t, 2)))
	}
	var won int
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, request := range requests {
		all.Go(func() {
			_, err := h.Issue(t.Context(), token, request)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else {
				refused(t, "beyond the day's copies", err, "credential_request_denied")
			}
		})
	}
	all.Wait()
	if won != 5 {
		t.Errorf("got %d batches of two, want 5", won)
	}
	h.wait(24 * time.Hour)
	if _, err := h.Issue(t.Context(), token, batchOf(t, h.proofsFor(t, 2))); err != nil {
		t.Errorf("got %v on the next day, want the credentials", err)
	}
}

func TestKeyAttestationIsDemandedWhereAKindSays(t *testing.T) {
	h := newHouse(t)
	h.alter(func(k *Kind) {
		k.Levels = &proof.Levels{Storage: []string{"iso_18045_high"}, User: []string{"iso_18045_moderate"}}
	})
	token := h.tokens[h.token(t, NationalID)]
	_, err := h.Issue(t.Context(), token, batchOf(t, h.proofsFor(t, 1)))
	refused(t, "without an attestation", err, "invalid_proof")
	nonce, err := h.Nonce()
	must(t, err)
	a, b := p256(), p256()
	attested, err := json.Marshal([]string{h.keyAttestation(t, nonce, a, b)})
	must(t, err)
	id := NationalID
	request := CredentialRequest{Configuration: &id, Proofs: map[string]json.RawMessage{"attestation": attested}}
	answer, err := h.Issue(t.Context(), token, request)
	if err != nil || len(answer.Credentials) != 2 {
		t.Errorf("got %d credentials, %v; want one for each attested key", len(answer.Credentials), err)
	}
	_, err = h.Issue(t.Context(), token, request)
	refused(t, "the same attestation again", err, "invalid_nonce")
	h.alter(func(k *Kind) { k.Levels.Storage = []string{"urn:example:stronger"} })
	nonce, err = h.Nonce()
	must(t, err)
	weak, err := json.Marshal([]string{h.keyAttestation(t, nonce, a)})
	must(t, err)
	_, err = h.Issue(t.Context(), token, CredentialRequest{Configuration: &id, Proofs: map[string]json.RawMessage{"attestation": weak}})
	refused(t, "weaker storage", err, "invalid_proof")
	_, m := ask(t, "GET", h.url+"/.well-known/openid-credential-issuer", "", "")
	raw, err := json.Marshal(m["credential_configurations_supported"])
	must(t, err)
	if !strings.Contains(string(raw), `"key_attestations_required":{"key_storage":["urn:example:stronger"],"user_authentication":["iso_18045_moderate"]}`) {
		t.Errorf("got %s, want the levels that are demanded", raw)
	}
}

func TestHAIPWantsBoundTokensOfGenuineWallets(t *testing.T) {
	h := newHouse(t)
	h.alter(func(k *Kind) { k.HAIP = true })
	token := h.tokens[h.token(t, NationalID)]
	for what, t2 := range map[string]auth.Token{"neither": token, "bound": {Grant: token.Grant, Bound: true}, "genuine": {Grant: token.Grant, Genuine: true}} {
		_, err := h.Issue(t.Context(), t2, batchOf(t, h.proofsFor(t, 1)))
		refused(t, what, err, "credential_request_denied")
	}
	token.Bound, token.Genuine = true, true
	if _, err := h.Issue(t.Context(), token, batchOf(t, h.proofsFor(t, 1))); err != nil {
		t.Errorf("got %v, want the credential", err)
	}
	if o := h.offer(t, false); !strings.HasPrefix(o.Link, "haip-vci://?") || !strings.HasPrefix(o.Value, "haip-vci://?") {
		t.Errorf("got %s, want the scheme of the profile", o.Link)
	}
}

// A kind that is bound to no key needs no proof.
func TestAnUnboundKindNeedsNoProof(t *testing.T) {
	h := newHouse(t)
	h.alter(func(k *Kind) { k.Bound, k.Binding = false, nil })
	id := NationalID
	answer, err := h.Issue(t.Context(), h.tokens[h.token(t, NationalID)], CredentialRequest{Configuration: &id})
	if err != nil || len(answer.Credentials) != 1 || strings.Contains(string(answer.Credentials[0]), "did:key") {
		t.Errorf("got %s, %v; want one credential without a holder", answer.Credentials, err)
	}
	_, m := ask(t, "GET", h.url+"/.well-known/openid-credential-issuer", "", "")
	kind, _ := m["credential_configurations_supported"].(map[string]any)[NationalID].(map[string]any)
	if kind["proof_types_supported"] != nil || kind["cryptographic_binding_methods_supported"] != nil {
		t.Errorf("got %v, want neither binding nor proofs in the metadata", kind)
	}
}

// post sends a request of any kind, and gives the answer and its body as it came.
func (h *house) post(t *testing.T, path, token, kind, body string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+path, strings.NewReader(body))
	must(t, err)
	r.Header.Set("Content-Type", kind)
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(r)
	must(t, err)
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	must(t, err)
	return answer, string(raw)
}

// sealedTo encrypts a request to the key in the metadata.
func (h *house) sealedTo(t *testing.T, plain string, zip jose.CompressionAlgorithm) string {
	t.Helper()
	_, m := ask(t, "GET", h.url+"/.well-known/openid-credential-issuer", "", "")
	raw, err := json.Marshal(m["credential_request_encryption"])
	must(t, err)
	var offered struct {
		Keys jose.JSONWebKeySet `json:"jwks"`
	}
	must(t, json.Unmarshal(raw, &offered))
	e, err := jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: jose.ECDH_ES, Key: offered.Keys.Keys[0].Key, KeyID: offered.Keys.Keys[0].KeyID}, &jose.EncrypterOptions{Compression: zip})
	must(t, err)
	sealed, err := e.Encrypt([]byte(plain))
	must(t, err)
	compact, err := sealed.CompactSerialize()
	must(t, err)
	return compact
}

func TestRequestAndAnswerAreEncrypted(t *testing.T) {
	h := newHouse(t)
	token, mine := h.token(t, NationalID), p256()
	reply, err := json.Marshal(map[string]any{"enc": "A128GCM", "zip": "DEF", "jwk": jose.JSONWebKey{Key: mine.Public(), KeyID: "w", Algorithm: "ECDH-ES"}})
	must(t, err)
	request := func(extra string) string {
		proofs, err := json.Marshal(h.proofsFor(t, 2))
		must(t, err)
		return `{"credential_configuration_id":"` + NationalID + `","proofs":{"jwt":` + string(proofs) + `}` + extra + `}`
	}
	asking := `,"credential_response_encryption":` + string(reply)
	answer, body := h.post(t, "/vci/credential", token, "application/jwt", h.sealedTo(t, request(asking), jose.DEFLATE))
	if answer.StatusCode != 200 || answer.Header.Get("Content-Type") != "application/jwt" {
		t.Fatalf("got %d %s %s", answer.StatusCode, answer.Header.Get("Content-Type"), body)
	}
	parsed, err := jose.ParseEncryptedCompact(body, []jose.KeyAlgorithm{jose.ECDH_ES}, []jose.ContentEncryption{jose.A128GCM})
	must(t, err)
	plain, err := parsed.Decrypt(mine)
	must(t, err)
	if parsed.Header.KeyID != "w" || bytes.Count(plain, []byte(`"credential":`)) != 2 {
		t.Errorf("got %v and %.80s, want two credentials for the wallet's key", parsed.Header, plain)
	}
	if answer, body := h.post(t, "/vci/credential", token, "application/jwt", h.sealedTo(t, request(""), "")); answer.StatusCode != 200 || answer.Header.Get("Content-Type") != "application/json" {
		t.Errorf("got %d %s, want an open answer to a closed request that asked for no other", answer.StatusCode, body)
	}
	for what, c := range map[string]struct{ kind, body, code string }{
		"an open request for a closed answer": {"application/json", request(asking), "invalid_encryption_parameters"},
		"weak parameters":                     {"application/jwt", h.sealedTo(t, request(`,"credential_response_encryption":{"jwk":{"kty":"oct","k":"AAAA"},"enc":"A128GCM"}`), ""), "invalid_encryption_parameters"},
		"no message":                          {"application/jwt", "hello", "invalid_encryption_parameters"},
		"a bomb":                              {"application/jwt", h.sealedTo(t, strings.Repeat(" ", 32<<20)+request(asking), jose.DEFLATE), "invalid_encryption_parameters"},
		"nonsense inside":                     {"application/jwt", h.sealedTo(t, "[]", ""), "invalid_credential_request"},
		"a refused proof inside":              {"application/jwt", h.sealedTo(t, `{"credential_configuration_id":"`+NationalID+`"`+asking+`}`, ""), "invalid_proof"},
	} {
		answer, body := h.post(t, "/vci/credential", token, c.kind, c.body)
		var got map[string]any
		must(t, json.Unmarshal([]byte(body), &got)) // errors are never encrypted
		if answer.StatusCode != 400 || got["error"] != c.code || answer.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: got %d %s, want 400 %s", what, answer.StatusCode, body, c.code)
		}
	}
}

func TestEncryptionCanBeDemanded(t *testing.T) {
	h := newHouse(t)
	h.Encrypted = true
	token, mine := h.token(t, NationalID), p256()
	proofs, err := json.Marshal(h.proofsFor(t, 1))
	must(t, err)
	request := `{"credential_configuration_id":"` + NationalID + `","proofs":{"jwt":` + string(proofs) + `}`
	for what, c := range map[string]struct{ kind, body string }{
		"open":                       {"application/json", request + "}"},
		"closed, for an open answer": {"application/jwt", h.sealedTo(t, request+"}", "")},
	} {
		answer, body := h.post(t, "/vci/credential", token, c.kind, c.body)
		if answer.StatusCode != 400 || !strings.Contains(body, "invalid_encryption_parameters") {
			t.Errorf("%s: got %d %s, want invalid_encryption_parameters", what, answer.StatusCode, body)
		}
	}
	reply, err := json.Marshal(map[string]any{"enc": "A256GCM", "jwk": jose.JSONWebKey{Key: mine.Public(), Algorithm: "ECDH-ES"}})
	must(t, err)
	if answer, body := h.post(t, "/vci/credential", token, "application/jwt", h.sealedTo(t, request+`,"credential_response_encryption":`+string(reply)+"}", "")); answer.StatusCode != 200 {
		t.Errorf("got %d %s, want the credential", answer.StatusCode, body)
	}
}

// What another wallet's token was given cannot be had, or spoken about, with this one.
func TestATokenIsForItsOwnPerson(t *testing.T) {
	h := newHouse(t)
	answer, err := h.Issue(t.Context(), h.tokens[h.token(t, NationalID)], batchOf(t, h.proofsFor(t, 1)))
	must(t, err)
	h.person = h.somebodyElse(t)
	other := h.token(t, NationalID)
	got, body := ask(t, "POST", h.url+"/vci/notification", other, `{"notification_id":"`+answer.Notification+`","event":"credential_deleted"}`)
	if got.StatusCode != 400 || body["error"] != "invalid_notification_id" {
		t.Errorf("got %d %v, want invalid_notification_id", got.StatusCode, body)
	}
	for _, bad := range []string{`{"notification_id":"x","event":"credential_accepted","event_description":"caf\u00e9"}`, `[]`, ``, `{"notification_id":"x","notification_id":"y","event":"credential_accepted"}`} {
		if got, body := ask(t, "POST", h.url+"/vci/notification", other, bad); got.StatusCode != 400 || body["error"] != "invalid_notification_request" {
			t.Errorf("%s: got %d %v, want invalid_notification_request", bad, got.StatusCode, body)
		}
	}
}
