package oidc

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/ory/fosite"

	"github.com/plinth-id/plinth/internal/keys"
)

// idToken tells a client who logged in, how and when (OpenID Connect Core 2).
func (p *Provider) idToken(clientID string, m minted) (string, error) {
	key, err := p.Ring.Signer(keys.OIDCSigning)
	if err != nil {
		return "", fmt.Errorf("signing an ID token: %w", err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: cryptosigner.Opaque(key.Signer)},
		(&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", key.ID))
	if err != nil {
		return "", fmt.Errorf("signing an ID token: %w", err)
	}
	now, half := p.Now(), sha256.Sum256([]byte(m.access))
	claims := map[string]any{}
	maps.Copy(claims, m.claims)
	// Written last: no claim about a person may take the place of one about the login.
	maps.Copy(claims, map[string]any{"iss": p.issuer, "sub": m.subject, "aud": clientID, "iat": now.Unix(), "exp": now.Add(idTokenLife).Unix(),
		"auth_time": m.grant.At().Unix(), "acr": m.grant.ACR(), "amr": m.grant.AMR(), "at_hash": base64.RawURLEncoding.EncodeToString(half[:16])})
	if m.facts.Nonce != "" {
		claims["nonce"] = m.facts.Nonce
	}
	signed, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		return "", fmt.Errorf("signing an ID token: %w", err)
	}
	return signed, nil
}

// hinted reads an id_token_hint: an ID token of ours, however old, whose person
// must be the one who logs in.
func (p *Provider) hinted(a *asked, hint string) error {
	if hint == "" {
		return nil
	}
	refused := fosite.ErrInvalidRequest.WithHint("The id_token_hint is no ID token of ours for this client.")
	if len(hint) > maxAssertion {
		return refused
	}
	parsed, err := jwt.ParseSigned(hint, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return refused
	}
	for _, key := range p.Ring.Verifiers(keys.OIDCSigning) {
		var claims jwt.Claims
		if parsed.Claims(key.Public, &claims) != nil {
			continue
		}
		if claims.Issuer != p.issuer || !claims.Audience.Contains(a.Client) || a.Subject != "" && a.Subject != claims.Subject {
			return refused
		}
		a.Subject = claims.Subject
		return nil
	}
	return refused
}
