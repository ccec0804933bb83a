package simulator

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/plinth-id/plinth/biometrics/sbi"
)

// Identity is the keys of a device with the certificates that speak for them.
type Identity struct {
	Key   crypto.Signer // RSA
	Chain []*x509.Certificate

	ChipKey   crypto.Signer // of the trust module; level L1 only
	ChipChain []*x509.Certificate
}

// signer signs with one of the keys.
type signer struct {
	key   crypto.Signer
	chain []*x509.Certificate
}

func (i Identity) device() signer { return signer{i.Key, i.Chain} }
func (i Identity) chip() signer   { return signer{i.ChipKey, i.ChipChain} }

// Serial is the serial number: that of the certificate, or else one made of the key.
func (i Identity) Serial() string {
	if serial := i.Chain[0].Subject.SerialNumber; serial != "" {
		return serial
	}
	return serialOf(i.Chain[0].RawSubjectPublicKeyInfo)
}

func serialOf(key []byte) string {
	sum := sha256.Sum256(key)
	return "SIM" + strings.ToUpper(hex.EncodeToString(sum[:6]))
}

func (i Identity) complete(level sbi.Level) error {
	if i.Key == nil || len(i.Chain) == 0 {
		return errors.New("a simulator needs a key with its certificate")
	}
	if level == sbi.L1 && (i.ChipKey == nil || len(i.ChipChain) == 0) {
		return errors.New("a simulator of level L1 needs the key of a trust module with its certificate")
	}
	for _, by := range []signer{i.device(), i.chip()} {
		if by.key == nil {
			continue
		}
		if _, ok := by.key.Public().(*rsa.PublicKey); !ok {
			return errors.New("a device signs with RSA: the key is of another kind")
		}
		if !by.key.Public().(*rsa.PublicKey).Equal(by.chain[0].PublicKey) {
			return errors.New("the certificate is not that of the key")
		}
	}
	if !slices.ContainsFunc(i.Chain, func(c *x509.Certificate) bool {
		return slices.Contains(append(c.Issuer.Organization, c.Subject.Organization...), sbi.Simulator)
	}) {
		return fmt.Errorf("the device's certificate or its issuer must name the organization %s, so that nobody takes it for a device", sbi.Simulator)
	}
	return nil
}

// sign makes a JWS that carries the certificates, the self-signed one left out.
func (s signer) sign(v any) (string, error) {
	payload, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	var x5c []string
	for i, c := range s.chain {
		if i == 0 || c.CheckSignatureFrom(c) != nil {
			x5c = append(x5c, base64.StdEncoding.EncodeToString(c.Raw))
		}
	}
	options := (&jose.SignerOptions{}).WithType("JWT").WithHeader("x5c", x5c)
	by, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: s.key}, options)
	if err != nil {
		return "", err
	}
	jws, err := by.Sign(payload)
	if err != nil {
		return "", err
	}
	return jws.CompactSerialize()
}

// Files of a self-made identity.
const (
	ProviderFile = "provider-ca.pem"
	ChipsFile    = "chip-ca.pem"
)

const (
	authorityYears = 10
	deviceDays     = 90
	renewDays      = 7
	keyBits        = 2048
)

// Own reads the self-made identity of a directory, and makes what is missing: an
// authority for the provider and one for trust modules, and under them the device's
// key and the module's, renewed before they expire.
func Own(dir string, now time.Time) (Identity, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Identity{}, err
	}
	var i Identity
	var err error
	if i.Key, i.Chain, err = under(dir, ProviderFile, "device", now); err != nil {
		return Identity{}, err
	}
	i.ChipKey, i.ChipChain, err = under(dir, ChipsFile, "chip", now)
	return i, err
}

