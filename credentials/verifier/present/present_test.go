package present

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/plinth-id/plinth/credentials/vc/mdoc"
	"github.com/plinth-id/plinth/internal/fault"
)

func TestWalletAnswersInEveryMode(t *testing.T) {
	w := newWorld(t, nil)
	for _, mode := range []string{modePost, modePostSealed} {
		for _, prefix := range []string{byHash, bySAN, byDID, byRegistered} {
			for _, query := range []string{askName, askAge} {
				r := w.ask(t, map[string]any{"dcql_query": json.RawMessage(query), "response_mode": mode, "client_id_prefix": prefix})
				_, claims := w.object(t, r, nil)
				a := w.walletFor(claims)
				token := map[string]any{"pid": []string{w.sdJWT(a)}}
				if query == askAge {
					token = map[string]any{"age": []string{w.mdoc(a, must(mdoc.RedirectTranscript(a.audience, a.nonce, a.responseTo, a.thumbprint)))}}
				}
				if status, answer := w.respond(t, a.responseTo, form(claims, token)); status != 200 || len(answer) != 0 {
					t.Errorf("%s %s: got %d %v, want 200", mode, prefix, status, answer)
				}
				_, result := w.result(t, r, "")
				if result.State != stateAnswered || result.Verdict != "valid" || len(result.Credentials) != 1 || result.Credentials[0].Claims == nil {
					t.Errorf("%s %s: got %+v, want a valid answer", mode, prefix, result)
				}
			}
		}
	}
}

func TestRequestObjectSaysWhoAsks(t *testing.T) {
	w := newWorld(t, nil)
	leaf := sha256.Sum256(w.Chain[0].Raw)
	did := "did:web:verifier.example:vp"
	for prefix, c := range map[string]struct{ id, header string }{
		byHash:       {"x509_hash:" + base64.RawURLEncoding.EncodeToString(leaf[:]), "x5c"},
		bySAN:        {"x509_san_dns:verifier.example", "x5c"},
		byDID:        {"decentralized_identifier:" + did, "kid"},
		byRegistered: {"a-verifier", "kid"},
	} {
		r := w.ask(t, map[string]any{"preset": "name", "client_id_prefix": prefix})
		header, claims := w.object(t, r, nil)
		if header["typ"] != "oauth-authz-req+jwt" || header[c.header] == nil || claims["client_id"] != c.id || claims["iss"] != nil || claims["aud"] != "https://self-issued.me/v2" ||
			claims["response_type"] != "vp_token" || claims["redirect_uri"] != nil || len(claims["nonce"].(string)) < 22 || len(claims["state"].(string)) < 22 {
			t.Errorf("%s: got %v %v", prefix, header, claims)
		}
		link := must(url.Parse(r.Link)).Query()
		if link.Get("client_id") != c.id || link.Get("request_uri") != r.RequestURI || link.Get("request_uri_method") != "post" {
			t.Errorf("%s: got the link %s", prefix, r.Link)
		}
		if prefix == byHash {
			der := must(base64.StdEncoding.DecodeString(some(header["x5c"])[0].(string)))
			if got := sha256.Sum256(der); got != leaf {
				t.Error("the hash is not of the leaf that goes along")
			}
		}
	}
	var document struct {
		ID      string                `json:"id"`
		Methods []struct{ ID string } `json:"verificationMethod"`
		Assert  []string              `json:"assertionMethod"`
	}
	header, _ := w.object(t, w.ask(t, map[string]any{"preset": "name", "client_id_prefix": byDID}), nil)
	if status := w.do(t, "GET", "/vp/did.json", nil, &document); status != 200 || document.ID != did || document.Methods[0].ID != header["kid"] || document.Assert != nil {
		t.Errorf("got %d %+v, want the key %v, which may assert nothing", status, document, header["kid"])
	}
}

