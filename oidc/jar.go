package oidc

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/ory/fosite"

	"github.com/plinth-id/plinth/registry/partner"
)

const (
	maxRequestObject  = 32 << 10
	requestObjectLife = time.Hour // FAPI 2.0 Message Signing 5.3.1
)

var errRequestObject = fosite.ErrInvalidRequestObject

// unwrap gives the parameters of a request: as they are, or out of the signed
// request object that carries them (RFC 9101). Of what stands beside such an
// object nothing counts but who is asking.
func (p *Provider) unwrap(ctx context.Context, c client, form url.Values) (url.Values, error) {
	if form.Get("request") == "" {
		if c.RequireSignedRequest {
			return nil, fosite.ErrInvalidRequest.WithHint("This client sends signed requests (RFC 9101): put the parameters into the request parameter.")
		}
		return form, p.demand(ctx, c, partner.FAPI2M, "signed requests (RFC 9101)", false, nil)
	}
	if len(form["request"]) > 1 || len(form.Get("request")) > maxRequestObject {
		return nil, errRequestObject.WithHint("Send one request object, of at most 32 KiB.")
	}
	if unsigned(form.Get("request")) {
		if c.Profile.Includes(partner.FAPI2) {
			return nil, errRequestObject.WithHint("Request objects must be signed.")
		}
		return nil, fosite.ErrRequestNotSupported.WithHint("Request objects must be signed.") // OpenID Connect Core 3.1.2.6
	}
	parsed, err := jwt.ParseSigned(form.Get("request"), clientAlgorithms)
	if err != nil || len(parsed.Headers) != 1 {
		return nil, errRequestObject.WithHint("It is no JWT that is signed as the metadata says.")
	}
	if c.RequestAlg != "" && parsed.Headers[0].Algorithm != c.RequestAlg {
		return nil, errRequestObject.WithHint("Its algorithm is not the one of request_object_signing_alg.")
	}
	var claims map[string]json.RawMessage
	var standard jwt.Claims
	if err := p.verifyBy(ctx, c, parsed, &claims, &standard); err != nil {
		return nil, errRequestObject.WithHintf("It was refused: %s.", err.Error())
	}
	if err := p.judgeRequestObject(ctx, c, standard); err != nil {
		return nil, err
	}
	return parameters(c, claims)
}

// unsigned tells a JWT with "alg":"none" (RFC 7515, appendix A.5).
func unsigned(token string) bool {
	parts := strings.Split(token, ".")
	return len(parts) == 3 && parts[2] == ""
}

func (p *Provider) judgeRequestObject(ctx context.Context, c client, s jwt.Claims) error {
	now := p.Now()
	switch {
	case s.Issuer != "" && s.Issuer != c.ID:
		return errRequestObject.WithHint("Its iss is not the client.")
	case len(s.Audience) > 0 && !s.Audience.Contains(p.issuer):
		return errRequestObject.WithHintf("Its aud must be %s.", p.issuer)
	case s.Expiry != nil && !now.Before(s.Expiry.Time().Add(skew)):
		return errRequestObject.WithHint("It has expired.")
	case s.NotBefore != nil && s.NotBefore.Time().After(now.Add(skew)), s.IssuedAt != nil && s.IssuedAt.Time().After(now.Add(skew)):
		return errRequestObject.WithHint("Its nbf or iat is in the future.")
	}
	// FAPI 2.0 Message Signing 5.3.1: nbf and exp, not longer than an hour apart, and aud.
	whole := s.NotBefore != nil && s.Expiry != nil && len(s.Audience) > 0 &&
		now.Sub(s.NotBefore.Time()) <= requestObjectLife && s.Expiry.Time().Sub(s.NotBefore.Time()) <= requestObjectLife
	return p.demand(ctx, c, partner.FAPI2M, "request objects with aud, nbf and exp, for an hour at most", whole,
		errRequestObject.WithHint("It needs aud, nbf and exp, at most an hour apart and not older than that."))
}

// notParameters are claims of a request object that are no parameters of a request.
var notParameters = map[string]bool{"iss": true, "aud": true, "exp": true, "nbf": true, "iat": true, "jti": true, "sub": true}

// parameters reads the claims of a request object as parameters (RFC 9101 section 4).
func parameters(c client, claims map[string]json.RawMessage) (url.Values, error) {
	form := url.Values{}
	for name, raw := range claims {
		if notParameters[name] {
			continue
		}
		var text string
		var list []string
		switch {
		case json.Unmarshal(raw, &text) == nil:
			form.Set(name, text)
		case name == "resource" && json.Unmarshal(raw, &list) == nil:
			form[name] = list
		default: // claims and authorization_details are JSON here; a number is written as it is
			form.Set(name, string(raw))
		}
	}
	if form.Has("request") || form.Has("request_uri") {
		return nil, errRequestObject.WithHint("It must not carry request or request_uri.")
	}
	if form.Get("client_id") != "" && form.Get("client_id") != c.ID {
		return nil, errRequestObject.WithHint("Its client_id is another's.")
	}
	form.Set("client_id", c.ID)
	return form, nil
}
