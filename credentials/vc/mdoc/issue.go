package mdoc

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"
)

const (
	versionMSO  = "1.0"
	digestAlg   = "SHA-256"
	saltSize    = 32
	maxElements = maxEntries / 2
)

// Draft is a document before it is signed.
type Draft struct {
	DocType    string
	NameSpaces map[string]map[string]any // by namespace, by element: text, []byte, bool, numbers, FullDate, time.Time, maps and lists of these
	DeviceKey  crypto.PublicKey          // P-256, P-384 or Ed25519: who may show the document
	Signed     time.Time
	ValidFrom  time.Time
	ValidUntil time.Time
	Update     time.Time // when the issuer expects to give a newer one; zero: unknown
	Status     *Status   // nil: cannot be revoked
}

// Status is the place of a document in a Token Status List. Without a URI the issuer
// has named a way to ask that we do not know: the status is open, not good.
type Status struct {
	Index int64
	URI   string
}

// Issuer signs documents: a key with its certificate.
type Issuer struct {
	signer    crypto.Signer
	leaf      *x509.Certificate
	protected []byte
	chain     written // as COSE has it: one certificate plainly, more in a list
}

// NewIssuer takes the key of a document signer and its certificates, its own first. The
// anchor is not among them: whoever checks a document has it from elsewhere.
func NewIssuer(signer crypto.Signer, chain []*x509.Certificate) (*Issuer, error) {
	if signer == nil || len(chain) == 0 || len(chain) > maxCertificates {
		return nil, fmt.Errorf("%w: a signer and its certificates are needed", ErrProfile)
	}
	key, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !key.Equal(chain[0].PublicKey) {
		return nil, fmt.Errorf("%w: the first certificate is of another key", ErrProfile)
	}
	alg, _, err := algorithm(signer.Public())
	if err != nil {
		return nil, err
	}
	i := &Issuer{signer: signer, leaf: chain[0]}
	if len(chain) > 1 {
		i.chain = i.chain.array(len(chain))
	}
	for _, c := range chain {
		if bytes.Equal(c.RawIssuer, c.RawSubject) {
			return nil, fmt.Errorf("%w: a certificate that signed itself is no part of the chain", ErrProfile)
		}
		i.chain = i.chain.bytes(c.Raw)
	}
	i.protected, err = protectedHeader(alg)
	return i, err
}

// Issue signs a draft: an IssuerSigned in CBOR. OpenID4VCI carries it in base64url.
func (i *Issuer) Issue(d Draft) ([]byte, error) {
	if err := d.check(i.leaf); err != nil {
		return nil, err
	}
	spaces := make([]issuedSpace, 0, len(d.NameSpaces))
	for _, name := range slices.SortedFunc(maps.Keys(d.NameSpaces), byKey) {
		space, err := issueSpace(name, d.NameSpaces[name])
		if err != nil {
			return nil, err
		}
		spaces = append(spaces, space)
	}
	object, err := d.object(spaces)
	if err != nil {
		return nil, err
	}
	payload := wrap(object)
	signature, err := sign(i.signer, i.protected, payload)
	if err != nil {
		return nil, fmt.Errorf("mdoc: signing: %w", err)
	}
	size := len(payload) + len(i.chain) + 256
	for _, s := range spaces {
		size += len(s.name) + len(s.items) + 16
	}
	if size > maxBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, size, maxBytes)
	}
	w := make(written, 0, size).entries(2).text("issuerAuth").array(4).bytes(i.protected)
	w = append(w.entries(1).number(headerX5Chain), i.chain...).bytes(payload).bytes(signature)
	w = w.text("nameSpaces").entries(len(spaces))
	for _, s := range spaces {
		w = append(w.text(s.name).array(s.count), s.items...)
	}
	return w, nil
}

