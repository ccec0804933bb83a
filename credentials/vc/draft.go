package vc

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/mr-tron/base58"
)

const (
	suiteEd25519 = "eddsa-rdfc-2022"
	suiteP256    = "ecdsa-rdfc-2019"
	typeProof    = "DataIntegrityProof"
	typeStatus   = "BitstringStatusListEntry"
	purpose      = "assertionMethod"
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

// Draft is a credential that has been checked and not been signed. Only NewDraft
// makes one.
type Draft struct {
	doc    map[string]any
	issuer string
	hash   [sha256.Size]byte
}

// NewDraft checks that everything said will be signed: it refuses terms that no
// context defines, relative names, characters and numbers that verifiers may read
// differently.
func NewDraft(d DraftInput) (Draft, error) {
	raw, err := json.Marshal(d.document())
	if err != nil {
		return Draft{}, fmt.Errorf("%w: the claims are not JSON", ErrMalformed)
	}
	doc, err := parse(raw)
	if err != nil {
		return Draft{}, err
	}
	if _, err := read(doc); err != nil {
		return Draft{}, err
	}
	quads, err := statements(doc, d.Known)
	if err != nil {
		return Draft{}, err
	}
	return Draft{doc: doc, issuer: d.Issuer, hash: sha256.Sum256([]byte(quads))}, nil
}

func (d DraftInput) document() map[string]any {
	subject := maps.Clone(d.Claims)
	if subject == nil {
		subject = map[string]any{}
	}
	delete(subject, "id")
	if d.Subject != "" {
		subject["id"] = d.Subject
	}
	doc := map[string]any{
		"@context":          append([]string{ContextV2}, d.Contexts...),
		"id":                d.ID,
		"type":              append([]string{TypeCredential}, d.Types...),
		"issuer":            d.Issuer,
		"validFrom":         d.ValidFrom.UTC().Format(time.RFC3339),
		"credentialSubject": subject,
	}
	if !d.ValidUntil.IsZero() {
		doc["validUntil"] = d.ValidUntil.UTC().Format(time.RFC3339)
	}
	if d.Status != nil {
		doc["credentialStatus"] = d.Status.document()
	}
	return doc
}

// statements checks the form of a document and writes what it states.
func statements(doc map[string]any, known Contexts) (string, error) {
	if err := checkShape(doc, true); err != nil {
		return "", err
	}
	if _, err := contextsOf(doc, known); err != nil {
		return "", err
	}
	return canonical(doc, known)
}

// Signed is a credential with its proof.
type Signed struct {
	document []byte
}

// JSON is the credential as it is handed over.
func (s Signed) JSON() []byte { return bytes.Clone(s.document) }

// Hash is the SHA-256 of the credential as it is handed over.
func (s Signed) Hash() [sha256.Size]byte { return sha256.Sum256(s.document) }

// Sign adds an eddsa-rdfc-2022 proof by an Ed25519 key of the issuer, which
// verifiers know as verificationMethod (the issuer's id, #, the name of the key).
func (d Draft) Sign(signer crypto.Signer, verificationMethod string, created time.Time) (Signed, error) {
	public, ok := signer.Public().(ed25519.PublicKey)
	switch {
	case d.doc == nil:
		return Signed{}, fmt.Errorf("%w: an empty draft", ErrMalformed)
	case !ok:
		return Signed{}, fmt.Errorf("%w: signing takes an Ed25519 key", ErrUnsupported)
	case !strings.HasPrefix(verificationMethod, d.issuer+"#") || !absoluteIRI.MatchString(verificationMethod):
		return Signed{}, ErrForeignKey
	}
	at := created.UTC().Format(time.RFC3339)
	message := hashData(proofStatements(verificationMethod, at), d.hash)
	signature, err := signer.Sign(rand.Reader, message, crypto.Hash(0))
	if err != nil {
		return Signed{}, fmt.Errorf("vc: signing: %w", err)
	}
	// A token with a fault must not put a broken or revealing signature into the world.
	if !ed25519.Verify(public, message, signature) {
		return Signed{}, ErrSignature
	}
	doc := maps.Clone(d.doc)
	doc["proof"] = map[string]any{
		"type": typeProof, "cryptosuite": suiteEd25519, "created": at, "proofPurpose": purpose,
		"verificationMethod": verificationMethod, "proofValue": "z" + base58.Encode(signature),
	}
	document, err := marshal(doc)
	return Signed{document: document}, err
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// hashData is what a suite signs (Data Integrity EdDSA 1.0, 3.2.4): the hash of
// the proof's statements, then that of the document's.
func hashData(proof string, document [sha256.Size]byte) []byte {
	h := sha256.Sum256([]byte(proof))
	return append(h[:], document[:]...)
}

// proofStatements is what canonicalising our proof gives. Two values change, so it
// is written out instead: a quarter of the time of a signature.
func proofStatements(verificationMethod, created string) string {
	return `_:c14n0 <http://purl.org/dc/terms/created> "` + created + `"^^<http://www.w3.org/2001/XMLSchema#dateTime> .
_:c14n0 <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <https://w3id.org/security#DataIntegrityProof> .
_:c14n0 <https://w3id.org/security#cryptosuite> "` + suiteEd25519 + `"^^<https://w3id.org/security#cryptosuiteString> .
_:c14n0 <https://w3id.org/security#proofPurpose> <https://w3id.org/security#assertionMethod> .
_:c14n0 <https://w3id.org/security#verificationMethod> <` + verificationMethod + `> .
`
}
