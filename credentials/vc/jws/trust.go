package jws

import (
	"context"
	"crypto"
	"crypto/x509"
	"net/url"
	"slices"
	"time"
)

// Trust says whose signature counts.
type Trust struct {
	// Keys gives the key of an issuer, or ErrUnknownKey. The key's id may be empty.
	// The key must be the issuer's own: nothing else binds the two.
	Keys func(ctx context.Context, issuer, keyID string) (crypto.PublicKey, error)
	// Anchors are what a chain in x5c may lead to. Without any, chains are not looked at.
	Anchors *x509.CertPool
	// HAIP demands a chain, and that the anchor is not in it.
	HAIP bool
}

// Signatory is who must have signed a token.
type Signatory struct {
	Key crypto.PublicKey
	// Name is the issuer that the token names or, if the certificate does not speak for
	// that, the subject of the certificate. So none who is trusted can appear as another.
	Name string
	// Path leads from the certificate to its anchor; nil: found by Keys.
	Path []*x509.Certificate
}

// Signatory finds who must have signed a token that names an issuer. A chain that leads
// nowhere is refused even if Keys knows the issuer: the token has said which way it goes.
func (t Trust) Signatory(ctx context.Context, h Header, issuer string, now time.Time) (Signatory, error) {
	if h.Chain != nil && t.Anchors != nil {
		path, err := CheckChain(h.Chain, t.Anchors, now, t.HAIP)
		if err != nil {
			return Signatory{}, err
		}
		if err := CheckDocumentSigner(path, issuer); err != nil {
			return Signatory{}, err
		}
		name := issuer
		if !speaksFor(path[0], issuer) {
			name = path[0].Subject.String()
		}
		return Signatory{path[0].PublicKey, name, path}, nil
	}
	if t.HAIP {
		return Signatory{}, ErrUntrusted
	}
	if t.Keys == nil {
		return Signatory{}, ErrUnknownKey
	}
	key, err := t.Keys(ctx, issuer, h.KeyID)
	if err == nil && key == nil {
		err = ErrUnknownKey
	}
	if err != nil {
		return Signatory{}, err
	}
	return Signatory{Key: key, Name: issuer}, nil
}

func speaksFor(leaf *x509.Certificate, issuer string) bool {
	at, err := url.Parse(issuer)
	if err != nil || issuer == "" {
		return false
	}
	if slices.ContainsFunc(leaf.URIs, func(u *url.URL) bool { return u.String() == issuer }) {
		return true
	}
	return at.Scheme == "https" && at.Host != "" && leaf.VerifyHostname(at.Hostname()) == nil
}
