package keys

import (
	"crypto/rand"
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

// rootFile is the sealed root key file. The parameters are those of OWASP's
// first recommendation for Argon2id, doubled, and stand in the file so that
// they can grow.
type rootFile struct {
	Version int    `json:"version"`
	KDF     string `json:"kdf"`
	Time    uint32 `json:"time"`
	Memory  uint32 `json:"memory_kib"`
	Threads uint8  `json:"threads"`
	Salt    []byte `json:"salt"`
	Sealed  []byte `json:"sealed"`
}

const rootAD = "plinth root key"

type fileRoot struct{ key []byte }

// FileRoot opens the root key file, and makes it when there is none.
func FileRoot(path, passphrase string) (Root, error) {
	if len(passphrase) < 12 {
		return nil, fault.New(fault.Invalid, "The passphrase of the root key needs at least 12 characters. Choose a longer one.")
	}
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		if err := makeRoot(path, passphrase); err != nil {
			return nil, err
		}
		raw, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the root key file: %w", err)
	}
	var f rootFile
	if err := json.Unmarshal(raw, &f); err != nil || f.Version != 1 || f.KDF != "argon2id" || f.Memory > 4<<20 || f.Time > 64 || f.Time == 0 || f.Threads == 0 {
		return nil, fault.New(fault.Invalid, "The root key file is damaged. Restore it from its backup.")
	}
	key, err := unseal(f.wrapping(passphrase), f.Sealed, []byte(rootAD))
	if err != nil {
		return nil, fault.New(fault.Denied, "The passphrase does not open the root key file. Check PLINTH_KEY_PASSPHRASE.")
	}
	return fileRoot{key}, nil
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
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("making the root key file: %w", err)
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), ".root-")
	if err != nil {
		return fmt.Errorf("making the root key file: %w", err)
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.Write(raw)
	if err := errors.Join(err, temporary.Sync(), temporary.Close()); err != nil {
		return fmt.Errorf("making the root key file: %w", err)
	}
	if err := os.Link(temporary.Name(), path); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("making the root key file: %w", err)
	}
	return nil
}

func (r fileRoot) Wrap(plain, ad []byte) ([]byte, error)     { return seal(r.key, plain, ad) }
func (r fileRoot) Unwrap(wrapped, ad []byte) ([]byte, error) { return unseal(r.key, wrapped, ad) }

// String keeps the key out of whatever prints it.
func (fileRoot) String() string { return "root key" }

// GoString is String.
func (fileRoot) GoString() string { return "root key" }

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: it stops the program instead
	return b
}
