package oidc

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/ory/fosite"
)

const (
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	skew          = 10 * time.Second // FAPI 2.0: clocks up to 10 s ahead
	assertionLife = 10 * time.Minute // the longest that we remember a jti for
	maxAssertion  = 8 << 10
	minRSA        = 2048
)

// What clients may sign with: FAPI 2.0 leaves out RS256 (ASVS 11.6.1).
var (
	fapiAlgorithms   = []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA, jose.PS256}
	clientAlgorithms = append(slices.Clone(fapiAlgorithms), jose.RS256)
)

func (c client) algorithms() []jose.SignatureAlgorithm {
	if c.Profile == fapi2 {
		return fapiAlgorithms
	}
	return clientAlgorithms
}

// authenticate finds out which client is asking: by its assertion, or, for one
// without a key, by its id alone (PKCE then protects the code).
func (p *Provider) authenticate(ctx context.Context, r *http.Request, form url.Values) (fosite.Client, error) {
	if r.Header.Get("Authorization") != "" {
		return nil, fosite.ErrInvalidClient.WithHint("Use private_key_jwt: client_assertion and client_assertion_type in the body.")
	}
	if form.Get("client_assertion") == "" && form.Get("client_assertion_type") == "" {
		c, err := p.find(ctx, txOf(ctx), form.Get("client_id"))
		if !known(err) || err == nil && !c.IsPublic() {
			return nil, fosite.ErrInvalidClient.WithHint("Send a client_assertion.")
		}
		return c, err
	}
	if form.Get("client_assertion_type") != assertionType || len(form.Get("client_assertion")) > maxAssertion {
		return nil, fosite.ErrInvalidClient.WithHintf("The client_assertion_type must be %s.", assertionType)
	}
	parsed, err := jwt.ParseSigned(form.Get("client_assertion"), clientAlgorithms)
	if err != nil || len(parsed.Headers) != 1 {
		return nil, fosite.ErrInvalidClient.WithHint("The client_assertion is no JWT that is signed as the metadata says.")
	}
	return p.judgeAssertion(ctx, form, parsed)
}

// judgeAssertion checks one (RFC 7523 section 3, FAPI 2.0 section 5.3.2). The
// claims that are read before the signature is checked choose the key, no more.
func (p *Provider) judgeAssertion(ctx context.Context, form url.Values, parsed *jwt.JSONWebToken) (fosite.Client, error) {
	var unproven jwt.Claims
	if err := parsed.UnsafeClaimsWithoutVerification(&unproven); err != nil {
		return nil, fosite.ErrInvalidClient.WithHint("The claims of the client_assertion cannot be read.")
	}
	if id := form.Get("client_id"); id != "" && id != unproven.Subject {
		return nil, fosite.ErrInvalidClient.WithHint("The client_id is not the subject of the client_assertion.")
	}
	c, err := p.find(ctx, txOf(ctx), unproven.Subject)
	if !known(err) {
		return nil, fosite.ErrInvalidClient.WithHint("The client is not registered.")
	}
	if err != nil {
		return nil, err
	}
	claims, err := c.verify(parsed)
	if err != nil {
		return nil, fosite.ErrInvalidClient.WithHintf("The client_assertion was refused: %s.", err.Error())
	}
	if err := p.judgeClaims(c, claims); err != nil {
		return nil, fosite.ErrInvalidClient.WithHintf("The client_assertion was refused: %s.", err.Error())
	}
	first, err := useAssertion(ctx, txOf(ctx), c.ID, claims.ID, claims.Expiry.Time().Add(skew))
	if err != nil {
		return nil, err
	}
	if !first {
		return nil, fosite.ErrInvalidClient.WithHint("The client_assertion was used before. Make a new one with another jti for every request.")
	}
	return c, nil
}

// assertion is what a client says to prove who it is.
type assertion struct {
	jwt.Claims
	Single string // the audience, when it was a string and no array
}

// verify checks the signature with the keys that were registered, and no others.
func (c client) verify(parsed *jwt.JSONWebToken) (assertion, error) {
	header := parsed.Headers[0]
	if !slices.Contains(c.algorithms(), jose.SignatureAlgorithm(header.Algorithm)) {
		return assertion{}, errors.New("its algorithm is not allowed for this client")
	}
	if c.IsPublic() {
		return assertion{}, errors.New("this client has no keys")
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(c.JWKS, &set); err != nil {
		return assertion{}, errors.New("the registered keys cannot be read")
	}
	for _, key := range set.Keys {
		if !usable(key, header) {
			continue
		}
		var a assertion
		var raw struct {
			Audience json.RawMessage `json:"aud"`
		}
		if err := parsed.Claims(key.Key, &a.Claims, &raw); err != nil {
			continue
		}
		_ = json.Unmarshal(raw.Audience, &a.Single) // stays empty for an array
		return a, nil
	}
	return assertion{}, errors.New("no registered key made its signature")
}

// usable tells whether a key may have made a signature with this header.
func usable(key jose.JSONWebKey, header jose.Header) bool {
	if !key.IsPublic() || header.KeyID != "" && key.KeyID != header.KeyID ||
		key.Use != "" && key.Use != "sig" || key.Algorithm != "" && key.Algorithm != header.Algorithm {
		return false
	}
	k, isRSA := key.Key.(*rsa.PublicKey)
	return !isRSA || k.N.BitLen() >= minRSA
}

func (p *Provider) judgeClaims(c client, a assertion) error {
	now := p.Now()
	switch {
	case a.Issuer != c.ID || a.Subject != c.ID:
		return errors.New("iss and sub must be the client_id")
	case !p.forUs(c, a):
		return errors.New("aud must be " + p.issuer)
	case a.Expiry == nil || !now.Before(a.Expiry.Time().Add(skew)):
		return errors.New("it has no exp, or it has expired")
	case a.Expiry.Time().After(now.Add(assertionLife + skew)):
		return errors.New("exp is too far ahead; a minute is enough")
	case a.IssuedAt != nil && a.IssuedAt.Time().After(now.Add(skew)), a.NotBefore != nil && a.NotBefore.Time().After(now.Add(skew)):
		return errors.New("iat or nbf is in the future; check the clock")
	case a.ID == "" || len(a.ID) > 256:
		return errors.New("it has no jti")
	}
	return nil
}

// forUs tells whether an assertion is meant for us and for nobody else, so that
// one caught by a rogue server is of no use here, nor ours there.
func (p *Provider) forUs(c client, a assertion) bool {
	if c.Profile == fapi2 {
		return a.Single == p.issuer
	}
	ours := []string{p.issuer, p.at("/oidc/token"), p.at("/oidc/par"), p.at("/oidc/revoke")}
	for _, audience := range a.Audience {
		if !slices.Contains(ours, audience) {
			return false
		}
	}
	return len(a.Audience) > 0
}
