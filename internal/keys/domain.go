package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"time"
)

const (
	current = "current"
	retired = "retired"
)

// domainKey is one key of a domain; secret is what the root key wraps: 32
// random bytes, an Ed25519 seed, a PKCS#8 document, or an HPKE private key.
type domainKey struct {
	ID        string
	Domain    Domain
	Algorithm string
	Public    []byte // PKIX for signing keys, the HPKE form for packets
	Wrapped   []byte
	State     string
	Created   time.Time

	secret []byte
	signer crypto.Signer
}

// String keeps the secret out of whatever prints the key.
func (k *domainKey) String() string { return string(k.Domain) + " key " + k.ID }

// GoString is String.
func (k *domainKey) GoString() string { return k.String() }

// LogValue is String.
func (k *domainKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// ad binds a wrapped key to its row: no row can stand in for another.
func (k *domainKey) ad() []byte {
	sum := sha256.Sum256(k.Public)
	return fmt.Appendf(nil, "plinth domain key\x00%s\x00%s\x00%s\x00%x", k.ID, k.Domain, k.Algorithm, sum)
}

// blobID is the key's id as sealed blobs carry it.
func (k *domainKey) blobID() (id [idBytes]byte) {
	raw, err := hex.DecodeString(k.ID)
	if err == nil {
		copy(id[:], raw)
	}
	return id
}

// generate makes a new key for a domain, unwrapped.
func generate(d Domain, now time.Time) (*domainKey, error) {
	k := &domainKey{ID: hex.EncodeToString(random(idBytes)), Domain: d, Algorithm: algorithms[d], State: current, Created: now}
	switch k.Algorithm {
	case aes256, hmac256:
		k.secret = random(32)
		return k, nil
	case algorithmHPKE:
		private, err := hpke.MLKEM768X25519().GenerateKey()
		if err != nil {
			return nil, fmt.Errorf("making a %s key: %w", d, err)
		}
		k.Public = private.PublicKey().Bytes()
		k.secret, err = private.Bytes()
		return k, err
	case algorithmEd25519:
		k.secret = random(ed25519.SeedSize)
	case algorithmP256:
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("making a %s key: %w", d, err)
		}
		if k.secret, err = x509.MarshalPKCS8PrivateKey(private); err != nil {
			return nil, fmt.Errorf("making a %s key: %w", d, err)
		}
	default:
		return nil, fmt.Errorf("there is no key domain %q", d)
	}
	return k, k.identify()
}

// identify fills the signer, the public half and the id of a signing key.
func (k *domainKey) identify() (err error) {
	if err = k.ready(); err != nil {
		return err
	}
	if k.Public, err = x509.MarshalPKIXPublicKey(k.signer.Public()); err != nil {
		return fmt.Errorf("making a %s key: %w", k.Domain, err)
	}
	k.ID = Thumbprint(k.signer.Public())
	return nil
}

// ready makes the signer of an unwrapped signing key.
func (k *domainKey) ready() error {
	switch k.Algorithm {
	case algorithmEd25519:
		if len(k.secret) != ed25519.SeedSize {
			return ErrSealed
		}
		k.signer = ed25519.NewKeyFromSeed(k.secret)
	case algorithmP256:
		parsed, err := x509.ParsePKCS8PrivateKey(k.secret)
		if err != nil {
			return fmt.Errorf("reading %s: %w", k, err)
		}
		signer, ok := parsed.(*ecdsa.PrivateKey)
		if !ok {
			return ErrSealed
		}
		k.signer = signer
	}
	return nil
}

// Thumbprint is the RFC 7638 JWK thumbprint (SHA-256, base64url) of an Ed25519
// (RFC 8037) or P-256 public key; empty for other keys.
func Thumbprint(public crypto.PublicKey) string {
	encode := base64.RawURLEncoding.EncodeToString
	var canonical string
	switch p := public.(type) {
	case ed25519.PublicKey:
		canonical = `{"crv":"Ed25519","kty":"OKP","x":"` + encode(p) + `"}`
	case *ecdsa.PublicKey:
		point, err := p.Bytes() // 4 ‖ X ‖ Y
		if err != nil || p.Curve != elliptic.P256() {
			return ""
		}
		canonical = `{"crv":"P-256","kty":"EC","x":"` + encode(point[1:33]) + `","y":"` + encode(point[33:]) + `"}`
	default:
		return ""
	}
	sum := sha256.Sum256([]byte(canonical))
	return encode(sum[:])
}
