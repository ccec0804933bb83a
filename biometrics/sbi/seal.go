package sbi

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"errors"
	"fmt"
)

// ErrSealed says that a sealed value cannot be opened: it was changed, or sealed to
// another key, or for another moment or transaction.
var ErrSealed = errors.New("sbi: this sealed value cannot be opened")

const (
	sessionKeyBytes = 32
	aadBytes        = 16
	nonceBytes      = 12
	leastRSABits    = 2048
)

// Sealed is a sample that only the holder of a certificate's key can read.
type Sealed struct {
	Value      []byte // AES-256-GCM
	SessionKey []byte // RSA-OAEP with SHA-256, MGF1 with SHA-256
	Thumbprint string
}

// Thumbprint names a certificate: SHA-256 in upper-case hexadecimal.
func Thumbprint(c *x509.Certificate) string { return upper(sha256.Sum256(c.Raw)) }

// Seal seals a sample with a fresh key to a server's certificate, for one moment and
// transaction.
func Seal(sample []byte, to *x509.Certificate, timestamp, transaction string) (Sealed, error) {
	public, ok := to.PublicKey.(*rsa.PublicKey)
	if !ok || public.N.BitLen() < leastRSABits {
		return Sealed{}, fmt.Errorf("sbi: the certificate to seal to needs an RSA key of at least %d bits", leastRSABits)
	}
	key := make([]byte, sessionKeyBytes)
	if _, err := rand.Read(key); err != nil {
		return Sealed{}, err
	}
	aead, mixed, err := sealing(key, timestamp, transaction)
	if err != nil {
		return Sealed{}, err
	}
	wrapped, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, public, key, nil)
	if err != nil {
		return Sealed{}, err
	}
	value := aead.Seal(nil, mixed[len(mixed)-nonceBytes:], sample, mixed[len(mixed)-aadBytes:])
	return Sealed{Value: value, SessionKey: wrapped, Thumbprint: Thumbprint(to)}, nil
}

// Open gives the sample. The key may be one that never leaves its hardware.
func (s Sealed) Open(by crypto.Decrypter, timestamp, transaction string) ([]byte, error) {
	key, err := by.Decrypt(rand.Reader, s.SessionKey, &rsa.OAEPOptions{Hash: crypto.SHA256, MGFHash: crypto.SHA256})
	if err != nil || len(key) != sessionKeyBytes {
		return nil, ErrSealed
	}
	aead, mixed, err := sealing(key, timestamp, transaction)
	if err != nil {
		return nil, err
	}
	sample, err := aead.Open(nil, mixed[len(mixed)-nonceBytes:], s.Value, mixed[len(mixed)-aadBytes:])
	if err != nil {
		return nil, ErrSealed
	}
	return sample, nil
}

// sealing is the cipher, and the text of which both the additional data and the
// nonce are the end: timestamp XOR transaction, the shorter one filled with zero
// bytes in front. A nonce that repeats does no harm, for the key never does.
func sealing(key []byte, timestamp, transaction string) (cipher.AEAD, []byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, nil, err
	}
	n := max(len(timestamp), len(transaction))
	if n < aadBytes || n > 256 {
		return nil, nil, fmt.Errorf("%w: the timestamp and the transaction are too short or too long", ErrProtocol)
	}
	mixed, other := make([]byte, n), make([]byte, n)
	copy(mixed[n-len(timestamp):], timestamp)
	copy(other[n-len(transaction):], transaction)
	subtle.XORBytes(mixed, mixed, other)
	return aead, mixed, nil
}
