package keys

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/crypto/argon2"

	"github.com/plinth-id/plinth/internal/fault"
)

// Root wraps domain keys: a file sealed by a passphrase, or a PKCS#11 token.
type Root interface {
	Wrap(plain, ad []byte) ([]byte, error)
	Unwrap(wrapped, ad []byte) ([]byte, error)
}

// rootFile is the sealed root key file. The parameters are stronger than those
// that OWASP recommends for Argon2id, and stand in the file so that they can grow.
type rootFile struct {
	Version int    `json:"version"`
	KDF     string `json:"kdf"`
	Time    uint32 `json:"time"`
	Memory  uint32 `json:"memory_kib"`
	Threads uint8  `json:"threads"`
	Salt    []byte `json:"salt"`
	Sealed  []byte `json:"sealed"`
}

const (
	rootAD        = "plinth root key"
	minPassphrase = 12
	maxMemory     = 1 << 20 // KiB: a damaged file must not ask for all there is
	maxTime       = 64
)

type fileRoot struct{ key secret }

// FileRoot opens the root key file, and makes it when there is none.
func FileRoot(path, passphrase string) (Root, error) {
	if len(passphrase) < minPassphrase {
		return nil, fault.New(fault.Invalid, fmt.Sprintf("The passphrase of the root key needs at least %d characters. Choose a longer one.", minPassphrase))
	}
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		if err := makeRoot(path, passphrase); err != nil {
			return nil, fmt.Errorf("making the root key file: %w", err)
		}
		raw, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the root key file: %w", err)
	}
	var f rootFile
	if err := json.Unmarshal(raw, &f); err != nil || !f.sane() {
		return nil, fault.New(fault.Invalid, "The root key file is damaged. Restore it from its backup.")
	}
	key, err := unseal(f.wrapping(passphrase), f.Sealed, []byte(rootAD))
	if err != nil {
		return nil, fault.New(fault.Denied, "The passphrase does not open the root key file. Check PLINTH_KEY_PASSPHRASE.").Named("passphrase-wrong")
	}
	return fileRoot{keep(key)}, nil
}

func (f rootFile) sane() bool {
	return f.Version == 1 && f.KDF == "argon2id" && f.Memory > 0 && f.Memory <= maxMemory && f.Time > 0 && f.Time <= maxTime &&
		f.Threads > 0 && len(f.Salt) >= 16 && len(f.Sealed) > 0
}

func (f rootFile) wrapping(passphrase string) []byte {
	return argon2.IDKey([]byte(passphrase), f.Salt, f.Time, f.Memory, f.Threads, 32)
}

// makeRoot writes a new root key. When two processes begin at once the first
// link wins, and both read the same file.
func makeRoot(path, passphrase string) error {
	f := rootFile{Version: 1, KDF: "argon2id", Time: 3, Memory: 64 << 10, Threads: 2, Salt: random(16)}
	var err error
	if f.Sealed, err = seal(f.wrapping(passphrase), random(32), []byte(rootAD)); err != nil {
		return err
	}
	raw, err := json.Marshal(f)
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(dir, ".root-") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.Write(raw)
	if err := errors.Join(err, temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	if err := os.Link(temporary.Name(), path); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	// The database will soon hold keys that only this file opens: its name must
	// survive a power cut before theirs do.
	at, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(at.Sync(), at.Close())
}

// Wrap seals a domain key.
func (r fileRoot) Wrap(plain, ad []byte) ([]byte, error) { return seal(r.key(), plain, ad) }

// Unwrap opens what Wrap sealed.
func (r fileRoot) Unwrap(wrapped, ad []byte) ([]byte, error) { return unseal(r.key(), wrapped, ad) }