func TestPostedRequestGivesTheWalletItsNonce(t *testing.T) {
	w := newWorld(t, nil)
	r := w.ask(t, map[string]any{"preset": "name", "purpose": "To open an account"})
	_, claims := w.object(t, r, url.Values{"wallet_nonce": {"qPmxiNFCR3QTm19POc8u"}, "wallet_metadata": {`{"vp_formats_supported":{}}`}, "unknown": {"x"}})
	if claims["wallet_nonce"] != "qPmxiNFCR3QTm19POc8u" || claims["purpose"] != "To open an account" {
		t.Errorf("got %v", claims)
	}
	_, again := w.object(t, r, url.Values{"wallet_nonce": {"other"}})
	if again["wallet_nonce"] != "other" || again["nonce"] != claims["nonce"] {
		t.Errorf("got %v", again)
	}
	if _, result := w.result(t, r, ""); result.State != "opened" {
		t.Errorf("got %s, want opened", result.State)
	}
	for name, body := range map[string]string{"metadata that is no object": "wallet_metadata=%5B%5D", "two nonces": "wallet_nonce=a&wallet_nonce=b", "long nonce": "wallet_nonce=" + strings.Repeat("x", maxWalletNonce+1)} {
		if status := w.do(t, "POST", r.RequestURI, []byte(body), nil, "Content-Type", "application/x-www-form-urlencoded"); status != 400 {
			t.Errorf("%s: got %d, want 400", name, status)
		}
	}
}

func TestUnsignedRequestStandsInTheLink(t *testing.T) {
	w := newWorld(t, nil)
	r := w.ask(t, map[string]any{"preset": "name", "client_id_prefix": byRedirect})
	q := must(url.Parse(r.Link)).Query()
	if r.RequestURI != "" || q.Get("client_id") != "redirect_uri:"+q.Get("response_uri") || q.Get("request_uri") != "" || q.Get("redirect_uri") != "" {
		t.Fatalf("got %s", r.Link)
	}
	// A signed object of such a request would be trusted for a signature that proves nothing.
	if status := w.do(t, "GET", "/vp/requests/"+r.ID.String()+"/object", nil, nil); status != 404 {
		t.Errorf("got %d, want no request object", status)
	}
	claims := map[string]any{"response_mode": q.Get("response_mode"), "state": q.Get("state"), "nonce": q.Get("nonce"), "client_id": q.Get("client_id"), "response_uri": q.Get("response_uri")}
	var metadata map[string]any
	if err := json.Unmarshal([]byte(q.Get("client_metadata")), &metadata); err != nil {
		t.Fatal(err)
	}
	claims["client_metadata"] = metadata
	a := w.walletFor(claims)
	if status, answer := w.respond(t, a.responseTo, form(claims, map[string]any{"pid": []string{w.sdJWT(a)}})); status != 200 {
		t.Errorf("got %d %v, want 200", status, answer)
	}
}

