package verifier

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/plinth-id/plinth/credentials/qr"
	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/credentials/vc/jose"
	"github.com/plinth-id/plinth/credentials/vc/jws"
)

// errNothing means that a text is not even an attempt at a credential.
var errNothing = errors.New("there is no credential in the text")

// base45 is the alphabet of the codes; a shorter text of it is only a word.
const (
	base45        = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
	shortestSaved = 48
)

// shown is a credential whose signature is good. timing tells when it is out of
// its period.
type shown struct {
	format      string
	issuer      string
	id          string         // of the credential, by its issuer
	subject     string         // the holder by its DID, of W3C credentials
	claims      map[string]any // for people: about the subject
	root        any            // as a query sees it, from the root of the credential
	types       []string
	authorities map[string][]string
	holder      string           // how the holder's proof ended; empty: none was asked for
	key         crypto.PublicKey // that the holder has proven to have; nil: none
	confirmed   []string         // of the transactions
	from, until time.Time
	timing      error
	status      []place
}

// place is where the status of a credential is published; of an unknown kind when
// it has no purpose.
type place struct {
	purpose, list string
	index         int
}

// open finds the credential in a text and checks its signature.
func (v *Verifier) open(ctx context.Context, text []byte) (shown, error) {
	if s, err := v.openToken(ctx, text); !errors.Is(err, errNothing) {
		return s, err
	}
	kind, document := qr.Detect(string(text))
	switch kind {
	case qr.KindJSON:
		return v.openVC(ctx, "ldp_vc", document)
	case qr.KindPacked:
		return v.openVC(ctx, "ldp_vc", document)
	case qr.KindClaim169:
		return v.openCode(string(text))
	case qr.KindText, qr.KindCBOR: // a wallet shows a token or an mdoc whole
		if s, err := v.openToken(ctx, document); !errors.Is(err, errNothing) {
			return s, err
		}
	}
	trimmed := strings.TrimSpace(string(text))
	if strings.HasPrefix(trimmed, "{") {
		return shown{format: "ldp_vc"}, vc.ErrMalformed
	}
	if len(trimmed) >= shortestSaved && strings.Trim(trimmed, base45) == "" {
		return shown{format: "claim169"}, qr.ErrMalformed
	}
	return shown{}, errNothing
}

func (v *Verifier) openVC(ctx context.Context, format string, document []byte) (shown, error) {
	s := shown{format: format, holder: holderNotAsked}
	if envelope, err := jose.ParseJSON(document); err == nil {
		return v.openJOSE(ctx, envelope)
	}
	c, err := vc.Verify(ctx, document, vc.VerifyOptions{Keys: v.Trust().Resolve, Now: v.Now})
	if errors.Is(err, vc.ErrExpired) || errors.Is(err, vc.ErrNotYetValid) {
		s.timing, err = err, nil
	}
	if err == nil && !ownContexts(document, c.Issuer) {
		err = vc.ErrContext
	}
	if err != nil {
		return s, err
	}
	s.id, s.issuer, s.subject, s.claims, s.from, s.until = c.ID, c.Issuer, c.Subject, c.Claims, c.ValidFrom, c.ValidUntil
	if s.claims == nil { // of several subjects
		s.claims = map[string]any{}
	}
	if c.Subject != "" {
		s.claims["holder"] = c.Subject
	}
	for _, e := range c.Status {
		s.status = append(s.status, place{purpose: e.Purpose, list: e.List, index: e.Index})
	}
	root, err := jws.Object(document)
	if err != nil {
		return s, err
	}
	s.root, s.types = root, expanded(root, c.Types)
	return s, nil
}

// ownContexts tells whether the address of our identity context is at the issuer
// itself. The signature covers what the terms mean, which is the same at every
// address; but a document whose address was changed is not the one that was issued.
func ownContexts(document []byte, issuer string) bool {
	var d struct {
		Contexts []string `json:"@context"`
	}
	if json.Unmarshal(document, &d) != nil {
		return true // a single context, which is that of the data model
	}
	path, _ := vc.IdentityContext("")
	for _, address := range d.Contexts {
		base, ours := strings.CutSuffix(address, path)
		if !ours || !strings.HasPrefix(issuer, "did:web:") {
			continue
		}
		did, err := vc.DIDWeb(base)
		if err != nil || did != issuer || !strings.HasPrefix(base, "https://") && !strings.HasPrefix(base, "http://") {
			return false
		}
	}
	return true
}

func (v *Verifier) openCode(text string) (shown, error) {
	s := shown{format: "claim169"}
	d, err := qr.Decode(text)
	if err != nil {
		return s, err
	}
	err = d.Verify(qr.Trusted(v.Trust()), v.Now())
	if errors.Is(err, qr.ErrExpired) || errors.Is(err, qr.ErrNotYetValid) {
		s.timing, err = err, nil
	}
	if err != nil {
		return s, err
	}
	s.issuer, s.claims, s.from, s.until = d.Claims.Issuer, printed(d.Identity), d.Claims.NotBefore, d.Claims.ExpiresAt
	if d.Claims.Status != nil {
		s.status = []place{{purpose: tokenStatus, list: d.Claims.Status.URI, index: d.Claims.Status.Index}}
	}
	return s, nil
}

// printed is what a code says, under the names that credentials have for it.
func printed(id qr.Identity169) map[string]any {
	claims := map[string]any{}
	for name, value := range map[string]string{
		"fullName": id.FullName, "givenName": id.FirstName, "middleName": id.MiddleName, "familyName": id.LastName,
		"birthDate": dashed(id.DateOfBirth), "address": id.Address, "email": id.Email, "phone": id.Phone, "nationality": id.Nationality,
		"guardian": id.Guardian, "language": id.Language, "id": id.ID, "secondFullName": id.SecondFullName, "legalStatus": id.LegalStatus,
		"gender":        map[int]string{1: "male", 2: "female", 3: "other"}[id.Gender],
		"maritalStatus": map[int]string{1: "unmarried", 2: "married", 3: "divorced"}[id.MaritalStatus],
	} {
		if value != "" {
			claims[name] = value
		}
	}
	return claims
}

func dashed(date string) string {
	if len(date) != 8 {
		return date
	}
	return date[:4] + "-" + date[4:6] + "-" + date[6:]
}
