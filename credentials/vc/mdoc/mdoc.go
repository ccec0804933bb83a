// Package mdoc makes and checks mobile documents of ISO/IEC 18013-5: what an issuer
// signs, what a holder's device signs when it shows a part of it, and the
// certificates of both annexes. It never touches the network.
//
// Every digest and signature is taken over the bytes as they came. What was read is
// never written again to be compared: the same data in other bytes is another document.
package mdoc

import (
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// What a document can be refused for. The errors of this package wrap one of them
// and never repeat what the document says.
var (
	ErrMalformed       = errors.New("mdoc: not a well-formed document")
	ErrTooLarge        = errors.New("mdoc: larger than is taken")
	ErrUnsupported     = errors.New("mdoc: uses a feature that is not supported")
	ErrSignature       = errors.New("mdoc: the issuer's signature does not fit")
	ErrDigest          = errors.New("mdoc: an element is not the one that the issuer signed")
	ErrDocType         = errors.New("mdoc: the document calls itself another type than the issuer signed")
	ErrDeviceSignature = errors.New("mdoc: the device's signature does not fit")
	ErrDeviceMAC       = errors.New("mdoc: authenticated by a MAC, which only the reader's key could check")
	ErrUnauthorized    = errors.New("mdoc: the device states an element that it may not state")
	ErrDeclined        = errors.New("mdoc: the holder's device answers that it cannot")
	ErrUntrusted       = errors.New("mdoc: the certificate leads to no anchor that is trusted")
	ErrProfile         = errors.New("mdoc: the certificate is not one of a document signer")
	ErrNotYetValid     = errors.New("mdoc: not valid yet")
	ErrExpired         = errors.New("mdoc: expired")
	ErrNoElement       = errors.New("mdoc: there is no such element")
)

// The bounds of a document. They lie far above any honest one; a portrait is the
// largest thing in it.
const (
	maxBytes        = 1 << 20
	maxDepth        = 16
	maxEntries      = 1024
	maxDocuments    = 8
	maxCertificates = 8
	minSalt         = 16
)

// tagEncoded marks bytes that hold CBOR (RFC 8949, 3.4.5.1).
const tagEncoded = 24

// canonical writes the same value in the same bytes; strict reads CBOR that is bounded
// and can be understood in one way only.
var canonical, strict = modes()

func modes() (cbor.EncMode, cbor.DecMode) {
	write := cbor.CoreDetEncOptions()
	write.Time, write.TimeTag = cbor.TimeRFC3339, cbor.EncTagRequired
	enc, err := write.EncModeWithTags(dates())
	if err != nil {
		panic(err)
	}
	dec, err := cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden,
		MaxNestedLevels: maxDepth, MaxArrayElements: maxEntries, MaxMapPairs: maxEntries,
		IntDec: cbor.IntDecConvertSignedOrFail, BignumTag: cbor.BignumTagForbidden,
		TimeTag: cbor.DecTagRequired, FieldNameMatching: cbor.FieldNameMatchingCaseSensitive,
	}.DecModeWithTags(dates())
	if err != nil {
		panic(err)
	}
	return enc, dec
}

func unmarshal(raw []byte, into any) error {
	if err := strict.Unmarshal(raw, into); err != nil {
		// The library's text can quote what it read.
		return fmt.Errorf("%w: not bounded, definite CBOR of the right form without repeated keys", ErrMalformed)
	}
	return nil
}

// encoded is a value in bytes, within a tag that says so.
type encoded []byte

// wrap puts CBOR into bytes and the tag around them.
func wrap(raw []byte) encoded {
	return encoded(make(written, 0, len(raw)+8).encoded(raw))
}

// MarshalCBOR gives the bytes as they are.
func (e encoded) MarshalCBOR() ([]byte, error) { return e, nil }

// UnmarshalCBOR keeps the bytes as they came: they are what was signed.
func (e *encoded) UnmarshalCBOR(raw []byte) error {
	*e = append([]byte(nil), raw...)
	return nil
}

// read takes the value out of the tag and the bytes.
func (e encoded) read(into any) error {
	var tag cbor.RawTag
	if err := unmarshal(e, &tag); err != nil {
		return err
	}
	var inner []byte
	if err := unmarshal(tag.Content, &inner); err != nil {
		return err
	}
	if tag.Number != tagEncoded {
		return fmt.Errorf("%w: a value is not wrapped as encoded CBOR", ErrMalformed)
	}
	return unmarshal(inner, into)
}
