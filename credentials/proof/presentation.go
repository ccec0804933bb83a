package proof

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/plinth-id/plinth/credentials/vc"
)

// Suites are those of proofs of the type di_vp.
var Suites = []string{"eddsa-rdfc-2022", "eddsa-jcs-2022", "ecdsa-rdfc-2019", "ecdsa-jcs-2019"}

const maxPresentation = 16 << 10

// presented judges proofs of the type di_vp (F.2): presentations, signed by the keys that
// they are about, for us and for a nonce of ours.
func (w Want) presented(ctx context.Context, raw json.RawMessage) (Given, error) {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil || len(list) == 0 || len(list) > w.Most {
		return Given{}, fmt.Errorf("proofs.di_vp must be a list of 1 to %d presentations", w.Most)
	}
	if w.Levels != nil {
		return Given{}, errors.New("an attestation of the key is needed, which di_vp has no place for")
	}
	var g Given
	for _, document := range list {
		key, nonce, err := w.presentation(ctx, document)
		if err != nil {
			return Given{}, err
		}
		g.Keys = append(g.Keys, key)
		if !slices.Contains(g.Nonces, nonce) {
			g.Nonces = append(g.Nonces, nonce)
		}
	}
	return g, nil
}

func (w Want) presentation(ctx context.Context, document []byte) (Key, string, error) {
	challenge, err := challengeOf(document)
	if err != nil {
		return Key{}, "", err
	}
	// Keys are only those that are written into their own names.
	p, err := vc.VerifyPresentation(ctx, document, vc.VerifyOptions{Now: func() time.Time { return w.Now }, Challenge: challenge, Domain: w.Audiences[0]})
	if err != nil {
		return Key{}, "", err
	}
	if !slices.Contains(Suites, p.Suite) {
		return Key{}, "", fmt.Errorf("cryptosuite must be one of %v", Suites)
	}
	public, err := vc.ParseDID(p.Method)
	if err != nil {
		return Key{}, "", err
	}
	elliptical, ok := public.(*ecdsa.PublicKey)
	if _, edwards := public.(ed25519.PublicKey); !edwards && (!ok || elliptical.Curve != elliptic.P256()) {
		return Key{}, "", errors.New("the key must be one of Ed25519 or P-256")
	}
	did, _, _ := strings.Cut(p.Method, "#")
	key, err := called(public, did)
	return key, challenge, err
}

// challengeOf reads the nonce out of the one proof, for which it is then verified.
func challengeOf(document []byte) (string, error) {
	if len(document) > maxPresentation {
		return "", errors.New("the presentation is too long")
	}
	var p struct {
		Proof json.RawMessage `json:"proof"`
	}
	if err := json.Unmarshal(document, &p); err != nil {
		return "", err
	}
	type made struct {
		Challenge string `json:"challenge"`
	}
	var one made
	var many []made
	if json.Unmarshal(p.Proof, &many) == nil && len(many) == 1 {
		one = many[0]
	} else if err := json.Unmarshal(p.Proof, &one); err != nil {
		return "", errors.New("a presentation needs exactly one proof")
	}
	if one.Challenge == "" {
		return "", errors.New("challenge is missing")
	}
	return one.Challenge, nil
}
