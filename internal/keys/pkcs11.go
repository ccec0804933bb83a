//go:build pkcs11

package keys

import (
	"bytes"
	"crypto/cipher"
	"errors"
	"fmt"

	"github.com/ThalesGroup/crypto11"

	"github.com/plinth-id/plinth/internal/fault"
)

// tokenRoot wraps with an AES-256 key that never leaves its token.
type tokenRoot struct{ aead cipher.AEAD }

// PKCS11Root opens the AES-256 key with this label on a token, and makes it when
// there is none: sensitive and not extractable. module is the token's library.
func PKCS11Root(module, token, pin, label string) (Root, error) {
	ctx, err := crypto11.Configure(&crypto11.Config{Path: module, TokenLabel: token, Pin: pin})
	if err != nil {
		return nil, fault.New(fault.Denied, "The token cannot be opened. Check PLINTH_PKCS11_MODULE, PLINTH_PKCS11_TOKEN and PLINTH_PKCS11_PIN.").
			Named("token-closed").Because(err)
	}
	key, err := rootOn(ctx, label)
	if err != nil {
		return nil, errors.Join(err, ctx.Close())
	}
	aead, err := key.NewGCM()
	if err != nil {
		return nil, errors.Join(fault.New(fault.Invalid, "The key on the token is not an AES key. Name another one in PLINTH_PKCS11_KEY.").Because(err), ctx.Close())
	}
	return tokenRoot{aead}, nil
}

func rootOn(ctx *crypto11.Context, label string) (*crypto11.SecretKey, error) {
	found, err := ctx.FindKeys(nil, []byte(label))
	switch {
	case err != nil:
		return nil, fmt.Errorf("looking for the root key on the token: %w", err)
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return nil, fault.New(fault.Conflict, "The token holds more than one key with the label of PLINTH_PKCS11_KEY. Remove those that are not the root key.")
	}
	made, err := ctx.GenerateSecretKeyWithLabel(random(16), []byte(label), 256, crypto11.CipherAES)
	if err != nil {
		return nil, fmt.Errorf("making the root key on the token: %w", err)
	}
	return made, nil
}

// Wrap seals a domain key on the token: nonce ‖ ciphertext and tag. Domain keys
// are few, so a random nonce of 96 bits is far from its bound.
func (r tokenRoot) Wrap(plain, ad []byte) (wrapped []byte, err error) {
	defer func() { // the library tells of a lost token by a panic
		if lost := recover(); lost != nil {
			err = fmt.Errorf("wrapping on the token: %v", lost)
		}
	}()
	nonce := random(r.aead.NonceSize())
	wrapped = r.aead.Seal(nonce, nonce, plain, ad)
	// A token with a fault must not leave us a key that nobody can unwrap.
	if back, err := r.Unwrap(wrapped, ad); err != nil || !bytes.Equal(back, plain) {
		return nil, fmt.Errorf("the token cannot unwrap what it wrapped: %w", errors.Join(err, ErrSealed))
	}
	return wrapped, nil
}

// Unwrap opens what Wrap sealed.
func (r tokenRoot) Unwrap(wrapped, ad []byte) ([]byte, error) {
	n := r.aead.NonceSize()
	if len(wrapped) < n {
		return nil, ErrSealed
	}
	plain, err := r.aead.Open(nil, wrapped[:n], wrapped[n:], ad)
	if err != nil {
		return nil, fmt.Errorf("unwrapping on the token: %w", err)
	}
	return plain, nil
}
