// Package vc makes and checks W3C Verifiable Credentials (Data Model 2.0) that are
// secured by a Data Integrity proof: eddsa-rdfc-2022 is made and checked, and
// ecdsa-rdfc-2019 with P-256 is checked. It never touches the network: it knows
// the contexts it carries and those it is given, and no others.
//
// A Data Integrity proof signs the statements (RDF) that a document makes, not the
// document, and a reader reads the document. Verify therefore takes only documents
// in which the two cannot come apart: every key is a term of a known context, no
// node is written in two places, nothing stands there that makes no statement.
package vc

import "errors"

// What a document can be refused for. The errors of this package wrap one of them
// and never repeat what the document claims.
var (
	ErrMalformed     = errors.New("vc: not a well-formed credential")
	ErrTooLarge      = errors.New("vc: larger or more tangled than is taken")
	ErrUnsupported   = errors.New("vc: uses a feature that is not supported")
	ErrContext       = errors.New("vc: a context is unknown or redefines a protected term")
	ErrUndefinedTerm = errors.New("vc: uses a term that no context defines")
	ErrUnknownKey    = errors.New("vc: the signing key is unknown")
	ErrForeignKey    = errors.New("vc: the signing key is not one of the issuer's")
	ErrSignature     = errors.New("vc: the signature does not fit")
	ErrNotYetValid   = errors.New("vc: not valid yet")
	ErrExpired       = errors.New("vc: expired")
	ErrMalformedKey  = errors.New("vc: not a key or an identifier that is understood")
)

// Names that a NationalID credential is made of.
const (
	ContextV2      = "https://www.w3.org/ns/credentials/v2"
	TypeCredential = "VerifiableCredential"
	TypeNationalID = "NationalID"

	// TypeNationalIDIRI is what TypeNationalID stands for in the identity context.
	TypeNationalIDIRI = "https://plinth.id/vocab#NationalID"
)

// The bounds of a document. They lie far above any honest credential and are
// checked before the costly steps.
const (
	maxBytes     = 64 << 10
	maxDepth     = 12
	maxObjects   = 256
	maxValues    = 1024 // json-gold compares the values of a term with one another
	maxContexts  = 8
	maxBlank     = 32
	maxAmbiguous = 6
)
