package oidc

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"maps"

	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/ory/fosite"
)

// idToken tells a client who logged in, how and when (OpenID Connect Core 2).
func (p *Provider) idToken(ctx context.Context, c client, m minted) (string, error) {
	now, half := p.Now(), sha256.Sum256([]byte(m.token))
	claims := map[string]any{}
	maps.Copy(claims, m.claims)
	// Written last: no claim about a person may take the place of one about the login.
	maps.Copy(claims, map[string]any{"iss": p.issuer, "sub": m.subject, "aud": c.ID, "iat": now.Unix(), "exp": now.Add(idTokenLife).Unix(),
		"at_hash": base64.RawURLEncoding.EncodeToString(half[:16])})
	if acr := m.grant.ACR(); acr != "" {
		maps.Copy(claims, map[string]any{"auth_time": m.grant.At().Unix(), "acr": acr, "amr": m.grant.AMR()})
	}
	if m.facts.Nonce != "" {
		claims["nonce"] = m.facts.Nonce
	}
	if m.session != nil {
		claims["sid"] = m.session.String()
	}
	signed, err := p.sign(c.IDTokenAlg, "JWT", claims)
	if err != nil || c.IDTokenKeyAlg == "" {
		return signed, err
	}
	return p.encrypt(ctx, c, c.IDTokenKeyAlg, c.IDTokenContentAlg, signed)
}

// pastToken is an ID token of ours, however old.
type pastToken struct {
	jwt.Claims
	Session string `json:"sid"`
}

// past reads an ID token that we gave to somebody.
func (p *Provider) past(token string) (pastToken, bool) {
	var t pastToken
	if len(token) > maxAssertion || p.ours(token, &t) != nil {
		return t, false
	}
	return t, t.Issuer == p.issuer && t.Subject != "" && len(t.Audience) == 1
}

// hinted reads an id_token_hint, whose person must be the one who logs in.
func (p *Provider) hinted(a *asked, hint string) error {
	if hint == "" {
		return nil
	}
	refused := fosite.ErrInvalidRequest.WithHint("The id_token_hint is no ID token of ours for this client.")
	t, ok := p.past(hint)
	if !ok || !t.Audience.Contains(a.Client) || a.Subject != "" && a.Subject != t.Subject {
		return refused
	}
	a.Subject = t.Subject
	return nil
}
