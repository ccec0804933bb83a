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

// Key finds the key that a token must be signed with. A chain that leads nowhere is
// refused even if Keys knows the issuer: the token has said which way it goes.
func (t Trust) Key(ctx context.Context, h Header, issuer string, now time.Time) (crypto.PublicKey, error) {
	if h.Chain != nil && t.Anchors != nil {
		if err := CheckChain(h.Chain, t.Anchors, now, t.HAIP); err != nil {
			return nil, err
		}
		return h.Chain[0].PublicKey, nil
	}
	if t.HAIP {
		return nil, ErrUntrusted
	}
	if t.Keys == nil {
		return nil, ErrUnknownKey
	}
	key, err := t.Keys(ctx, issuer, h.KeyID)
	if err == nil && key == nil {
		return nil, ErrUnknownKey
	}
	return key, err
}

// Signer says who has signed a token that was verified, and the chain if that was
// trusted: the issuer that it names or, if the certificate does not speak for that,
// the subject of the certificate. So none who is trusted can appear as another.
func (t Trust) Signer(h Header, issuer string) (string, []*x509.Certificate) {
	if t.Anchors == nil || h.Chain == nil {
		return issuer, nil
	}
	if speaksFor(h.Chain[0], issuer) {
		return issuer, h.Chain
	}
	return h.Chain[0].Subject.String(), h.Chain
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
