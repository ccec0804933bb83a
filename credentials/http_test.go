package credentials

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/internal/failpoint"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/registry"
	"github.com/plinth-id/plinth/registry/auth"
)

// ask sends a request and gives the answer and its body.
func ask(t *testing.T, method, to, token, body string) (*http.Response, map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, to, strings.NewReader(body))
	must(t, err)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(r)
	must(t, err)
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	must(t, err)
	var parsed map[string]any
	if len(raw) > 0 {
		must(t, json.Unmarshal(raw, &parsed))
	}
	return answer, parsed
}

func TestMetadataIsWhatTheSpecificationAsksFor(t *testing.T) {
	h := newHouse(t)
	answer, m := ask(t, "GET", h.url+"/.well-known/openid-credential-issuer", "", "")
	if answer.StatusCode != 200 || answer.Header.Get("Content-Type") != "application/json" || answer.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("got %d %v", answer.StatusCode, answer.Header)
	}
	if m["credential_issuer"] != h.url || m["credential_endpoint"] != h.url+"/vci/credential" || m["nonce_endpoint"] != h.url+"/vci/nonce" {
		t.Errorf("got %v", m)
	}
	kind, _ := m["credential_configurations_supported"].(map[string]any)[NationalID].(map[string]any)
	if kind["format"] != "ldp_vc" || kind["scope"] != "national_id" || kind["proof_types_supported"] == nil || kind["cryptographic_binding_methods_supported"] == nil {
		t.Errorf("got %v", kind)
	}
	definition, _ := kind["credential_definition"].(map[string]any)
	if definition["@context"].([]any)[0] != vc.ContextV2 || definition["type"].([]any)[1] != vc.TypeNationalID {
		t.Errorf("got %v", definition)
	}
}

func TestNonceIsNotCached(t *testing.T) {
	h := newHouse(t)
	answer, body := ask(t, "POST", h.url+"/vci/nonce", "", "")
	if answer.StatusCode != 200 || answer.Header.Get("Cache-Control") != "no-store" || body["c_nonce"] == "" {
		t.Errorf("got %d, %q, %v", answer.StatusCode, answer.Header.Get("Cache-Control"), body)
	}
}

func TestASVS_10_3_TokenIsNeeded(t *testing.T) {
	h := newHouse(t)
	for _, path := range []string{"/vci/credential", "/vci/deferred", "/vci/notification"} {
		for token, want := range map[string]string{"": `Bearer realm="plinth"`, "expired": `Bearer realm="plinth", error="invalid_token"`} {
			answer, _ := ask(t, "POST", h.url+path, token, "{}")
			if got := answer.Header.Get("WWW-Authenticate"); answer.StatusCode != 401 || !strings.HasPrefix(got, want) || token == "" && got != want {
				t.Errorf("%s with %q: got %d %s, want 401 %s", path, token, answer.StatusCode, got, want)
			}
		}
	}
	answer, _ := ask(t, "POST", h.url+"/vci/credential", h.token(t), `{"credential_configuration_id":"`+NationalID+`","proofs":{"jwt":["x"]}}`)
	if got := answer.Header.Get("WWW-Authenticate"); answer.StatusCode != 403 || !strings.HasPrefix(got, `Bearer realm="plinth", error="insufficient_scope"`) {
		t.Errorf("got %d %s for a token without the card, want 403 insufficient_scope", answer.StatusCode, got)
	}
}

func TestCredentialRequestIsRefusedByName(t *testing.T) {
	h := newHouse(t)
	token := h.token(t, NationalID)
	asking := `"credential_configuration_id":"` + NationalID + `"`
	for _, c := range []struct{ body, want string }{
		{``, "invalid_credential_request"},
		{`[]`, "invalid_credential_request"},
		{`{"credential_configuration_id":`, "invalid_credential_request"},
		{`{}`, "invalid_credential_request"},
		{`{"credential_configuration_id":7}`, "invalid_credential_request"},
		{`{` + asking + `,"credential_identifier":"x"}`, "invalid_credential_request"},
		{`{` + asking + `,` + asking + `}`, "invalid_credential_request"},
		{`{"credential_configuration_id":"other"}`, "unknown_credential_configuration"},
		{`{"credential_identifier":"other"}`, "unknown_credential_identifier"},
		{`{` + asking + `,"credential_response_encryption":{}}`, "invalid_encryption_parameters"},
		{`{` + asking + `}`, "invalid_proof"},
		{`{` + asking + `,"proofs":{}}`, "invalid_proof"},
		{`{` + asking + `,"proofs":{"jwt":[]}}`, "invalid_proof"},
		{`{` + asking + `,"proofs":{"jwt":["a","b"]}}`, "invalid_proof"},
		{`{` + asking + `,"proofs":{"jwt":"a"}}`, "invalid_proof"},
		{`{` + asking + `,"proofs":{"di_vp":[{}]}}`, "invalid_proof"},
		{`{` + asking + `,"proofs":{"jwt":["a"],"di_vp":[{}]}}`, "invalid_proof"},
		{`{` + asking + `,"proofs":{"jwt":["a.b.c"]}}`, "invalid_proof"},
		{`{` + asking + `,"proofs":{"jwt":["` + goodProofAt(t, h) + `"]}}`, "invalid_nonce"},
	} {
		answer, body := ask(t, "POST", h.url+"/vci/credential", token, c.body)
		if answer.StatusCode != 400 || body["error"] != c.want || answer.Header.Get("Content-Type") != "application/json" || answer.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%.60s: got %d %v, want 400 %s", c.body, answer.StatusCode, body, c.want)
		}
	}
	if n := h.count(t, "SELECT count(*) FROM credential_issuance"); n != 0 {
		t.Errorf("got %d lines in the ledger, want 0", n)
	}
}

