package status

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
)

const (
	editionLife = 24 * time.Hour  // how long a signed list is good for
	editionAge  = time.Hour       // when it is signed anew though nothing changed
	skew        = 5 * time.Minute // that the clock of a verifier may be behind
)

// edition is a list as it was signed. Revocation is for good, so the number of
// set bits tells one state of a list from every other.
type edition struct {
	set      int
	key      string
	at       time.Time
	document []byte
}

// List gives a list, signed, as it is now.
func (p *Publisher) List(ctx context.Context, list int64) ([]byte, error) {
	set, known, err := revokedIndexes(ctx, p.Pool, list)
	if err != nil {
		return nil, err
	}
	if !known {
		return nil, fault.New(fault.NotFound, "There is no such status list. Check its address.")
	}
	key, err := p.Ring.Signer(keys.VCIssuing)
	if err != nil {
		return nil, err
	}
	now := p.Now()
	p.mu.Lock()
	last, ok := p.signed[list]
	p.mu.Unlock()
	if ok && last.set == len(set) && last.key == key.ID && now.Sub(last.at).Abs() < editionAge {
		return last.document, nil
	}
	document, err := p.sign(list, set, key, now)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.signed[list] = edition{set: len(set), key: key.ID, at: now, document: document}
	return document, nil
}

// sign makes a BitstringStatusListCredential (Bitstring Status List 1.0, 2.2).
func (p *Publisher) sign(list int64, set []int32, key keys.SigningKey, now time.Time) ([]byte, error) {
	encoded, err := encode(set)
	if err != nil {
		return nil, err
	}
	did, err := vc.DIDWeb(p.Issuer.String())
	if err != nil {
		return nil, err
	}
	address := p.address(list)
	draft, err := vc.NewDraft(vc.DraftInput{
		ID: address, Issuer: did, ValidFrom: now.Add(-skew), ValidUntil: now.Add(editionLife),
		Types: []string{"BitstringStatusListCredential"}, Subject: address + "#list",
		Claims: map[string]any{"type": "BitstringStatusList", "statusPurpose": "revocation", "encodedList": encoded, "ttl": TTL.Milliseconds()},
	})
	if err != nil {
		return nil, fmt.Errorf("drafting status list %d: %w", list, err)
	}
	signed, err := draft.Sign(key.Signer, did+"#"+key.ID, now)
	if err != nil {
		return nil, fmt.Errorf("signing status list %d: %w", list, err)
	}
	return slices.Clip(signed.JSON()), nil
}

// encode writes the bits: the first is the most significant one of the first
// byte; deflated, in base64url as multibase has it.
func encode(set []int32) (string, error) {
	raw := make([]byte, Size/8)
	for _, index := range set {
		raw[index/8] |= 0x80 >> (index % 8)
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
