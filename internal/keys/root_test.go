package keys

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/plinth-id/plinth/internal/fault"
)

func TestTheRootFileIsMadeOnceAndReadAfter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "root.key")
	roots := make([]Root, 4)
	var wg sync.WaitGroup
	for i := range roots {
		wg.Go(func() {
			var err error
			if roots[i], err = FileRoot(path, passphrase); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	wrapped := must[[]byte](t)(roots[0].Wrap([]byte("secret"), []byte("ad")))
	for _, root := range roots {
		if plain, err := root.Unwrap(wrapped, []byte("ad")); err != nil || string(plain) != "secret" {
			t.Errorf("got %q, %v; want every process to have the same root", plain, err)
		}
		if _, err := root.Unwrap(wrapped, []byte("other")); err == nil {
			t.Error("got it unwrapped for another place")
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v; want mode 0600", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".root-*")); len(left) != 0 {
		t.Errorf("got %v left behind", left)
	}
	raw := must[[]byte](t)(os.ReadFile(path))
	if bytes.Contains(raw, roots[0].(fileRoot).key()) || strings.Contains(string(raw), passphrase) {
		t.Error("the file holds the key or its passphrase")
	}
}

func TestAWrongPassphraseIsDenied(t *testing.T) {
	path := filepath.Join(t.TempDir(), "root.key")
	if _, err := FileRoot(path, passphrase); err != nil {
		t.Fatal(err)
	}
	if _, err := FileRoot(path, passphrase+"!"); !fault.Is(err, fault.Denied) {
		t.Errorf("got %v, want it denied", err)
	}
	if _, err := FileRoot(path, "short"); !fault.Is(err, fault.Invalid) {
		t.Errorf("got %v, want it invalid", err)
	}
}

func TestADamagedRootFileIsRefused(t *testing.T) {
	for name, content := range map[string]string{
		"empty":             ``,
		"another version":   `{"version":2,"kdf":"argon2id","time":3,"memory_kib":65536,"threads":2,"salt":"AAAAAAAAAAAAAAAAAAAAAA==","sealed":"AA=="}`,
		"no time":           `{"version":1,"kdf":"argon2id","time":0,"memory_kib":65536,"threads":2,"salt":"AAAAAAAAAAAAAAAAAAAAAA==","sealed":"AA=="}`,
		"all the memory":    `{"version":1,"kdf":"argon2id","time":3,"memory_kib":4294967295,"threads":2,"salt":"AAAAAAAAAAAAAAAAAAAAAA==","sealed":"AA=="}`,
		"no threads":        `{"version":1,"kdf":"argon2id","time":3,"memory_kib":65536,"threads":0,"salt":"AAAAAAAAAAAAAAAAAAAAAA==","sealed":"AA=="}`,
		"no salt":           `{"version":1,"kdf":"argon2id","time":3,"memory_kib":65536,"threads":2,"sealed":"AA=="}`,
		"nothing sealed":    `{"version":1,"kdf":"argon2id","time":3,"memory_kib":65536,"threads":2,"salt":"AAAAAAAAAAAAAAAAAAAAAA=="}`,
		"another algorithm": `{"version":1,"kdf":"scrypt","time":3,"memory_kib":65536,"threads":2,"salt":"AAAAAAAAAAAAAAAAAAAAAA==","sealed":"AA=="}`,
	} {
		path := filepath.Join(t.TempDir(), "root.key")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := FileRoot(path, passphrase); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v, want it invalid", name, err)
		}
		if after := must[[]byte](t)(os.ReadFile(path)); string(after) != content {
			t.Errorf("%s: the file was overwritten", name)
		}
	}
}
