package vc

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"
)

// typeTrust is the typ of a signed trust list, so that no other token can pass for
// one.
const typeTrust = "plinth-trust+jwt"

// Edition is what a signed trust list is checked against.
type Edition struct {
	Keys  []crypto.PublicKey // given by the user: who may sign, beside those named in After
	After TrustList          // the newest edition known; empty before the first
	Now   time.Time
}

// SignTrustList signs a list by a key of Ed25519 or P-256, as a compact JWS.
func SignTrustList(t TrustList, signer crypto.Signer) ([]byte, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	if t.Sequence == 0 || t.Issued.IsZero() || !t.Expires.After(t.Issued) {
		return nil, fmt.Errorf("%w: a signed trust list has a sequence, and a time from and until which it is good", ErrMalformed)
	}
	suite, hash, err := suiteOf(signer.Public())
	if err != nil || hash != crypto.SHA256 {
		return nil, fmt.Errorf("%w: a trust list takes a key of Ed25519 or P-256", ErrUnsupported)
	}
	algorithm := jose.EdDSA
	if suite == suiteECDSA {
		algorithm = jose.ES256
	}
	writer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: cryptosigner.Opaque(signer)}, (&jose.SignerOptions{}).WithType(typeTrust))
	if err != nil {
		return nil, fmt.Errorf("vc: signing a trust list: %w", err)
	}
	payload, err := json.Marshal(t)
	if err != nil {
		return nil, fmt.Errorf("vc: signing a trust list: %w", err)
	}
	signed, err := writer.Sign(payload)
	if err != nil {
		return nil, fmt.Errorf("vc: signing a trust list: %w", err)
	}
	compact, err := signed.CompactSerialize()
	return []byte(compact), err
}

// ParseSignedTrustList reads a signed edition. It refuses one that nobody of those
// who may has signed, that is older than what is known, or that is over.
func ParseSignedTrustList(compact []byte, e Edition) (TrustList, error) {
	if len(compact) > 2*maxTrust {
		return TrustList{}, fmt.Errorf("%w: a trust list of %d bytes, at most %d", ErrTooLarge, len(compact), 2*maxTrust)
	}
	signed, err := jose.ParseSignedCompact(string(bytes.TrimSpace(compact)), []jose.SignatureAlgorithm{jose.EdDSA, jose.ES256})
	if err != nil {
		return TrustList{}, fmt.Errorf("%w: the trust list is not a compact JWS", ErrMalformed)
	}
	header := signed.Signatures[0].Protected
	if header.ExtraHeaders[jose.HeaderType] != typeTrust {
		return TrustList{}, fmt.Errorf("%w: a token of another type than %s", ErrUnsupported, typeTrust)
	}
	payload, err := e.payload(signed)
	if err != nil {
		return TrustList{}, err
	}
	t, err := ParseTrustList(payload)
	switch {
	case err != nil:
		return TrustList{}, err
	case t.Sequence == 0 || t.Issued.IsZero() || t.Expires.IsZero():
		return TrustList{}, fmt.Errorf("%w: a signed trust list without sequence or times", ErrMalformed)
	case t.Sequence < e.After.Sequence:
		return TrustList{}, ErrStale
	case e.Now.Add(skew).Before(t.Issued):
		return TrustList{}, ErrNotYetValid
	case t.Over(e.Now):
		return TrustList{}, ErrExpired
	}
	return t, nil
}

func (e Edition) payload(signed *jose.JSONWebSignature) ([]byte, error) {
	keys := e.Keys
	for _, k := range e.After.Signers {
		if key, err := ParseMultikey(k.PublicKeyMultibase); err == nil {
			keys = append(keys[:len(keys):len(keys)], key)
		}
	}
	if len(keys) == 0 {
		return nil, ErrUnknownKey
	}
	for _, key := range keys {
		switch key.(type) {
		case ed25519.PublicKey, *ecdsa.PublicKey:
			if payload, err := signed.Verify(key); err == nil {
				return payload, nil
			}
		}
	}
	return nil, ErrSignature
}
