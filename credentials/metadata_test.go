package credentials

import (
	"crypto/x509"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/go-jose/go-jose/v4"
	"github.com/plinth-id/plinth/internal/web"
)

func get(t *testing.T, address, accept string) (*http.Response, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	must(t, err)
	r.Header.Set("Accept", accept)
	answer, err := http.DefaultClient.Do(r)
	must(t, err)
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	must(t, err)
	return answer, raw
}

func TestMetadataIsSignedForWhoAsks(t *testing.T) {
	h := newHouse(t)
	address := h.url + "/.well-known/openid-credential-issuer"
	for accept, kind := range map[string]string{"": "application/json", "*/*": "application/json", "application/json, application/jwt": "application/json",
		"application/jwt": "application/jwt", "application/jwt;q=1, application/json;q=0.5": "application/jwt"} {
		answer, _ := get(t, address, accept)
		if got := answer.Header.Get("Content-Type"); answer.StatusCode != 200 || got != kind || answer.Header.Get("Vary") == "" {
			t.Errorf("%q: got %d %s, want %s", accept, answer.StatusCode, got, kind)
		}
	}
	_, signed := get(t, address, "application/jwt")
	parsed, err := jose.ParseSignedCompact(string(signed), []jose.SignatureAlgorithm{jose.ES256})
	must(t, err)
	roots := x509.NewCertPool()
	for _, anchor := range h.Chain.Anchors() {
		roots.AddCert(anchor)
	}
	header := parsed.Signatures[0].Header
	chains, err := header.Certificates(x509.VerifyOptions{Roots: roots, CurrentTime: h.now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	must(t, err)
	if leaf := chains[0][0]; leaf.CheckSignatureFrom(leaf) == nil {
		t.Error("the certificate signs itself")
	}
	payload, err := parsed.Verify(chains[0][0].PublicKey)
	must(t, err)
	var m map[string]any
	must(t, json.Unmarshal(payload, &m))
	if header.ExtraHeaders["typ"] != "openidvci-issuer-metadata+jwt" || m["sub"] != h.url || m["iat"] == nil || m["credential_issuer"] != h.url || m["credential_configurations_supported"] == nil {
		t.Errorf("got %v and %v", header, m)
	}
}

func TestMetadataSaysWhatIsServed(t *testing.T) {
	h := newHouse(t)
	_, raw := get(t, h.url+"/.well-known/openid-credential-issuer", "")
	for _, part := range []string{`"batch_credential_issuance":{"batch_size":20}`, `"deferred_credential_endpoint":"` + h.url + `/vci/deferred"`, `"encryption_required":false`,
		`"zip_values_supported":["DEF"]`, `"credential_reuse_policy":{"id":"arf_annex_ii"`, `"details":["once_only"]`, `"attestation":{"proof_signing_alg_values_supported"`} {
		if !strings.Contains(string(raw), part) {
			t.Errorf("got %s, want %s in it", raw, part)
		}
	}
	answer, nonce := ask(t, "POST", h.url+"/vci/nonce", "", "")
	if answer.Header.Get("DPoP-Nonce") == "" || nonce["c_nonce"] == nil {
		t.Errorf("got %v, want both nonces", answer.Header)
	}
}

// An issuer whose identifier has a path: its metadata is between host and path (12.2.2).
func TestMetadataOfAnIssuerWithAPath(t *testing.T) {
	h := newHouse(t)
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	at, err := url.Parse(server.URL + "/tenant")
	must(t, err)
	c := h.Config
	c.Issuer = at
	i, err := New(c)
	must(t, err)
	r := web.New(web.Config{Public: at, Log: slog.New(slog.DiscardHandler)})
	r.Guard(web.Operator, func(*gin.Context) error { return nil })
	r.Guard(web.Administrator, func(*gin.Context) error { return nil })
	i.Routes(r)
	handler = r
	for path, issuer := range map[string]string{
		"/.well-known/openid-credential-issuer/tenant":             server.URL + "/tenant",
		"/.well-known/openid-credential-issuer/tenant/vci/draft13": server.URL + "/tenant/vci/draft13",
		"/tenant/vci/draft13/.well-known/openid-credential-issuer": server.URL + "/tenant/vci/draft13",
		"/.well-known/openid-credential-issuer":                    "",
		"/tenant/.well-known/openid-credential-issuer":             "",
		"/.well-known/openid-credential-issuer/another":            "",
	} {
		answer, raw := get(t, server.URL+path, "application/json")
		var m map[string]any
		_ = json.Unmarshal(raw, &m)
		got, _ := m["credential_issuer"].(string)
		if got != issuer || (issuer != "") != (answer.StatusCode == 200) {
			t.Errorf("%s: got %d %s, want %q", path, answer.StatusCode, got, issuer)
		}
	}
}
