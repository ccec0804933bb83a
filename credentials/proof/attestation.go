package proof

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	attestationType = "key-attestation+jwt"
	attestationAge  = 24 * time.Hour // of one that says no end
)

// Levels are the resistances to attack of which an attestation must assert one each,
// strings of appendix D.2 or of an ecosystem; an empty list asks for none.
type Levels struct {
	Storage []string `json:"key_storage,omitempty"`
	User    []string `json:"user_authentication,omitempty"`
}

// attestation is what the maker of a wallet asserts about keys (D.1).
type attestation struct {
	Issued   *float64          `json:"iat"`
	Expires  *float64          `json:"exp"`
	Attested []json.RawMessage `json:"attested_keys"`
	Storage  []string          `json:"key_storage"`
	User     []string          `json:"user_authentication"`
	Nonce    string            `json:"nonce"`

	keys []Key
	kids []string // "" where there is none
}

// attested judges a proof of the type attestation: the keys are those attested.
func (w Want) attested(raw json.RawMessage) (Given, error) {
	var tokens []string
	if json.Unmarshal(raw, &tokens) != nil || len(tokens) != 1 {
		return Given{}, errors.New("proofs.attestation must be a list of one attestation")
	}
	if w.Attesters == nil {
		return Given{}, errors.New("attestations are not taken here")
	}
	a, err := w.attestation(tokens[0])
	if err != nil {
		return Given{}, err
	}
	return Given{Keys: a.keys, Nonces: []string{a.Nonce}}, nil
}

// attestation judges one by whomever it is carried.
func (w Want) attestation(token string) (attestation, error) {
	var a attestation
	payload, err := w.Attesters.Verify(token, attestationType, w.Now)
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(payload, &a); err != nil {
		return a, err
	}
	switch {
	case a.Issued == nil:
		return a, errors.New("the attestation has no iat")
	case a.Nonce == "":
		return a, errors.New("the attestation has no nonce")
	case len(a.Attested) == 0 || len(a.Attested) > w.Most:
		return a, fmt.Errorf("the attestation must be of 1 to %d keys", w.Most)
	case w.Levels != nil && !reaches(a.Storage, w.Levels.Storage):
		return a, errors.New("key_storage is not as strong as it must be")
	case w.Levels != nil && !reaches(a.User, w.Levels.User):
		return a, errors.New("user_authentication is not as strong as it must be")
	}
	oldest := attestationAge
	if a.Expires != nil {
		oldest = 100 * 365 * 24 * time.Hour // until it expires
	}
	if err := w.timely(a.Issued, a.Expires, oldest); err != nil {
		return a, fmt.Errorf("the attestation: %w", err)
	}
	return a, a.read()
}

func (a *attestation) read() error {
	for _, raw := range a.Attested {
		public, err := readJWK(raw)
		if err != nil {
			return fmt.Errorf("an attested key: %w", err)
		}
		k, err := newKey(public)
		if err != nil {
			return fmt.Errorf("an attested key: %w", err)
		}
		var named jose.JSONWebKey
		if err := named.UnmarshalJSON(raw); err != nil {
			return fmt.Errorf("an attested key: %w", err)
		}
		a.keys, a.kids = append(a.keys, k), append(a.kids, named.KeyID)
	}
	return nil
}

// reaches tells whether one of the asserted levels is among those that are taken.
func reaches(asserted, taken []string) bool {
	return len(taken) == 0 || slices.ContainsFunc(asserted, func(level string) bool { return slices.Contains(taken, level) })
}
