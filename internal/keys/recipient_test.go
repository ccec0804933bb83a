package keys

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/plinth-id/plinth/internal/postgres/pgtest"
)

// Devices know a key by the hash of its certificate, so every process must make the same one.
func TestDevicesSealToACertificateThatStays(t *testing.T) {
	pool, root := pgtest.Pool(t), newRoot(t)
	first, second := open(t, pool, root), open(t, pool, root)
	mine, err := first.Recipients(t.Context())
	good(t, err)
	theirs, err := second.Recipients(t.Context())
	good(t, err)
	if len(mine) != 1 || len(theirs) != 1 || !bytes.Equal(mine[0].Certificate.Raw, theirs[0].Certificate.Raw) {
		t.Fatal("two processes show devices different certificates")
	}
	if err := mine[0].Certificate.CheckSignatureFrom(mine[0].Certificate); err == nil {
		t.Error("the certificate could certify others")
	}
	sealed, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, mine[0].Certificate.PublicKey.(*rsa.PublicKey), []byte("a session key"), nil)
	good(t, err)
	good(t, first.Rotate(t.Context(), Devices))
	good(t, second.Refresh(t.Context()))
	after, err := second.Recipients(t.Context())
	good(t, err)
	if len(after) != 2 || bytes.Equal(after[0].Certificate.Raw, mine[0].Certificate.Raw) || !bytes.Equal(after[1].Certificate.Raw, mine[0].Certificate.Raw) {
		t.Fatalf("got %d recipients after a rotation, want the new one and then the old one", len(after))
	}
	plain, err := after[1].Key.Decrypt(rand.Reader, sealed, &rsa.OAEPOptions{Hash: crypto.SHA256})
	if err != nil || string(plain) != "a session key" {
		t.Errorf("got %q, %v; want what was sealed before the rotation", plain, err)
	}
	if said := fmt.Sprintf("%+v %#v", after[1], after[1]); bytes.Contains([]byte(said), []byte("Primes")) {
		t.Error("a recipient shows its key when it is printed")
	}
}
