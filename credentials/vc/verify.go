package vc

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/plinth-id/plinth/credentials/vc/jsonld"
)

// skew is how far the clock of whoever made a proof may run ahead of ours.
const skew = 5 * time.Minute

// VerifyOptions is what a verifier trusts.
type VerifyOptions struct {
	// Keys gives the key behind a verification method, or ErrUnknownKey. Nil knows
	// those that are written into their own names: did:key and did:jwk.
	Keys     func(ctx context.Context, verificationMethod string) (crypto.PublicKey, error)
	Now      func() time.Time // nil means time.Now
	Contexts Contexts

	// Challenge and Domain are what the proof must be made for. A presentation must
	// have exactly these; a credential's are looked at only where they are given.
	Challenge, Domain string
}

func (o VerifyOptions) now() time.Time {
	now := time.Now
	if o.Now != nil {
		now = o.Now
	}
	return now()
}

func (o VerifyOptions) key(ctx context.Context, method string) (crypto.PublicKey, error) {
	if o.Keys == nil {
		return ParseDID(method)
	}
	return o.Keys(ctx, method)
}

// Verify checks a credential with its proof and reads it. A credential that is
// ErrExpired or ErrNotYetValid is given back beside the error, for its signature is
// good; with any other error nothing is given back, so that nobody is shown what
// nobody signed. Whether it was revoked is for the caller to ask.
//
// Of several proofs, one by the issuer must hold, and none by the issuer must fail.
// Those of suites and keys that we do not know and of other parties prove nothing
// here.
func Verify(ctx context.Context, document []byte, o VerifyOptions) (Credential, error) {
	doc, err := parseSecured(document, o.Contexts)
	if err != nil {
		return Credential{}, err
	}
	return verify(ctx, doc, o)
}

func parseSecured(document []byte, known Contexts) (map[string]any, error) {
	doc, err := jsonld.Parse(document, credentialBounds)
	if err != nil {
		return nil, err
	}
	if _, err := known.Listed(doc, ContextV2, ContextV1); err != nil {
		return nil, err
	}
	return doc, jsonld.CheckPlain(doc)
}

func verify(ctx context.Context, doc map[string]any, o VerifyOptions) (Credential, error) {
	c, err := read(doc)
	if err != nil {
		return Credential{}, err
	}
	p, err := o.proven(ctx, doc, purposeAssert, c.Issuer)
	if err != nil {
		return Credential{}, err
	}
	if o.Challenge != "" && o.Challenge != p.challenge || o.Domain != "" && !within(o.Domain, p.domain) {
		return Credential{}, ErrAudience
	}
	c.Method, c.Suite, c.Created = p.method, p.suite, p.created
	now := o.now()
	if now.Before(c.ValidFrom) {
		return c, ErrNotYetValid
	}
	if !c.ValidUntil.IsZero() && !now.Before(c.ValidUntil) {
		return c, ErrExpired
	}
	return c, p.checkTime(now)
}

func within(domain string, all []string) bool {
	for _, d := range all {
		if d == domain {
			return true
		}
	}
	return false
}

func (p proof) checkTime(now time.Time) error {
	switch {
	case p.created.After(now.Add(skew)):
		return ErrNotYetValid
	case !p.expires.IsZero() && !now.Before(p.expires):
		return ErrExpired
	}
	return nil
}

// proven gives the first proof of a party for a purpose, after every one of them
// was checked.
func (o VerifyOptions) proven(ctx context.Context, doc map[string]any, purpose, party string) (proof, error) {
	proofs := listOf(doc["proof"])
	if len(proofs) == 0 {
		return proof{}, fmt.Errorf("%w: it has no proof", ErrMalformed)
	}
	if err := checkProofs(proofs); err != nil {
		return proof{}, err
	}
	var found *proof
	var passed error // why a proof was passed over
	for _, item := range proofs {
		p, err := readProof(item.(map[string]any), purpose)
		// Without this any trusted issuer could speak in the name of another.
		if err == nil && !strings.HasPrefix(p.method, party+"#") {
			err = ErrForeignKey
		}
		if err == nil {
			err = o.holds(ctx, doc, p)
		}
		if errors.Is(err, ErrUnsupported) || errors.Is(err, ErrForeignKey) || errors.Is(err, ErrUnknownKey) {
			passed = err
			continue
		}
		if err != nil {
			return proof{}, err
		}
		if found == nil {
			found = &p
		}
	}
	if found == nil {
		return proof{}, passed
	}
	return *found, nil
}

// holds checks one proof.
func (o VerifyOptions) holds(ctx context.Context, doc map[string]any, p proof) error {
	key, err := o.key(ctx, p.method)
	if err != nil {
		return err
	}
	hash, err := hashOf(p.suite, key)
	if err != nil {
		return err
	}
	if p.suite == suiteDisclose {
		return p.discloses(doc, o.Contexts, key)
	}
	message, err := p.message(doc, o.Contexts, hash)
	if err != nil {
		return err
	}
	return checkSignature(key, message, p.value)
}
