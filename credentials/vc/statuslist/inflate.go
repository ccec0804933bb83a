package statuslist

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
)

// deflate compresses a list by the writer that its specification wants.
func deflate[W io.WriteCloser](packed []byte, open func(io.Writer, int) (W, error)) ([]byte, error) {
	var b bytes.Buffer
	w, err := open(&b, zlib.BestCompression)
	if err != nil {
		return nil, fmt.Errorf("deflating a list: %w", err)
	}
	if _, err := w.Write(packed); err != nil {
		return nil, fmt.Errorf("deflating a list: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("deflating a list: %w", err)
	}
	return b.Bytes(), nil
}

func fromZlib(deflated []byte) ([]byte, error) {
	source := bytes.NewReader(deflated)
	r, err := zlib.NewReader(source)
	if err != nil {
		return nil, fmt.Errorf("%w: the list is not zlib", ErrMalformed)
	}
	return inflate(r, source)
}

func fromGzip(deflated []byte) ([]byte, error) {
	source := bytes.NewReader(deflated)
	r, err := gzip.NewReader(source)
	if err != nil {
		return nil, fmt.Errorf("%w: the list is not gzip", ErrMalformed)
	}
	r.Multistream(false)
	return inflate(r, source)
}

// inflate stops a bomb, and takes nothing behind the end.
func inflate(r io.Reader, source *bytes.Reader) ([]byte, error) {
	packed, err := io.ReadAll(io.LimitReader(r, maxInflated+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: the list cannot be inflated", ErrMalformed)
	case len(packed) > maxInflated:
		return nil, fmt.Errorf("%w: the list inflates to more than %d bytes", ErrTooLarge, maxInflated)
	case source.Len() > 0:
		return nil, fmt.Errorf("%w: something follows the list", ErrMalformed)
	}
	return packed, nil
}
