package proof

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/plinth-id/plinth/credentials/vc"
)

const maxChain = 5

// Key is a key that somebody proved to hold, or that was attested to be held. Only a
// checked proof makes one. The zero one is no key.
type Key struct {
	public     crypto.PublicKey
	did        string
	thumbprint []byte
}

// DID names the key.
func (k Key) DID() string { return k.did }

// Public is the key itself; nil: there is none.
func (k Key) Public() crypto.PublicKey { return k.public }

// Thumbprint is that of RFC 7638.
func (k Key) Thumbprint() []byte { return bytes.Clone(k.thumbprint) }

// Equal tells whether it is the same key, by whatever name.
func (k Key) Equal(other Key) bool { return bytes.Equal(k.thumbprint, other.thumbprint) }

func newKey(public crypto.PublicKey) (Key, error) {
	did, err := vc.DIDJWK(public)
	if err != nil {
		return Key{}, err
	}
	return called(public, did)
}

func called(public crypto.PublicKey, did string) (Key, error) {
	thumbprint, err := (&jose.JSONWebKey{Key: public}).Thumbprint(crypto.SHA256)
	return Key{public: public, did: did, thumbprint: thumbprint}, err
}

func ofDID(id, algorithm string) (Key, error) {
	public, err := vc.ParseDID(id)
	if err != nil {
		return Key{}, err
	}
	if err := fits(algorithm, public); err != nil {
		return Key{}, err
	}
	did, _, _ := strings.Cut(id, "#")
	return called(public, did)
}

// Dump writes keys down, for Load to read again from a place that nobody else writes to.
func Dump(keys []Key) ([]byte, error) {
	names := make([]string, 0, len(keys))
	for _, k := range keys {
		names = append(names, k.did)
	}
	return json.Marshal(names)
}

// Load reads what Dump wrote.
func Load(raw []byte) ([]Key, error) {
	var names []string
	if err := json.Unmarshal(raw, &names); err != nil {
		return nil, fmt.Errorf("reading keys: %w", err)
	}
	var keys []Key
	for _, did := range names {
		public, err := vc.ParseDID(did)
		if err != nil {
			return nil, fmt.Errorf("reading keys: %w", err)
		}
		k, err := called(public, did)
		if err != nil {
			return nil, fmt.Errorf("reading keys: %w", err)
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// fits refuses an algorithm that is not the one of the key.
func fits(algorithm string, public crypto.PublicKey) error {
	switch key := public.(type) {
	case ed25519.PublicKey:
		if algorithm == string(jose.EdDSA) {
			return nil
		}
	case *ecdsa.PublicKey:
		if algorithm == string(jose.ES256) && key.Curve == elliptic.P256() {
			return nil
		}
	}
	return errors.New("the algorithm does not fit the key")
}

// readJWK reads a public key, and refuses one that says more than the public may know.
func readJWK(raw []byte) (crypto.PublicKey, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, err
	}
	for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
		if _, ok := members[private]; ok {
			return nil, errors.New("the key holds a private part")
		}
	}
	var key jose.JSONWebKey
	if err := key.UnmarshalJSON(raw); err != nil {
		return nil, err
	}
	if !key.Valid() || !key.IsPublic() {
		return nil, errors.New("the key is no public key")
	}
	return key.Key, nil
}

// readChain reads the key of the first certificate of x5c. The certificate only
// carries the key: what it says of the holder goes into no credential.
func readChain(chain []string, now time.Time) (crypto.PublicKey, error) {
	if len(chain) == 0 || len(chain) > maxChain {
		return nil, fmt.Errorf("x5c must hold 1 to %d certificates", maxChain)
	}
	der, err := base64.StdEncoding.DecodeString(chain[0])
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	if now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return nil, errors.New("the certificate is not good now")
	}
	return leaf.PublicKey, nil
}
