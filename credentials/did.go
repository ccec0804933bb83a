package credentials

import (
	"time"

	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/credentials/vc/jws"
	"github.com/plinth-id/plinth/internal/keys"
)

// An edition of the trust list is the same in every process for a while, and good for
// so long without a network.
const (
	editionEvery = 5 * time.Minute
	editionLife  = 30 * 24 * time.Hour
)

// DID is the issuer as the signer of documents.
func (i *Issuer) DID() (string, error) { return vc.DIDWeb(i.ID()) }

// verifiers are the keys that sign documents, and those that signed before.
func (i *Issuer) verifiers() []keys.SigningKey {
	return append(i.Ring.Verifiers(keys.VCIssuing), i.Ring.Verifiers(keys.VCDocument)...)
}

// DIDDocument publishes the keys.
func (i *Issuer) DIDDocument() ([]byte, error) {
	did, err := i.DID()
	if err != nil {
		return nil, err
	}
	var list []vc.VerificationKey
	for _, k := range i.verifiers() {
		list = append(list, vc.VerificationKey{ID: did + "#" + k.ID, Public: k.Public})
	}
	return vc.DIDDocument(did, list)
}

// KeySet publishes the keys as JOSE has them (SD-JWT VC, section 5).
func (i *Issuer) KeySet() (map[string]any, error) {
	all := []map[string]any{}
	for _, k := range i.verifiers() {
		jwk, err := jws.JWK(k.Public)
		if err != nil {
			return nil, err
		}
		jwk["kid"], jwk["use"] = k.ID, "sig"
		all = append(all, jwk)
	}
	return map[string]any{"keys": all}, nil
}

// TrustList is the same for verifiers that work without a network, with the anchors
// of our certificates.
func (i *Issuer) TrustList() (vc.TrustList, error) {
	did, err := i.DID()
	if err != nil {
		return vc.TrustList{}, err
	}
	issuer := vc.TrustedIssuer{ID: did, Name: i.authority()}
	for _, k := range i.verifiers() {
		key, err := trusted(did, k)
		if err != nil {
			return vc.TrustList{}, err
		}
		issuer.Keys = append(issuer.Keys, key)
	}
	for _, c := range i.Chain.Anchors() {
		issuer.X509 = append(issuer.X509, c.Raw)
	}
	issued := i.Now().UTC().Truncate(editionEvery)
	list := vc.TrustList{Sequence: uint64(max(issued.Unix(), 1)), Issued: issued, Expires: issued.Add(editionLife), Issuers: []vc.TrustedIssuer{issuer}}
	// The next key is named before it signs, so that nobody is cut off by a rotation.
	for _, k := range i.Ring.Published(keys.VCIssuing, i.Now(), 0) {
		key, err := trusted(did, k)
		if err != nil {
			return vc.TrustList{}, err
		}
		list.Signers = append(list.Signers, key)
	}
	return list, nil
}

func trusted(did string, k keys.SigningKey) (vc.TrustedKey, error) {
	multibase, err := vc.Multikey(k.Public)
	return vc.TrustedKey{ID: did + "#" + k.ID, PublicKeyMultibase: multibase}, err
}

// SignedTrustList is the trust list as somebody may keep it who has it from elsewhere.
func (i *Issuer) SignedTrustList() ([]byte, error) {
	list, err := i.TrustList()
	if err != nil {
		return nil, err
	}
	key, err := i.Ring.Signer(keys.VCIssuing)
	if err != nil {
		return nil, err
	}
	return vc.SignTrustList(list, key.Signer)
}
