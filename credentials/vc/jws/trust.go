package jws

import (
	"context"
	"crypto"
	"crypto/x509"
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
