package pdf

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"time"
)

// Signature is who signs a document: the key of the first certificate of a chain.
type Signature struct {
	Signer crypto.Signer // P-256
	Chain  []*x509.Certificate
	At     time.Time
	Reason string
}

// Signed writes a document and signs it (ETSI EN 319 142-1, PAdES baseline B): the
// signature covers every byte but itself, and is not shown on a page.
func Signed(info Info, s Signature, write func(*Document) error) ([]byte, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	d := New(&b, info)
	d.field = d.number()
	if err := write(d); err != nil {
		return nil, err
	}
	if len(d.pages) == 0 {
		return nil, fmt.Errorf("%w: it has no page", ErrSignature)
	}
	value := d.number()
	d.object(d.field, "<</Type /Annot /Subtype /Widget /FT /Sig /T (Signature) /V %d 0 R /P %d 0 R /Rect [0 0 0 0] /F 132>>", value, d.pages[0])
	room := s.room()
	start := b.Len()
	d.object(value, "<</Type /Sig /Filter /Adobe.PPKLite /SubFilter /ETSI.CAdES.detached /ByteRange %s /Contents <%s> /M %s /Name %s /Reason %s>>",
		emptyRange, bytes.Repeat([]byte{'0'}, 2*room), date(s.At), text(s.Chain[0].Subject.CommonName), text(s.Reason))
	d.finish(fmt.Sprintf(" /AcroForm <</Fields [%d 0 R] /SigFlags 3>>", d.field))
	if d.failed != nil {
		return nil, d.failed
	}
	return s.fill(b.Bytes(), start, room)
}

// emptyRange keeps the place of the two ranges that are signed.
const emptyRange = "[0 0000000000 0000000000 0000000000]"

// fill puts the ranges and the signature into their places.
func (s Signature) fill(file []byte, start, room int) ([]byte, error) {
	from := start + bytes.Index(file[start:], []byte("/Contents <")) + len("/Contents ")
	to := from + 2*room + 2
	copy(file[start+bytes.Index(file[start:], []byte(emptyRange)):], fmt.Sprintf("[0 %010d %010d %010d]", from, to, len(file)-to))
	sum := sha256.New()
	sum.Write(file[:from])
	sum.Write(file[to:])
	signature, err := s.cms(sum.Sum(nil))
	if err != nil {
		return nil, err
	}
	if len(signature) > room {
		return nil, fmt.Errorf("%w: %d bytes, room for %d", ErrSignature, len(signature), room)
	}
	hex.Encode(file[from+1:], signature)
	return file, nil
}

func (s Signature) check() error {
	if len(s.Chain) == 0 || s.Signer == nil || s.At.IsZero() {
		return fmt.Errorf("%w: it takes a key, its certificates and a time", ErrSignature)
	}
	own, ok := s.Signer.Public().(*ecdsa.PublicKey)
	if !ok || own.Curve.Params().BitSize != 256 {
		return fmt.Errorf("%w: the key is not of P-256", ErrSignature)
	}
	if !own.Equal(s.Chain[0].PublicKey) {
		return fmt.Errorf("%w: the first certificate is of another key", ErrSignature)
	}
	if s.At.Before(s.Chain[0].NotBefore) || s.At.After(s.Chain[0].NotAfter) {
		return fmt.Errorf("%w: the certificate is not valid at that time", ErrSignature)
	}
	return nil
}

// room is the most that the signature can take.
func (s Signature) room() int {
	room := 1024 + len(s.Chain[0].RawIssuer)
	for _, c := range s.Chain {
		room += len(c.Raw)
	}
	return room
}

func (s Signature) sign(message []byte) ([]byte, error) {
	digest := sha256.Sum256(message)
	signature, err := s.Signer.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	return signature, nil
}
