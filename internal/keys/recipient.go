package keys

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"time"
)

// Recipient is a key that capture devices seal to, and the certificate by which they
// know it.
type Recipient struct {
	Certificate *x509.Certificate
	Key         crypto.Decrypter
}

// Recipients are the keys that open what devices have sealed: the current one first,
// then those of before, which devices may still have. The first is made when it is
// asked for.
func (r *Ring) Recipients(ctx context.Context) ([]Recipient, error) {
	if err := r.Ensure(ctx, Devices); err != nil {
		return nil, err
	}
	var all []Recipient
	for _, k := range (*r.keys.Load())[Devices] {
		if k.State != next {
			all = append(all, *k.recipient)
		}
	}
	return all, nil
}

// certified is how long a device may seal by a certificate.
const certified = 5 * 365 * 24 * time.Hour

// recipient certifies a key by itself. Devices name the certificate by its hash: every
// process makes the same one, since RSA signs alike each time (PKCS #1, 8.2).
func recipient(private *rsa.PrivateKey, created time.Time) (*Recipient, error) {
	name := Thumbprint(private.Public())
	serial := sha256.Sum256([]byte(name))
	from := created.UTC().Truncate(time.Second)
	template := &x509.Certificate{SerialNumber: new(big.Int).SetBytes(serial[:16]), Subject: pkix.Name{CommonName: "Plinth devices " + name[:8]},
		NotBefore: from, NotAfter: from.Add(certified), KeyUsage: x509.KeyUsageKeyEncipherment, SignatureAlgorithm: x509.SHA256WithRSA, BasicConstraintsValid: true}
	raw, err := x509.CreateCertificate(nil, template, template, private.Public(), private)
	if err != nil {
		return nil, fmt.Errorf("certifying the key that devices seal to: %w", err)
	}
	certificate, err := x509.ParseCertificate(raw)
	if err != nil {
		return nil, fmt.Errorf("certifying the key that devices seal to: %w", err)
	}
	return &Recipient{certificate, decrypter{private.Public(), private.Decrypt}}, nil
}

// decrypter is a private key that opens, and cannot be printed.
type decrypter struct {
	public  crypto.PublicKey
	decrypt func(io.Reader, []byte, crypto.DecrypterOpts) ([]byte, error)
}

// Public is the public half.
func (d decrypter) Public() crypto.PublicKey { return d.public }

// Decrypt opens as the private key does.
func (d decrypter) Decrypt(random io.Reader, sealed []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	return d.decrypt(random, sealed, opts)
}
