package wallet

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/plinth-id/plinth/internal/fault"
	"golang.org/x/crypto/argon2"
)

// A kept wallet is magic ‖ salt ‖ nonce ‖ AES-256-GCM of the contents, under a key
// that Argon2id makes of the passphrase. Magic and salt are authenticated too.
const (
	magic     = "PLNTHWA1"
	saltSize  = 16
	nonceSize = 12
	maxFile   = 64 << 20

	argonTime    = 3
	argonMemory  = 64 << 10 // KiB
	argonThreads = 2
)

// ErrPassphrase refuses a wallet that does not open.
var ErrPassphrase = fault.New(fault.Denied, "The wallet does not open: the passphrase is wrong, or the file was changed. Try the passphrase again.").Named("wallet-locked")

// load reads the wallet; a file that does not exist is an empty wallet.
func (w *Wallet) load() (contents, error) {
	var c contents
	raw, err := os.ReadFile(w.path)
	if errors.Is(err, os.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, fmt.Errorf("reading the wallet: %w", err)
	}
	if len(raw) < len(magic)+saltSize+nonceSize || len(raw) > maxFile || !bytes.HasPrefix(raw, []byte(magic)) {
		return c, fault.New(fault.Invalid, "This file is no wallet. Check its path.").Named("not-a-wallet")
	}
	head, rest := raw[:len(magic)+saltSize], raw[len(magic)+saltSize:]
	aead, err := w.aead(head[len(magic):])
	if err != nil {
		return c, err
	}
	plain, err := aead.Open(nil, rest[:nonceSize], rest[nonceSize:], head)
	if err != nil {
		return c, ErrPassphrase
	}
	if err := json.Unmarshal(plain, &c); err != nil {
		return c, fmt.Errorf("reading the contents of the wallet: %w", err)
	}
	return c, nil
}

// save replaces the wallet as a whole: after a crash there is the old one or the new one.
func (w *Wallet) save(c contents) error {
	plain, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("writing the contents of the wallet: %w", err)
	}
	fresh := make([]byte, saltSize+nonceSize)
	if _, err := rand.Read(fresh); err != nil {
		return fmt.Errorf("sealing the wallet: %w", err)
	}
	head := append([]byte(magic), fresh[:saltSize]...)
	aead, err := w.aead(head[len(magic):])
	if err != nil {
		return err
	}
	sealed := append(bytes.Clone(head), fresh[saltSize:]...)
	return replace(w.path, aead.Seal(sealed, fresh[saltSize:], plain, head))
}

func (w *Wallet) aead(salt []byte) (cipher.AEAD, error) {
	key := argon2.IDKey([]byte(w.passphrase), salt, argonTime, argonMemory, argonThreads, 32)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("sealing the wallet: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("sealing the wallet: %w", err)
	}
	return aead, nil
}

// replace writes a file that only its owner may read, in one step.
func replace(path string, data []byte) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".wallet-*") // mode 0600
	if err != nil {
		return fmt.Errorf("writing the wallet: %w", err)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(data); err != nil {
		return fmt.Errorf("writing the wallet: %w", err)
	}
	if err = f.Sync(); err != nil {
		return fmt.Errorf("writing the wallet: %w", err)
	}
	if err = f.Close(); err != nil {
		return fmt.Errorf("writing the wallet: %w", err)
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("writing the wallet: %w", err)
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("writing the wallet: %w", err)
	}
	defer d.Close()
	return d.Sync()
}
