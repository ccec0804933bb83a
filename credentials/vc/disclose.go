package vc

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/plinth-id/plinth/credentials/vc/disclosure"
	"github.com/plinth-id/plinth/credentials/vc/jsonld"
)

// always are the members that a holder must not withhold: without them a credential
// would seem to be good for longer, or never revoked.
var always = []string{"issuer", "validFrom", "validUntil", "credentialStatus"}

// SignDisclosable adds a base proof of ecdsa-sd-2023 by a P-256 key of the issuer.
// The holder may later show a part of the credential; what the mandatory JSON
// pointers name is in every part, beside issuer, validity and status.
func (d Draft) SignDisclosable(signer crypto.Signer, p ProofInput, mandatory ...string) (Signed, error) {
	hash, err := hashOf(suiteDisclose, signer.Public())
	if err != nil {
		return Signed{}, fmt.Errorf("%w: selective disclosure takes a P-256 key", ErrUnsupported)
	}
	config, err := d.config(p, suiteDisclose)
	if err != nil {
		return Signed{}, err
	}
	lines, ok := plainConfig(config, ContextV2)
	if !ok {
		return Signed{}, fmt.Errorf("%w: the key is not named by a DID or an address", ErrUnsupported)
	}
	pointers := slices.Clone(mandatory)
	for _, member := range always {
		if d.doc[member] != nil && !slices.Contains(pointers, "/"+member) {
			pointers = append(pointers, "/"+member)
		}
	}
	value, err := disclosure.Sign(disclosure.Document{Members: d.doc, Known: d.known}, sum(hash, []byte(strings.Join(lines, ""))), pointers, func(message []byte) ([]byte, error) {
		signature, err := sign(signer, message)
		if err != nil {
			return nil, err
		}
		return signature, checkSignature(signer.Public(), message, signature)
	})
	if err != nil {
		return Signed{}, err
	}
	return Pending{draft: d, proof: config}.finish(value)
}

// Disclose makes of a credential with a base proof what its holder shows: what is
// mandatory, and what the JSON pointers name. The empty pointer names everything.
func Disclose(document []byte, known Contexts, pointers ...string) ([]byte, error) {
	doc, err := parseSecured(document, known)
	if err != nil {
		return nil, err
	}
	proofs := listOf(doc["proof"])
	delete(doc, "proof")
	for _, item := range proofs {
		object, _ := item.(map[string]any)
		value, ok := object["proofValue"].(string)
		if !ok || object["cryptosuite"] != suiteDisclose {
			continue
		}
		shown, derived, err := disclosure.Derive(disclosure.Document{Members: doc, Known: known}, value, pointers)
		if err != nil {
			return nil, err
		}
		proof := maps.Clone(object)
		proof["proofValue"] = derived
		shown = maps.Clone(shown)
		shown["proof"] = proof
		return jsonld.Canonical(shown)
	}
	return nil, fmt.Errorf("%w: no proof from which a part can be shown", ErrUnsupported)
}

// VerifyBase is Verify for a holder who has just been given a credential with a base
// proof, which no verifier may be shown.
func VerifyBase(ctx context.Context, document []byte, o VerifyOptions) (Credential, error) {
	whole, err := Disclose(document, o.Contexts, "")
	if err != nil {
		return Credential{}, err
	}
	return Verify(ctx, whole, o)
}

func disclosureValue(text string) ([]byte, error) { return disclosure.Decode(text) }

// discloses checks a derived proof.
func (p proof) discloses(doc map[string]any, known Contexts, key crypto.PublicKey) error {
	config, err := p.config(doc, known, crypto.SHA256)
	if err != nil {
		return err
	}
	shown := maps.Clone(doc)
	delete(shown, "proof")
	if err := jsonld.CheckPlain(shown); err != nil {
		return err
	}
	err = disclosure.Verify(disclosure.Document{Members: shown, Known: known}, config, p.value, func(message, signature []byte) error {
		return checkSignature(key, message, signature)
	})
	if errors.Is(err, disclosure.ErrSignature) {
		return ErrSignature
	}
	return err
}
