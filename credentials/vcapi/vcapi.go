// Package vcapi is the VC-API of the W3C's Credentials Community Group: it signs what
// callers hand it, so that test suites can drive the suites of proofs. It does so with
// keys of its own, known as a did:key. The nation's keys never sign what a caller
// wrote.
package vcapi

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/internal/keys"
)

// Access says who may use it.
type Access string

// The kinds of access.
const (
	Off            Access = "off"
	Administrators Access = "administrators"
	Open           Access = "open"
)

// The suites that it signs with.
const (
	suiteEdDSA       = "eddsa-rdfc-2022"
	suiteECDSA       = "ecdsa-rdfc-2019"
	suiteDisclosable = "ecdsa-sd-2023"
)

// Config is what a Bench works with.
type Config struct {
	Ring    *keys.Ring
	Resolve func(ctx context.Context, method string) (crypto.PublicKey, error) // keys of issuers that are believed, beside those that are in their names; nil: none
	Access  Access
	// Status changes a credential of the ledger; nil: nobody may from here.
	Status func(ctx context.Context, change Change) error
	Now    func() time.Time // nil means time.Now
}

// Change is what a caller wants the status of a credential to be.
type Change struct {
	Credential string // its id
	Purpose    string
	Set        bool
}

// Bench signs and verifies for tests.
type Bench struct{ Config }

// OpenBench makes a bench, and its keys when it has none yet.
func OpenBench(ctx context.Context, c Config) (*Bench, error) {
	if c.Ring == nil {
		return nil, errors.New("vcapi: Ring is needed")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Access == Off || c.Access == "" {
		return &Bench{c}, nil
	}
	for _, d := range []keys.Domain{keys.VCTrial, keys.VCTrialP256} {
		if err := c.Ring.Ensure(ctx, d); err != nil {
			return nil, err
		}
	}
	return &Bench{c}, nil
}

// ErrRequest says that a request is not one of the VC-API.
var ErrRequest = errors.New("vcapi: the request is malformed")

// options are those that suites send.
type options struct {
	Suite     string   `json:"cryptosuite"`
	Type      string   `json:"type"` // an older name of it
	Mandatory []string `json:"mandatoryPointers"`
	Challenge string   `json:"challenge"`
	Domain    string   `json:"domain"`
}

func (o options) suite() string {
	switch {
	case o.Suite != "":
		return o.Suite
	case o.Type != "" && o.Type != "DataIntegrityProof":
		return o.Type
	}
	return suiteEdDSA
}

// signer is the key of a suite, and the issuer that it is.
func (b *Bench) signer(suite string) (key keys.SigningKey, did string, err error) {
	domain := keys.VCTrial
	switch suite {
	case suiteEdDSA:
	case suiteECDSA, suiteDisclosable:
		domain = keys.VCTrialP256
	default:
		return key, "", fmt.Errorf("%w: cryptosuite is one of %s, %s, %s", ErrRequest, suiteEdDSA, suiteECDSA, suiteDisclosable)
	}
	if key, err = b.Ring.Signer(domain); err != nil {
		return key, "", err
	}
	did, err = vc.DIDKey(key.Public)
	return key, did, err
}

// Issuers are the issuers that it is, by suite.
func (b *Bench) Issuers() (map[string]string, error) {
	all := map[string]string{}
	for _, suite := range []string{suiteEdDSA, suiteECDSA, suiteDisclosable} {
		_, did, err := b.signer(suite)
		if err != nil {
			return nil, err
		}
		all[suite] = did
	}
	return all, nil
}

// Issue signs a credential as it is, but for the issuer where none is named.
func (b *Bench) Issue(credential map[string]any, o options) ([]byte, error) {
	key, did, err := b.signer(o.suite())
	if err != nil {
		return nil, err
	}
	if credential == nil {
		return nil, fmt.Errorf("%w: there is no credential", ErrRequest)
	}
	if _, named := credential["issuer"]; !named {
		credential["issuer"] = did
	}
	raw, err := json.Marshal(credential)
	if err != nil {
		return nil, err
	}
	draft, err := vc.ParseDraft(raw, vc.Contexts{})
	if err != nil {
		return nil, err
	}
	method, err := vc.KeyName(did)
	if err != nil {
		return nil, err
	}
	proof := vc.ProofInput{Key: key.Public, Method: method, Created: b.Now().UTC().Truncate(time.Second), Challenge: o.Challenge, Domain: o.Domain}
	var signed vc.Signed
	if o.suite() == suiteDisclosable {
		signed, err = draft.SignDisclosable(key.Signer, proof, o.Mandatory...)
	} else {
		signed, err = draft.SignFor(key.Signer, proof)
	}
	return signed.JSON(), err
}

// keys resolves what is in its own name, and what is believed.
func (b *Bench) keys(ctx context.Context, method string) (crypto.PublicKey, error) {
	if strings.HasPrefix(method, "did:key:") || strings.HasPrefix(method, "did:jwk:") || b.Resolve == nil {
		return vc.ParseDID(method)
	}
	return b.Resolve(ctx, method)
}

// Verify checks a credential.
func (b *Bench) Verify(ctx context.Context, credential json.RawMessage, o options) error {
	_, err := vc.Verify(ctx, credential, vc.VerifyOptions{Keys: b.keys, Now: b.Now, Challenge: o.Challenge, Domain: o.Domain})
	return err
}

// VerifyPresentation checks a presentation, and every credential in it.
func (b *Bench) VerifyPresentation(ctx context.Context, presentation json.RawMessage, o options) error {
	p, err := vc.VerifyPresentation(ctx, presentation, vc.VerifyOptions{Keys: b.keys, Now: b.Now, Challenge: o.Challenge, Domain: o.Domain})
	if err != nil {
		return err
	}
	for _, c := range p.Credentials {
		if err := b.Verify(ctx, c.Document, options{}); err != nil {
			return fmt.Errorf("a credential in it: %w", err)
		}
	}
	return nil
}
