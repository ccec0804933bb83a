package vc

import (
	"crypto"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/plinth-id/plinth/credentials/vc/jsonld"
	"github.com/plinth-id/plinth/credentials/vc/rdf"
)

// DraftInput is what a credential is to say.
type DraftInput struct {
	ID         string         // absolute IRI, such as urn:uuid:…
	Issuer     string         // a DID or URL; the signing key must be one of its
	ValidFrom  time.Time      // to the second
	ValidUntil time.Time      // zero: for ever
	Subject    string         // the holder's did:key or did:jwk; empty: bound to nobody's key
	Types      []string       // beside VerifiableCredential
	Contexts   []string       // beside that of the data model
	Known      Contexts       // what these contexts say, where they are not bundled
	Claims     map[string]any // about the subject
	Status     *StatusEntry   // nil: cannot be revoked
	Further    []StatusEntry  // other places, such as one for suspension
	More       map[string]any // other members of the credential, such as name or credentialSchema
}

// StatusEntry is the place of a credential in a Bitstring Status List.
type StatusEntry struct {
	Type    string // empty means BitstringStatusListEntry; of others only the type is read
	Purpose string // such as revocation
	List    string // where the list is published
	Index   int
}

func (s StatusEntry) document() map[string]any {
	return map[string]any{
		"type": typeStatus, "statusPurpose": s.Purpose,
		"statusListIndex": strconv.Itoa(s.Index), "statusListCredential": s.List,
	}
}

// Draft is a credential or presentation that has been checked and not been signed.
// Only NewDraft, ParseDraft, NewPresentation and Shape make one.
type Draft struct {
	doc     map[string]any // without its proofs
	proofs  []any          // those it has already
	party   string         // who has to sign
	purpose string
	quads   rdf.Dataset
	sum     []byte // SHA-256 of the canonical statements, which most suites sign
	known   Contexts
}

// NewDraft checks that everything said will be signed: it refuses terms that no
// context defines, relative names, characters and numbers that verifiers may read
// differently.
func NewDraft(d DraftInput) (Draft, error) {
	document, err := d.document()
	if err != nil {
		return Draft{}, err
	}
	raw, err := json.Marshal(document)
	if err != nil {
		return Draft{}, fmt.Errorf("%w: the claims are not JSON", ErrMalformed)
	}
	return ParseDraft(raw, d.Known)
}

// ParseDraft takes a credential of Data Model 2.0 that somebody else wrote, to be
// signed by its issuer. Proofs that it has already stay with it.
func ParseDraft(document []byte, known Contexts) (Draft, error) {
	doc, err := jsonld.Parse(document, credentialBounds)
	if err != nil {
		return Draft{}, err
	}
	c, err := read(doc)
	if err != nil {
		return Draft{}, err
	}
	draft := Draft{proofs: listOf(doc["proof"]), party: c.Issuer, purpose: purposeAssert, known: known}
	if err := checkProofs(draft.proofs); err != nil {
		return Draft{}, err
	}
	delete(doc, "proof")
	draft.doc = doc
	return draft.stating()
}

func (d DraftInput) document() (map[string]any, error) {
	doc := maps.Clone(d.More)
	if doc == nil {
		doc = make(map[string]any, 9)
	}
	for name, value := range map[string]any{
		"@context": append([]string{ContextV2}, d.Contexts...),
		"id":       d.ID, "type": append([]string{TypeCredential}, d.Types...), "issuer": d.Issuer,
		"validFrom": d.ValidFrom.UTC().Format(time.RFC3339), "credentialSubject": d.subject(),
	} {
		if doc[name] != nil {
			return nil, fmt.Errorf("%w: %s is said twice", ErrMalformed, name)
		}
		doc[name] = value
	}
	if !d.ValidUntil.IsZero() {
		doc["validUntil"] = d.ValidUntil.UTC().Format(time.RFC3339)
	}
	if entries := d.status(); len(entries) == 1 {
		doc["credentialStatus"] = entries[0]
	} else if len(entries) > 1 {
		doc["credentialStatus"] = entries
	}
	return doc, nil
}

func (d DraftInput) subject() map[string]any {
	subject := make(map[string]any, len(d.Claims)+1)
	maps.Copy(subject, d.Claims)
	delete(subject, "id")
	if d.Subject != "" {
		subject["id"] = d.Subject
	}
	return subject
}

func (d DraftInput) status() []any {
	var entries []any
	if d.Status != nil {
		entries = append(entries, d.Status.document())
	}
	for _, further := range d.Further {
		entries = append(entries, further.document())
	}
	return slices.Clip(entries)
}

// stating checks the form of the document and works out what it states.
func (d Draft) stating(documents ...string) (Draft, error) {
	if err := jsonld.CheckPlain(d.doc, documents...); err != nil {
		return Draft{}, err
	}
	if _, err := d.known.Listed(d.doc, ContextV2); err != nil {
		return Draft{}, err
	}
	quads, err := d.known.Statements(d.doc)
	if err != nil {
		return Draft{}, err
	}
	return d.with(quads)
}

func (d Draft) with(quads rdf.Dataset) (Draft, error) {
	c, err := canonical(quads, crypto.SHA256)
	if err != nil {
		return Draft{}, err
	}
	d.quads, d.sum = quads, c.Hash(crypto.SHA256)
	return d, nil
}

// hash is that of the canonical statements.
func (d Draft) hash(with crypto.Hash) ([]byte, error) {
	if with == crypto.SHA256 {
		return d.sum, nil
	}
	c, err := canonical(d.quads, with)
	return c.Hash(with), err
}
