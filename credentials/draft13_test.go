package credentials

import (
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func contains(row, secret string) bool {
	return strings.Contains(row, secret) || strings.Contains(row, hex.EncodeToString([]byte(secret)))
}

// A wallet of draft 13, from the offer to the notification, by what it can see.
func TestAWalletOfDraft13IsServed(t *testing.T) {
	h := newHouse(t)
	o := h.offer(t, false)
	secret := o.Page[strings.LastIndex(o.Page, "/")+1:]
	_, offer := ask(t, "GET", h.url+draft13Path+"/offer/"+secret, "", "")
	issuer, _ := offer["credential_issuer"].(string)
	if issuer != h.url+draft13Path {
		t.Fatalf("got %v, want the identifier for draft 13", offer)
	}
	_, metadata := ask(t, "GET", issuer+"/.well-known/openid-credential-issuer", "", "")
	_, inserted := ask(t, "GET", strings.Replace(issuer, draft13Path, "/.well-known/openid-credential-issuer"+draft13Path, 1), "", "")
	kind, _ := metadata["credential_configurations_supported"].(map[string]any)[NationalID].(map[string]any)
	if metadata["credential_issuer"] != issuer || inserted["credential_issuer"] != issuer || metadata["nonce_endpoint"] != nil || kind["display"] == nil || kind["credential_metadata"] != nil {
		t.Errorf("got %v, want metadata of the draft's shape at both places", metadata)
	}
	server := metadata["authorization_servers"].([]any)[0].(string)
	_, as := ask(t, "GET", server+"/.well-known/oauth-authorization-server", "", "")
	form := url.Values{"grant_type": {GrantType}, "pre-authorized_code": {h.code(o)}}
	answer, err := http.PostForm(as["token_endpoint"].(string), form)
	must(t, err)
	var token map[string]any
	must(t, json.NewDecoder(answer.Body).Decode(&token))
	answer.Body.Close()
	access, _ := token["access_token"].(string)
	nonce, _ := token["c_nonce"].(string)
	if nonce == "" || token["c_nonce_expires_in"] == nil {
		t.Fatalf("got %v, want a c_nonce with the token", token)
	}
	request := func(aud, nonce string) string {
		f := goodProof(ed())
		f.claims["aud"], f.claims["iat"], f.claims["nonce"] = aud, h.now().Unix(), nonce
		return `{"format":"ldp_vc","credential_definition":{"@context":["https://www.w3.org/ns/credentials/v2"],"type":["VerifiableCredential","NationalID"]},"proof":{"proof_type":"jwt","jwt":"` + f.jwt(t) + `"}}`
	}
	got, body := ask(t, "POST", metadata["credential_endpoint"].(string), access, request(issuer, nonce))
	if got.StatusCode != 200 || body["credential"] == nil || body["credentials"] != nil || body["c_nonce"] == nil || body["notification_id"] == nil {
		t.Fatalf("got %d %v, want one credential and the next nonce", got.StatusCode, body)
	}
	next, _ := body["c_nonce"].(string)
	for what, c := range map[string]struct{ body, code string }{
		"a used nonce":      {request(issuer, nonce), "invalid_proof"},
		"another audience":  {request("https://other.example.org", next), "invalid_proof"},
		"no proof":          {`{"format":"ldp_vc","credential_definition":{"type":["NationalID"]}}`, "invalid_proof"},
		"another proof":     {`{"format":"ldp_vc","credential_definition":{"type":["NationalID"]},"proof":{"proof_type":"cwt","cwt":"x"}}`, "invalid_proof"},
		"another format":    {`{"format":"mso_mdoc_2","doctype":"x","proof":{"proof_type":"jwt","jwt":"x"}}`, "unsupported_credential_format"},
		"another type":      {`{"format":"ldp_vc","credential_definition":{"type":["DrivingLicence"]},"proof":{"proof_type":"jwt","jwt":"x"}}`, "unsupported_credential_type"},
		"no type":           {`{"format":"ldp_vc","proof":{"proof_type":"jwt","jwt":"x"}}`, "unsupported_credential_type"},
		"both dialects":     {`{"format":"ldp_vc","proofs":{"jwt":["x"]},"credential_definition":{"type":["NationalID"]}}`, "invalid_credential_request"},
		"a name and a type": {`{"format":"ldp_vc","credential_identifier":"` + NationalID + `"}`, "invalid_credential_request"},
	} {
		got, told := ask(t, "POST", h.url+"/vci/credential", access, c.body)
		if got.StatusCode != 400 || told["error"] != c.code || (told["c_nonce"] != nil) != (c.code == "invalid_proof") {
			t.Errorf("%s: got %d %v, want %s", what, got.StatusCode, told, c.code)
		}
	}
	if got, _ := ask(t, "POST", h.url+"/vci/credential", access, request(h.url, next)); got.StatusCode != 200 {
		t.Errorf("got %d for a proof with our other identifier, want 200", got.StatusCode)
	}
	if got, _ := ask(t, "POST", h.url+"/vci/notification", access, `{"notification_id":"`+body["notification_id"].(string)+`","event":"credential_accepted"}`); got.StatusCode != 204 {
		t.Errorf("got %d, want 204", got.StatusCode)
	}
	if n := h.spoken(t, dialectDraft13); n != 11 {
		t.Errorf("got %v requests of draft 13 counted, want 11", n)
	}
}

// spoken is how many requests of a dialect the metrics tell of.
func (h *house) spoken(t *testing.T, dialect string) (n float64) {
	t.Helper()
	r := prometheus.NewRegistry()
	must(t, r.Register(h.Dialects))
	families, err := r.Gather()
	must(t, err)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if m.GetLabel()[0].GetValue() == dialect {
				n += m.GetCounter().GetValue()
			}
		}
	}
	return n
}

