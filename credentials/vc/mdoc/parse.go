package mdoc

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// digestOf are the digests that a document may be made with (table 21).
var digestOf = map[string]func([]byte) []byte{
	"SHA-256": func(b []byte) []byte { d := sha256.Sum256(b); return d[:] },
	"SHA-384": func(b []byte) []byte { d := sha512.Sum384(b); return d[:] },
	"SHA-512": func(b []byte) []byte { d := sha512.Sum512(b); return d[:] },
}

// Document is an IssuerSigned that was read. Nothing in it can be believed, and
// nothing should be shown, before Verify has said nil; a holder's own is an exception.
type Document struct {
	DocType   string // as the issuer signed it
	DeviceKey crypto.PublicKey
	Signed    time.Time
	ValidFrom time.Time
	// ValidUntil is when the document is out of date, Update when the issuer expects to
	// give a newer one: zero if it does not say.
	ValidUntil, Update time.Time
	Status             *Status

	object securityObject
	auth   sign1
	items  []item
}

// item is an element with the bytes that its digest is taken over.
type item struct {
	space, name string
	digestID    uint64
	value       any
	raw         encoded
}

// securityObject is what the issuer signed: the mobile security object (9.1.2.4).
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

// Parse reads an IssuerSigned in CBOR. It checks the form and no signature.
func Parse(raw []byte) (*Document, error) {
	if len(raw) > maxBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(raw), maxBytes)
	}
	var signed issuerSigned
	if err := unmarshal(raw, &signed); err != nil {
		return nil, err
	}
	d := &Document{auth: signed.Auth}
	if err := d.readObject(); err != nil {
		return nil, err
	}
	for _, space := range slices.Sorted(maps.Keys(signed.NameSpaces)) {
		if err := d.readItems(space, signed.NameSpaces[space]); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// readObject reads the mobile security object, which is what the issuer signed.
func (d *Document) readObject() error {
	if err := encoded(d.auth.Payload).read(&d.object); err != nil {
		return err
	}
	o := d.object
	_, known := digestOf[o.DigestAlgorithm]
	switch {
	case !strings.HasPrefix(o.Version, "1."):
		return fmt.Errorf("%w: another version", ErrUnsupported)
	case !known:
		return fmt.Errorf("%w: another digest", ErrUnsupported)
	case o.DocType == "", len(o.ValueDigests) == 0, o.Validity.Signed.IsZero(), o.Validity.ValidFrom.IsZero(), o.Validity.ValidUntil.IsZero():
		return fmt.Errorf("%w: what the issuer must say is missing", ErrMalformed)
	}
	var key map[any]any
	if err := unmarshal(o.DeviceKeyInfo.DeviceKey, &key); err != nil {
		return err
	}
	var err error
	if d.DeviceKey, err = parseKey(key); err != nil {
		return err
	}
	if d.Status, err = readStatus(o.Status); err != nil {
		return err
	}
	d.DocType, d.Signed, d.Update = o.DocType, o.Validity.Signed.UTC(), o.Validity.Update.UTC()
	d.ValidFrom, d.ValidUntil = o.Validity.ValidFrom.UTC(), o.Validity.ValidUntil.UTC()
	return nil
}

func readStatus(raw cbor.RawMessage) (*Status, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	var status struct {
		List *struct {
			Index *int64 `cbor:"idx"`
			URI   string `cbor:"uri"`
		} `cbor:"status_list"`
	}
	if err := unmarshal(raw, &status); err != nil {
		return nil, err
	}
	if status.List == nil {
		return &Status{}, nil // some other way, which must not pass for none
	}
	if status.List.Index == nil || *status.List.Index < 0 || status.List.URI == "" {
		return nil, fmt.Errorf("%w: a status without a place", ErrMalformed)
	}
	return &Status{Index: *status.List.Index, URI: status.List.URI}, nil
}

func (d *Document) readItems(space string, raws []encoded) error {
	names, digests := make(map[string]bool, len(raws)), make(map[uint64]bool, len(raws))
	for _, raw := range raws {
		var read struct {
			DigestID *uint64 `cbor:"digestID"`
			Random   []byte  `cbor:"random"`
			Element  string  `cbor:"elementIdentifier"`
			Value    any     `cbor:"elementValue"`
		}
		if err := raw.read(&read); err != nil {
			return err
		}
		value, err := readable(read.Value)
		switch {
		case err != nil:
			return err
		case read.DigestID == nil, read.Element == "", len(read.Random) < minSalt:
			return fmt.Errorf("%w: an element without its name, its digest or enough salt", ErrMalformed)
		case names[read.Element], digests[*read.DigestID]:
			return fmt.Errorf("%w: an element twice", ErrMalformed)
		}
		names[read.Element], digests[*read.DigestID] = true, true
		d.items = append(d.items, item{space: space, name: read.Element, digestID: *read.DigestID, value: value, raw: raw})
	}
	return nil
}

// NameSpaces are the elements by namespace and name.
func (d *Document) NameSpaces() map[string]map[string]any {
	spaces := map[string]map[string]any{}
	for _, i := range d.items {
		if spaces[i.space] == nil {
			spaces[i.space] = map[string]any{}
		}
		spaces[i.space][i.name] = i.value
	}
	return spaces
}

// Paths are the elements as DCQL names them: namespace and name, in order.
func (d *Document) Paths() [][]string {
	paths := make([][]string, len(d.items))
	for k, i := range d.items {
		paths[k] = []string{i.space, i.name}
	}
	slices.SortFunc(paths, slices.Compare)
	return paths
}

// checkDigests compares every element with what the issuer signed.
func (d *Document) checkDigests() error {
	digest := digestOf[d.object.DigestAlgorithm]
	for _, i := range d.items {
		want := d.object.ValueDigests[i.space][i.digestID]
		if len(want) == 0 || !bytes.Equal(want, digest(i.raw)) {
			return ErrDigest
		}
	}
	return nil
}