func TestBrowserCarriesRequestAndAnswer(t *testing.T) {
	w := newWorld(t, nil)
	for _, prefix := range []string{byRedirect, byHash} {
		for _, mode := range []string{modeAPI, modeAPISealed} {
			for _, query := range []string{askName, askAge} {
				r := w.ask(t, map[string]any{"dcql_query": json.RawMessage(query), "response_mode": mode, "client_id_prefix": prefix, "expected_origins": []string{"https://shop.example"}})
				claims := r.Browser["data"].(map[string]any)
				protocol := "openid4vp-v1-unsigned"
				if prefix == byHash {
					protocol = "openid4vp-v1-signed"
					_, claims = w.verified(t, claims["request"].(string))
					if got := some(claims["expected_origins"]); len(got) != 1 || got[0] != "https://shop.example" {
						t.Errorf("got %v, want the expected origins", claims)
					}
				} else if claims["client_id"] != nil {
					t.Error("an unsigned request names a client")
				}
				if r.Browser["protocol"] != protocol || claims["state"] != nil || claims["response_uri"] != nil {
					t.Errorf("got %v", r.Browser)
				}
				a := w.walletFor(claims)
				a.audience = "origin:https://shop.example"
				token := map[string]any{"pid": []string{w.sdJWT(a)}}
				if query == askAge {
					token = map[string]any{"age": []string{w.mdoc(a, must(mdoc.DCAPITranscript("https://shop.example", a.nonce, a.thumbprint)))}}
				}
				data := map[string]any{"vp_token": token}
				if mode == modeAPISealed {
					data = map[string]any{"response": seal(claims, sealings[0], data)}
				}
				body := must(json.Marshal(map[string]any{"protocol": protocol, "data": data}))
				for _, from := range []string{"https://evil.example", "https://shop.example"} {
					status := w.do(t, "POST", r.Answer, body, nil, "Content-Type", "application/json", "Origin", from, "Authorization", "Bearer "+r.Secret)
					if want := map[string]int{"https://evil.example": 400, "https://shop.example": 200}[from]; status != want {
						t.Errorf("%s %s from %s: got %d, want %d", prefix, mode, from, status, want)
					}
				}
				if _, result := w.result(t, r, ""); result.Verdict != "valid" {
					t.Errorf("%s %s: got %+v", prefix, mode, result)
				}
			}
		}
	}
}

func TestAnswerOfTheSameDeviceWantsTheCodeOfItsBrowser(t *testing.T) {
	w := newWorld(t, nil)
	r := w.ask(t, map[string]any{"preset": "name", "flow": "same_device", "redirect_uri": "https://shop.example/back?order=1"})
	_, claims := w.object(t, r, nil)
	a := w.walletFor(claims)
	_, answer := w.respond(t, a.responseTo, form(claims, map[string]any{"pid": []string{w.sdJWT(a)}}))
	back := must(url.Parse(answer["redirect_uri"]))
	code := back.Query().Get("response_code")
	if back.Host != "shop.example" || back.Query().Get("order") != "1" || len(code) < 22 {
		t.Fatalf("got %v", answer)
	}
	for name, wrong := range map[string]string{"none": "", "another": secret()} {
		if status, result := w.result(t, r, wrong); status != 403 || result.Credentials != nil {
			t.Errorf("%s: got %d %+v, want nothing given", name, status, result)
		}
	}
	other := w.ask(t, map[string]any{"preset": "name"})
	other.ID = r.ID
	if status, _ := w.result(t, other, code); status != 404 {
		t.Errorf("got %d for another session's secret, want 404", status)
	}
	if status, result := w.result(t, r, code); status != 200 || result.Credentials[0].ID != "urn:uuid:6f1c3f9c-6d4a-4a52-8a3e-0c4f0a3b8f11" {
		t.Errorf("got %d %+v", status, result)
	}
	if _, again := w.result(t, r, code); again.State != stateCollected || again.Credentials != nil || again.Verdict != "valid" {
		t.Errorf("got %+v, want the verdict alone", again)
	}
}

func TestHolderConfirmsTheTransaction(t *testing.T) {
	w := newWorld(t, nil)
	terms := map[string]any{"dcql_query": json.RawMessage(askName), "transaction_data": []any{map[string]any{"type": "payment", "credential_ids": []string{"pid"}, "amount": "10"}}}
	for name, c := range map[string]struct {
		change func(*wallet)
		want   int
	}{
		"confirmed": {func(*wallet) {}, 200},
		"left out":  {func(a *wallet) { a.transaction = nil }, 400},
		"another": {func(a *wallet) {
			a.transaction = []string{base64.RawURLEncoding.EncodeToString([]byte(`{"type":"payment"}`))}
		}, 400},
	} {
		_, claims := w.object(t, w.ask(t, terms), nil)
		a := w.walletFor(claims)
		c.change(&a)
		if status, answer := w.respond(t, a.responseTo, form(claims, map[string]any{"pid": []string{w.sdJWT(a)}})); status != c.want {
			t.Errorf("%s: got %d %v, want %d", name, status, answer, c.want)
		}
	}
}

