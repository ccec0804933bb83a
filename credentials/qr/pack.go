package qr

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"

	"github.com/fxamacker/cbor/v2"
)

// strict reads CBOR that is bounded and can be understood in one way only.
var strict = mustDecode(cbor.DecOptions{
	DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden,
	MaxNestedLevels: maxDepth, MaxArrayElements: 1024, MaxMapPairs: 256,
	IntDec: cbor.IntDecConvertSignedOrFail, BignumTag: cbor.BignumTagForbidden,
})

// canonical writes the same value in the same bytes.
var canonical = mustEncode(cbor.CoreDetEncOptions())

func mustDecode(o cbor.DecOptions) cbor.DecMode {
	mode, err := o.DecMode()
	if err != nil {
		panic(err)
	}
	return mode
}

func mustEncode(o cbor.EncOptions) cbor.EncMode {
	mode, err := o.EncMode()
	if err != nil {
		panic(err)
	}
	return mode
}

func unmarshal(raw []byte, into any) error {
	if err := strict.Unmarshal(raw, into); err != nil {
		// The library's text can quote what it read.
		return fmt.Errorf("%w: not bounded, definite CBOR without repeated keys", ErrMalformed)
	}
	return nil
}

// pack deflates bytes and writes them as the text of a QR code.
func pack(raw []byte) (string, error) {
	var b bytes.Buffer
	w, err := zlib.NewWriterLevel(&b, zlib.BestCompression)
	if err != nil {
		return "", err
	}
	if _, err := w.Write(raw); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	text := encode45(b.Bytes())
	if len(text) > maxText {
		return "", fmt.Errorf("%w: %d characters, at most %d", ErrTooLong, len(text), maxText)
	}
	return text, nil
}

// unpack is the way back; it stops a bomb at maxInflated.
func unpack(text string) ([]byte, error) {
	deflated, err := decode45(text)
	if err != nil {
		return nil, err
	}
	source := bytes.NewReader(deflated)
	r, err := zlib.NewReader(source)
	if err != nil {
		return nil, fmt.Errorf("%w: not zlib", ErrMalformed)
	}
	raw, err := io.ReadAll(io.LimitReader(r, maxInflated+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: not zlib", ErrMalformed)
	case len(raw) > maxInflated:
		return nil, fmt.Errorf("%w: inflates to more than %d bytes", ErrTooLarge, maxInflated)
	case source.Len() > 0:
		return nil, fmt.Errorf("%w: something follows the zlib stream", ErrMalformed)
	}
	return raw, nil
}
