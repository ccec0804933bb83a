package jose

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/plinth-id/plinth/credentials/vc/jws"
	"github.com/plinth-id/plinth/credentials/vc/sdjwt"
)

// openJWT follows VC-JOSE-COSE, section 3.1: the document is the payload.
func openJWT(ctx context.Context, e Envelope, o Options, now time.Time) (Document, jws.Times, error) {
	token, err := jws.Parse(e.Content)
	if err != nil {
		return Document{}, jws.Times{}, err
	}
	// The type is demanded: without it any other token of an issuer might pass.
	if token.Header.Type != e.MediaType || !content(token.Header.Content, e) {
		return Document{}, jws.Times{}, ErrMediaType
	}
	claims, err := jws.Object(token.Payload)
	if err != nil {
		return Document{}, jws.Times{}, err
	}
	d, err := read(claims, e.presentation())
	if err != nil {
		return Document{}, jws.Times{}, err
	}
	if d.By, err = signer(claims, d.By); err != nil {
		return Document{}, jws.Times{}, err
	}
	return o.signed(ctx, token, d, claims, now)
}

// content says whether cty, if it is there at all, is that of what is inside. A more
// specific type may stand there; one of something else may not.
func content(cty string, e Envelope) bool {
	inside := "vc"
	if e.presentation() {
		inside = "vp"
	}
	return cty == "" || cty == inside
}

// signer is who must have signed: the document and the token may not name two.
func signer(claims map[string]any, by string) (string, error) {
	v, given := claims["iss"]
	if !given {
		return by, nil
	}
	iss, ok := v.(string)
	if !ok || by != "" && iss != by {
		return "", fmt.Errorf("%w: who has signed it", ErrConflict)
	}
	return iss, nil
}

// signed checks the signature of a document that was read from the claims of a token,
// and the occasion of a presentation.
func (o Options) signed(ctx context.Context, token jws.Token, d Document, claims map[string]any, now time.Time) (Document, jws.Times, error) {
	by, err := o.Signatory(ctx, token.Header, d.By, now)
	if err != nil {
		return Document{}, jws.Times{}, err
	}
	if err := token.Verify(by.Key); err != nil {
		return Document{}, jws.Times{}, err
	}
	d.KeyID = token.Header.KeyID
	d.By, d.Chain = by.Name, by.Path
	times, err := jws.ReadTimes(claims)
	if err != nil {
		return Document{}, jws.Times{}, err
	}
	if o.Binding != nil {
		if err := checkOccasion(*o.Binding, claims, times, now); err != nil {
			return Document{}, jws.Times{}, err
		}
	}
	return d, times, nil
}

// checkOccasion is for a presentation whose own signature is the holder's (OpenID4VP
// 1.0, appendix B.1). A credential never fits: nobody has signed it for an occasion.
func checkOccasion(b sdjwt.Binding, claims map[string]any, times jws.Times, now time.Time) error {
	if claims["nonce"] == nil && claims["aud"] == nil {
		return ErrNotBound
	}
	audience, _ := texts(claims["aud"])
	if !slices.Contains(audience, b.Audience) {
		return ErrAudience
	}
	if nonce, ok := claims["nonce"].(string); !ok || nonce != b.Nonce {
		return ErrNonce
	}
	age := b.MaxAge
	if age == 0 {
		age = sdjwt.UsualAge
	}
	if !times.IssuedAt.IsZero() && now.Sub(times.IssuedAt) > age {
		return ErrStale
	}
	return nil
}

// openSDJWT follows VC-JOSE-COSE, section 3.2.
func openSDJWT(ctx context.Context, e Envelope, o Options, now time.Time) (Document, jws.Times, error) {
	c, err := sdjwt.Verify(ctx, e.Content, sdjwt.Options{
		Trust: o.Trust, Binding: o.Binding, Types: []string{e.MediaType},
		Now: func() time.Time { return now },
		Issuer: func(claims map[string]any) (string, error) {
			name := "issuer"
			if e.presentation() {
				name = "holder"
			}
			by, err := named(claims[name])
			if err != nil {
				return "", err
			}
			return signer(claims, by)
		},
	})
	if c.Claims == nil {
		return Document{}, jws.Times{}, err
	}
	d, err := read(c.Claims, e.presentation())
	if err != nil {
		return Document{}, jws.Times{}, err
	}
	// What was disclosed may name an issuer as well, and then the same one.
	if _, err := signer(c.Claims, d.By); err != nil {
		return Document{}, jws.Times{}, err
	}
	if d.By != "" && c.Chain == nil && d.By != c.Issuer {
		return Document{}, jws.Times{}, fmt.Errorf("%w: who has signed it", ErrConflict)
	}
	d.By, d.Chain, d.KeyID, d.Disclosed, d.Holder = c.Issuer, c.Chain, c.KeyID, c.Disclosed, c.Holder
	return d, c.Times, nil
}
