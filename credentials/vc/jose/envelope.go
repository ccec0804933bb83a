package jose

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/plinth-id/plinth/credentials/vc/jws"
	"github.com/plinth-id/plinth/credentials/vc/sdjwt"
)

const (
	envelopedCredential   = "EnvelopedVerifiableCredential"
	envelopedPresentation = "EnvelopedVerifiablePresentation"
	maxCredentials        = 32
)

// URL writes the envelope as a data: URL, as it stands in a presentation.
func (e Envelope) URL() string {
	if strings.HasSuffix(e.MediaType, "+cose") { // bytes
		return "data:application/" + e.MediaType + ";base64," + base64.StdEncoding.EncodeToString([]byte(e.Content))
	}
	return "data:application/" + e.MediaType + "," + e.Content
}

// Object writes the envelope as the object that stands in a presentation, or alone.
func (e Envelope) Object() map[string]any {
	kind := envelopedCredential
	if e.presentation() {
		kind = envelopedPresentation
	}
	return map[string]any{"@context": contextV2, "type": kind, "id": e.URL()}
}

// ParseURL reads the data: URL of an envelope (RFC 2397).
func ParseURL(url string) (Envelope, error) {
	rest, ok := strings.CutPrefix(url, "data:application/")
	media, content, comma := strings.Cut(rest, ",")
	if !ok || !comma || content == "" {
		return Envelope{}, fmt.Errorf("%w: not a data URL of an application", ErrMalformed)
	}
	media, isBase64 := strings.CutSuffix(media, ";base64")
	media, _, _ = strings.Cut(strings.ToLower(media), ";") // parameters
	switch media {
	case CredentialJWT, PresentationJWT, CredentialSDJWT, PresentationSDJWT, sdjwt.TypeVC:
	case CredentialCOSE, PresentationCOSE:
		if !isBase64 { // section 3.3.1 of VC-JOSE-COSE
			return Envelope{}, fmt.Errorf("%w: COSE that is not in base64", ErrMalformed)
		}
	default:
		return Envelope{}, ErrMediaType
	}
	if isBase64 {
		// W3C's tests leave the padding out.
		raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(content, "="))
		if err != nil {
			return Envelope{}, fmt.Errorf("%w: not base64", ErrMalformed)
		}
		content = string(raw)
	}
	return Envelope{MediaType: media, Content: content}, nil
}

// ParseObject reads an EnvelopedVerifiableCredential, or one of a presentation.
func ParseObject(object map[string]any) (Envelope, error) {
	kinds, err := texts(object["type"])
	if err != nil {
		return Envelope{}, err
	}
	url, _ := object["id"].(string)
	e, err := ParseURL(url)
	if err != nil {
		return Envelope{}, err
	}
	want := envelopedCredential
	if e.presentation() {
		want = envelopedPresentation
	}
	if !slices.Contains(kinds, want) {
		return Envelope{}, fmt.Errorf("%w: not an %s", ErrMalformed, want)
	}
	return e, nil
}

// ParseJSON is ParseObject of a document that stands alone.
func ParseJSON(raw []byte) (Envelope, error) {
	object, err := jws.Object(raw)
	if err != nil {
		return Envelope{}, err
	}
	return ParseObject(object)
}

// enveloped reads the credentials of a presentation. Those that are not secured count
// for nothing, and make the presentation one that nobody should have sent.
func enveloped(v any) ([]Envelope, error) {
	if v == nil {
		return nil, nil
	}
	items, ok := v.([]any)
	if !ok {
		items = []any{v}
	}
	if len(items) > maxCredentials {
		return nil, fmt.Errorf("%w: more than %d credentials", ErrTooLarge, maxCredentials)
	}
	all := make([]Envelope, len(items))
	for i, item := range items {
		object, ok := item.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%w: a credential without an envelope", ErrMalformed)
		}
		var err error
		if all[i], err = ParseObject(object); err != nil {
			return nil, err
		}
	}
	return all, nil
}
