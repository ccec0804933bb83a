package oidc

import (
	"context"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/ory/fosite"

	"github.com/plinth-id/plinth/internal/attest"
	"github.com/plinth-id/plinth/oidc/dpop"
	"github.com/plinth-id/plinth/registry/partner"
)

// Wallets prove themselves by what their makers attest (OAuth 2.0 Attestation-Based
// Client Authentication; OpenID4VCI 1.0, appendix E): the maker names the wallet and
// the key of this copy of it, and the copy proves to have that key.
const (
	attestationHeader = "OAuth-Client-Attestation"
	possessionHeader  = "OAuth-Client-Attestation-PoP"
	attestationType   = "oauth-client-attestation+jwt"
	possessionType    = "oauth-client-attestation-pop+jwt"
	possessionAge     = 5 * time.Minute
)

// attested is a wallet that was vouched for.
type attested struct {
	subject  string    // client_id
	instance string    // thumbprint of the key of this copy
	once     []byte    // what its proof is remembered by
	until    time.Time // how long
}

func refusedAttestation(why string) error {
	return fosite.ErrInvalidClient.WithHintf("The attestation of the wallet was refused: %s.", why)
}

// isAttested tells whether a request comes with an attestation.
func (p *Provider) isAttested(r *http.Request) bool {
	return p.Attesters != nil && len(r.Header.Values(attestationHeader)) > 0
}

// attestation judges the one that a request came with. It does not use up its proof.
func (p *Provider) attestation(r *http.Request) (attested, error) {
	sent := r.Header.Values(attestationHeader)
	if len(sent) != 1 {
		return attested{}, refusedAttestation("send it once")
	}
	payload, err := p.Attesters.Verify(sent[0], attestationType, p.Now())
	if err != nil {
		return attested{}, refusedAttestation(err.Error())
	}
	var c struct {
		jwt.Claims
		Confirmation struct {
			JWK json.RawMessage `json:"jwk"`
		} `json:"cnf"`
	}
	if json.Unmarshal(payload, &c) != nil {
		return attested{}, refusedAttestation("its claims cannot be read")
	}
	now := p.Now()
	switch {
	case c.Subject == "" || !partner.Wellformed(c.Subject):
		return attested{}, refusedAttestation("sub names no client")
	case c.Expiry == nil || !now.Before(c.Expiry.Time().Add(skew)):
		return attested{}, refusedAttestation("it has no exp, or it has expired")
	case c.NotBefore != nil && c.NotBefore.Time().After(now.Add(skew)), c.IssuedAt != nil && c.IssuedAt.Time().After(now.Add(skew)):
		return attested{}, refusedAttestation("it is not good yet")
	}
	var key jose.JSONWebKey
	if key.UnmarshalJSON(c.Confirmation.JWK) != nil || !key.IsPublic() || partner.Strong(key.Key) != "" {
		return attested{}, refusedAttestation("cnf must hold a public key")
	}
	sum, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return attested{}, refusedAttestation("cnf must hold a public key")
	}
	a := attested{subject: c.Subject, instance: base64.RawURLEncoding.EncodeToString(sum)}
	return a, p.possession(r, &a, key)
}

// possession checks that the copy of the wallet has its key: by a proof for this, or by
// the one of DPoP when both keys are one.
func (p *Provider) possession(r *http.Request, a *attested, key jose.JSONWebKey) error {
	sent := r.Header.Values(possessionHeader)
	if len(sent) == 0 && len(r.Header.Values("DPoP")) == 1 {
		proof, err := p.proofs.Check(r, p.here(r), "")
		if err != nil || proof.Thumbprint != a.instance {
			return refusedAttestation("the proof of DPoP is not by the key in cnf")
		}
		// As a proof of DPoP it is used up where tokens are bound to it.
		a.once, a.until = p.shownOnce("attestation by dpop", a.instance, proof.ID), p.Now().Add(proofRemembered)
		return nil
	}
	if len(sent) != 1 || len(sent[0]) > maxAssertion {
		return refusedAttestation("send one " + possessionHeader)
	}
	parsed, err := jwt.ParseSigned(sent[0], dpop.Algorithms)
	if err != nil || len(parsed.Headers) != 1 {
		return refusedAttestation("its proof is no JWT that is signed as the metadata says")
	}
	var c jwt.Claims
	if typ, _ := parsed.Headers[0].ExtraHeaders[jose.HeaderType].(string); typ != possessionType {
		return refusedAttestation("typ of its proof must be " + possessionType)
	}
	if parsed.Claims(key.Key, &c) != nil {
		return refusedAttestation("its proof is not by the key in cnf")
	}
	now := p.Now()
	switch {
	case !slices.Equal(c.Audience, jwt.Audience{p.issuer}):
		return refusedAttestation("aud of its proof must be " + p.issuer)
	case c.ID == "" || len(c.ID) > 256:
		return refusedAttestation("its proof has no jti")
	case c.IssuedAt == nil || c.IssuedAt.Time().After(now.Add(skew)) || c.IssuedAt.Time().Before(now.Add(-possessionAge)):
		return refusedAttestation("iat of its proof is not near the present")
	}
	a.once, a.until = p.shownOnce("attestation", a.instance, c.ID), c.IssuedAt.Time().Add(possessionAge+skew)
	return nil
}

// attestOnce uses up the proof of an attestation.
func (p *Provider) attestOnce(ctx context.Context, a attested) error {
	if a.once == nil {
		return nil // nobody attested anything
	}
	first, err := useOnce(ctx, txOf(ctx), [][]byte{a.once}, a.until)
	if err == nil && !first {
		err = refusedAttestation("its proof was used before; make a new one for every request")
	}
	return err
}

// byAttestation authenticates a client that was registered to be attested.
func (p *Provider) byAttestation(ctx context.Context, r *http.Request, form url.Values) (fosite.Client, error) {
	a, err := p.attestation(r)
	if err != nil {
		return nil, err
	}
	if id := form.Get("client_id"); id != "" && id != a.subject {
		return nil, refusedAttestation("client_id is not its sub")
	}
	c, err := p.find(ctx, txOf(ctx), a.subject)
	if err != nil {
		return nil, err
	}
	if c.AuthMethod != partner.Attested {
		return nil, refusedAttestation("this client was registered to authenticate in another way")
	}
	c.instance = a.instance
	return c, p.attestOnce(ctx, a)
}

// attestedMetadata says how wallets may prove themselves.
func (p *Provider) attestedMetadata(m map[string]any) {
	if p.Attesters == nil {
		return
	}
	for _, of := range []string{"token", "revocation", "introspection"} {
		name := of + "_endpoint_auth_methods_supported"
		m[name] = append(slices.Clone(m[name].([]partner.AuthMethod)), partner.Attested, partner.Attested+"_dpop")
	}
	m["client_attestation_signing_alg_values_supported"] = attest.Algorithms
	m["client_attestation_pop_signing_alg_values_supported"] = dpop.Algorithms
}
