// Package envelope opens and closes the encrypted messages between a wallet and an
// issuer (OpenID4VCI 1.0, section 10). It knows no database and no HTTP.
package envelope

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// What is taken and made: one key agreement, and the ciphers of HAIP beside an older one.
var (
	Algorithms = []jose.KeyAlgorithm{jose.ECDH_ES}
	Ciphers    = []jose.ContentEncryption{jose.A128GCM, jose.A256GCM, jose.A128CBC_HS256}
	Zips       = []jose.CompressionAlgorithm{jose.DEFLATE}
)

// period is how long a key of ours is published; the one before it still opens.
const period = 30 * 24 * time.Hour

// maxPlain bounds what a message may inflate to: the library lets it grow to ten
// times its size.
const maxPlain = 512 << 10

var curves = []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()}

// ErrMessage says that a message cannot be opened.
var ErrMessage = errors.New("the encrypted message cannot be opened")

// Keys are those that wallets encrypt to. They follow from a secret and the date, so
// that every process has the same and none is stored.
type Keys struct {
	Secret func(label string, parts ...[]byte) []byte
	Now    func() time.Time
}

// key is that of a period, the n-th since 1970.
func (k Keys) key(n int64) (*ecdsa.PrivateKey, string, error) {
	at := binary.BigEndian.AppendUint64(nil, uint64(n))
	for try := range byte(100) { // one in 2^32 is no scalar of the curve
		scalar, err := ecdh.P256().NewPrivateKey(k.Secret("credential request key", at, []byte{try})[:32])
		if err != nil {
			continue
		}
		private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar.Bytes())
		return private, fmt.Sprintf("r%d", n), err
	}
	return nil, "", errors.New("no scalar of P-256 was found")
}

func (k Keys) current() int64 { return k.Now().Unix() / int64(period/time.Second) }

// Published is the JWK set for the metadata.
func (k Keys) Published() (jose.JSONWebKeySet, error) {
	private, id, err := k.key(k.current())
	if err != nil {
		return jose.JSONWebKeySet{}, fmt.Errorf("making the key that requests are encrypted to: %w", err)
	}
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: private.Public(), KeyID: id, Algorithm: string(jose.ECDH_ES), Use: "enc"}}}, nil
}

// Open decrypts a message to us.
func (k Keys) Open(message string) ([]byte, error) {
	parsed, err := jose.ParseEncryptedCompact(message, Algorithms, Ciphers)
	if err != nil {
		return nil, errors.Join(ErrMessage, err)
	}
	for _, n := range []int64{k.current(), k.current() - 1} {
		private, id, err := k.key(n)
		if err != nil {
			return nil, err
		}
		if parsed.Header.KeyID != id {
			continue
		}
		plain, err := parsed.Decrypt(private)
		if err != nil || len(plain) > maxPlain {
			return nil, errors.Join(ErrMessage, err)
		}
		return plain, nil
	}
	return nil, errors.Join(ErrMessage, errors.New("kid is none of the keys in the metadata"))
}

// Reply says how an answer is to be encrypted. Only ParseReply makes one.
type Reply struct {
	key    jose.JSONWebKey
	cipher jose.ContentEncryption
	zip    jose.CompressionAlgorithm
}

// asked is credential_response_encryption; Algorithm is where draft 13 has it.
type asked struct {
	Key       json.RawMessage           `json:"jwk"`
	Algorithm string                    `json:"alg"`
	Cipher    jose.ContentEncryption    `json:"enc"`
	Zip       jose.CompressionAlgorithm `json:"zip"`
}

// ParseReply reads credential_response_encryption.
func ParseReply(raw json.RawMessage) (*Reply, error) {
	var a asked
	if err := json.Unmarshal(raw, &a); err != nil {
		return nil, err
	}
	var members struct {
		Private json.RawMessage `json:"d"`
	}
	r := Reply{cipher: a.Cipher, zip: a.Zip}
	if json.Unmarshal(a.Key, &members) != nil || members.Private != nil {
		return nil, errors.New("jwk must be a public key")
	}
	if err := r.key.UnmarshalJSON(a.Key); err != nil {
		return nil, err
	}
	public, ok := r.key.Key.(*ecdsa.PublicKey)
	if a.Algorithm != "" && r.key.Algorithm == "" {
		r.key.Algorithm = a.Algorithm
	}
	switch {
	case !ok || !r.key.Valid() || !slices.Contains(curves, public.Curve):
		return nil, errors.New("jwk must be a key of P-256, P-384 or P-521")
	case r.key.Use != "" && r.key.Use != "enc":
		return nil, errors.New("jwk is for something else, as its use says")
	case !slices.Contains(Algorithms, jose.KeyAlgorithm(r.key.Algorithm)) || a.Algorithm != "" && a.Algorithm != r.key.Algorithm:
		return nil, errors.New("alg of jwk must be ECDH-ES")
	case !slices.Contains(Ciphers, r.cipher):
		return nil, fmt.Errorf("enc must be one of %v", Ciphers)
	case r.zip != "" && !slices.Contains(Zips, r.zip):
		return nil, errors.New("zip must be DEF, or be left out")
	}
	return &r, nil
}

// Seal encrypts an answer.
func (r *Reply) Seal(plain []byte) (string, error) {
	options := &jose.EncrypterOptions{Compression: r.zip}
	recipient := jose.Recipient{Algorithm: jose.KeyAlgorithm(r.key.Algorithm), Key: r.key.Key, KeyID: r.key.KeyID}
	encrypter, err := jose.NewEncrypter(r.cipher, recipient, options.WithType("JWT"))
	if err != nil {
		return "", fmt.Errorf("encrypting an answer: %w", err)
	}
	sealed, err := encrypter.Encrypt(plain)
	if err != nil {
		return "", fmt.Errorf("encrypting an answer: %w", err)
	}
	return sealed.CompactSerialize()
}
