package status

import (
	"fmt"
	"strings"
	"time"

	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/credentials/vc/statuslist"
	"github.com/plinth-id/plinth/internal/keys"
)

// valueBits is how many bits of a token list one credential has: valid, invalid and
// suspended need two.
const valueBits = 2

// defaultSigner is the key of the W3C credentials.
func (p *Publisher) defaultSigner() (statuslist.Signing, error) {
	key, did, err := p.issuerKey()
	return statuslist.Signing{Key: key.Signer, KeyID: did + "#" + key.ID}, err
}

func (p *Publisher) issuerKey() (keys.SigningKey, string, error) {
	did, err := vc.DIDWeb(p.issuer())
	if err != nil {
		return keys.SigningKey{}, "", err
	}
	key, err := p.Ring.Signer(keys.VCIssuing)
	return key, did, err
}

func (p *Publisher) issuer() string { return strings.TrimSuffix(p.Issuer.String(), "/") }

// sign writes a list in one of its forms.
func (p *Publisher) sign(which published, all []change, now time.Time) ([]byte, error) {
	if v, bits := purposes[which.form]; bits {
		return p.signBitstring(which, all, v)
	}
	return p.signToken(which, all, now)
}

// signBitstring makes a BitstringStatusListCredential (Bitstring Status List 1.0, 2.2).
func (p *Publisher) signBitstring(which published, all []change, v Value) ([]byte, error) {
	bits, err := statuslist.NewBitstring(Size)
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		if c.Value != v {
			continue
		}
		if err := bits.Set(int64(c.Index)); err != nil {
			return nil, fmt.Errorf("status list %d: %w", which.list, err)
		}
	}
	claims, err := statuslist.Subject{Purposes: []string{which.form}, TTL: TTL, Bits: bits}.Claims()
	if err != nil {
		return nil, err
	}
	key, did, err := p.issuerKey()
	if err != nil {
		return nil, err
	}
	now, address := p.Now(), p.addressOf(which)
	draft, err := vc.NewDraft(vc.DraftInput{ID: address, Issuer: did, ValidFrom: now.Add(-skew), ValidUntil: now.Add(editionLife),
		Types: []string{statuslist.TypeCredential}, Subject: address + "#list", Claims: claims})
	if err != nil {
		return nil, fmt.Errorf("drafting status list %d: %w", which.list, err)
	}
	signed, err := draft.Sign(key.Signer, did+"#"+key.ID, now)
	if err != nil {
		return nil, fmt.Errorf("signing status list %d: %w", which.list, err)
	}
	return signed.JSON(), nil
}

// signToken makes a Token Status List, as a JWT or a CWT.
func (p *Publisher) signToken(which published, all []change, now time.Time) ([]byte, error) {
	list, err := statuslist.NewList(valueBits, Size)
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		if err := list.Set(int64(c.Index), statuslist.Value(c.Value)); err != nil {
			return nil, fmt.Errorf("status list %d: %w", which.list, err)
		}
	}
	by, err := p.Signer()
	if err != nil {
		return nil, err
	}
	token := statuslist.Token{Issuer: p.issuer(), Address: p.addressOf(which), IssuedAt: now, Expires: now.Add(editionLife), TTL: TTL, List: list}
	if which.form == TokenCWT {
		return token.SignCWT(by)
	}
	return token.SignJWT(by)
}
