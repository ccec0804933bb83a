//go:build pkcs11

package keys

import (
	"bytes"
	"os"
	run "os/exec"
	"path/filepath"
	"testing"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres/pgtest"
)

const softHSM = "/usr/lib/softhsm/libsofthsm2.so" // Debian's softhsm2

func token(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(softHSM); err != nil {
		t.Fatal("these tests need a token: apt-get install softhsm2")
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "softhsm2.conf")
	if err := os.WriteFile(config, []byte("directories.tokendir = "+dir+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", config)
	if out, err := run.Command("softhsm2-util", "--init-token", "--free", "--label", "plinth", "--pin", "1234", "--so-pin", "5678").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func TestATokenHoldsTheRoot(t *testing.T) {
	token(t)
	if _, err := PKCS11Root(softHSM, "plinth", "9999", "plinth-root"); !fault.Is(err, fault.Denied) {
		t.Errorf("a wrong PIN: got %v, want it denied", err)
	}
	pool := pgtest.Pool(t)
	root := must[Root](t)(PKCS11Root(softHSM, "plinth", "1234", "plinth-root"))
	ring := open(t, pool, root)
	sealed := must[[]byte](t)(ring.Seal(Notices, []byte("x"), []byte("ad")))

	again := must[Root](t)(PKCS11Root(softHSM, "plinth", "1234", "plinth-root"))
	if plain, err := open(t, pool, again).Open(Notices, sealed, []byte("ad")); err != nil || string(plain) != "x" {
		t.Errorf("got %q, %v; want the same root on the token", plain, err)
	}
	other := must[Root](t)(PKCS11Root(softHSM, "plinth", "1234", "another"))
	if _, err := Open(t.Context(), pool, other); !fault.Is(err, fault.Denied) {
		t.Errorf("another key of the token: got %v, want it denied", err)
	}
	wrapped := must[[]byte](t)(root.Wrap([]byte("secret"), []byte("ad")))
	for _, bad := range [][]byte{nil, wrapped[:5], append(bytes.Clone(wrapped), 0)} {
		if _, err := root.Unwrap(bad, []byte("ad")); err == nil {
			t.Errorf("%x was unwrapped", bad)
		}
	}
	if _, err := root.Unwrap(wrapped, []byte("other")); err == nil {
		t.Error("unwrapped for another place")
	}
}
