package dcql

import (
	"encoding/json"
	"math"
	"math/big"
	"slices"
	"strconv"
)

// Found is a claim that a path points to: where it is, without wildcards, and what
// it says.
type Found struct {
	At    Path
	Value any
}

// maxFound bounds what one path can select.
const maxFound = 4096

// Select follows a path through claims, which are maps, slices and plain values as
// encoding/json makes them. It gives nothing when the path leads nowhere, or steps
// into something of another kind.
func Select(claims any, path Path) []Found {
	found := []Found{{Value: claims}}
	for _, step := range path {
		var next []Found
		for _, f := range found {
			switch value := f.Value.(type) {
			case map[string]any:
				key, ok := step.(string)
				if !ok {
					return nil
				}
				if inner, ok := value[key]; ok {
					next = append(next, f.below(key, inner))
				}
			case []any:
				inside, ok := f.inside(value, step)
				if !ok || len(next)+len(inside) > maxFound {
					return nil
				}
				next = append(next, inside...)
			default:
				return nil
			}
		}
		found = next
	}
	return found
}

func (f Found) below(step, value any) Found {
	return Found{At: append(slices.Clone(f.At), step), Value: value}
}

// inside steps into an array.
func (f Found) inside(array []any, step any) ([]Found, bool) {
	switch step := step.(type) {
	case nil:
		all := make([]Found, 0, min(len(array), maxFound))
		for i, item := range array {
			if i >= maxFound {
				return nil, false
			}
			all = append(all, f.below(i, item))
		}
		return all, true
	case int:
		if step >= 0 && step < len(array) {
			return []Found{f.below(step, array[step])}, true
		}
		return nil, true
	}
	return nil, false
}

// find gives the claims that a claim query points to and whose value is one of the
// wanted: of the elements of an array only those.
func (c Claim) find(claims any) []Found {
	found := Select(claims, c.Path)
	if len(c.Values) == 0 {
		return found
	}
	return slices.DeleteFunc(found, func(f Found) bool {
		return !slices.ContainsFunc(c.Values, func(want any) bool { return same(f.Value, want) })
	})
}

// same compares a claim with a value of a query: the kind must be the same, too.
func same(value, want any) bool {
	switch want := want.(type) {
	case string:
		text, ok := value.(string)
		return ok && text == want
	case bool:
		set, ok := value.(bool)
		return ok && set == want
	case json.Number:
		number, ok := new(big.Int).SetString(want.String(), 10)
		have, whole := integer(value)
		return ok && whole && number.Cmp(have) == 0
	}
	return false
}

// integer reads a whole number as the decoders of JSON and CBOR give it.
func integer(value any) (*big.Int, bool) {
	switch v := value.(type) {
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return big.NewInt(n), true
		}
	case float64:
		if v == math.Trunc(v) && math.Abs(v) <= 1<<53 {
			return big.NewInt(int64(v)), true
		}
	case int:
		return big.NewInt(int64(v)), true
	case int64:
		return big.NewInt(v), true
	case uint64:
		return new(big.Int).SetUint64(v), true
	}
	return nil, false
}
