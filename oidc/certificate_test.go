package oidc_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"math/big"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/plinth-id/plinth/oidc"
)

// shownCertificate takes a header for the certificate of a connection, as a balancer
// hands it on; the tests of cmd/plinth do it with TLS.
func shownCertificate(r *http.Request) *oidc.Certificate {
	der, err := base64.StdEncoding.DecodeString(r.Header.Get("Test-Certificate"))
	if err != nil || len(der) == 0 {
		return nil
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil
	}
	return &oidc.Certificate{Leaf: leaf, Trusted: r.Header.Get("Test-Trusted") != ""}
}

func certify(t *testing.T, key *ecdsa.PrivateKey, name string) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	c, err := x509.ParseCertificate(der)
	must(t, err)
	return c
}

func shows(c *x509.Certificate, trusted string) map[string]string {
	return map[string]string{"Test-Certificate": base64.StdEncoding.EncodeToString(c.Raw), "Test-Trusted": trusted}
}

func TestACertificateProvesItsClientAndBindsItsTokens(t *testing.T) {
	w := open(t)
	key := newKey(t)
	mine, other := certify(t, key, "rp.example"), certify(t, newKey(t), "rp.example")
	bound := map[string]any{"plinth_profile": "fapi2", "grant_types": []string{"client_credentials", "authorization_code"}, "tls_client_certificate_bound_access_tokens": true, "scope": "openid profile"}
	self := map[string]any{"token_endpoint_auth_method": "self_signed_tls_client_auth",
		"jwks": jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "c", Certificates: []*x509.Certificate{mine}}}}}
	named := map[string]any{"token_endpoint_auth_method": "tls_client_auth", "jwks": nil, "tls_client_auth_san_dns": "rp.example"}
	for name, x := range map[string]struct {
		method  map[string]any
		headers map[string]string
		good    bool
	}{
		"its own":             {self, shows(mine, ""), true},
		"another's":           {self, shows(other, "yes"), false},
		"none":                {self, nil, false},
		"of a known CA":       {named, shows(other, "yes"), true},
		"of no CA":            {named, shows(mine, ""), false},
		"of another name, CA": {named, shows(certify(t, key, "evil.example"), "yes"), false},
	} {
		metadata := map[string]any{}
		for _, from := range []map[string]any{bound, x.method} {
			for k, v := range from {
				metadata[k] = v
			}
		}
		c := w.register(t, metadata)
		got := w.send(t, "/oidc/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {c.id}}, x.headers)
		if (got.status == 200) != x.good {
			t.Errorf("%s: got %d %s", name, got.status, got.text)
		}
		if x.good {
			told := w.send(t, "/oidc/introspect", url.Values{"client_id": {c.id}, "token": {got.str("access_token")}}, x.headers).body
			if cnf, _ := told["cnf"].(map[string]any); told["active"] != true || cnf["x5t#S256"] == nil {
				t.Errorf("%s: got %v, want the token bound", name, told)
			}
		}
	}
	for k, v := range self {
		bound[k] = v
	}
	c := w.register(t, bound)
	pushed := w.send(t, "/oidc/par", with(w.question(c), "scope", "openid"), shows(mine, ""))
	code := w.browser(t).login(t, w.asks(url.Values{"client_id": {c.id}, "request_uri": {pushed.str("request_uri")}})).Get("code")
	token := w.send(t, "/oidc/token", url.Values{"grant_type": {"authorization_code"}, "client_id": {c.id}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier}}, shows(mine, ""))
	for name, x := range map[string]struct {
		headers map[string]string
		status  int
	}{"its own": {shows(mine, ""), 200}, "another's": {shows(other, ""), 401}, "none": {map[string]string{}, 401}} {
		x.headers["Authorization"] = "Bearer " + token.str("access_token")
		if got := w.ask(t, "GET", "/oidc/userinfo", x.headers); got.status != x.status {
			t.Errorf("%s: got %d %s, want %d", name, got.status, got.text, x.status)
		}
	}
}
