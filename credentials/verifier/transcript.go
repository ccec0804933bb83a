package verifier

import (
	"crypto/sha256"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// TranscriptOfRedirect is the session of an mdoc that a wallet sends to a response
// URI (OpenID4VP 1.0, B.2.6.1). thumbprint is of the key to which the answer is
// sealed; nil: it is not.
func TranscriptOfRedirect(clientID, nonce, responseURI string, thumbprint []byte) ([]byte, error) {
	return transcript("OpenID4VPHandover", []any{clientID, nonce, optional(thumbprint), responseURI})
}

// TranscriptOfOrigin is the session of an mdoc that comes by the Digital Credentials
// API (B.2.6.2).
func TranscriptOfOrigin(origin, nonce string, thumbprint []byte) ([]byte, error) {
	return transcript("OpenID4VPDCAPIHandover", []any{origin, nonce, optional(thumbprint)})
}

func optional(raw []byte) any {
	if raw == nil {
		return nil
	}
	return raw
}

func transcript(name string, info []any) ([]byte, error) {
	raw, err := cbor.Marshal(info)
	if err != nil {
		return nil, fmt.Errorf("writing a session transcript: %w", err)
	}
	sum := sha256.Sum256(raw)
	return cbor.Marshal([]any{nil, nil, []any{name, sum[:]}})
}
