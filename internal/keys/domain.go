package keys

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hpke"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"time"
)

const (
	current = "current"
	next    = "next" // published, so that everybody knows it when it begins to sign
	retired = "retired"
)

// domainKey is one key of a domain; secret is what the root key wraps: 32
// random bytes, an Ed25519 seed, a PKCS#8 document, or an HPKE private key.
// State is not bound to it: a root key that cannot count could not tell the
// row of today from that of yesterday's backup.
type domainKey struct {
	ID        string
	Domain    Domain
	Algorithm string
	Public    []byte // PKIX for signing keys, the HPKE form for packets
	Wrapped   []byte
	State     string
	Created   time.Time
	Retired   *time.Time

	secret    secret
	signer    crypto.Signer // of a signing key
	recipient *Recipient    // of a key that devices seal to
}

// String names the key.
func (k *domainKey) String() string { return string(k.Domain) + " key " + k.ID }

// same tells whether the row still holds the key that was unwrapped from it.
func (k *domainKey) same(row *domainKey) bool {
	return k.Domain == row.Domain && k.Algorithm == row.Algorithm && bytes.Equal(k.Public, row.Public) && bytes.Equal(k.Wrapped, row.Wrapped)
}

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
		k.secret = keep(random(32))
		return k, nil
	case algorithmHPKE:
		private, err := hpke.MLKEM768X25519().GenerateKey()
		if err != nil {
			return nil, fmt.Errorf("making a %s key: %w", d, err)
		}
		k.Public = private.PublicKey().Bytes()
		raw, err := private.Bytes()
		if err != nil {
			return nil, fmt.Errorf("making a %s key: %w", d, err)
		}
		k.secret = keep(raw)
		return k, nil
	case algorithmEd25519:
		k.secret = keep(random(ed25519.SeedSize))
	case algorithmP256, algorithmRSA:
		raw, err := pkcs8(k.Algorithm)
		if err != nil {
			return nil, fmt.Errorf("making a %s key: %w", d, err)
		}
		k.secret = keep(raw)
	default:
		return nil, fmt.Errorf("there is no key domain %q", d)
	}
	return k, k.identify()
}

// pkcs8 makes a private key in the form of that standard.
func pkcs8(algorithm string) ([]byte, error) {
	var private any
	var err error
	if algorithm == algorithmRSA {
		private, err = rsa.GenerateKey(rand.Reader, 3072)
	} else {
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKCS8PrivateKey(private)
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
		if len(k.secret()) != ed25519.SeedSize {
			return ErrSealed
		}
		k.signer = hide(ed25519.NewKeyFromSeed(k.secret()))
	case algorithmP256, algorithmRSA:
		parsed, err := x509.ParsePKCS8PrivateKey(k.secret())
		if err != nil {
			return fmt.Errorf("reading %s: %w", k, err)
		}
		private, ok := parsed.(crypto.Signer)
		if _, isRSA := parsed.(*rsa.PrivateKey); !ok || isRSA != (k.Algorithm == algorithmRSA) {
			return ErrSealed
		}
		k.signer = hide(private)
		if decrypter, ok := parsed.(*rsa.PrivateKey); ok && k.Domain == Devices {
			k.recipient, err = recipient(decrypter, k.Created)
			return err
		}
	}
	return nil
}

func (k *domainKey) verifier() SigningKey {
	return SigningKey{ID: k.ID, Public: k.signer.Public(), Created: k.Created}
}

// Thumbprint is the RFC 7638 JWK thumbprint (SHA-256, base64url) of an Ed25519
// (RFC 8037), P-256 or RSA public key; empty for other keys.
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
	case *rsa.PublicKey:
		canonical = `{"e":"` + encode(big.NewInt(int64(p.E)).Bytes()) + `","kty":"RSA","n":"` + encode(p.N.Bytes()) + `"}`
	default:
		return ""
	}
	sum := sha256.Sum256([]byte(canonical))
	return encode(sum[:])
}
