package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// identity is a key with a certificate that it has signed itself.
func identity(t *testing.T, host string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	leaf, err := x509.ParseCertificate(raw)
	must(t, err)
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key, Leaf: leaf}
}

// files writes an identity as the settings want it.
func files(t *testing.T, c tls.Certificate) (certificate, key string) {
	t.Helper()
	private, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	must(t, err)
	certificate, key = filepath.Join(t.TempDir(), "c.pem"), filepath.Join(t.TempDir(), "k.pem")
	must(t, os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}), 0o600))
	must(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	return certificate, key
}

// A relying party proves itself by its certificate at the listener that asks for one,
// and its token is of use with that certificate only (RFC 8705).
func TestACertificateOfTheConnectionBindsATokenToIt(t *testing.T) {
	d := demoOf(t)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	address := free.Addr().String()
	must(t, free.Close())
	server, mine, other := identity(t, "localhost"), identity(t, "rp.example"), identity(t, "rp.example")
	certificate, key := files(t, server)
	h := d.here(t, "PLINTH_MTLS_LISTEN="+address, "PLINTH_MTLS_URL=https://"+address, "PLINTH_TLS_CERT="+certificate, "PLINTH_TLS_KEY="+key)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.serveMTLS(ctx) }()
	defer func() { stop(); <-ended }()

	point, err := mine.Leaf.PublicKey.(*ecdsa.PublicKey).Bytes() // 4 ‖ X ‖ Y
	must(t, err)
	jwk := map[string]any{"kty": "EC", "crv": "P-256", "kid": "one", "x": base64.RawURLEncoding.EncodeToString(point[1:33]),
		"y": base64.RawURLEncoding.EncodeToString(point[33:]), "x5c": []string{base64.StdEncoding.EncodeToString(mine.Certificate[0])}}
	metadata, err := json.Marshal(map[string]any{"client_name": "A party with a certificate", "plinth_profile": "fapi2", "redirect_uris": []string{"https://rp.example/callback"}, "scope": "openid ssf.manage",
		"grant_types": []string{"authorization_code", "client_credentials"}, "token_endpoint_auth_method": "self_signed_tls_client_auth", "tls_client_certificate_bound_access_tokens": true,
		"jwks": map[string]any{"keys": []any{jwk}}})
	must(t, err)
	client, err := h.partners.Add(t.Context(), metadata)
	must(t, err)

	trusted := x509.NewCertPool()
	trusted.AddCert(server.Leaf)
	call := func(with *tls.Certificate, token string) (int, string) {
		t.Helper()
		config := &tls.Config{RootCAs: trusted, ServerName: "localhost"}
		if with != nil {
			config.Certificates = []tls.Certificate{*with}
		}
		r, err := http.NewRequest(http.MethodPost, "https://"+address+"/oidc/token", strings.NewReader(url.Values{"grant_type": {"client_credentials"}, "client_id": {client.ID}}.Encode()))
		must(t, err)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if token != "" {
			r, err = http.NewRequest(http.MethodGet, "https://"+address+"/oidc/ssf/streams", nil)
			must(t, err)
			r.Header.Set("Authorization", "Bearer "+token)
		}
		browser := &http.Client{Transport: &http.Transport{TLSClientConfig: config}, Timeout: 10 * time.Second}
		defer browser.CloseIdleConnections()
		var answer *http.Response
		for range 100 { // the listener may not be there yet
			if answer, err = browser.Do(r.Clone(t.Context())); err == nil || !strings.Contains(err.Error(), "refused") {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		must(t, err)
		defer answer.Body.Close()
		raw, err := io.ReadAll(answer.Body)
		must(t, err)
		return answer.StatusCode, string(raw)
	}
	if status, said := call(nil, ""); status != http.StatusUnauthorized {
		t.Errorf("got %d %s without a certificate, want 401", status, said)
	}
	if status, said := call(&other, ""); status != http.StatusUnauthorized {
		t.Errorf("got %d %s with another's certificate, want 401", status, said)
	}
	status, said := call(&mine, "")
	var granted struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(said), &granted); err != nil || status != http.StatusOK {
		t.Fatalf("got %d %s, want a token", status, said)
	}
	for what, c := range map[string]struct {
		with *tls.Certificate
		want int
	}{"its own": {&mine, 200}, "another's": {&other, 401}, "none": {nil, 401}} {
		if status, said := call(c.with, granted.Token); status != c.want {
			t.Errorf("%s: got %d %s, want %d", what, status, said, c.want)
		}
	}
}
