package mdoc

import (
	"crypto/sha256"
	"fmt"
)

// Transcript is a SessionTranscript in CBOR: what binds a presentation to the one
// request that it answers.
type Transcript []byte

// RedirectTranscript is the one of OpenID4VP with redirects or direct_post (annex
// B.2.6.1): the thumbprint is the SHA-256 one of the key that the answer is sealed to,
// nil when it is not sealed; the response URI may be a redirect URI.
func RedirectTranscript(clientID, nonce, responseURI string, thumbprint []byte) (Transcript, error) {
	if clientID == "" || nonce == "" || responseURI == "" {
		return nil, fmt.Errorf("%w: a transcript without a client, a nonce or an address", ErrMalformed)
	}
	return handover("OpenID4VPHandover", []any{clientID, nonce, orNull(thumbprint), responseURI})
}

// DCAPITranscript is the one of the Digital Credentials API (annex B.2.6.2). The
// origin has no prefix.
func DCAPITranscript(origin, nonce string, thumbprint []byte) (Transcript, error) {
	if origin == "" || nonce == "" {
		return nil, fmt.Errorf("%w: a transcript without an origin or a nonce", ErrMalformed)
	}
	return handover("OpenID4VPDCAPIHandover", []any{origin, nonce, orNull(thumbprint)})
}

func orNull(thumbprint []byte) any {
	if len(thumbprint) == 0 {
		return nil
	}
	return thumbprint
}

func handover(kind string, info []any) (Transcript, error) {
	raw, err := canonical.Marshal(info)
	if err != nil {
		return nil, fmt.Errorf("%w: what the session is made of", ErrMalformed)
	}
	hash := sha256.Sum256(raw)
	return canonical.Marshal([]any{nil, nil, []any{kind, hash[:]}})
}
