package holder

import (
	"encoding/json"

	"github.com/go-jose/go-jose/v4"
)

// Presenting is one copy that is about to be shown, and the occasion.
type Presenting struct {
	Format       string
	Document     json.RawMessage
	Key          *jose.JSONWebKey // nil: bound to none
	Claims       [][]any          // paths of what is shown, where a format can keep back the rest
	Audience     string           // client identifier of the verifier, with its prefix
	Nonce        string
	Response     string   // where the answer goes
	Sealed       []byte   // thumbprint of the key to which the answer is encrypted; nil: it is not
	Transactions []string // that this card authorizes
	Now          int64
}

// Half is a presentation without its signature yet.
type Half struct {
	Format  string          `json:"format"`
	Body    json.RawMessage `json:"body,omitempty"`
	Waiting *Waiting        `json:"waiting,omitempty"` // nil: it needs none
}

// Present prepares a presentation.
func Present(p Presenting) (Half, error) {
	f, ok := formats[p.Format]
	if !ok {
		return Half{}, ErrKind
	}
	h, err := f.present(p)
	h.Format = p.Format
	return h, err
}

// Complete adds the signature.
func (h Half) Complete(signature []byte) (json.RawMessage, error) {
	f, ok := formats[h.Format]
	if !ok {
		return nil, ErrKind
	}
	return f.complete(h, signature)
}