// goodProofAt is a proof that is good but for its nonce.
func goodProofAt(t *testing.T, h *house) string {
	f := goodProof(ed())
	f.claims["aud"], f.claims["iat"], f.claims["nonce"] = h.ID(), h.now().Unix(), "AAAA"
	return f.jwt(t)
}

// last is the newest line of the ledger.
func (h *house) last(t *testing.T) (id uuid.UUID) {
	t.Helper()
	must(t, h.Pool.QueryRow(t.Context(), "SELECT id FROM credential_issuance ORDER BY intended_at DESC LIMIT 1").Scan(&id))
	return id
}

func TestLedgerHoldsAHashAndNoContents(t *testing.T) {
	h := newHouse(t)
	issued, err := h.Issue(t.Context(), h.tokens[h.token(t, NationalID)], requestOf(t, h.proofFor(t)))
	must(t, err)
	var state, row string
	var digest []byte
	must(t, h.Pool.QueryRow(t.Context(), "SELECT state, digest, credential_issuance::text FROM credential_issuance").Scan(&state, &digest, &row))
	want := sha256.Sum256(issued.Credentials[0])
	if state != "issued" || hex.EncodeToString(digest) != hex.EncodeToString(want[:]) {
		t.Errorf("got %s %x, want issued %x", state, digest, want)
	}
	for _, secret := range []string{"Ada", h.person.String(), strings.ReplaceAll(h.person.String(), "-", ""), h.uin.Reveal(), issued.Notification} {
		if strings.Contains(row, secret) || strings.Contains(row, hexOf(secret)) {
			t.Errorf("the ledger shows %s", secret)
		}
	}
	if strings.Contains(string(issued.Credentials[0]), h.uin.Reveal()) {
		t.Error("the credential shows the UIN")
	}
	got, err := h.PersonOf(t.Context(), h.Pool, h.last(t))
	if err != nil || got != h.person {
		t.Errorf("got %v, %v; want the person", got, err)
	}
}

// A crash between the intent and the signature, or before the credential went
// out, leaves a line that can be revoked.
func TestIntentIsRecordedBeforeTheSignature(t *testing.T) {
	for _, point := range []string{pointIntended, pointSigned} {
		h := newHouse(t)
		g := h.tokens[h.token(t, NationalID)]
		request := requestOf(t, h.proofFor(t))
		disarm := failpoint.Arm(point, func() { panic("crash") })
		func() {
			defer disarm()
			defer func() { _ = recover() }()
			_, err := h.Issue(t.Context(), g, request)
			t.Errorf("got %v, want a crash", err)
		}()
		var id uuid.UUID
		var state string
		must(t, h.Pool.QueryRow(t.Context(), "SELECT id, state FROM credential_issuance").Scan(&id, &state))
		if state != "intended" {
			t.Errorf("%s: got %s, want intended", point, state)
		}
		must(t, postgres.InTx(t.Context(), h.Pool, func(tx pgx.Tx) error { return h.Revoke(t.Context(), tx, id, "system", "crash") }))
		if is, err := h.Revoked(t.Context(), h.Pool, id); err != nil || !is {
			t.Errorf("%s: got %v, %v; want revoked", point, is, err)
		}
		if _, err := h.Issue(t.Context(), g, request); fault.Of(err) == nil || fault.Of(err).Code != "invalid_nonce" {
			t.Errorf("%s: got %v for the same request again, want invalid_nonce", point, err)
		}
	}
}

