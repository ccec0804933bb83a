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

	"github.com/fxamacker/cbor/v2"
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
	chain     any // as COSE has it: one certificate plainly, more in a list
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
	raw := make([][]byte, len(chain))
	for k, c := range chain {
		if bytes.Equal(c.RawIssuer, c.RawSubject) {
			return nil, fmt.Errorf("%w: a certificate that signed itself is no part of the chain", ErrProfile)
		}
		raw[k] = c.Raw
	}
	i := &Issuer{signer: signer, leaf: chain[0], chain: raw}
	if len(raw) == 1 {
		i.chain = raw[0]
	}
	i.protected, err = protectedHeader(alg)
	return i, err
}

type issuerItem struct {
	DigestID uint64          `cbor:"digestID"`
	Random   []byte          `cbor:"random"`
	Element  string          `cbor:"elementIdentifier"`
	Value    cbor.RawMessage `cbor:"elementValue"`
}

type securityObject struct {
	Version         string                       `cbor:"version"`
	DigestAlgorithm string                       `cbor:"digestAlgorithm"`
	ValueDigests    map[string]map[uint64][]byte `cbor:"valueDigests"`
	DeviceKeyInfo   deviceKeyInfo                `cbor:"deviceKeyInfo"`
	DocType         string                       `cbor:"docType"`
	Validity        validityInfo                 `cbor:"validityInfo"`
	Status          cbor.RawMessage              `cbor:"status,omitempty"`
}

type deviceKeyInfo struct {
	DeviceKey      cbor.RawMessage    `cbor:"deviceKey"`
	Authorizations *keyAuthorizations `cbor:"keyAuthorizations,omitempty"`
}

// keyAuthorizations say which elements the device itself may state.
type keyAuthorizations struct {
	NameSpaces []string            `cbor:"nameSpaces,omitempty"`
	Elements   map[string][]string `cbor:"dataElements,omitempty"`
}

type validityInfo struct {
	Signed     time.Time `cbor:"signed"`
	ValidFrom  time.Time `cbor:"validFrom"`
	ValidUntil time.Time `cbor:"validUntil"`
	Update     time.Time `cbor:"expectedUpdate,omitzero"`
}

type issuerSigned struct {
	NameSpaces map[string][]encoded `cbor:"nameSpaces,omitempty"`
	Auth       sign1                `cbor:"issuerAuth"`
}

// Issue signs a draft: an IssuerSigned in CBOR. OpenID4VCI carries it in base64url.
func (i *Issuer) Issue(d Draft) ([]byte, error) {
	validity, err := d.validity(i.leaf)
	if err != nil {
		return nil, err
	}
	items, digests, err := d.items()
	if err != nil {
		return nil, err
	}
	key, err := coseKey(d.DeviceKey)
	if err != nil {
		return nil, err
	}
	object := securityObject{Version: versionMSO, DigestAlgorithm: digestAlg, ValueDigests: digests, DocType: d.DocType, Validity: validity}
	if object.DeviceKeyInfo.DeviceKey, err = canonical.Marshal(key); err != nil {
		return nil, err
	}
	if d.Status != nil {
		if d.Status.Index < 0 || d.Status.URI == "" {
			return nil, fmt.Errorf("%w: a status without a place", ErrUnsupported)
		}
		list := map[string]any{"idx": d.Status.Index, "uri": d.Status.URI}
		if object.Status, err = canonical.Marshal(map[string]any{"status_list": list}); err != nil {
			return nil, err
		}
	}
	raw, err := canonical.Marshal(object)
	if err != nil {
		return nil, err
	}
	payload := wrap(raw)
	signature, err := sign(i.signer, i.protected, payload)
	if err != nil {
		return nil, fmt.Errorf("mdoc: signing: %w", err)
	}
	auth := sign1{Protected: i.protected, Unprotected: map[any]any{headerX5Chain: i.chain}, Payload: payload, Signature: signature}
	return canonical.Marshal(issuerSigned{NameSpaces: items, Auth: auth})
}

// validity checks the times of a draft. The signer's certificate must hold when it
// signs, or no reader will believe it (9.3.1).
func (d Draft) validity(leaf *x509.Certificate) (validityInfo, error) {
	v := validityInfo{Signed: second(d.Signed), ValidFrom: second(d.ValidFrom), ValidUntil: second(d.ValidUntil), Update: second(d.Update)}
	switch {
	case d.DocType == "":
		return v, fmt.Errorf("%w: a draft without a type", ErrMalformed)
	case d.Signed.IsZero(), v.ValidFrom.Before(v.Signed), !v.ValidFrom.Before(v.ValidUntil):
		return v, fmt.Errorf("%w: the times of a draft must follow one another: signed, valid from, valid until", ErrMalformed)
	case v.Signed.Before(leaf.NotBefore), v.Signed.After(leaf.NotAfter):
		return v, fmt.Errorf("%w: the certificate does not hold when it is to sign", ErrProfile)
	}
	return v, nil
}

func second(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Second)
}

// items writes every element with its own salt, and takes its digest.
func (d Draft) items() (map[string][]encoded, map[string]map[uint64][]byte, error) {
	items := make(map[string][]encoded, len(d.NameSpaces))
	digests := make(map[string]map[uint64][]byte, len(d.NameSpaces))
	for space, elements := range d.NameSpaces {
		if space == "" || len(elements) == 0 || len(elements) > maxElements {
			return nil, nil, fmt.Errorf("%w: a namespace without a name, or empty, or too full", ErrMalformed)
		}
		salts := make([]byte, saltSize*len(elements))
		if _, err := rand.Read(salts); err != nil {
			return nil, nil, fmt.Errorf("mdoc: drawing salts: %w", err)
		}
		places, err := shuffled(len(elements))
		if err != nil {
			return nil, nil, err
		}
		digests[space] = make(map[uint64][]byte, len(elements))
		for k, name := range slices.Sorted(maps.Keys(elements)) {
			item, err := writeItem(issuerItem{DigestID: places[k], Random: salts[k*saltSize:][:saltSize], Element: name}, elements[name])
			if err != nil {
				return nil, nil, err
			}
			digest := sha256.Sum256(item)
			items[space] = append(items[space], item)
			digests[space][places[k]] = digest[:]
		}
	}
	if len(items) == 0 {
		return nil, nil, fmt.Errorf("%w: a draft without elements", ErrMalformed)
	}
	return items, digests, nil
}

func writeItem(item issuerItem, value any) (encoded, error) {
	value, err := writable(value, 0)
	if err != nil {
		return nil, err
	}
	if item.Value, err = canonical.Marshal(value); err != nil {
		return nil, fmt.Errorf("%w: a value that CBOR cannot hold", ErrUnsupported)
	}
	raw, err := canonical.Marshal(item)
	if err != nil {
		return nil, err
	}
	return wrap(raw), nil
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
