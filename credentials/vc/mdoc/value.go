package mdoc

import (
	"fmt"
	"reflect"
	"strconv"
	"time"

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

// writable checks that a value is of a kind that a document may hold, and brings
// times into the only form that the standard allows: UTC, without fractions.
func writable(v any, depth int) (any, error) {
	if depth > maxDepth/2 {
		return nil, fmt.Errorf("%w: nested too deeply", ErrUnsupported)
	}
	switch v := v.(type) {
	case string, []byte, bool, int, int64, uint64, float64:
		return v, nil
	case FullDate:
		if _, err := time.Parse(time.DateOnly, string(v)); err != nil {
			return nil, fmt.Errorf("%w: a date that is no date", ErrUnsupported)
		}
		return v, nil
	case time.Time:
		return v.UTC().Truncate(time.Second), nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, value := range v {
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
