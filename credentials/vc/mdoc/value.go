package mdoc

import (
	"fmt"
	"reflect"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"
)

// FullDate is a day without a time, as 2006-01-02 (RFC 8943).
type FullDate string

// Tagged is a value under a CBOR tag that this package does not know.
type Tagged struct {
	Number  uint64 `json:"tag"`
	Content any    `json:"content"`
}

const tagFullDate = 1004

func dates() cbor.TagSet {
	tags := cbor.NewTagSet()
	required := cbor.TagOptions{EncTag: cbor.EncTagRequired, DecTag: cbor.DecTagRequired}
	if err := tags.Add(required, reflect.TypeFor[FullDate](), tagFullDate); err != nil {
		panic(err)
	}
	return tags
}

// value writes the value of an element, the common kinds by hand.
func (w written) value(v any) (written, error) {
	switch v := v.(type) {
	case string:
		if utf8.ValidString(v) {
			return w.text(v), nil
		}
	case []byte:
		return w.bytes(v), nil
	}
	v, err := writable(v, 0)
	if err != nil {
		return nil, err
	}
	raw, err := canonical.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("%w: a value that CBOR cannot hold", ErrUnsupported)
	}
	return append(w, raw...), nil
}

// writable checks that a value is of a kind that a document may hold, and brings
// times into the only form that the standard allows: UTC, without fractions.
func writable(v any, depth int) (any, error) {
	if depth > maxDepth/2 {
		return nil, fmt.Errorf("%w: nested too deeply", ErrUnsupported)
	}
	switch v := v.(type) {
	case string:
		if !utf8.ValidString(v) {
			return nil, fmt.Errorf("%w: text that is not UTF-8", ErrUnsupported)
		}
		return v, nil
	case []byte, bool, int, int64, uint64, float64:
		return v, nil
	case FullDate:
		if _, err := time.Parse(time.DateOnly, string(v)); err != nil {
			return nil, fmt.Errorf("%w: a date that is no date", ErrUnsupported)
		}
		return v, nil
	case time.Time:
		return second(v), nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, value := range v {
			if !isName(key) {
				return nil, fmt.Errorf("%w: a key that is empty or not UTF-8", ErrUnsupported)
			}
			w, err := writable(value, depth+1)
			if err != nil {
				return nil, err
			}
			out[key] = w
		}
		return out, nil
	case []any:
		out := make([]any, len(v))
		for k, value := range v {
			w, err := writable(value, depth+1)
			if err != nil {
				return nil, err
			}
			out[k] = w
		}
		return out, nil
	}
	return nil, fmt.Errorf("%w: a value of type %T", ErrUnsupported, v)
}

func isName(s string) bool { return s != "" && utf8.ValidString(s) }

// readable brings a value that was read into the kinds that JSON and our callers know.
func readable(v any) (any, error) {
	switch v := v.(type) {
	case nil, string, []byte, bool, int64, float64, FullDate:
		return v, nil
	case time.Time:
		return v.UTC(), nil
	case cbor.Tag:
		content, err := readable(v.Content)
		return Tagged{Number: v.Number, Content: content}, err
	case []any:
		out := make([]any, len(v))
		for k := range v {
			value, err := readable(v[k])
			if err != nil {
				return nil, err
			}
			out[k] = value
		}
		return out, nil
	case map[any]any:
		out := make(map[string]any, len(v))
		for key, value := range v {
			name, err := keyName(key)
			if err != nil {
				return nil, err
			}
			if _, twice := out[name]; twice {
				return nil, fmt.Errorf("%w: a key twice, as text and as a number", ErrMalformed)
			}
			if out[name], err = readable(value); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return nil, fmt.Errorf("%w: a value of a kind that is not known", ErrUnsupported)
}

func keyName(key any) (string, error) {
	switch key := key.(type) {
	case string:
		return key, nil
	case int64:
		return strconv.FormatInt(key, 10), nil
	}
	return "", fmt.Errorf("%w: a key that is neither text nor a number", ErrUnsupported)
}