// object is the mobile security object: what is signed (9.1.2.4).
func (d Draft) object(spaces []issuedSpace) (written, error) {
	key, err := coseKey(d.DeviceKey)
	if err != nil {
		return nil, err
	}
	device, err := canonical.Marshal(key)
	if err != nil {
		return nil, err
	}
	w := make(written, 0, 1024)
	if d.Status == nil {
		w = w.entries(6)
	} else {
		w = w.entries(7).text("status").entries(1).text("status_list").entries(2).
			text("idx").number(uint64(d.Status.Index)).text("uri").text(d.Status.URI)
	}
	w = w.text("docType").text(d.DocType).text("version").text(versionMSO)
	w = w.text("validityInfo")
	if d.Update.IsZero() {
		w = w.entries(3)
	} else {
		w = w.entries(4)
	}
	w = w.text("signed").date(second(d.Signed)).text("validFrom").date(second(d.ValidFrom)).text("validUntil").date(second(d.ValidUntil))
	if !d.Update.IsZero() {
		w = w.text("expectedUpdate").date(second(d.Update))
	}
	w = w.text("valueDigests").entries(len(spaces))
	for _, s := range spaces {
		w = append(w.text(s.name).entries(s.count), s.digests...)
	}
	w = append(w.text("deviceKeyInfo").entries(1).text("deviceKey"), device...)
	return w.text("digestAlgorithm").text(digestAlg), nil
}

// check checks all of a draft but its elements. The signer's certificate must hold
// when it signs, or no reader will believe it (9.3.1).
func (d Draft) check(leaf *x509.Certificate) error {
	switch {
	case !isName(d.DocType) || len(d.NameSpaces) == 0:
		return fmt.Errorf("%w: a draft without a type or elements", ErrMalformed)
	case d.Signed.IsZero(), d.ValidFrom.Before(d.Signed), !second(d.ValidFrom).Before(second(d.ValidUntil)):
		return fmt.Errorf("%w: the times of a draft must follow one another: signed, valid from, valid until", ErrMalformed)
	case second(d.Signed).Before(leaf.NotBefore), d.Signed.After(leaf.NotAfter):
		return fmt.Errorf("%w: the certificate does not hold when it is to sign", ErrProfile)
	case d.Status != nil && (d.Status.Index < 0 || !isName(d.Status.URI)):
		return fmt.Errorf("%w: a status without a place", ErrUnsupported)
	}
	return nil
}

// second is a time as the standard has it: in UTC, without fractions.
func second(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// issuedSpace is a namespace of a draft in CBOR: its items, and their digests by number.
type issuedSpace struct {
	name           string
	count          int
	items, digests written
}

// issueSpace writes every element with its own salt, and takes its digest.
func issueSpace(name string, elements map[string]any) (issuedSpace, error) {
	n := len(elements)
	if !isName(name) || n == 0 || n > maxElements {
		return issuedSpace{}, fmt.Errorf("%w: a namespace without a name, or empty, or too full", ErrMalformed)
	}
	salts := make([]byte, saltSize*n)
	if _, err := rand.Read(salts); err != nil {
		return issuedSpace{}, fmt.Errorf("mdoc: drawing salts: %w", err)
	}
	places, err := shuffled(n)
	if err != nil {
		return issuedSpace{}, err
	}
	s := issuedSpace{name: name, count: n, items: make(written, 0, 160*n), digests: make(written, 0, 36*n)}
	digests := make([][sha256.Size]byte, n)
	var item written
	for k, element := range slices.Sorted(maps.Keys(elements)) {
		if !isName(element) {
			return issuedSpace{}, fmt.Errorf("%w: an element without a name", ErrMalformed)
		}
		item = item[:0].entries(4).text("random").bytes(salts[k*saltSize:][:saltSize]).text("digestID").number(places[k])
		if item, err = item.text("elementValue").value(elements[element]); err != nil {
			return issuedSpace{}, err
		}
		item = item.text("elementIdentifier").text(element)
		from := len(s.items)
		s.items = s.items.encoded(item)
		digests[places[k]] = sha256.Sum256(s.items[from:])
	}
	for k, digest := range digests {
		s.digests = s.digests.number(uint64(k)).bytes(digest[:])
	}
	return s, nil
}

// shuffled gives the numbers below n in any order. In the order of the names, the
// numbers of shown elements would tell what is held back.
func shuffled(n int) ([]uint64, error) {
	raw := make([]byte, 4*n)
	if _, err := rand.Read(raw); err != nil {
		return nil, fmt.Errorf("mdoc: drawing numbers: %w", err)
	}
	places := make([]uint64, n)
	for k := range places {
		at := binary.BigEndian.Uint32(raw[4*k:]) % uint32(k+1)
		places[k] = places[at]
		places[at] = uint64(k)
	}
	return places, nil
}
