package jose

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/plinth-id/plinth/credentials/vc/jws"
)

// openBefore follows the Data Model 1.1, section 6.3.1: the document is the claim vc
// or vp, and what the JWT says itself is put into it.
func openBefore(ctx context.Context, e Envelope, o Options, now time.Time) (Document, jws.Times, error) {
	token, err := jws.Parse(e.Content)
	if err != nil {
		return Document{}, jws.Times{}, err
	}
	if t := token.Header.Type; t != "" && t != "jwt" {
		return Document{}, jws.Times{}, ErrMediaType
	}
	claims, err := jws.Object(token.Payload)
	if err != nil {
		return Document{}, jws.Times{}, err
	}
	name, other := "vc", "vp"
	if e.presentation() {
		name, other = other, name
	}
	inside, ok := claims[name].(map[string]any)
	if _, both := claims[other]; !ok || both {
		return Document{}, jws.Times{}, fmt.Errorf("%w: it needs the claim %s alone", ErrMalformed, name)
	}
	document, err := decoded(claims, inside, e.presentation())
	if err != nil {
		return Document{}, jws.Times{}, err
	}
	var tokens []Envelope
	if e.presentation() {
		if tokens, err = credentialsBefore(document["verifiableCredential"]); err != nil {
			return Document{}, jws.Times{}, err
		}
		delete(document, "verifiableCredential")
	}
	d, err := readAny(document, e.presentation(), contextV1)
	if err != nil {
		return Document{}, jws.Times{}, err
	}
	d.Credentials = tokens
	return o.signed(ctx, token, d, claims, now)
}

// decoded puts the claims of the JWT into the document. Where both say something they
// must say the same.
func decoded(claims, inside map[string]any, presentation bool) (map[string]any, error) {
	document := maps.Clone(inside)
	party := "issuer"
	if presentation {
		party = "holder"
	}
	by, err := named(document[party])
	if err != nil {
		return nil, err
	}
	if by, err = signer(claims, by); err != nil {
		return nil, err
	}
	if _, object := document[party].(map[string]any); !object && by != "" {
		document[party] = by
	}
	if err := agree(document, "id", claims["jti"]); err != nil || presentation {
		return document, err
	}
	if sub, given := claims["sub"]; given {
		subject, ok := document["credentialSubject"].(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%w: sub, but not exactly one subject", ErrMalformed)
		}
		subject = maps.Clone(subject)
		if err := agree(subject, "id", sub); err != nil {
			return nil, err
		}
		document["credentialSubject"] = subject
	}
	times, err := jws.ReadTimes(claims)
	if err != nil {
		return nil, err
	}
	for name, at := range map[string]time.Time{"issuanceDate": times.NotBefore, "expirationDate": times.Expires} {
		// The JWT's own times are checked with the signature, whatever the document says.
		if _, given := document[name]; !given && !at.IsZero() {
			document[name] = at.Format(time.RFC3339)
		}
	}
	return document, nil
}

func agree(object map[string]any, name string, claim any) error {
	if claim == nil {
		return nil
	}
	text, ok := claim.(string)
	if !ok {
		return fmt.Errorf("%w: %s is not text", ErrMalformed, name)
	}
	if was, given := object[name]; given && was != text {
		return fmt.Errorf("%w: %s", ErrConflict, name)
	}
	object[name] = text
	return nil
}

// credentialsBefore reads the credentials of a vp: JWTs as texts.
func credentialsBefore(v any) ([]Envelope, error) {
	tokens, err := texts(v)
	if err != nil {
		return nil, fmt.Errorf("%w: credentials that are not JWTs in a vp", ErrUnsupported)
	}
	if len(tokens) > maxCredentials {
		return nil, fmt.Errorf("%w: more than %d credentials", ErrTooLarge, maxCredentials)
	}
	all := make([]Envelope, len(tokens))
	for i, token := range tokens {
		all[i] = Envelope{MediaType: CredentialJWTBefore, Content: token}
	}
	return all, nil
}
