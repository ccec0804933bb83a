package qr

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
	"sync"

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

// A deflater is 800 kB, more than all else that a code needs: they are used again. To
// try harder than the default finds nothing more in so few bytes.
var deflaters = sync.Pool{New: func() any { return mustDeflate(zlib.DefaultCompression) }}

func mustDeflate(level int) *zlib.Writer {
	w, err := zlib.NewWriterLevel(nil, level)
	if err != nil {
		panic(err)
	}
	return w
}

// pack deflates bytes and writes them as the text of a QR code.
func pack(raw []byte) (string, error) {
	var b bytes.Buffer
	w := deflaters.Get().(*zlib.Writer)
	defer deflaters.Put(w)
	w.Reset(&b)
	if _, err := w.Write(raw); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	text := encode45(b.Bytes())
	if len(text) > maxText {
		return "", fmt.Errorf("%w: %d bytes become %d characters, at most %d", ErrTooLong, len(raw), len(text), maxText)
	}
	return text, nil
}

// inflaters are used again as well.
var inflaters sync.Pool

func inflater(source io.Reader) (io.ReadCloser, error) {
	if r, ok := inflaters.Get().(io.ReadCloser); ok {
		return r, r.(zlib.Resetter).Reset(source, nil)
	}
	return zlib.NewReader(source)
}

// unpack is the way back; it stops a bomb at maxInflated.
func unpack(text string) ([]byte, error) {
	deflated, err := decode45(text)
	if err != nil {
		return nil, err
	}
	source := bytes.NewReader(deflated)
	r, err := inflater(source)
	if err != nil {
		return nil, fmt.Errorf("%w: not zlib", ErrMalformed)
	}
	defer inflaters.Put(r)
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
