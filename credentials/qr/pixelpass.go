package qr

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// Kind is what the text of a QR code holds.
type Kind string

// The kinds of text that are told apart.
const (
	KindUnknown  Kind = "unknown"
	KindClaim169 Kind = "claim169"
	KindPacked   Kind = "packed-json" // JSON in the manner of PixelPass
	KindText     Kind = "packed-text" // text in the same manner, such as an SD-JWT
	KindCBOR     Kind = "packed-cbor" // a map that JSON cannot hold, such as an mdoc
	KindJSON     Kind = "json"
)

// sharePrefix is what Inji's wallet puts before a credential that it shows.
const sharePrefix = "INJIQUICKSHARE://"

// EncodeJSON writes a JSON document, such as a credential, as the text of a QR code
// in the manner of PixelPass: CBOR, deflated, in base45.
func EncodeJSON(document []byte) (string, error) {
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil || d.More() {
		return "", fmt.Errorf("%w: not one JSON document", ErrMalformed)
	}
	value, err := toCBOR(value, 0)
	if err != nil {
		return "", err
	}
	raw, err := canonical.Marshal(value)
	if err != nil {
		return "", fmt.Errorf("%w: a value that CBOR cannot hold", ErrMalformed)
	}
	return pack(raw)
}

func toCBOR(v any, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%w: nested deeper than %d", ErrTooLarge, maxDepth)
	}
	var err error
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n, nil
		}
		f, err := v.Float64()
		if err != nil || math.Trunc(f) == f && math.Abs(f) > 1<<53 {
			return nil, fmt.Errorf("%w: a number out of range", ErrMalformed)
		}
		return f, nil
	case []any:
		for i, item := range v {
			if v[i], err = toCBOR(item, depth+1); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for key, item := range v {
			if v[key], err = toCBOR(item, depth+1); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// Detect says what a text holds, and gives the JSON document, the packed text or the CBOR when
// it is one. Of a claim 169 it looks at the outermost layer only.
func Detect(text string) (Kind, []byte) {
	text = strings.TrimPrefix(strings.TrimSpace(text), sharePrefix)
	if strings.HasPrefix(text, "{") {
		if len(text) <= maxInflated && json.Valid([]byte(text)) {
			return KindJSON, []byte(text)
		}
		return KindUnknown, nil
	}
	raw, err := unpack(text)
	if err != nil {
		return KindUnknown, nil
	}
	// Older encoders deflate the JSON text as it is.
	if bytes.HasPrefix(raw, []byte("{")) && json.Valid(raw) && utf8.Valid(raw) {
		return KindPacked, raw
	}
	if cwt, ok := fromHex(raw); ok {
		raw = cwt
	}
	if isTagged(raw) {
		return KindClaim169, nil
	}
	if document, err := toJSON(raw); err == nil && bytes.HasPrefix(document, []byte("{")) {
		return KindPacked, document
	}
	// Encoders differ in whether they put text into CBOR first.
	var inside string
	if unmarshal(raw, &inside) == nil {
		raw = []byte(inside)
	}
	if isPrintable(raw) {
		return KindText, raw
	}
	if isMap(raw) {
		return KindCBOR, raw
	}
	return KindUnknown, nil
}

func isPrintable(raw []byte) bool {
	return len(raw) > 0 && utf8.Valid(raw) && !bytes.ContainsFunc(raw, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// isTagged tells a CWT or COSE message from a JSON document.
func isTagged(raw []byte) bool {
	const major = 6
	return len(raw) > 0 && raw[0]>>5 == major
}

// isMap tells a map whose first key is text from other bytes.
func isMap(raw []byte) bool {
	const text, object = 3, 5
	return len(raw) > 1 && raw[0]>>5 == object && raw[1]>>5 == text
}

func toJSON(raw []byte) ([]byte, error) {
	var value any
	if err := unmarshal(raw, &value); err != nil {
		return nil, err
	}
	value, err := fromCBOR(value)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return nil, fmt.Errorf("%w: a number that JSON cannot hold", ErrMalformed)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func fromCBOR(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case nil, bool, string, int64, float64:
		return v, nil
	case []any:
		for i, item := range v {
			if v[i], err = fromCBOR(item); err != nil {
				return nil, err
			}
		}
		return v, nil
	case map[any]any:
		object := make(map[string]any, len(v))
		for key, item := range v {
			name, ok := key.(string)
			if !ok {
				return nil, fmt.Errorf("%w: a key that is not text", ErrMalformed)
			}
			if object[name], err = fromCBOR(item); err != nil {
				return nil, err
			}
		}
		return object, nil
	}
	return nil, fmt.Errorf("%w: a value that JSON does not have", ErrMalformed)
}
