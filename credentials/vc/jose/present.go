package jose

import (
	"crypto"
	"fmt"
	"slices"

	"github.com/plinth-id/plinth/credentials/vc/jws"
	"github.com/plinth-id/plinth/credentials/vc/sdjwt"
)

// PresentInput is what a holder shows, and for what.
type PresentInput struct {
	MediaType   string // PresentationJWT, or PresentationJWTBefore
	Credentials []Envelope
	Holder      string // a DID, as a rule
	KeyID       string // the holder's key by its full name
	Key         crypto.PublicKey
	Occasion    sdjwt.Occasion
}

// Unsigned is a presentation that waits for the holder's signature. The key may be
// somewhere else, as in a browser.
type Unsigned struct {
	media string
	input []byte
	key   crypto.PublicKey
}

// Present makes what the holder has to sign (OpenID4VP 1.0, appendix B.1.3.1).
func Present(in PresentInput) (Unsigned, error) {
	o := in.Occasion
	if in.Holder == "" || o.Audience == "" || o.Nonce == "" || o.At.IsZero() {
		return Unsigned{}, fmt.Errorf("%w: a presentation has a holder, an audience, a nonce and a time", ErrMalformed)
	}
	if len(o.Transaction) > 0 {
		return Unsigned{}, fmt.Errorf("%w: a transaction in this format", ErrUnsupported)
	}
	alg, err := jws.Algorithm(in.Key)
	if err != nil {
		return Unsigned{}, err
	}
	header := map[string]any{"alg": alg, "typ": PresentationJWT}
	claims := map[string]any{"iss": in.Holder, "aud": o.Audience, "nonce": o.Nonce, "iat": o.At.Unix()}
	if in.KeyID != "" {
		header["kid"] = in.KeyID
	}
	inside := make([]any, len(in.Credentials))
	switch in.MediaType {
	case PresentationJWT:
		for i, e := range in.Credentials {
			inside[i] = e.Object()
		}
		claims["@context"], claims["type"], claims["holder"] = []string{contextV2}, []string{typePresentation}, in.Holder
		claims["verifiableCredential"] = inside
	case PresentationJWTBefore:
		for i, e := range in.Credentials {
			if e.MediaType != CredentialJWTBefore {
				return Unsigned{}, ErrMediaType
			}
			inside[i] = e.Content
		}
		header["typ"] = "JWT"
		claims["vp"] = map[string]any{"@context": []string{contextV1}, "type": []string{typePresentation}, "verifiableCredential": inside}
	default:
		return Unsigned{}, ErrMediaType
	}
	input, err := jws.Input(header, claims)
	return Unsigned{media: in.MediaType, input: input, key: in.Key}, err
}

// Input is what the holder's key must sign, hashing included.
func (u Unsigned) Input() []byte { return slices.Clone(u.input) }

// With completes the presentation by a signature in the form of JOSE, which is that of
// WebCrypto as well.
func (u Unsigned) With(signature []byte) (Envelope, error) {
	content := string(jws.Join(slices.Clone(u.input), signature))
	token, err := jws.Parse(content)
	if err != nil {
		return Envelope{}, err
	}
	if err := token.Verify(u.key); err != nil {
		return Envelope{}, sdjwt.ErrHolderKey
	}
	return Envelope{MediaType: u.media, Content: content}, nil
}
