// Package scribe writes documents: a kind, a person and a place in the status lists
// become signed bytes in one of four formats. It knows no database and no HTTP.
package scribe

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/plinth-id/plinth/credentials/chain"
	"github.com/plinth-id/plinth/credentials/kind"
	"github.com/plinth-id/plinth/credentials/proof"
	"github.com/plinth-id/plinth/credentials/status"
	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/credentials/vc/mdoc"
	"github.com/plinth-id/plinth/credentials/vc/sdjwt"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/registry"
)

// Statement is what is to be signed.
type Statement struct {
	ID     uuid.UUID
	Who    registry.Identity
	Holder proof.Key // empty: bound to no key
	Entry  status.Entry
	From   time.Time
	Until  time.Time
}

// Signer is what documents are signed with.
type Signer struct {
	Base      string // the issuer's address
	DID       string
	Authority string // who issues, in words
	Country   string
	Ed25519   keys.SigningKey
	P256      keys.SigningKey
	Document  chain.Signer // P-256 again, with its certificates
	Stopped   error        // why nothing that needs a certificate can be signed; nil: it can
}

// Hand signs documents. Only New makes one.
type Hand struct {
	Signer
	sdjwt *sdjwt.Issuer
	mdoc  *mdoc.Issuer
}

// New makes a hand.
func New(s Signer) (*Hand, error) {
	h := &Hand{Signer: s}
	if s.Stopped != nil {
		return h, nil
	}
	var err error
	h.sdjwt, err = sdjwt.NewIssuer(sdjwt.IssuerConfig{Key: s.Document.Signer, ID: s.Base, KeyID: s.Document.ID, Chain: s.Document.Chain})
	if err != nil {
		return nil, err
	}
	h.mdoc, err = mdoc.NewIssuer(s.Document.Signer, s.Document.Chain)
	return h, err
}

// Sign makes one document of a kind, as its format has it in a file.
func (h *Hand) Sign(k Kind, s Statement) ([]byte, error) {
	facts := h.facts(s)
	if k.Format != kind.Code {
		facts.Who.Portrait = fitting(facts.Who.Portrait)
	}
	switch k.Format {
	case kind.LDP:
		return h.signLDP(k, s, facts)
	case kind.SDJWT:
		return h.signSDJWT(k, s, facts)
	case kind.MDoc:
		return h.signMDoc(k, s, facts)
	case kind.Code:
		return h.signCode(k, s, facts)
	}
	return nil, fmt.Errorf("signing %s: the format is not known", k.ID)
}

func (h *Hand) facts(s Statement) kind.Facts {
	return kind.Facts{Who: s.Who, From: s.From, Until: s.Until, Authority: h.Authority, Country: h.Country}
}

// signLDP makes a W3C credential.
func (h *Hand) signLDP(k Kind, s Statement, facts kind.Facts) ([]byte, error) {
	input, err := h.draft(k, s, facts)
	if err != nil {
		return nil, err
	}
	draft, err := k.shaped.of(input)
	if err != nil {
		return nil, err
	}
	signed, err := h.prove(draft, k.Definition.Formats.LDP, s.From)
	if err != nil {
		return nil, err
	}
	return signed.JSON(), nil
}

// draft is what a W3C credential is to say.
func (h *Hand) draft(k Kind, s Statement, facts kind.Facts) (vc.DraftInput, error) {
	claims, err := k.Definition.Subject(facts)
	if err != nil {
		return vc.DraftInput{}, err
	}
	input := vc.DraftInput{ID: "urn:uuid:" + s.ID.String(), Issuer: h.DID, ValidFrom: s.From, ValidUntil: s.Until, Subject: s.Holder.DID(),
		Types: k.Definition.Formats.LDP.Types, Contexts: k.Contexts, Known: k.Known, Claims: claims}
	if len(k.Definition.Status) > 0 {
		input.Status = &vc.StatusEntry{Purpose: kind.Revocation, List: s.Entry.URL, Index: s.Entry.Index}
	}
	if slices.Contains(k.Definition.Status, kind.Suspension) {
		input.Further = []vc.StatusEntry{{Purpose: kind.Suspension, List: s.Entry.Purpose(status.Suspensions), Index: s.Entry.Index}}
	}
	return input, nil
}

// prove adds the proof of the suite that a kind wants.
func (h *Hand) prove(draft vc.Draft, want *kind.InLDP, at time.Time) (vc.Signed, error) {
	key := h.Ed25519
	if want.Suite != kind.SuiteEdDSA {
		key = h.P256
	}
	method := h.DID + "#" + key.ID
	if want.Suite == kind.SuiteDisclosable {
		return draft.SignDisclosable(key.Signer, vc.ProofInput{Key: key.Public, Method: method, Created: at}, want.Shown...)
	}
	return draft.Sign(key.Signer, method, at)
}

// signSDJWT makes an SD-JWT VC with all its disclosures.
func (h *Hand) signSDJWT(k Kind, s Statement, facts kind.Facts) ([]byte, error) {
	if h.Stopped != nil {
		return nil, h.Stopped
	}
	claims, withheld, err := k.Definition.Disclosures(facts)
	if err != nil {
		return nil, err
	}
	draft := sdjwt.Draft{Type: k.Type, Claims: claims, Selective: steps(withheld), Holder: s.Holder.Public(), IssuedAt: s.From, NotBefore: s.From, Expires: s.Until}
	if len(k.Definition.Status) > 0 {
		draft.Status = &sdjwt.Status{URI: s.Entry.URL, Index: s.Entry.Index}
	}
	token, err := h.sdjwt.Issue(draft)
	return []byte(token), err
}

// steps are paths as SD-JWT has them, which may also hold numbers.
func steps(paths [][]string) [][]any {
	all := make([][]any, len(paths))
	for n, path := range paths {
		for _, name := range path {
			all[n] = append(all[n], name)
		}
	}
	return all
}

// signMDoc makes a mobile document, in CBOR.
func (h *Hand) signMDoc(k Kind, s Statement, facts kind.Facts) ([]byte, error) {
	if h.Stopped != nil {
		return nil, h.Stopped
	}
	elements, err := k.Definition.Elements(facts)
	if err != nil {
		return nil, err
	}
	spaces := map[string]map[string]any{}
	for _, e := range elements {
		if spaces[e.Namespace] == nil {
			spaces[e.Namespace] = map[string]any{}
		}
		spaces[e.Namespace][e.Name] = elementValue(e.Value)
	}
	device := s.Holder.Public()
	if device == nil {
		// The standard knows no document without a device. This one is bound to a key that
		// nobody has: it can be read, and never be shown as one's own.
		nobody, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		device = nobody.Public()
	}
	draft := mdoc.Draft{DocType: k.Definition.Formats.MDoc.DocType, NameSpaces: spaces, DeviceKey: device, Signed: s.From, ValidFrom: s.From, ValidUntil: s.Until}
	if len(k.Definition.Status) > 0 {
		draft.Status = &mdoc.Status{URI: s.Entry.URL, Index: int64(s.Entry.Index)}
	}
	return h.mdoc.Issue(draft)
}

func elementValue(v any) any {
	switch v := v.(type) {
	case kind.Date:
		return mdoc.FullDate(v)
	case kind.Picture:
		return bytes.Clone(v)
	}
	return v
}
