// Package jsonld reads JSON-LD documents into the statements that they make. It
// never touches the network: it knows the contexts it carries and those it is
// given, and no others.
//
// What is signed are the statements, and what is read is the document. The package
// therefore takes only documents in which the two cannot come apart: every key is a
// plain term of a known context, no node is written in two places, and nothing
// stands there that makes no statement.
package jsonld

import "errors"

// What a document can be refused for. The errors of this package wrap one of them
// and never repeat what the document claims.
var (
	ErrMalformed     = errors.New("vc: not a well-formed credential")
	ErrTooLarge      = errors.New("vc: larger or more tangled than is taken")
	ErrUnsupported   = errors.New("vc: uses a feature that is not supported")
	ErrContext       = errors.New("vc: a context is unknown or redefines a protected term")
	ErrUndefinedTerm = errors.New("vc: uses a term that no context defines")
)

// Bounds of a document. They lie far above any honest one and are checked before
// the costly steps.
type Bounds struct {
	Bytes, Depth, Objects, Values int
}

const maxContexts = 12
