package credentials

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

// statement is what is to be signed.
type statement struct {
	id     uuid.UUID
	who    registry.Identity
	holder proof.Key // empty: bound to no key
	entry  status.Entry
	from   time.Time
	until  time.Time
}

// hand is what documents are signed with: the issuer's, or one that is tried out.
type hand struct {
	id        string // of the issuer
	did       string
	authority string // in words
	country   string
	issuing   keys.SigningKey // Ed25519
	ecdsa     keys.SigningKey // P-256, of the W3C suites that want it
	document  chain.Signer    // the same with its certificates
	sdjwt     *sdjwt.Issuer
	mdoc      *mdoc.Issuer
	stopped   error // why nothing that needs a certificate can be signed
}

// hand is the issuer's of now. It is made anew when a key or a certificate changes.
func (i *Issuer) hand() (*hand, error) {
	issuing, err := i.Ring.Signer(keys.VCIssuing)
	if err != nil {
		return nil, err
	}
	ecdsa, err := i.Ring.Signer(keys.VCDocument)
	if err != nil {
		return nil, err
	}
	document, stopped := i.Chain.Signer()
	if last := i.signing.Load(); last != nil && last.issuing.ID == issuing.ID && last.stopped == nil && stopped == nil &&
		last.document.Chain[0].Equal(document.Chain[0]) {
		return last, nil
	}
	did, err := i.DID()
	if err != nil {
		return nil, err
	}
	h := &hand{id: i.ID(), did: did, authority: i.authority(), country: i.Chain.Country, issuing: issuing, ecdsa: ecdsa, document: document, stopped: stopped}
	if stopped == nil {
		if err := h.equip(); err != nil {
			return nil, err
		}
	}
	i.signing.Store(h)
	return h, nil
}

// equip makes the signers of the formats that carry certificates.
func (h *hand) equip() (err error) {
	h.sdjwt, err = sdjwt.NewIssuer(sdjwt.IssuerConfig{Key: h.document.Signer, ID: h.id, KeyID: h.document.ID, Chain: h.document.Chain})
	if err != nil {
		return err
	}
	h.mdoc, err = mdoc.NewIssuer(h.document.Signer, h.document.Chain)
	return err
}

// authority is who issues, in words.
func (i *Issuer) authority() string {
	if i.Authority != "" {
		return i.Authority
	}
	return i.Config.Issuer.Host
}

// until is how long a credential holds that is issued now. An SD-JWT VC holds no
// longer than its certificate, which is checked whenever it is shown.
func (i *Issuer) until(k Kind, from time.Time) time.Time {
	until := from.Add(k.Definition.Life())
	if k.Format != kind.SDJWT {
		return until
	}
	if signer, err := i.Chain.Signer(); err == nil && signer.Until.Before(until) {
		return signer.Until.UTC().Truncate(time.Second)
	}
	return until
}

// sign makes one document of a kind, as its format has it in a file.
func (i *Issuer) sign(k Kind, s statement) ([]byte, error) {
	h, err := i.hand()
	if err != nil {
		return nil, err
	}
	return h.sign(k, s)
}

func (h *hand) sign(k Kind, s statement) ([]byte, error) {
	facts := kind.Facts{Who: s.who, From: s.from, Until: s.until, Authority: h.authority, Country: h.country}
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

// signLDP makes a W3C credential.
func (h *hand) signLDP(k Kind, s statement, facts kind.Facts) ([]byte, error) {
	claims, err := k.Definition.Subject(facts)
	if err != nil {
		return nil, err
	}
	input := vc.DraftInput{ID: "urn:uuid:" + s.id.String(), Issuer: h.did, ValidFrom: s.from, ValidUntil: s.until, Subject: s.holder.DID(),
		Types: k.Definition.Formats.LDP.Types, Contexts: k.contexts, Known: k.known, Claims: claims}
	if len(k.Definition.Status) > 0 {
		input.Status = &vc.StatusEntry{Purpose: kind.Revocation, List: s.entry.URL, Index: s.entry.Index}
	}
	if slices.Contains(k.Definition.Status, kind.Suspension) {
		input.Further = []vc.StatusEntry{{Purpose: kind.Suspension, List: s.entry.Purpose(status.Suspensions), Index: s.entry.Index}}
	}
	draft, err := vc.NewDraft(input)
	if err != nil {
		return nil, err
	}
	signed, err := h.prove(draft, k.Definition.Formats.LDP, s.from)
	if err != nil {
		return nil, err
	}
	return signed.JSON(), nil
}

// prove adds the proof of the suite that a kind wants.
func (h *hand) prove(draft vc.Draft, want *kind.InLDP, at time.Time) (vc.Signed, error) {
	key := h.issuing
	if want.Suite != kind.SuiteEdDSA {
		key = h.ecdsa
	}
	method := h.did + "#" + key.ID
	if want.Suite == kind.SuiteDisclosable {
		return draft.SignDisclosable(key.Signer, vc.ProofInput{Key: key.Public, Method: method, Created: at}, want.Shown...)
	}
	return draft.Sign(key.Signer, method, at)
}

// signSDJWT makes an SD-JWT VC with all its disclosures.
func (h *hand) signSDJWT(k Kind, s statement, facts kind.Facts) ([]byte, error) {
	if h.stopped != nil {
		return nil, h.stopped
	}
	claims, withheld, err := k.Definition.Disclosures(facts)
	if err != nil {
		return nil, err
	}
	draft := sdjwt.Draft{Type: k.vct, Claims: claims, Selective: steps(withheld), Holder: s.holder.Public(), IssuedAt: s.from, NotBefore: s.from, Expires: s.until}
	if len(k.Definition.Status) > 0 {
		draft.Status = &sdjwt.Status{URI: s.entry.URL, Index: s.entry.Index}
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
func (h *hand) signMDoc(k Kind, s statement, facts kind.Facts) ([]byte, error) {
	if h.stopped != nil {
		return nil, h.stopped
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
	device := s.holder.Public()
	if device == nil {
		// The standard knows no document without a device. This one is bound to a key that
		// nobody has: it can be read, and never be shown as one's own.
		nobody, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		device = nobody.Public()
	}
	draft := mdoc.Draft{DocType: k.Definition.Formats.MDoc.DocType, NameSpaces: spaces, DeviceKey: device, Signed: s.from, ValidFrom: s.from, ValidUntil: s.until}
	if len(k.Definition.Status) > 0 {
		draft.Status = &mdoc.Status{URI: s.entry.URL, Index: int64(s.entry.Index)}
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
