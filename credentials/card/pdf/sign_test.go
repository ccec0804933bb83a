package pdf

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// authority makes a root and a certificate for a key.
func authority(t *testing.T, key crypto.Signer) []*x509.Certificate {
	t.Helper()
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Root of Nowhere"}, NotBefore: noon.AddDate(-1, 0, 0), NotAfter: noon.AddDate(9, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(20260301), Subject: pkix.Name{CommonName: "Office of Identity", Organization: []string{"Nowhere"}}, NotBefore: noon.AddDate(-1, 0, 0), NotAfter: noon.AddDate(2, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment}
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, rootKey.Public(), rootKey)
	if err != nil {
		t.Fatal(err)
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, root, key.Public(), rootKey)
	if err != nil {
		t.Fatal(err)
	}
	var chain []*x509.Certificate
	for _, der := range [][]byte{leafDER, rootDER} {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		chain = append(chain, c)
	}
	return chain
}

func p256(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func onePage(d *Document) error {
	p := d.Page(100, 50)
	p.Box(10, 10, 30, 20, Colour{200, 0, 0})
	p.Close()
	return nil
}

func signed(t *testing.T) ([]byte, []*x509.Certificate) {
	t.Helper()
	key := p256(t)
	chain := authority(t, key)
	file, err := Signed(Info{Title: "A (signed) sheet", Language: "en", Created: noon}, Signature{Signer: key, Chain: chain, At: noon, Reason: "Issued"}, onePage)
	if err != nil {
		t.Fatal(err)
	}
	return file, chain
}

var signatureForm = regexp.MustCompile(`/ByteRange \[0 (\d+) (\d+) (\d+)\] /Contents <([0-9a-f]+)>`)

// verify checks a signature as a reader does: what the ranges cover, the digest of
// that, the certificate that is named, and the signature over all of these.
func verify(t *testing.T, file []byte, chain []*x509.Certificate) error {
	t.Helper()
	m := signatureForm.FindSubmatchIndex(file)
	if m == nil {
		return errors.New("there is no signature")
	}
	number := func(i int) int {
		n, err := strconv.Atoi(string(file[m[2*i]:m[2*i+1]]))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	first, second, rest := number(1), number(2), number(3)
	if first != m[8]-1 || second != m[9]+1 || second+rest != len(file) {
		return errors.New("the ranges leave something out")
	}
	der, err := hex.DecodeString(string(file[m[8]:m[9]]))
	if err != nil {
		t.Fatal(err)
	}
	var info contentInfo
	if _, err := asn1.Unmarshal(der, &info); err != nil { // what follows is padding
		return err
	}
	signer := info.Content.Signers[0]
	var attributes []attribute
	set := append([]byte{0x31}, signer.Attributes.FullBytes[1:]...) // as a SET, which is what is signed
	if rest, err := asn1.UnmarshalWithParams(set, &attributes, "set"); err != nil || len(rest) > 0 {
		return errors.New("the attributes are no set")
	}
	sum := sha256.New()
	sum.Write(file[:first])
	sum.Write(file[second:])
	own := sha256.Sum256(chain[0].Raw)
	want := map[string][]byte{oidMessageDigest.String(): sum.Sum(nil), oidSigningCertificate.String(): own[:], oidContentType.String(): {0x2a, 0x86, 0x48}}
	for _, a := range attributes {
		if value, ok := want[a.Type.String()]; ok && !bytes.Contains(a.Values[0].FullBytes, value) {
			return errors.New("the document is another one")
		}
		delete(want, a.Type.String())
	}
	if len(want) > 0 {
		return errors.New("an attribute is missing")
	}
	certificates, err := x509.ParseCertificates(info.Content.Certificates.Bytes)
	if err != nil || len(certificates) != len(chain) || certificates[0].SerialNumber.Cmp(signer.Signer.Serial) != 0 {
		return errors.New("the certificates are not those of the signer")
	}
	digest := sha256.Sum256(set)
	if !ecdsa.VerifyASN1(certificates[0].PublicKey.(*ecdsa.PublicKey), digest[:], signer.Signature) {
		return errors.New("the signature does not fit")
	}
	return nil
}

func TestSignatureCoversTheDocument(t *testing.T) {
	file, chain := signed(t)
	if dir := os.Getenv("CARD_SAMPLES"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, "signed.pdf"), file, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := verify(t, file, chain); err != nil {
		t.Errorf("got %v, want nil", err)
	}
}

// TestTamperingIsSeen changes bytes all over the document.
func TestTamperingIsSeen(t *testing.T) {
	file, chain := signed(t)
	m := signatureForm.FindSubmatchIndex(file)
	for at := 0; at < len(file); at += 7 {
		if at >= m[8]-1 && at <= m[9] {
			continue // the signature itself has its own tests
		}
		changed := bytes.Clone(file)
		changed[at] ^= 1
		if verify(t, changed, chain) == nil {
			t.Errorf("byte %d: got a good signature", at)
		}
	}
	if verify(t, append(bytes.Clone(file), "\n%%EOF"...), chain) == nil {
		t.Error("something was added: got a good signature")
	}
	_, other := signed(t)
	if verify(t, file, other) == nil {
		t.Error("another certificate: got a good signature")
	}
}

func TestOnlyAKeyWithItsCertificateSigns(t *testing.T) {
	key, other := p256(t), p256(t)
	chain := authority(t, key)
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]Signature{
		"no certificate":   {Signer: key, At: noon},
		"no key":           {Chain: chain, At: noon},
		"no time":          {Signer: key, Chain: chain},
		"another key":      {Signer: other, Chain: chain, At: noon},
		"an expired one":   {Signer: key, Chain: chain, At: noon.AddDate(3, 0, 0)},
		"one not yet good": {Signer: key, Chain: chain, At: noon.AddDate(-3, 0, 0)},
		"Ed25519":          {Signer: edwards, Chain: authority(t, edwards), At: noon},
		"P-384":            {Signer: p384, Chain: authority(t, p384), At: noon},
	} {
		if _, err := Signed(Info{}, s, onePage); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: got %v, want %v", name, err, ErrSignature)
		}
	}
	if _, err := Signed(Info{}, Signature{Signer: key, Chain: chain, At: noon}, func(*Document) error { return nil }); !errors.Is(err, ErrSignature) {
		t.Errorf("no page: got %v, want %v", err, ErrSignature)
	}
}
