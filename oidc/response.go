package oidc

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/ory/fosite"
)

// responseLife is how long a signed response is good (JARM 2.1).
const responseLife = 10 * time.Minute

func failure(known *fosite.RFC6749Error) url.Values {
	return url.Values{"error": {known.ErrorField}, "error_description": {ascii(known.GetDescription())}}
}

// back is the address of the client with our answer. Every answer says whose it
// is (RFC 9207), so that a client of several providers is not mixed up.
func (p *Provider) back(ctx context.Context, c client, a asked, answer url.Values) (string, error) {
	answer.Set("iss", p.issuer)
	if a.State != "" {
		answer.Set("state", a.State)
	}
	if a.Mode == "jwt" {
		signed, err := p.signedResponse(ctx, c, answer)
		if err != nil {
			return "", err
		}
		answer = url.Values{"response": {signed}}
	}
	joint := "?"
	if strings.Contains(a.Redirect, "?") {
		joint = "&"
	}
	return a.Redirect + joint + answer.Encode(), nil
}

// signedResponse makes a JWT of an answer (JWT Secured Authorization Response Mode 2).
func (p *Provider) signedResponse(ctx context.Context, c client, answer url.Values) (string, error) {
	claims := map[string]any{"aud": c.ID, "exp": p.Now().Add(responseLife).Unix()}
	for name := range answer {
		claims[name] = answer.Get(name)
	}
	signed, err := p.sign(c.ResponseAlg, "", claims)
	if err != nil || c.ResponseKeyAlg == "" {
		return signed, err
	}
	return p.encrypt(ctx, c, c.ResponseKeyAlg, c.ResponseContentAlg, signed)
}
