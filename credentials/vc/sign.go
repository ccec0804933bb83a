package vc

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mr-tron/base58"

	"github.com/plinth-id/plinth/credentials/vc/jsonld"
)

// Signed is a credential or presentation with its proof.
type Signed struct {
	document []byte
}

// JSON is the document as it is handed over.
func (s Signed) JSON() []byte { return bytes.Clone(s.document) }

// Hash is the SHA-256 of the document as it is handed over.
func (s Signed) Hash() [sha256.Size]byte { return sha256.Sum256(s.document) }

// ProofInput is what a proof is to say beside the signature.
type ProofInput struct {
	Key       crypto.PublicKey // decides the suite
	Method    string           // its name: the id of the issuer or holder, #, and a name
	Created   time.Time
	Expires   time.Time // zero: no end of its own
	Challenge string    // of a presentation: what the verifier asked with
	Domain    string    // and who the verifier is
}

// Pending is a document whose proof lacks the signature, which may be made somewhere
// else: in a browser, by a token.
type Pending struct {
	draft   Draft
	proof   map[string]any
	key     crypto.PublicKey
	message []byte
}

// Prepare writes the proof but for its signature.
func (d Draft) Prepare(p ProofInput) (Pending, error) {
	suite, hash, err := suiteOf(p.Key)
	if err != nil {
		return Pending{}, err
	}
	config, err := d.config(p, suite)
	if err != nil {
		return Pending{}, err
	}
	lines, ok := plainConfig(config, ContextV2)
	if !ok {
		return Pending{}, fmt.Errorf("%w: the key is not named by a DID or an address", ErrUnsupported)
	}
	document, err := d.hash(hash)
	if err != nil {
		return Pending{}, err
	}
	message := append(sum(hash, []byte(strings.Join(lines, ""))), document...)
	return Pending{draft: d, proof: config, key: p.Key, message: message}, nil
}

// config is the proof without its value.
func (d Draft) config(p ProofInput, suite string) (map[string]any, error) {
	party := d.party
	if party == "" { // a presentation whose holder is known by the key alone
		party, _, _ = strings.Cut(p.Method, "#")
	}
	switch {
	case d.doc == nil:
		return nil, fmt.Errorf("%w: an empty draft", ErrMalformed)
	case !strings.HasPrefix(p.Method, party+"#") || !jsonld.IsIRI(p.Method):
		return nil, ErrForeignKey
	case jsonld.CheckText(p.Challenge+p.Domain) != nil:
		return nil, fmt.Errorf("%w: the challenge or the domain", ErrMalformed)
	}
	config := map[string]any{
		"type": typeProof, "cryptosuite": suite, "created": p.Created.UTC().Format(time.RFC3339),
		"proofPurpose": d.purpose, "verificationMethod": p.Method,
	}
	if !p.Expires.IsZero() {
		config["expires"] = p.Expires.UTC().Format(time.RFC3339)
	}
	if p.Challenge != "" {
		config["challenge"] = p.Challenge
	}
	if p.Domain != "" {
		config["domain"] = p.Domain
	}
	return config, nil
}

// Message is what the key has to sign: as it is by Ed25519; by ECDSA with SHA-256
// on P-256 and SHA-384 on P-384, as WebCrypto does it.
func (p Pending) Message() []byte { return bytes.Clone(p.message) }

// Finish adds the signature (of ECDSA the two numbers, each of full length) after
// checking it: a token with a fault must not put a broken or revealing one into the
// world.
func (p Pending) Finish(signature []byte) (Signed, error) {
	if p.draft.doc == nil {
		return Signed{}, fmt.Errorf("%w: an empty draft", ErrMalformed)
	}
	if err := checkSignature(p.key, p.message, signature); err != nil {
		return Signed{}, err
	}
	return p.finish("z" + base58.Encode(signature))
}

func (p Pending) finish(value string) (Signed, error) {
	config := maps.Clone(p.proof)
	config["proofValue"] = value
	document, err := jsonld.Canonical(p.draft.doc)
	if err != nil {
		return Signed{}, err
	}
	var proof any = config
	if len(p.draft.proofs) > 0 {
		proof = append(slices.Clone(p.draft.proofs), config)
	}
	raw, err := jsonld.Canonical(proof)
	if err != nil {
		return Signed{}, err
	}
	document = append(document[:len(document)-1], `,"proof":`...)
	document = append(append(document, raw...), '}')
	bounds := credentialBounds
	if p.draft.purpose == purposeAuth {
		bounds = presentationBounds
	}
	if len(document) > bounds.Bytes {
		return Signed{}, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(document), bounds.Bytes)
	}
	return Signed{document: document}, nil
}

// Sign adds a proof by a key of the issuer or holder, in the suite that fits the
// key. Verifiers know the key as verificationMethod.
func (d Draft) Sign(signer crypto.Signer, verificationMethod string, created time.Time) (Signed, error) {
	return d.SignFor(signer, ProofInput{Method: verificationMethod, Created: created})
}

// SignFor is Sign with all that a proof can say.
func (d Draft) SignFor(signer crypto.Signer, p ProofInput) (Signed, error) {
	p.Key = signer.Public()
	pending, err := d.Prepare(p)
	if err != nil {
		return Signed{}, err
	}
	signature, err := sign(signer, pending.message)
	if err != nil {
		return Signed{}, err
	}
	// The libraries of Go need no watching, and checking takes twice as long as signing.
	switch signer.(type) {
	case ed25519.PrivateKey, *ecdsa.PrivateKey:
		return pending.finish("z" + base58.Encode(signature))
	}
	return pending.Finish(signature)
}
