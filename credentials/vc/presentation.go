package vc

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/plinth-id/plinth/credentials/vc/jsonld"
)

// PresentationInput is what a presentation is to hold.
type PresentationInput struct {
	ID          string   // may be empty
	Holder      string   // may be empty: whoever signs
	Types       []string // beside VerifiablePresentation
	Contexts    []string // beside that of the data model
	Known       Contexts
	Credentials [][]byte // each with its proof, or an envelope
}

// Presentation is what a verified presentation says. Its credentials are handed
// back as they are: each is verified by itself, for its issuer is another party.
type Presentation struct {
	ID          string // may be empty
	Holder      string // who signed, and was given as the holder
	Types       []string
	Credentials []Presented
	Method      string // the key that signed
	Suite       string
	Created     time.Time // of the proof; may be zero
}

// Presented is one credential of a presentation: Verify takes its document, unless
// it came in an envelope.
type Presented struct {
	Document []byte
	Envelope Envelope // empty when the credential has a proof of its own
}

const memberCredentials = "verifiableCredential"

// NewPresentation drafts a presentation, to be signed by its holder.
func NewPresentation(p PresentationInput) (Draft, error) {
	doc := map[string]any{
		"@context": anys(append([]string{ContextV2}, p.Contexts...)),
		"type":     anys(append([]string{TypePresentation}, p.Types...)),
	}
	if p.ID != "" {
		doc["id"] = p.ID
	}
	if p.Holder != "" {
		doc["holder"] = p.Holder
	}
	var credentials []any
	for _, raw := range p.Credentials {
		credential, err := jsonld.Parse(raw, credentialBounds)
		if err != nil {
			return Draft{}, err
		}
		credentials = append(credentials, credential)
	}
	if credentials != nil {
		doc[memberCredentials] = credentials
	}
	return draftPresentation(doc, p.Known)
}

// ParsePresentation takes a presentation that somebody else wrote, to be signed by
// its holder. Proofs that it has already stay with it.
func ParsePresentation(document []byte, known Contexts) (Draft, error) {
	doc, err := jsonld.Parse(document, presentationBounds)
	if err != nil {
		return Draft{}, err
	}
	return draftPresentation(doc, known)
}

func draftPresentation(doc map[string]any, known Contexts) (Draft, error) {
	p, err := readPresentation(doc, known)
	if err != nil {
		return Draft{}, err
	}
	draft := Draft{doc: doc, proofs: listOf(doc["proof"]), party: p.Holder, purpose: purposeAuth, known: known}
	if err := checkProofs(draft.proofs); err != nil {
		return Draft{}, err
	}
	delete(doc, "proof")
	return draft.stating(memberCredentials)
}

func anys(texts []string) []any {
	all := make([]any, len(texts))
	for i, s := range texts {
		all[i] = s
	}
	return all
}

// VerifyPresentation checks a presentation with its holder's proof, which must be
// made for exactly the challenge and the domain of the options: anything else is
// somebody else's, or an old one. The credentials are not verified.
func VerifyPresentation(ctx context.Context, document []byte, o VerifyOptions) (Presentation, error) {
	doc, err := jsonld.Parse(document, presentationBounds)
	if err != nil {
		return Presentation{}, err
	}
	if _, err := o.Contexts.Listed(doc, ContextV2, ContextV1); err != nil {
		return Presentation{}, err
	}
	if err := jsonld.CheckPlain(doc, memberCredentials); err != nil {
		return Presentation{}, err
	}
	p, err := readPresentation(doc, o.Contexts)
	if err != nil {
		return Presentation{}, err
	}
	if p.Holder == "" {
		p.Holder = signerOf(doc)
	}
	proof, err := o.proven(ctx, doc, purposeAuth, p.Holder)
	if err != nil {
		return Presentation{}, err
	}
	var domain []string
	if o.Domain != "" {
		domain = []string{o.Domain}
	}
	if o.Challenge != proof.challenge || !slices.Equal(domain, proof.domain) {
		return Presentation{}, ErrAudience
	}
	if err := proof.checkTime(o.now()); err != nil {
		return Presentation{}, err
	}
	p.Method, p.Suite, p.Created = proof.method, proof.suite, proof.created
	return p, nil
}

// signerOf is whose key made the first proof, where no holder is named.
func signerOf(doc map[string]any) string {
	for _, item := range listOf(doc["proof"]) {
		object, _ := item.(map[string]any)
		method, _ := object["verificationMethod"].(string)
		if party, _, named := strings.Cut(method, "#"); named && jsonld.IsIRI(party) {
			return party
		}
	}
	return ""
}

// readPresentation takes the data model out of a presentation (Verifiable Credentials
// Data Model 2.0, 4.13).
func readPresentation(doc map[string]any, known Contexts) (Presentation, error) {
	var p Presentation
	var err error
	if p.Types, err = texts(doc["type"]); err != nil || !slices.Contains(p.Types, TypePresentation) {
		return p, fmt.Errorf("%w: its type is not %s", ErrMalformed, TypePresentation)
	}
	if p.ID, err = optionalIRI(doc, "id"); err != nil {
		return p, err
	}
	if doc["holder"] != nil {
		if p.Holder, err = readParty(doc["holder"], "holder"); err != nil {
			return p, err
		}
	}
	for _, item := range listOf(doc[memberCredentials]) {
		presented, err := readPresented(item, known)
		if err != nil {
			return p, err
		}
		p.Credentials = append(p.Credentials, presented)
	}
	return p, checkMembers(doc)
}

func readPresented(v any, known Contexts) (Presented, error) {
	doc, ok := v.(map[string]any)
	if !ok {
		return Presented{}, fmt.Errorf("%w: a presented credential that is not an object", ErrMalformed)
	}
	if _, err := known.Listed(doc, ContextV2, ContextV1); err != nil {
		return Presented{}, err
	}
	kinds, err := texts(doc["type"])
	if err != nil {
		return Presented{}, err
	}
	if slices.Contains(kinds, typeEnveloped) {
		envelope, err := readEnvelope(doc)
		return Presented{Envelope: envelope}, err
	}
	if _, err := read(doc); err != nil {
		return Presented{}, err
	}
	raw, err := jsonld.Canonical(doc)
	return Presented{Document: raw}, err
}