func TestOldWalletAnswersByPresentationExchange(t *testing.T) {
	w := newWorld(t, nil)
	r := w.ask(t, map[string]any{"response_mode": modePost, "presentation_definition": json.RawMessage(`{"id":"d","input_descriptors":[{"id":"card","format":{"vc+sd-jwt":{}},
		"constraints":{"fields":[{"path":["$.vct"],"filter":{"const":"` + vct + `"}},{"path":["$.family_name"]}]}}]}`)})
	_, claims := w.object(t, r, nil)
	if claims["dcql_query"] != nil || claims["presentation_definition"] == nil {
		t.Fatalf("got %v", claims)
	}
	a := w.walletFor(claims)
	sent := url.Values{"vp_token": {w.sdJWT(a)}, "state": {claims["state"].(string)},
		"presentation_submission": {`{"id":"s","definition_id":"d","descriptor_map":[{"id":"card","format":"vc+sd-jwt","path":"$"}]}`}}
	if status, answer := w.respond(t, a.responseTo, sent); status != 200 {
		t.Errorf("got %d %v, want 200", status, answer)
	}
	if _, result := w.result(t, r, ""); result.Verdict != "valid" {
		t.Errorf("got %+v", result)
	}
}

func TestWalletMayDecline(t *testing.T) {
	w := newWorld(t, nil)
	r := w.ask(t, map[string]any{"preset": "name"})
	_, claims := w.object(t, r, nil)
	to := claims["response_uri"].(string)
	if status, _ := w.respond(t, to, url.Values{"error": {"access_denied"}, "state": {"guessed"}}); status != 400 {
		t.Errorf("got %d, want a stranger's refusal refused", status)
	}
	if status, _ := w.respond(t, to, url.Values{"error": {"<b>"}, "state": {claims["state"].(string)}}); status != 400 {
		t.Errorf("got %d, want an error that is none refused", status)
	}
	if status, _ := w.respond(t, to, url.Values{"error": {"access_denied"}, "error_description": {"no"}, "state": {claims["state"].(string)}}); status != 200 {
		t.Errorf("got %d, want 200", status)
	}
	if _, result := w.result(t, r, ""); result.State != stateRefused || result.Error != "access_denied" || result.Verdict != "" {
		t.Errorf("got %+v", result)
	}
}

