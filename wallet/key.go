package wallet

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"fmt"

	"github.com/go-jose/go-jose/v4"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/wallet/holder"
)

// key is one key of the owner. Every copy of a credential gets its own, so that two
// of them do not show that they are the same person's.
type key struct {
	Private []byte `json:"private"` // PKCS #8
}

func newKey(algorithm string) (key, jose.JSONWebKey, error) {
	var private crypto.Signer
	var err error
	if algorithm == string(jose.EdDSA) {
		_, private, err = ed25519.GenerateKey(rand.Reader)
	} else {
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		return key{}, jose.JSONWebKey{}, fmt.Errorf("making a key: %w", err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return key{}, jose.JSONWebKey{}, fmt.Errorf("making a key: %w", err)
	}
	return key{Private: encoded}, jose.JSONWebKey{Key: private.Public()}, nil
}

// newKeys makes keys and keeps them, before anything is bound to one. The first is for
// proofs of possession, which are always ES256.
func (w *Wallet) newKeys(n int, algorithm string) (holder.Keys, error) {
	keys := make(holder.Keys, n)
	return keys, w.change(func(c *contents) error {
		if c.Keys == nil {
			c.Keys = make(map[string]key)
		}
		for i := range keys {
			made, public, err := newKey(algorithm)
			if i == 0 {
				made, public, err = newKey(string(jose.ES256))
			}
			if err != nil {
				return err
			}
			keys[i] = public
			c.Keys[holder.Thumbprint(public)] = made
		}
		return nil
	})
}

// sign signs what an errand asks for.
func (c contents) sign(all []holder.Signing) ([][]byte, error) {
	signatures := make([][]byte, len(all))
	for i, s := range all {
		signature, err := c.Keys[s.Key].sign(s.Data)
		if err != nil {
			return nil, err
		}
		signatures[i] = signature
	}
	return signatures, nil
}

// sign is a signature as JOSE has it.
func (k key) sign(data []byte) ([]byte, error) {
	private, err := x509.ParsePKCS8PrivateKey(k.Private)
	if err != nil {
		return nil, fault.New(fault.NotFound, "The wallet has no key for this any more.").Named("key-missing").Because(err)
	}
	switch private := private.(type) {
	case ed25519.PrivateKey:
		return ed25519.Sign(private, data), nil
	case *ecdsa.PrivateKey:
		digest := sha256.Sum256(data)
		r, s, err := ecdsa.Sign(rand.Reader, private, digest[:])
		if err != nil {
			return nil, fmt.Errorf("signing: %w", err)
		}
		signature := make([]byte, 64)
		r.FillBytes(signature[:32])
		s.FillBytes(signature[32:])
		return signature, nil
	}
	return nil, fmt.Errorf("signing: a key of another kind")
}

// public lists the public keys of the wallet that an errand may use for some cards.
func (c contents) public(cards []holder.Card) (holder.Keys, error) {
	var keys holder.Keys
	for _, one := range cards {
		for _, copied := range one.Copies {
			if copied.Key == "" {
				continue
			}
			k, err := c.Keys[copied.Key].public()
			if err != nil {
				return nil, err
			}
			keys = append(keys, k)
		}
	}
	return keys, nil
}

func (k key) public() (jose.JSONWebKey, error) {
	private, err := x509.ParsePKCS8PrivateKey(k.Private)
	signer, ok := private.(crypto.Signer)
	if err != nil || !ok {
		return jose.JSONWebKey{}, fault.New(fault.NotFound, "The wallet has no key for this any more.").Named("key-missing").Because(err)
	}
	return jose.JSONWebKey{Key: signer.Public()}, nil
}
