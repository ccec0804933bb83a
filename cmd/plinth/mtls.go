package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"github.com/plinth-id/plinth/internal/web"
	"github.com/plinth-id/plinth/oidc"
)

// MTLS is how clients connect with certificates: at a listener of our own, or
// through a balancer that hands their certificates on.
type MTLS struct {
	Listen string
	URL    *url.URL
	CAs    *x509.CertPool // whose certificates prove a name; nil: none
	Header string         // of a balancer in PLINTH_PROXIES; empty: none
}

// mtlsKeys are the settings of certificates.
var mtlsKeys = []key{
	{"PLINTH_MTLS_URL", "", "public base URL at which relying parties connect with certificates (mtls_endpoint_aliases); empty: nowhere", func(s *Settings, v string) (err error) {
		if v != "" {
			s.MTLS.URL, err = baseURL(v)
		}
		return err
	}},
	{"PLINTH_MTLS_LISTEN", "", "address and port that asks for certificates, with the key of PLINTH_TLS_CERT; empty: a balancer asks for them", text(func(s *Settings) *string { return &s.MTLS.Listen })},
	{"PLINTH_MTLS_CAS", "", "authorities (PEM file) whose certificates prove a name (tls_client_auth); empty: none", func(s *Settings, v string) error {
		if v == "" {
			return nil
		}
		raw, err := os.ReadFile(v)
		if err != nil {
			return err
		}
		s.MTLS.CAs = x509.NewCertPool()
		if !s.MTLS.CAs.AppendCertsFromPEM(raw) {
			return errors.New("holds no certificate")
		}
		return nil
	}},
	{"PLINTH_MTLS_HEADER", "", "header in which a balancer of PLINTH_PROXIES hands the certificate on: Client-Cert (RFC 9440), or one with PEM in URL encoding; it must take away what callers send", text(func(s *Settings) *string { return &s.MTLS.Header })},
}

const maxCertificate = 16 << 10

// certificate is what a connection was made with; nil: nothing.
func (s Settings) certificate(r *http.Request) *oidc.Certificate {
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		return s.MTLS.judged(r.TLS.PeerCertificates)
	}
	value := r.Header.Get(s.MTLS.Header)
	if s.MTLS.Header == "" || value == "" || len(value) > maxCertificate || !s.fromProxy(r) {
		return nil
	}
	der := handedOn(value)
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil
	}
	return s.MTLS.judged([]*x509.Certificate{leaf})
}

// handedOn reads the forms in which balancers write a certificate.
func handedOn(value string) []byte {
	if inner, ok := strings.CutPrefix(value, ":"); ok { // RFC 9440, 2.1
		der, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(inner, ":"))
		if err != nil {
			return nil
		}
		return der
	}
	plain, err := url.QueryUnescape(value)
	if err != nil {
		return nil
	}
	// Plus signs of base64 must survive, which some balancers leave as they are.
	if block, _ := pem.Decode([]byte(plain)); block != nil {
		return block.Bytes
	}
	if plain, err = url.PathUnescape(value); err == nil {
		if block, _ := pem.Decode([]byte(plain)); block != nil {
			return block.Bytes
		}
	}
	return nil
}

func (s Settings) fromProxy(r *http.Request) bool {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	for _, range_ := range s.Proxies {
		if range_.Contains(at.Addr().Unmap()) {
			return true
		}
	}
	return false
}

// judged tells whether a certificate proves its name; without that it is one that
// its holder has signed, which a relying party may be registered with.
func (m MTLS) judged(chain []*x509.Certificate) *oidc.Certificate {
	c := &oidc.Certificate{Leaf: chain[0]}
	if m.CAs == nil {
		return c
	}
	between := x509.NewCertPool()
	for _, other := range chain[1:] {
		between.AddCert(other)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: m.CAs, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	c.Trusted = err == nil
	return c
}

// serveMTLS answers where certificates are asked for. Whose certificate it is, is
// judged request by request: nobody is turned away for having none.
func (h *house) serveMTLS(ctx context.Context) error {
	if h.MTLS.Listen == "" {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(h.TLSCert, h.TLSKey)
	if err != nil {
		return wrongUse{fmt.Errorf("PLINTH_MTLS_LISTEN needs PLINTH_TLS_CERT and PLINTH_TLS_KEY: %w", err)}
	}
	ln, err := net.Listen("tcp", h.MTLS.Listen)
	if err != nil {
		return wrongUse{fmt.Errorf("PLINTH_MTLS_LISTEN: %w", err)}
	}
	asking := strictTLS(pair)
	asking.ClientAuth = tls.RequestClientCert
	return web.Serve(ctx, tls.NewListener(ln, asking), h.front(), drain)
}
