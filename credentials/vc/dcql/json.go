package dcql

import (
	"errors"
	"fmt"

	"github.com/plinth-id/plinth/credentials/vc/jws"
)

// maxBytes bounds a query, far above any honest one.
const maxBytes = 64 << 10

// document reads one JSON object. A key that is repeated is refused, since two
// readers could take one query for two.
func document(raw []byte) (map[string]any, error) {
	if len(raw) > maxBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(raw), maxBytes)
	}
	object, err := jws.Object(raw)
	if errors.Is(err, jws.ErrTooLarge) {
		return nil, fmt.Errorf("%w: nested too deep, or of too many values", ErrTooLarge)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return object, nil
}
