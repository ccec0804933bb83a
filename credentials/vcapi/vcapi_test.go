package vcapi

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/postgres/pgtest"
	"github.com/plinth-id/plinth/internal/web"
)

func serve(t *testing.T, access Access) (*Bench, func(method, path, body string) (int, map[string]any)) {
	t.Helper()
	pool := pgtest.Pool(t)
	root, err := keys.FileRoot(filepath.Join(t.TempDir(), "root.key"), "a passphrase for tests")
	must(t, err)
	ring, err := keys.Open(t.Context(), pool, root)
	must(t, err)
	b, err := OpenBench(t.Context(), Config{Ring: ring, Access: access})
	must(t, err)
	at, _ := url.Parse("https://id.example.org")
	r := web.New(web.Config{Public: at, Log: slog.New(slog.DiscardHandler)})
	r.Guard(web.Administrator, func(*gin.Context) error { return nil })
	b.Routes(r)
	return b, func(method, path, body string) (int, map[string]any) {
		w := httptest.NewRecorder()
		request := httptest.NewRequest(method, base+path, strings.NewReader(body))
		request.Header.Set("Content-Type", "application/json")
		r.ServeHTTP(w, request)
		var got map[string]any
		_ = json.Unmarshal(w.Body.Bytes(), &got)
		return w.Code, got
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const credential = `{"@context":["https://www.w3.org/ns/credentials/v2"],"type":["VerifiableCredential"],"credentialSubject":{"id":"did:example:subject"}`

func TestWhatIsIssuedIsVerified(t *testing.T) {
	b, ask := serve(t, Open)
	issuers, err := b.Issuers()
	must(t, err)
	for _, suite := range []string{suiteEdDSA, suiteECDSA} {
		code, body := ask("POST", "/credentials/issue", `{"credential":`+credential+`,"issuer":"`+issuers[suite]+`"},"options":{"cryptosuite":"`+suite+`"}}`)
		if code != http.StatusCreated {
			t.Fatalf("%s: got %d %v", suite, code, body)
		}
		raw, err := json.Marshal(body["verifiableCredential"])
		must(t, err)
		if code, body := ask("POST", "/credentials/verify", `{"verifiableCredential":`+string(raw)+`}`); code != 200 || body["verified"] != true {
			t.Errorf("%s: got %d %v, want it verified", suite, code, body)
		}
		forged := bytes.Replace(raw, []byte("did:example:subject"), []byte("did:example:another"), 1)
		code, body = ask("POST", "/credentials/verify", `{"verifiableCredential":`+string(forged)+`}`)
		if details, _ := body["problemDetails"].([]any); code != 400 || body["verified"] != false || len(details) != 1 {
			t.Errorf("%s: got %d %v, want a changed one refused", suite, code, body)
		}
	}
	if code, body := ask("POST", "/credentials/issue", `{"credential":`+credential+`},"options":{"cryptosuite":"ecdsa-sd-2023","mandatoryPointers":["/issuer"]}}`); code != 201 {
		t.Errorf("got %d %v, want a base proof", code, body)
	}
}

func TestWhatCannotBeIssuedIsRefused(t *testing.T) {
	_, ask := serve(t, Open)
	for name, body := range map[string]string{
		"no JSON":           `{`,
		"no credential":     `{}`,
		"an unknown suite":  `{"credential":` + credential + `},"options":{"cryptosuite":"bbs-2023"}}`,
		"another's issuer":  `{"credential":` + credential + `,"issuer":"did:web:id.example.org"}}`,
		"an undefined term": `{"credential":` + credential + `,"favourite":"blue"}}`,
		"a remote context":  `{"credential":` + strings.Replace(credential, `credentials/v2"`, `credentials/v2","https://evil.example/context"`, 1) + `}}`,
	} {
		if code, got := ask("POST", "/credentials/issue", body); code != 400 || got["type"] == nil {
			t.Errorf("%s: got %d %v, want 400 and a problem", name, code, got)
		}
	}
	for _, path := range []string{"/credentials/verify", "/presentations/verify"} {
		if code, _ := ask("POST", path, `{}`); code != 400 {
			t.Errorf("%s: got %d, want 400", path, code)
		}
	}
}

func TestNobodyComesInUnlessItIsOpen(t *testing.T) {
	_, ask := serve(t, Off)
	if code, _ := ask("POST", "/credentials/issue", `{}`); code != 404 {
		t.Errorf("got %d, want nothing there", code)
	}
	_, ask = serve(t, Open)
	if code, _ := ask("POST", "/credentials/status", `{"credentialId":"urn:uuid:1","credentialStatus":{"statusPurpose":"revocation"},"status":true}`); code != 403 {
		t.Errorf("got %d, want the status for administrators alone", code)
	}
}
