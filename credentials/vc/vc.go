// Package vc makes and checks W3C Verifiable Credentials and Presentations that are
// secured by Data Integrity proofs: Data Model 2.0, and 1.1 on reading, with the
// suites of EdDSA and ECDSA (P-256, P-384) and ecdsa-sd-2023. It never touches the
// network: it knows the contexts it carries and those it is given, and no others.
//
// A Data Integrity proof signs the statements (RDF) that a document makes, not the
// document, and a reader reads the document. Verify therefore takes only documents
// in which the two cannot come apart; package jsonld has the rules.
package vc

import (
	"errors"

	"github.com/plinth-id/plinth/credentials/vc/jsonld"
	"github.com/plinth-id/plinth/credentials/vc/shape"
)

// What a document can be refused for. The errors of this package wrap one of them
// and never repeat what the document claims.
var (
	ErrMalformed     = jsonld.ErrMalformed
	ErrTooLarge      = jsonld.ErrTooLarge
	ErrUnsupported   = jsonld.ErrUnsupported
	ErrContext       = jsonld.ErrContext
	ErrUndefinedTerm = jsonld.ErrUndefinedTerm
	ErrUnknownKey    = errors.New("vc: the signing key is unknown")
	ErrForeignKey    = errors.New("vc: the signing key is not one of the issuer's")
	ErrSignature     = errors.New("vc: the signature does not fit")
	ErrNotYetValid   = errors.New("vc: not valid yet")
	ErrExpired       = errors.New("vc: expired")
	ErrMalformedKey  = errors.New("vc: not a key or an identifier that is understood")
	ErrAudience      = errors.New("vc: made for somebody else or for another request")
	ErrShape         = shape.ErrShape
	ErrStale         = errors.New("vc: older than what is known already")
)

// Names that credentials are made of.
const (
	ContextV2        = jsonld.CredentialsV2
	ContextV1        = jsonld.CredentialsV1
	TypeCredential   = "VerifiableCredential"
	TypePresentation = "VerifiablePresentation"
	TypeNationalID   = "NationalID"

	// TypeNationalIDIRI is what TypeNationalID stands for in the identity context.
	TypeNationalIDIRI = "https://plinth.id/vocab#NationalID"
)

// Contexts are the JSON-LD contexts that are known. The zero value knows those of
// the W3C and our identity context.
type Contexts = jsonld.Contexts

// IdentityContext is where a deployment serves the context of its own credentials,
// and that document; package jsonld says why every verifier has it.
func IdentityContext(baseURL string) (url string, document []byte) {
	return jsonld.IdentityContext(baseURL)
}

// The bounds of documents. They lie far above any honest one. Objects cost most: each
// may call for contexts of its types.
var (
	credentialBounds   = jsonld.Bounds{Bytes: 256 << 10, Depth: 16, Objects: 128, Values: 2048}
	presentationBounds = jsonld.Bounds{Bytes: 1 << 20, Depth: 20, Objects: 512, Values: 8192}
)

const maxProofs = 8
