package keys

import (
	"crypto"
	"crypto/rand"
	"io"
)

// secret gives key material. It is a func because printing, encoding and
// reflection all stop at one: a struct that holds it, however deep, can be
// logged by mistake without showing the key.
type secret func() []byte

func keep(material []byte) secret { return func() []byte { return material } }

// signer is a private key of which only its signatures can be had.
type signer struct {
	public crypto.PublicKey
	sign   func(io.Reader, []byte, crypto.SignerOpts) ([]byte, error)
}

func hide(s crypto.Signer) crypto.Signer { return signer{s.Public(), s.Sign} }

// Public is the public half.
func (s signer) Public() crypto.PublicKey { return s.public }

// Sign signs as the private key does.
func (s signer) Sign(random io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.sign(random, message, opts)
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: it stops the program instead
	return b
}