func TestWhatWasDisclosedIsForgotten(t *testing.T) {
	w := newWorld(t, nil)
	answered := func(terms map[string]any) Request {
		r := w.ask(t, terms)
		_, claims := w.object(t, r, nil)
		a := w.walletFor(claims)
		if status, answer := w.respond(t, a.responseTo, form(claims, map[string]any{"pid": []string{w.sdJWT(a)}})); status != 200 {
			t.Fatalf("got %d %v", status, answer)
		}
		return r
	}
	plain, keeps := answered(map[string]any{"preset": "name"}), answered(map[string]any{"preset": "name", "keep_presentation_days": 2})
	var open int
	if err := w.Pool.QueryRow(t.Context(), `SELECT count(*) FROM vp_request WHERE sealed IS NOT NULL OR position('Nkosi'::bytea in COALESCE(result, '') || COALESCE(presentation, '')) > 0`).Scan(&open); err != nil || open != 0 {
		t.Errorf("got %d rows in the clear, %v; want none", open, err)
	}
	count := func(what string) (n int) {
		if err := w.Pool.QueryRow(t.Context(), `SELECT count(*) FROM vp_request WHERE `+what).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	w.wait(standardLife + time.Second)
	if err := w.Sweep(t.Context()); err != nil || count("result IS NOT NULL") != 0 || count("presentation IS NOT NULL") != 1 || count("verdict = 'valid' AND digest IS NOT NULL") != 2 {
		t.Errorf("got %v, want results forgotten, the presentation and the verdicts kept", err)
	}
	if _, result := w.result(t, plain, ""); result.Credentials != nil || result.Verdict != "valid" {
		t.Errorf("got %+v, want the verdict alone", result)
	}
	var kept struct {
		Token map[string][]string `json:"vp_token"`
	}
	path := "/presentation"
	if status := w.do(t, "GET", "/vp/requests/"+keeps.ID.String()+path, nil, &kept, "Authorization", "Bearer "+keeps.Secret); status != 200 || len(kept.Token["pid"]) != 1 {
		t.Errorf("got %d %v, want the presentation", status, kept)
	}
	if status := w.do(t, "GET", "/vp/requests/"+plain.ID.String()+path, nil, nil, "Authorization", "Bearer "+plain.Secret); status != 404 {
		t.Errorf("got %d, want nothing kept", status)
	}
	w.wait(48 * time.Hour)
	if err := w.Sweep(t.Context()); err != nil || count("presentation IS NOT NULL") != 0 || count("true") != 2 {
		t.Errorf("got %v, want the presentation forgotten", err)
	}
	w.wait(keptVerdict)
	if err := w.Sweep(t.Context()); err != nil || count("true") != 0 {
		t.Errorf("got %v, want all forgotten", err)
	}
}

func TestPresentedIsForLogins(t *testing.T) {
	w := newWorld(t, nil)
	r, err := w.Ask(t.Context(), Terms{Preset: "name"}, "the login's own secret", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Presented(t.Context(), r.ID, "the login's own secret", ""); !fault.Is(err, fault.Denied) {
		t.Errorf("got %v before an answer, want a denial", err)
	}
	_, claims := w.object(t, r, nil)
	a := w.walletFor(claims)
	w.respond(t, a.responseTo, form(claims, map[string]any{"pid": []string{w.sdJWT(a)}}))
	if _, err := w.Presented(t.Context(), r.ID, "another login", ""); !fault.Is(err, fault.NotFound) {
		t.Errorf("got %v for another login, want nothing found", err)
	}
	shown, err := w.Presented(t.Context(), r.ID, "the login's own secret", "")
	if err != nil || len(shown) != 1 || shown[0].ID != "urn:uuid:6f1c3f9c-6d4a-4a52-8a3e-0c4f0a3b8f11" || shown[0].Issuer != issuer {
		t.Errorf("got %+v, %v", shown, err)
	}
	if again, err := w.Presented(t.Context(), r.ID, "the login's own secret", ""); err == nil {
		t.Errorf("got %+v once more, want it given once", again)
	}
}

// The published answer is opened by the published key.
func TestEncryptedResponseOfTheSpecification(t *testing.T) {
	dir := os.Getenv("TESTDATA_DIR")
	if dir == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("TESTDATA_DIR is not set")
		}
		t.Skip("TESTDATA_DIR is not set: skipped the encrypted response of OpenID4VP")
	}
	var v struct {
		Key      json.RawMessage `json:"private_jwk"`
		JWE      string          `json:"jwe"`
		Expected struct {
			Token map[string][]string `json:"vp_token"`
		} `json:"expected_payload"`
	}
	if err := json.Unmarshal(must(os.ReadFile(filepath.Join(dir, "vectors/openid4vp/encrypted-response.json"))), &v); err != nil {
		t.Fatal(err)
	}
	members, err := unsealBy(v.JWE, must(readKey(v.Key)))
	if err != nil {
		t.Fatal(err)
	}
	token, err := readToken(members["vp_token"])
	if err != nil || !slices.Equal([]string{string(token["example_credential_id"][0])}, []string{`"` + v.Expected.Token["example_credential_id"][0] + `"`}) {
		t.Errorf("got %s, %v", token, err)
	}
}

func readKey(raw []byte) (key jose.JSONWebKey, err error) { return key, json.Unmarshal(raw, &key) }
