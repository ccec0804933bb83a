package status

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/internal/keys"
)

// Signing is a key that signs token lists, and the certificates that vouch for it.
type Signing struct {
	Key   keys.SigningKey
	ID    string   // kid, where there is no chain
	Chain [][]byte // DER, leaf first, without the anchor
}

// defaultSigner is the key of the W3C credentials.
func (p *Publisher) defaultSigner() (Signing, error) {
	key, did, err := p.issuerKey()
	return Signing{Key: key, ID: did + "#" + key.ID}, err
}

func (p *Publisher) issuerKey() (keys.SigningKey, string, error) {
	did, err := vc.DIDWeb(strings.TrimSuffix(p.Issuer.String(), "/"))
	if err != nil {
		return keys.SigningKey{}, "", err
	}
	key, err := p.Ring.Signer(keys.VCIssuing)
	return key, did, err
}

// sign writes a list in one of its forms.
func (p *Publisher) sign(which published, all []change, now time.Time) ([]byte, error) {
	return p.signBitstring(which, all, now)
}

// signBitstring makes a BitstringStatusListCredential (Bitstring Status List 1.0, 2.2).
func (p *Publisher) signBitstring(which published, all []change, now time.Time) ([]byte, error) {
	encoded, err := encode(all, purposes[which.form])
	if err != nil {
		return nil, err
	}
	key, did, err := p.issuerKey()
	if err != nil {
		return nil, err
	}
	address := p.addressOf(which)
	draft, err := vc.NewDraft(vc.DraftInput{
		ID: address, Issuer: did, ValidFrom: now.Add(-skew), ValidUntil: now.Add(editionLife),
		Types: []string{"BitstringStatusListCredential"}, Subject: address + "#list",
		Claims: map[string]any{"type": "BitstringStatusList", "statusPurpose": which.form, "encodedList": encoded, "ttl": TTL.Milliseconds()},
	})
	if err != nil {
		return nil, fmt.Errorf("drafting status list %d: %w", which.list, err)
	}
	signed, err := draft.Sign(key.Signer, did+"#"+key.ID, now)
	if err != nil {
		return nil, fmt.Errorf("signing status list %d: %w", which.list, err)
	}
	return signed.JSON(), nil
}

// encode writes the bits: the first is the most significant one of the first
// byte; deflated, in base64url as multibase has it.
func encode(all []change, v Value) (string, error) {
	raw := make([]byte, Size/8)
	for _, c := range all {
		if c.Value == v {
			raw[c.Index/8] |= 0x80 >> (c.Index % 8)
		}
	}
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return "", err
	}
	if _, err := w.Write(raw); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	return "u" + base64.RawURLEncoding.EncodeToString(b.Bytes()), nil
}
