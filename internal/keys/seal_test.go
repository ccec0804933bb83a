package keys

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
)

// The two vectors of the XAES-256-GCM specification (C2SP), one for each value
// of the bit that is carried when the CMAC subkey is made.
func TestASVS_11_3_4_SealingIsXAES256GCM(t *testing.T) {
	for _, v := range []struct {
		key        byte
		ad, sealed string
	}{
		{1, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
		{3, "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
	} {
		body := must[[]byte](t)(hex.DecodeString(v.sealed))
		plain, err := unseal(bytes.Repeat([]byte{v.key}, 32), append([]byte("ABCDEFGHIJKLMNOPQRSTUVWX"), body...), []byte(v.ad))
		if err != nil || string(plain) != "XAES-256-GCM" {
			t.Errorf("key %d: got %q, %v; want the plaintext of the specification", v.key, plain, err)
		}
	}
}

func TestNoTwoBlobsShareANonce(t *testing.T) {
	seen := make(map[string]bool)
	for range 1000 {
		sealed := must[[]byte](t)(seal(make([]byte, 32), []byte("x"), []byte("ad")))
		if nonce := string(sealed[:24]); seen[nonce] {
			t.Fatal("a nonce came twice")
		} else {
			seen[nonce] = true
		}
	}
}

func FuzzOpen(f *testing.F) {
	key, ad := make([]byte, 32), []byte("ad")
	sealed, err := sealAs([idBytes]byte{1}, key, []byte("x"), ad)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{})
	f.Add(sealed[:header])
	f.Add(sealed[:header+saltBytes])
	f.Add(sealed[:len(sealed)-1])
	f.Fuzz(func(t *testing.T, blob []byte) {
		if bytes.Equal(blob, sealed) {
			return
		}
		if _, err := headOf(blob); err != nil {
			return
		}
		if _, err := openAs(blob, key, ad); !errors.Is(err, ErrSealed) {
			t.Fatalf("got %v, want ErrSealed", err)
		}
	})
}