func TestNotificationIsTheHolders(t *testing.T) {
	h := newHouse(t)
	token := h.token(t, NationalID)
	issued, err := h.Issue(t.Context(), h.tokens[token], requestOf(t, h.proofFor(t)))
	must(t, err)
	h.tokens["stranger"] = auth.Token{}
	for _, c := range []struct {
		token, id, event, want string
		status                 int
	}{
		{token, issued.Notification, "credential_accepted", "", 204},
		{token, issued.Notification, "credential_accepted", "", 204},
		{token, issued.Notification, "credential_deleted", "", 204},
		{token, issued.Notification, "other", "invalid_notification_request", 400},
		{token, "", "credential_accepted", "invalid_notification_request", 400},
		{token, uuid.NewString(), "credential_accepted", "invalid_notification_id", 400},
		{"stranger", issued.Notification, "credential_failure", "invalid_notification_id", 400},
	} {
		answer, body := ask(t, "POST", h.url+"/vci/notification", c.token, `{"notification_id":"`+c.id+`","event":"`+c.event+`"}`)
		got, _ := body["error"].(string)
		if answer.StatusCode != c.status || got != c.want {
			t.Errorf("%s: got %d %s, want %d %s", c.event, answer.StatusCode, got, c.status, c.want)
		}
	}
	var outcome string
	must(t, h.Pool.QueryRow(t.Context(), "SELECT outcome FROM credential_issuance").Scan(&outcome))
	if outcome != "credential_deleted" {
		t.Errorf("got %s, want credential_deleted", outcome)
	}
}

func TestNothingIsIssuedToADeactivatedIdentity(t *testing.T) {
	h := newHouse(t)
	g := h.tokens[h.token(t, NationalID)]
	_, err := h.Issue(t.Context(), g, requestOf(t, h.proofFor(t)))
	must(t, err)
	first := h.last(t)
	must(t, postgres.InTx(t.Context(), h.Pool, func(tx pgx.Tx) error {
		return h.Registry.SetStatus(t.Context(), tx, h.person, registry.Active, registry.Deactivated)
	}))
	if is, err := h.Revoked(t.Context(), h.Pool, first); err != nil || !is {
		t.Errorf("got %v, %v; want what was issued before revoked in the same transaction", is, err)
	}
	if _, err := h.Issue(t.Context(), g, requestOf(t, h.proofFor(t))); fault.Of(err) == nil || fault.Of(err).Code != "credential_request_denied" {
		t.Errorf("got %v, want credential_request_denied", err)
	}
	if n := h.count(t, "SELECT count(*) FROM audit_entry WHERE event = 'credential-revoked'"); n != 1 {
		t.Errorf("got %d entries of a revocation in the log, want 1", n)
	}
}

func TestRetiredKeysStillVerify(t *testing.T) {
	h := newHouse(t)
	issued, err := h.Issue(t.Context(), h.tokens[h.token(t, NationalID)], requestOf(t, h.proofFor(t)))
	must(t, err)
	must(t, h.Ring.Rotate(t.Context(), keys.VCIssuing))
	_, document := ask(t, "GET", h.url+"/.well-known/did.json", "", "")
	if got := len(document["assertionMethod"].([]any)); got != 3 {
		t.Errorf("got %d keys in the DID document, want 3: two that sign W3C credentials, one of the others", got)
	}
	list, err := h.TrustList()
	must(t, err)
	if _, err := vc.Verify(t.Context(), issued.Credentials[0], vc.VerifyOptions{Keys: list.Resolve, Now: h.now}); err != nil {
		t.Errorf("got %v, want a good signature", err)
	}
}

func TestOfferIsAPageForABrowser(t *testing.T) {
	h := newHouse(t)
	o := h.offer(t, true)
	_, offer := ask(t, "GET", o.Page, "", "")
	grant, _ := offer["grants"].(map[string]any)[GrantType].(map[string]any)
	if offer["credential_issuer"] != h.url || grant["pre-authorized_code"] != h.code(o) || grant["tx_code"] == nil {
		t.Errorf("got %v, want the offer", offer)
	}
	r, err := http.NewRequestWithContext(t.Context(), "GET", o.Page, nil)
	must(t, err)
	r.Header.Set("Accept", "text/html,application/xhtml+xml;q=0.9")
	answer, err := http.DefaultClient.Do(r)
	must(t, err)
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	must(t, err)
	if !strings.Contains(string(page), `href="openid-credential-offer://`) {
		t.Errorf("got %s, want a page with a link that opens a wallet", page)
	}
	if answer, _ := ask(t, "GET", h.url+"/vci/offer/unknown", "", ""); answer.StatusCode != 404 {
		t.Errorf("got %d for an unknown offer, want 404", answer.StatusCode)
	}
}
