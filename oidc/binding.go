package oidc

import (
	"crypto/x509"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/ory/fosite"

	"github.com/plinth-id/plinth/oidc/dpop"
	"github.com/plinth-id/plinth/registry/partner"
)

// Certificate is what a client's connection was made with.
type Certificate struct {
	Leaf    *x509.Certificate
	Trusted bool // by an authority that we know
}

// The errors of RFC 9449.
var (
	errProof = &fosite.RFC6749Error{ErrorField: "invalid_dpop_proof", CodeField: http.StatusBadRequest, DescriptionField: "The DPoP proof was refused."}
	errNonce = &fosite.RFC6749Error{ErrorField: "use_dpop_nonce", CodeField: http.StatusBadRequest, DescriptionField: "Make the DPoP proof again, with the nonce of the DPoP-Nonce header."}
)

// binding is what a client's tokens are bound to: the key or the certificate that
// it has shown with a request.
type binding struct {
	jkt, jti string
	x5t      string
	instance string // of a wallet that its maker attests
}

// bind reads what a request shows. It judges a proof, but does not use it up.
func (p *Provider) bind(c *gin.Context) (binding, error) {
	var b binding
	if shown := p.certificate(c.Request); shown != nil {
		b.x5t = thumbprint(shown.Leaf.Raw)
	}
	if len(c.Request.Header.Values("DPoP")) == 0 {
		return b, nil
	}
	c.Header("DPoP-Nonce", p.proofs.Nonce())
	proof, err := p.proofs.Check(c.Request, p.here(c.Request), "")
	if errors.Is(err, dpop.ErrNonce) {
		return b, errNonce
	}
	if err != nil {
		return b, errProof.WithHint(err.Error() + ".")
	}
	b.jkt, b.jti = proof.Thumbprint, proof.ID
	return b, nil
}

// here is the address of a request as clients know it.
func (p *Provider) here(r *http.Request) string {
	if p.MTLS != nil && r.Host == p.MTLS.Host {
		return p.MTLS.JoinPath(r.URL.Path).String()
	}
	return p.at(r.URL.Path)
}

// bindable tells whether a client that has shown this may get a token, and to
// what of it the token is bound.
func (p *Provider) bindable(c client, b binding) (binding, error) {
	switch {
	case c.CertificateBound && b.x5t == "":
		return b, fosite.ErrInvalidRequest.WithHint("Tokens of this client are bound to its certificate: connect to the address in mtls_endpoint_aliases.")
	case c.CertificateBound:
		return binding{x5t: b.x5t, instance: c.instance}, nil
	case c.DPoPBound && b.jkt == "":
		return b, errProof.WithHint("Tokens of this client are bound to a key: send a DPoP header.")
	}
	return binding{jkt: b.jkt, jti: b.jti, instance: c.instance}, nil
}

// tokenType is how a token that is bound so is used.
func (b binding) tokenType() string {
	if b.jkt != "" {
		return "DPoP"
	}
	return "Bearer"
}

// bound tells whether tokens of a client are bound to something.
func bound(c client, b binding) bool { return b.jkt != "" || b.x5t != "" && c.CertificateBound }

const senderRule = "tokens bound to a key (DPoP) or certificate"

var errUnbound = fosite.ErrInvalidRequest.WithHint("Send a DPoP header, or connect with a certificate: tokens of this profile are bound to one.")

// fapi is the profile from which on the rules of FAPI 2.0 hold.
const fapi = partner.FAPI2
