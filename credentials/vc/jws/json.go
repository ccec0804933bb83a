package jws

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// Object reads one JSON object and refuses what two readers could read differently:
// repeated keys, and bytes that are not UTF-8. Numbers stay as they were written
// (json.Number), for an identity number must not lose a digit.
func Object(raw []byte) (map[string]any, error) {
	v, err := Value(raw)
	if err != nil {
		return nil, err
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%w: not a JSON object", ErrMalformed)
	}
	return object, nil
}

// Value reads any JSON in the way of Object.
func Value(raw []byte) (any, error) {
	if len(raw) > maxToken {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(raw), maxToken)
	}
	if !utf8.Valid(raw) {
		return nil, fmt.Errorf("%w: not UTF-8", ErrMalformed)
	}
	r := reader{Decoder: json.NewDecoder(bytes.NewReader(raw))}
	r.UseNumber()
	v, err := r.value(0)
	if err != nil {
		return nil, err
	}
	if _, err := r.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows the JSON", ErrMalformed)
	}
	return v, nil
}

type reader struct {
	*json.Decoder
	values int
}

func (r *reader) value(depth int) (any, error) {
	if r.values++; r.values > maxValues || depth > maxDepth {
		return nil, fmt.Errorf("%w: more than %d values or %d levels", ErrTooLarge, maxValues, maxDepth)
	}
	token, err := r.Token()
	if err != nil {
		return nil, fmt.Errorf("%w: not JSON", ErrMalformed)
	}
	switch token {
	case json.Delim('{'):
		return r.object(depth)
	case json.Delim('['):
		return r.array(depth)
	}
	return token, nil
}

func (r *reader) object(depth int) (any, error) {
	object := map[string]any{}
	for r.More() {
		token, err := r.Token()
		key, ok := token.(string)
		if err != nil || !ok {
			return nil, fmt.Errorf("%w: not JSON", ErrMalformed)
		}
		if _, twice := object[key]; twice {
			return nil, fmt.Errorf("%w: a key is repeated", ErrMalformed)
		}
		if object[key], err = r.value(depth + 1); err != nil {
			return nil, err
		}
	}
	return object, r.close()
}

func (r *reader) array(depth int) (any, error) {
	array := []any{}
	for r.More() {
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		array = append(array, v)
	}
	return array, r.close()
}

func (r *reader) close() error {
	if _, err := r.Token(); err != nil {
		return fmt.Errorf("%w: not JSON", ErrMalformed)
	}
	return nil
}
