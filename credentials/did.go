package credentials

import (
	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/internal/keys"
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