// under reads or makes an authority and what stands under it.
func under(dir, authority, name string, now time.Time) (crypto.Signer, []*x509.Certificate, error) {
	lasts := func(c *x509.Certificate, days int) bool { return now.AddDate(0, 0, days).Before(c.NotAfter) }
	ca, err := kept(filepath.Join(dir, strings.TrimSuffix(authority, ".pem")), func(c *x509.Certificate) bool { return lasts(c, deviceDays) }, func(key *rsa.PrivateKey) ([]byte, error) {
		t := template("Authority of "+name+"s", now, now.AddDate(authorityYears, 0, 0))
		t.IsCA, t.BasicConstraintsValid, t.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
		return x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	})
	if err != nil {
		return nil, nil, err
	}
	issued := func(c *x509.Certificate) bool { return lasts(c, renewDays) && c.CheckSignatureFrom(ca.chain[0]) == nil }
	leaf, err := kept(filepath.Join(dir, name), issued, func(key *rsa.PrivateKey) ([]byte, error) {
		t := template("Simulated "+name, now, now.AddDate(0, 0, deviceDays))
		t.KeyUsage = x509.KeyUsageDigitalSignature
		public, err := x509.MarshalPKIXPublicKey(key.Public())
		if err != nil {
			return nil, err
		}
		t.Subject.SerialNumber = serialOf(public)
		return x509.CreateCertificate(rand.Reader, t, ca.chain[0], key.Public(), ca.key)
	})
	if err != nil {
		return nil, nil, err
	}
	return leaf.key, append(leaf.chain, ca.chain...), nil
}

func template(name string, from, to time.Time) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	return &x509.Certificate{SerialNumber: serial, NotBefore: from.Add(-time.Hour), NotAfter: to,
		Subject: pkix.Name{Organization: []string{sbi.Simulator}, CommonName: name}}
}

// kept reads a key with its certificate, and makes both where there is none that is
// good. They are one file, which appears whole: two simulators may start on one
// folder at once, and both take what the first has made. The certificate is written
// once more beside it, to be given away.
func kept(name string, good func(*x509.Certificate) bool, issue func(*rsa.PrivateKey) ([]byte, error)) (signer, error) {
	both := name + ".key"
	old, err := readSigner(both, both)
	if err == nil && good(old.chain[0]) {
		return old, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return signer{}, err
	}
	made, err := drafted(name, issue)
	if err != nil {
		return signer{}, err
	}
	defer os.Remove(made)
	put := os.Link // which leaves alone what another has put there meanwhile
	if old.key != nil {
		put = os.Rename
	}
	if err := put(made, both); err != nil && !errors.Is(err, fs.ErrExist) {
		return signer{}, err
	}
	by, err := readSigner(both, both)
	if err != nil {
		return signer{}, err
	}
	return by, os.WriteFile(name+".pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: by.chain[0].Raw}), 0o600)
}

// drafted writes a new key with its certificate into a file of a passing name.
func drafted(name string, issue func(*rsa.PrivateKey) ([]byte, error)) (string, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return "", err
	}
	certificate, err := issue(key)
	if err != nil {
		return "", err
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+"-*") // mode 0600
	if err != nil {
		return "", err
	}
	return f.Name(), errors.Join(
		pem.Encode(f, &pem.Block{Type: "CERTIFICATE", Bytes: certificate}),
		pem.Encode(f, &pem.Block{Type: "PRIVATE KEY", Bytes: raw}), f.Close())
}

// Given is an identity of files: a device's key with its chain of certificates. It has
// no trust module.
func Given(certificates, key string) (Identity, error) {
	by, err := readSigner(certificates, key)
	return Identity{Key: by.key, Chain: by.chain}, err
}

// readSigner reads a chain of certificates and the key of the first.
func readSigner(certificates, key string) (signer, error) {
	chain, err := readChain(certificates)
	if err != nil {
		return signer{}, err
	}
	raw, err := os.ReadFile(key)
	if err != nil {
		return signer{}, err
	}
	block, rest := pem.Decode(raw)
	for block != nil && block.Type != "PRIVATE KEY" {
		block, rest = pem.Decode(rest)
	}
	if block == nil {
		return signer{}, fmt.Errorf("%s holds no key in PEM, PKCS #8", key)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return signer{}, fmt.Errorf("%s holds no key in PKCS #8", key)
	}
	private, ok := parsed.(crypto.Signer)
	if !ok {
		return signer{}, fmt.Errorf("%s holds no key that signs", key)
	}
	return signer{private, chain}, nil
}

func readChain(file string) ([]*x509.Certificate, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	chain, err := sbi.ParseCertificates(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return chain, nil
}
