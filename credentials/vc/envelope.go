package vc

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/plinth-id/plinth/credentials/vc/jsonld"
)

const (
	typeEnveloped             = "EnvelopedVerifiableCredential"
	typeEnvelopedPresentation = "EnvelopedVerifiablePresentation"
)

// Envelope is a credential or presentation that is secured from outside, as a token
// (Verifiable Credentials Data Model 2.0, 4.12). Nothing about it is checked here:
// that is for whoever knows tokens of its media type.
type Envelope struct {
	MediaType string // such as application/vc+jwt
	Token     string
}

// Document is the object that stands for the envelope in a presentation.
func (e Envelope) Document() ([]byte, error) {
	return jsonld.Canonical(map[string]any{"@context": ContextV2, "type": typeEnveloped, "id": "data:" + e.MediaType + "," + e.Token})
}

// ParseEnvelope recognises an EnvelopedVerifiableCredential or an
// EnvelopedVerifiablePresentation; ErrUnsupported is for all other documents.
func ParseEnvelope(document []byte) (Envelope, error) {
	doc, err := jsonld.Parse(document, presentationBounds)
	if err != nil {
		return Envelope{}, err
	}
	kinds, err := texts(doc["type"])
	if err != nil || !slices.Contains(kinds, typeEnveloped) && !slices.Contains(kinds, typeEnvelopedPresentation) {
		return Envelope{}, fmt.Errorf("%w: not an envelope", ErrUnsupported)
	}
	return readEnvelope(doc)
}

// readEnvelope reads the data: URL (RFC 2397) that an envelope is named by.
func readEnvelope(doc map[string]any) (Envelope, error) {
	bad := fmt.Errorf("%w: an envelope that is not a data: URL with a token", ErrMalformed)
	if listed := listOf(doc["@context"]); len(listed) == 0 || listed[0] != ContextV2 {
		return Envelope{}, bad
	}
	for key := range doc {
		if key != "@context" && key != "type" && key != "id" {
			return Envelope{}, fmt.Errorf("%w: a member beside an envelope, which nobody signed", ErrMalformed)
		}
	}
	id, _ := doc["id"].(string)
	rest, data := strings.CutPrefix(id, "data:")
	kind, token, ok := strings.Cut(rest, ",")
	kind, encoding, _ := strings.Cut(kind, ";")
	if !data || !ok || !strings.HasPrefix(kind, "application/") || token == "" {
		return Envelope{}, bad
	}
	if encoding == "base64" {
		raw, err := base64.StdEncoding.DecodeString(token)
		if err != nil {
			return Envelope{}, bad
		}
		token = string(raw)
	}
	return Envelope{MediaType: kind, Token: token}, nil
}
