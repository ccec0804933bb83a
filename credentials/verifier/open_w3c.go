package verifier

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/credentials/vc/dcql"
	"github.com/plinth-id/plinth/credentials/vc/jose"
	"github.com/plinth-id/plinth/credentials/vc/jsonld"
	"github.com/plinth-id/plinth/credentials/vc/jws"
	"github.com/plinth-id/plinth/credentials/vc/rdf"
	"github.com/plinth-id/plinth/credentials/vc/sdjwt"
)

// openLDP checks a presentation of one credential that is secured by Data Integrity;
// of a holder who need not prove anything, the credential itself.
func (v *Verifier) openLDP(ctx context.Context, raw json.RawMessage, b Binding) (shown, error) {
	if b.Unbound {
		return v.openVC(ctx, dcql.FormatLDP, raw)
	}
	p, err := vc.VerifyPresentation(ctx, raw, vc.VerifyOptions{Now: v.Now, Challenge: b.Nonce, Domain: b.Audience})
	if err != nil {
		return shown{}, heldBadly(err)
	}
	if len(p.Credentials) != 1 {
		return shown{}, fmt.Errorf("%w: one credential was asked for", vc.ErrMalformed)
	}
	var s shown
	if e := p.Credentials[0].Envelope; e.Token != "" {
		s, err = v.openJOSE(ctx, jose.Envelope{MediaType: e.MediaType, Content: e.Token})
	} else {
		s, err = v.openVC(ctx, dcql.FormatLDP, p.Credentials[0].Document)
	}
	return s.heldBy(p.Holder, err)
}

// openJWT checks a presentation of one credential, both as JWTs.
func (v *Verifier) openJWT(ctx context.Context, token string, b Binding) (shown, error) {
	if b.Unbound {
		return v.openJOSE(ctx, enveloped(token, jose.CredentialJWT, jose.CredentialJWTBefore))
	}
	p, err := jose.Verify(ctx, enveloped(token, jose.PresentationJWT, jose.PresentationJWTBefore),
		jose.Options{Trust: jws.Trust{Keys: holderKey}, Binding: &sdjwt.Binding{Audience: b.Audience, Nonce: b.Nonce}, Now: v.Now})
	if err != nil {
		return shown{}, heldBadly(err)
	}
	if len(p.Credentials) != 1 {
		return shown{}, fmt.Errorf("%w: one credential was asked for", jose.ErrMalformed)
	}
	s, err := v.openJOSE(ctx, p.Credentials[0])
	return s.heldBy(p.By, err)
}

// heldBadly tells a holder's proof that fails from a presentation that is none.
func heldBadly(err error) error {
	switch {
	case isAny(err, []error{vc.ErrAudience, vc.ErrExpired, vc.ErrNotYetValid, jose.ErrAudience, jose.ErrNonce, jose.ErrStale, jose.ErrExpired, jose.ErrNotYetValid}):
		return heldError{requestMismatch}
	case isAny(err, []error{vc.ErrSignature, vc.ErrUnknownKey, vc.ErrForeignKey, jose.ErrSignature, jose.ErrUnknownKey, jose.ErrUntrusted, jose.ErrNotBound}):
		return heldError{holderUnproved}
	}
	return err
}

// heldBy says that whoever presents is whom the credential is about. One that names
// no subject is bound to nobody.
func (s shown) heldBy(holder string, err error) (shown, error) {
	if err == nil && (holder == "" || s.subject != holder) {
		err = sdjwt.ErrHolderKey
	}
	s.holder = holderProved
	return s, err
}

// holderKey finds the key of a holder, which is written into the name.
func holderKey(_ context.Context, holder, _ string) (crypto.PublicKey, error) {
	key, err := vc.ParseDID(holder)
	if err != nil {
		return nil, jws.ErrUnknownKey
	}
	return key, nil
}

// enveloped knows a JWT of today by its type, and takes all others for those of the
// Data Model 1.1.
func enveloped(token, today, before string) jose.Envelope {
	if parsed, err := jws.Parse(token); err == nil && parsed.Header.Type == today {
		return jose.Envelope{MediaType: today, Content: token}
	}
	return jose.Envelope{MediaType: before, Content: token}
}

// openJOSE checks a W3C credential that is secured as a token.
func (v *Verifier) openJOSE(ctx context.Context, e jose.Envelope) (shown, error) {
	s := shown{format: dcql.FormatJWT, holder: holderNotAsked}
	d, err := jose.Verify(ctx, e, jose.Options{Trust: v.jwsTrust(), Now: v.Now})
	if errors.Is(err, jose.ErrExpired) || errors.Is(err, jose.ErrNotYetValid) {
		s.timing, err = err, nil
	}
	if err != nil {
		return s, err
	}
	s.issuer, s.root, s.types, s.authorities, s.from, s.until = d.By, d.Claims, expanded(d.Claims, d.Types), authorities(d.Chain), d.ValidFrom, d.ValidUntil
	if issuer, ok := v.certified(d.Chain); ok && !sameIssuer(issuer, d.By) { // as of an SD-JWT
		s.issuer = issuer
	}
	s.id, _ = d.Claims["id"].(string)
	subject, ok := d.Claims["credentialSubject"].(map[string]any)
	if !ok {
		return s, fmt.Errorf("%w: it needs exactly one subject", jose.ErrUnsupported)
	}
	s.claims = maps.Clone(subject)
	delete(s.claims, "id")
	if s.subject, _ = subject["id"].(string); s.subject != "" {
		s.claims["holder"] = s.subject
	}
	s.status, err = v.placesOf(d.Claims["credentialStatus"])
	return s, err
}

// placesOf reads the status of a credential that is not JSON-LD to us.
func (v *Verifier) placesOf(value any) ([]place, error) {
	entries, ok := value.([]any)
	if !ok && value != nil {
		entries = []any{value}
	}
	var all []place
	for _, entry := range entries {
		e, _ := entry.(map[string]any)
		if e["type"] != "BitstringStatusListEntry" {
			all = append(all, place{})
			continue
		}
		purpose, a := e["statusPurpose"].(string)
		list, b := e["statusListCredential"].(string)
		index, c := whole(e["statusListIndex"])
		if !a || !b || !c {
			return nil, fmt.Errorf("%w: a status that is not whole", jose.ErrMalformed)
		}
		all = append(all, place{purpose: purpose, list: list, index: index})
	}
	return all, nil
}

func whole(value any) (int, bool) {
	var text string
	switch v := value.(type) {
	case string:
		text = v
	case json.Number:
		text = v.String()
	}
	var n int
	_, err := fmt.Sscanf(text, "%d", &n)
	return n, err == nil && n >= 0 && fmt.Sprint(n) == text
}

// expanded are the types of a W3C credential as IRIs. A type that no context defines
// stays as it is written (OpenID4VP 1.0, B.1.1).
func expanded(document map[string]any, types []string) []string {
	var all []string
	for _, t := range types {
		statements, err := jsonld.Contexts{}.Statements(map[string]any{"@context": document["@context"], "type": t})
		at := -1
		if err == nil {
			at = slices.IndexFunc(statements, func(q rdf.Quad) bool { return q.Predicate == rdf.Type })
		}
		if at < 0 {
			all = append(all, t)
			continue
		}
		all = append(all, statements[at].Object.Value)
	}
	return all
}
