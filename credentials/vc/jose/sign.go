package jose

import (
	"crypto"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/plinth-id/plinth/credentials/vc/jws"
	"github.com/plinth-id/plinth/credentials/vc/sdjwt"
)

// Config is a key and what verifiers find it by.
type Config struct {
	Key   crypto.Signer
	KeyID string              // kid; may be empty
	Chain []*x509.Certificate // the leaf first; may be empty
}

// Signer signs documents of the Data Model 2.0 with one key.
type Signer struct{ config Config }

// NewSigner takes the key of an issuer or of a holder.
func NewSigner(c Config) (*Signer, error) {
	if _, err := jws.Algorithm(c.Key.Public()); err != nil {
		return nil, err
	}
	return &Signer{config: c}, nil
}

// SignInput is a document and how it is to be secured.
type SignInput struct {
	MediaType string // of the envelope; jwt_vc_json is only read
	Document  map[string]any
	// For SD-JWTs: what may be kept back, as in sdjwt.Draft, and whose it is.
	Selective [][]any
	Holder    crypto.PublicKey
}

// Sign secures a credential, or a presentation.
func (s *Signer) Sign(in SignInput) (Envelope, error) {
	e := Envelope{MediaType: in.MediaType}
	payload, err := json.Marshal(in.Document)
	if err != nil {
		return Envelope{}, fmt.Errorf("%w: the document is not JSON", ErrMalformed)
	}
	document, err := jws.Object(payload)
	if err != nil {
		return Envelope{}, err
	}
	by, err := issuable(document, e.presentation())
	if err != nil {
		return Envelope{}, err
	}
	inside := "vc"
	if e.presentation() {
		inside = "vp"
	}
	switch in.MediaType {
	case CredentialCOSE, PresentationCOSE:
		return s.cose(in.MediaType, inside, payload)
	case CredentialSDJWT, PresentationSDJWT:
		if _, given := document["iss"]; !given && by != "" {
			// In the clear, so that verifiers find the key even where the document's own
			// name is kept back.
			document["iss"] = by
		}
		return s.selective(in, inside, document)
	case CredentialJWT, PresentationJWT:
	default:
		return Envelope{}, ErrMediaType
	}
	header := map[string]any{"typ": in.MediaType, "cty": inside}
	if s.config.KeyID != "" {
		header["kid"] = s.config.KeyID
	}
	if len(s.config.Chain) > 0 {
		header["x5c"] = jws.EncodeChain(s.config.Chain)
	}
	signer, err := jws.NewSigner(s.config.Key, header)
	if err != nil {
		return Envelope{}, err
	}
	token, err := signer.Sign(payload)
	e.Content = string(token)
	return e, err
}

func (s *Signer) selective(in SignInput, inside string, document map[string]any) (Envelope, error) {
	issuer, err := sdjwt.NewIssuer(sdjwt.IssuerConfig{
		Key: s.config.Key, KeyID: s.config.KeyID, Chain: s.config.Chain, MediaType: in.MediaType, Content: inside,
	})
	if err != nil {
		return Envelope{}, err
	}
	token, err := issuer.Issue(sdjwt.Draft{Claims: document, Selective: in.Selective, Holder: in.Holder})
	return Envelope{MediaType: in.MediaType, Content: token}, err
}

// properties are those that the Data Model 2.0 gives a credential, and the claims of
// a JWT that may stand beside them.
var properties = []string{
	"@context", "id", "type", "name", "description", "issuer", "credentialSubject", "validFrom", "validUntil",
	"credentialStatus", "credentialSchema", "refreshService", "termsOfUse", "evidence", "relatedResource",
	"renderMethod", "confidenceMethod", "iss", "sub", "jti", "iat", "exp", "cnf",
}

// issuable refuses to sign what verifiers would refuse, and a credential with claims
// outside of its subject: a reader passes them over.
func issuable(document map[string]any, presentation bool) (by string, err error) {
	d, err := read(document, presentation)
	if err != nil {
		return "", err
	}
	if by, err = signer(document, d.By); err != nil || presentation {
		return by, err
	}
	for name := range document {
		if !slices.Contains(properties, name) {
			return "", fmt.Errorf("%w: a property that the data model does not give a credential", ErrUnsupported)
		}
	}
	return by, nil
}
