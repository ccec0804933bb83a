package jsonld

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"
)

// Parse reads one JSON object and refuses whatever two readers could read
// differently, or could be read without being signed: repeated keys, null and empty
// arrays (JSON-LD drops them), numbers and characters on which canonicalisers differ.
func Parse(raw []byte, bounds Bounds) (map[string]any, error) {
	if len(raw) > bounds.Bytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(raw), bounds.Bytes)
	}
	if !utf8.Valid(raw) {
		return nil, fmt.Errorf("%w: not UTF-8", ErrMalformed)
	}
	p := parser{Decoder: json.NewDecoder(bytes.NewReader(raw)), bounds: bounds}
	p.UseNumber()
	v, err := p.value(0)
	if err != nil {
		return nil, err
	}
	if _, err := p.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows the document", ErrMalformed)
	}
	doc, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%w: not a JSON object", ErrMalformed)
	}
	return doc, nil
}

type parser struct {
	*json.Decoder
	bounds          Bounds
	objects, values int
}

func (p *parser) value(depth int) (any, error) {
	if depth > p.bounds.Depth {
		return nil, fmt.Errorf("%w: nested deeper than %d", ErrTooLarge, p.bounds.Depth)
	}
	// json-gold compares the values of a term with one another.
	if p.values++; p.values > p.bounds.Values {
		return nil, fmt.Errorf("%w: more than %d values", ErrTooLarge, p.bounds.Values)
	}
	token, err := p.Token()
	if err != nil {
		return nil, fmt.Errorf("%w: not JSON", ErrMalformed)
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '{' {
			return p.object(depth)
		}
		return p.array(depth)
	case string:
		return t, CheckText(t)
	case json.Number:
		f, err := t.Float64()
		if err != nil || t == "-0" || f == math.Trunc(f) && strings.ContainsAny(t.String(), ".eE") {
			return nil, errNumber
		}
		return f, CheckNumber(f)
	case bool:
		return t, nil
	}
	return nil, fmt.Errorf("%w: null, which claims nothing", ErrMalformed)
}

func (p *parser) object(depth int) (any, error) {
	if p.objects++; p.objects > p.bounds.Objects {
		return nil, fmt.Errorf("%w: more than %d objects", ErrTooLarge, p.bounds.Objects)
	}
	object := map[string]any{}
	for p.More() {
		token, err := p.Token()
		key, ok := token.(string)
		if err != nil || !ok {
			return nil, fmt.Errorf("%w: not JSON", ErrMalformed)
		}
		if _, twice := object[key]; twice {
			return nil, fmt.Errorf("%w: a key is repeated", ErrMalformed)
		}
		if err := CheckText(key); err != nil {
			return nil, err
		}
		if object[key], err = p.value(depth + 1); err != nil {
			return nil, err
		}
	}
	return object, p.close()
}

func (p *parser) array(depth int) (any, error) {
	var array []any
	for p.More() {
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		array = append(array, v)
	}
	if array == nil {
		return nil, fmt.Errorf("%w: an empty array, which claims nothing", ErrMalformed)
	}
	return array, p.close()
}

func (p *parser) close() error {
	if _, err := p.Token(); err != nil {
		return fmt.Errorf("%w: not JSON", ErrMalformed)
	}
	return nil
}

// CheckText refuses control characters: RDF canonicalisers do not agree on how
// they are escaped. U+FFFD is what broken text is read as.
func CheckText(s string) error {
	for _, r := range s {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7f || r == utf8.RuneError {
			return fmt.Errorf("%w: a text holds a control or a broken character", ErrMalformed)
		}
	}
	return nil
}

var errNumber = fmt.Errorf("%w: a number is outside of the safe range; write it as text", ErrMalformed)

// CheckNumber refuses what implementations write differently in RDF: whole numbers
// that a double cannot hold, and fractions near or past the exponent forms.
func CheckNumber(f float64) error {
	const safe = 1<<53 - 1
	whole := f == math.Trunc(f)
	if whole && math.Abs(f) > safe || !whole && (math.Abs(f) < 1e-6 || math.Abs(f) > 1e15) || math.IsNaN(f) {
		return errNumber
	}
	return nil
}
