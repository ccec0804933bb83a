package credentials

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// example reads one that the specification prints.
func example(t *testing.T, name string) []byte {
	t.Helper()
	dir := os.Getenv("TESTDATA_DIR")
	if dir == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("TESTDATA_DIR is not set")
		}
		t.Skip("the examples of OpenID4VCI were not read: TESTDATA_DIR is not set")
	}
	raw, err := os.ReadFile(filepath.Join(dir, "vectors/openid4vci/examples", name))
	must(t, err)
	return raw
}

// shape is what a document is made of, without its values: for an array, the shapes of
// all its elements in one.
func shape(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := map[string]any{}
		for name, value := range v {
			m[name] = shape(value)
		}
		return m
	case []any:
		m := map[string]any{}
		for _, value := range v {
			if inner, ok := shape(value).(map[string]any); ok {
				for name, s := range inner {
					m[name] = s
				}
			}
		}
		return m
	}
	return true
}

// lacks lists what one shape has and another has not, but for what is named.
func lacks(at string, want, got any, but ...string) (missing []string) {
	w, ok := want.(map[string]any)
	if !ok {
		return nil
	}
	g, _ := got.(map[string]any)
next:
	for name, inner := range w {
		for _, b := range but {
			if name == b {
				continue next
			}
		}
		if g[name] == nil {
			missing = append(missing, at+"/"+name)
			continue
		}
		missing = append(missing, lacks(at+"/"+name, inner, g[name], but...)...)
	}
	return missing
}

// What we say has all members that the examples have, at the same places.
func TestOurDocumentsAreMadeLikeTheExamples(t *testing.T) {
	h := newHouse(t)
	o, err := h.offered(t, OfferTo{Grants: []string{GrantType, LoginGrant}, TxCode: true})
	must(t, err)
	offer := shape(held(t, o.Link))
	_, m := ask(t, "GET", h.url+"/.well-known/openid-credential-issuer", "", "")
	kind := m["credential_configurations_supported"].(map[string]any)[NationalID]
	read := func(name string) any {
		var v any
		must(t, json.Unmarshal(example(t, name), &v))
		return shape(v)
	}
	for name, got := range map[string]any{
		"credential_offer_by_reference.json":         offer,
		"credential_offer_multiple_credentials.json": offer,
		"credential_offer_pre-authz_code.json":       offer,
	} {
		if missing := lacks("", read(name), got, "authorization_server"); missing != nil {
			t.Errorf("%s: our offer lacks %v", name, missing)
		}
	}
	printed, _ := read("credential_metadata_ldp_vc.json").(map[string]any)["credential_configurations_supported"].(map[string]any)
	for name, want := range printed {
		if missing := lacks(name, want, shape(kind), "logo", "background_color", "text_color", "background_image", "description"); missing != nil {
			t.Errorf("our configuration lacks %v", missing)
		}
	}
	long, _ := read("credential_issuer_metadata_sd_jwt_long.json").(map[string]any)
	delete(long, "credential_configurations_supported")
	if missing := lacks("", long, shape(m), "authorization_servers", "logo"); missing != nil {
		t.Errorf("our metadata lacks %v", missing)
	}
	text := string(example(t, "credential_offer_authz_code.txt"))
	var begun any
	must(t, json.Unmarshal([]byte(text[strings.Index(text, "{"):]), &begun))
	if missing := lacks("", shape(begun), offer); missing != nil {
		t.Errorf("our offer of a login lacks %v", missing)
	}
}

// A request of the specification is read, and refused only for what it asks.
func TestTheRequestsOfTheSpecificationAreRead(t *testing.T) {
	h := newHouse(t)
	token := h.token(t, NationalID)
	body := string(example(t, "credential_request_iso_mdl.json"))
	var r CredentialRequest
	must(t, json.Unmarshal([]byte(body), &r))
	if r.Format == nil || *r.Format != "mso_mdoc" || r.Doctype == "" || len(r.Proofs) != 1 {
		t.Errorf("got %+v", r)
	}
	// It is a leftover: format is a draft's, and proofs are not.
	if answer, told := ask(t, "POST", h.url+"/vci/credential", token, body); answer.StatusCode != 400 || told["error"] != "invalid_credential_request" {
		t.Errorf("got %d %v, want a request of two dialects refused", answer.StatusCode, told)
	}
	for _, name := range []string{"credential_response_ldp_vc.txt", "credential_response_sd_jwt_vc.txt", "credential_response_mso_mdoc.txt", "credential_response_jwt_vc_json.txt"} {
		text := string(example(t, name))
		var printed any
		if err := json.Unmarshal([]byte(text[strings.Index(text, "{"):]), &printed); err != nil {
			continue // the text breaks long values over lines
		}
		raw, err := h.told(Answer{Credentials: []json.RawMessage{[]byte(`{}`)}, Notification: "n"})
		must(t, err)
		var ours any
		must(t, json.Unmarshal(raw, &ours))
		if missing := lacks("", printed, ours, "credential"); missing != nil {
			t.Errorf("%s: our answer lacks %v", name, missing)
		}
	}
}
