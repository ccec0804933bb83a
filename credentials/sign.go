package credentials

import (
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/plinth-id/plinth/credentials/kind"
	"github.com/plinth-id/plinth/credentials/status"
	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/registry"
)

// DID is the issuer as the signer of documents.
func (i *Issuer) DID() (string, error) { return vc.DIDWeb(i.ID()) }

// DIDDocument publishes the keys that sign, and those that signed before.
func (i *Issuer) DIDDocument() ([]byte, error) {
	did, err := i.DID()
	if err != nil {
		return nil, err
	}
	var list []vc.VerificationKey
	for _, k := range i.Ring.Verifiers(keys.VCIssuing) {
		list = append(list, vc.VerificationKey{ID: did + "#" + k.ID, Public: k.Public})
	}
	return vc.DIDDocument(did, list)
}

// TrustList is the same for verifiers that work without a network.
func (i *Issuer) TrustList() (vc.TrustList, error) {
	did, err := i.DID()
	if err != nil {
		return vc.TrustList{}, err
	}
	issuer := vc.TrustedIssuer{ID: did, Name: i.Config.Issuer.Host}
	for _, k := range i.Ring.Verifiers(keys.VCIssuing) {
		multibase, err := vc.Multikey(k.Public)
		if err != nil {
			return vc.TrustList{}, err
		}
		issuer.Keys = append(issuer.Keys, vc.TrustedKey{ID: did + "#" + k.ID, PublicKeyMultibase: multibase})
	}
	return vc.TrustList{Issuers: []vc.TrustedIssuer{issuer}}, nil
}

// statement is what is to be signed.
type statement struct {
	id     uuid.UUID
	who    registry.Identity
	holder HolderKey // empty: bound to no key
	entry  status.Entry
	from   time.Time
	until  time.Time
}

// sign makes one document of a kind.
func (i *Issuer) sign(k Kind, s statement) ([]byte, error) {
	facts := kind.Facts{Who: s.who, From: s.from, Until: s.until, Authority: i.Config.Issuer.Host}
	switch k.Format {
	case kind.LDP:
		return i.signLDP(k, s, facts)
	case kind.Code:
		return i.signCode(k, s, facts)
	}
	return nil, fmt.Errorf("signing %s: the format is not known", k.ID)
}

// signLDP makes a W3C credential.
func (i *Issuer) signLDP(k Kind, s statement, facts kind.Facts) ([]byte, error) {
	did, err := i.DID()
	if err != nil {
		return nil, err
	}
	claims, err := k.Subject(facts)
	if err != nil {
		return nil, err
	}
	context, _ := vc.IdentityContext(i.ID())
	draft, err := vc.NewDraft(vc.DraftInput{
		ID: "urn:uuid:" + s.id.String(), Issuer: did, ValidFrom: s.from, ValidUntil: s.until, Subject: s.holder.DID(),
		Types: k.Formats.LDP.Types, Contexts: []string{context}, Claims: claims,
		Status: &vc.StatusEntry{Purpose: "revocation", List: s.entry.URL, Index: s.entry.Index},
	})
	if err != nil {
		return nil, err
	}
	key, err := i.Ring.Signer(keys.VCIssuing)
	if err != nil {
		return nil, err
	}
	signed, err := draft.Sign(key.Signer, did+"#"+key.ID, s.from)
	if err != nil {
		return nil, err
	}
	return signed.JSON(), nil
}