func TestDraft13WaitsInItsOwnWay(t *testing.T) {
	h := newHouse(t)
	h.alter(func(k *Kind) { k.Approved = true })
	token := h.token(t, NationalID)
	got, body := ask(t, "POST", h.url+"/vci/credential", token, `{"format":"ldp_vc","credential_definition":{"type":["NationalID"]},"proof":{"proof_type":"jwt","jwt":"`+h.proofFor(t)+`"}}`)
	if got.StatusCode != 202 || body["transaction_id"] == nil {
		t.Fatalf("got %d %v, want 202", got.StatusCode, body)
	}
	asking := `{"transaction_id":"` + body["transaction_id"].(string) + `"}`
	if got, told := ask(t, "POST", h.url+"/vci/deferred", token, asking); got.StatusCode != 400 || told["error"] != "issuance_pending" || told["interval"] == nil {
		t.Errorf("got %d %v, want issuance_pending", got.StatusCode, told)
	}
	all, err := h.Waiting(t.Context(), 1)
	must(t, err)
	must(t, h.Rule(t.Context(), Ruling{ID: all[0].ID, Officer: h.officer, Approve: true, Reason: because}))
	if got, told := ask(t, "POST", h.url+"/vci/deferred", token, asking); got.StatusCode != 200 || told["credential"] == nil {
		t.Errorf("got %d %v, want the credential", got.StatusCode, told)
	}
}

func TestDraft13CanBeSwitchedOff(t *testing.T) {
	h := newHouse(t)
	h.Draft13 = false
	token := h.token(t, NationalID)
	got, body := ask(t, "POST", h.url+"/vci/credential", token, `{"format":"ldp_vc","credential_definition":{"type":["NationalID"]},"proof":{"proof_type":"jwt","jwt":"`+h.proofFor(t)+`"}}`)
	if got.StatusCode != 400 || body["error"] != "invalid_credential_request" {
		t.Errorf("got %d %v, want what 1.0 makes of it", got.StatusCode, body)
	}
}
