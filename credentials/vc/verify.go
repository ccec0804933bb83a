package vc

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"fmt"
	"maps"
	"math/big"
	"strings"
	"time"

	"github.com/mr-tron/base58"
)

// VerifyOptions is what a verifier trusts.
type VerifyOptions struct {
	// Keys gives the key behind a verification method, or ErrUnknownKey.
	Keys     func(ctx context.Context, verificationMethod string) (crypto.PublicKey, error)
	Now      func() time.Time // nil means time.Now
	Contexts Contexts
}

// Verify checks a credential with its proof and reads it. A credential that is
// ErrExpired or ErrNotYetValid is given back beside the error, for its signature is
// good; with any other error nothing is given back, so that nobody is shown what
// nobody signed. Whether it was revoked is for the caller to ask.
func Verify(ctx context.Context, document []byte, o VerifyOptions) (Credential, error) {
	doc, err := parse(document)
	if err != nil {
		return Credential{}, err
	}
	c, err := read(doc)
	if err != nil {
		return Credential{}, err
	}
	p, err := readProof(doc)
	if err != nil {
		return Credential{}, err
	}
	// Without this any trusted issuer could speak in the name of another.
	if !strings.HasPrefix(p.method, c.Issuer+"#") {
		return Credential{}, ErrForeignKey
	}
	key, err := o.Keys(ctx, p.method)
	if err != nil {
		return Credential{}, err
	}
	message, err := p.message(doc, o.Contexts)
	if err != nil {
		return Credential{}, err
	}
	if err := p.check(key, message); err != nil {
		return Credential{}, err
	}
	c.Method, c.Suite, c.Created = p.method, p.suite, p.created
	now := time.Now
	if o.Now != nil {
		now = o.Now
	}
	return c, c.checkTime(now(), p.expires)
}

func (c Credential) checkTime(now, proofExpires time.Time) error {
	switch {
	case now.Before(c.ValidFrom):
		return ErrNotYetValid
	case !c.ValidUntil.IsZero() && !now.Before(c.ValidUntil), !proofExpires.IsZero() && !now.Before(proofExpires):
		return ErrExpired
	}
	return nil
}

type proof struct {
	doc              map[string]any
	suite, method    string
	signature        []byte
	created, expires time.Time
}

func readProof(doc map[string]any) (proof, error) {
	object, ok := doc["proof"].(map[string]any)
	if !ok {
		return proof{}, fmt.Errorf("%w: it needs exactly one proof", ErrMalformed)
	}
	p := proof{doc: object}
	p.suite, _ = object["cryptosuite"].(string)
	p.method, _ = object["verificationMethod"].(string)
	switch {
	case object["type"] != typeProof, p.suite != suiteEd25519 && p.suite != suiteP256:
		return proof{}, fmt.Errorf("%w: the proof's suite", ErrUnsupported)
	case object["proofPurpose"] != purpose:
		return proof{}, fmt.Errorf("%w: the proof's purpose", ErrUnsupported)
	case object["previousProof"] != nil:
		return proof{}, fmt.Errorf("%w: a chain of proofs", ErrUnsupported)
	}
	var err error
	if p.created, err = optionalTime(object, "created"); err != nil {
		return proof{}, err
	}
	if p.expires, err = optionalTime(object, "expires"); err != nil {
		return proof{}, err
	}
	value, _ := object["proofValue"].(string)
	digits, base58btc := strings.CutPrefix(value, "z")
	// 64 bytes are at most 88 digits; longer ones would cost quadratic time.
	if !base58btc || len(digits) > 88 {
		return proof{}, fmt.Errorf("%w: the proof value", ErrMalformed)
	}
	if p.signature, err = base58.Decode(digits); err != nil || len(p.signature) != 64 {
		return proof{}, fmt.Errorf("%w: the proof value", ErrMalformed)
	}
	return p, nil
}

// message is what the proof has signed, from the document it stands in.
func (p proof) message(doc map[string]any, known Contexts) ([]byte, error) {
	unsecured := maps.Clone(doc)
	delete(unsecured, "proof")
	statement, err := statements(unsecured, known)
	if err != nil {
		return nil, err
	}
	config := maps.Clone(p.doc)
	delete(config, "proofValue")
	if config["@context"] != nil {
		return nil, fmt.Errorf("%w: a context in the proof", ErrUnsupported)
	}
	config["@context"] = doc["@context"]
	options, err := statements(config, known)
	if err != nil {
		return nil, err
	}
	return hashData(options, sha256.Sum256([]byte(statement))), nil
}

func (p proof) check(key crypto.PublicKey, message []byte) error {
	fits := false
	switch key := key.(type) {
	case ed25519.PublicKey:
		fits = p.suite == suiteEd25519 && len(key) == ed25519.PublicKeySize && ed25519.Verify(key, message, p.signature)
	case *ecdsa.PublicKey:
		digest := sha256.Sum256(message)
		r, s := new(big.Int).SetBytes(p.signature[:32]), new(big.Int).SetBytes(p.signature[32:])
		fits = p.suite == suiteP256 && key.Curve == elliptic.P256() && ecdsa.Verify(key, digest[:], r, s)
	case nil:
		return ErrUnknownKey
	}
	if !fits {
		return ErrSignature
	}
	return nil
}
