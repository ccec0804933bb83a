// Package jose secures W3C credentials and presentations by enveloping them
// (VC-JOSE-COSE): as a JWT, as an SD-JWT, and as COSE_Sign1. It reads the JWTs of the
// Data Model 1.1 besides, for wallets that still have them. It knows no database and
// never touches the network.
package jose

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"strings"
	"time"

	"github.com/plinth-id/plinth/credentials/vc/jws"
	"github.com/plinth-id/plinth/credentials/vc/sdjwt"
)

// What an envelope can be refused for, beside the errors of sdjwt for what a holder
// has signed. The errors of this package wrap one of them and never repeat what the
// envelope claims.
var (
	ErrMalformed   = jws.ErrMalformed
	ErrTooLarge    = jws.ErrTooLarge
	ErrUnsupported = jws.ErrUnsupported
	ErrSignature   = jws.ErrSignature
	ErrUnknownKey  = jws.ErrUnknownKey
	ErrUntrusted   = jws.ErrUntrusted
	ErrNotYetValid = jws.ErrNotYetValid
	ErrExpired     = jws.ErrExpired

	ErrMediaType = sdjwt.ErrMediaType
	ErrNotBound  = sdjwt.ErrNotBound
	ErrAudience  = sdjwt.ErrAudience
	ErrNonce     = sdjwt.ErrNonce
	ErrStale     = sdjwt.ErrStale

	ErrConflict = errors.New("jose: the token and the document in it say different things")
)

// Media types of envelopes, without application/.
const (
	CredentialJWT         = "vc+jwt"
	PresentationJWT       = "vp+jwt"
	CredentialSDJWT       = "vc+sd-jwt"
	PresentationSDJWT     = "vp+sd-jwt"
	CredentialCOSE        = "vc+cose"
	PresentationCOSE      = "vp+cose"
	CredentialJWTBefore   = "jwt_vc_json" // of the Data Model 1.1; not a media type, but what OpenID calls it
	PresentationJWTBefore = "jwt_vp_json"
)

// Envelope is a secured credential or presentation: a compact token, or the bytes of
// COSE.
type Envelope struct {
	MediaType string
	Content   string
}

// presentation says which of the two is inside.
func (e Envelope) presentation() bool {
	return strings.HasPrefix(e.MediaType, "vp+") || e.MediaType == PresentationJWTBefore
}

// Options are what a verifier trusts and asks for.
type Options struct {
	// Trust finds the key of an issuer or, for a presentation, of its holder.
	jws.Trust
	// Binding is the occasion that a holder must have signed a presentation for, or
	// an SD-JWT; nil asks for none.
	Binding *sdjwt.Binding
	Now     func() time.Time // nil means time.Now
}

// Document is a credential or a presentation that was verified.
type Document struct {
	Types []string
	// By is who has signed it: the issuer, or the holder of a presentation.
	By         string
	KeyID      string
	Chain      []*x509.Certificate // that was trusted, with the anchor; nil: found by Keys
	ValidFrom  time.Time           // zero: from ever
	ValidUntil time.Time           // zero: for ever
	Claims     map[string]any      // the document as it was signed; numbers are json.Number
	Disclosed  [][]any             // of an SD-JWT: what was selective and is shown
	Holder     crypto.PublicKey    // of an SD-JWT: the key that it is bound to
	// Credentials are those in a presentation. Each is still to be verified.
	Credentials []Envelope
}

// Verify opens an envelope. What it gives beside ErrExpired and ErrNotYetValid is
// signed; with any other error nothing is given. Whether a credential was revoked,
// and what is in a presentation, is for the caller to ask.
func Verify(ctx context.Context, e Envelope, o Options) (Document, error) {
	now := time.Now
	if o.Now != nil {
		now = o.Now
	}
	d, times, err := open(ctx, e, o, now())
	if err != nil {
		return Document{}, err
	}
	// The token's times are those of the signature, the document's those of what it says.
	if err := times.Check(now()); err != nil {
		return d, err
	}
	return d, jws.Times{NotBefore: d.ValidFrom, Expires: d.ValidUntil}.Check(now())
}

func open(ctx context.Context, e Envelope, o Options, now time.Time) (Document, jws.Times, error) {
	switch e.MediaType {
	case CredentialJWT, PresentationJWT:
		return openJWT(ctx, e, o, now)
	case CredentialSDJWT, PresentationSDJWT:
		return openSDJWT(ctx, e, o, now)
	case CredentialCOSE, PresentationCOSE:
		return openCOSE(ctx, e, o, now)
	case CredentialJWTBefore, PresentationJWTBefore:
		return openBefore(ctx, e, o, now)
	}
	return Document{}, jws.Times{}, ErrMediaType
}
