package pex

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/plinth-id/plinth/credentials/vc/dcql"
)

// query is one descriptor in one format. Every alternative path of a field becomes a
// claim, and the claim sets say that one of each suffices.
func (d descriptor) query(position int, format string) (map[string]any, error) {
	q := map[string]any{"id": name(position, format), "format": format, "meta": map[string]any{}}
	if format == dcql.FormatMdoc {
		q["meta"] = map[string]any{"doctype_value": d.ID} // as ISO/IEC 18013-7 annex B has it
	}
	var claims []any
	choices := [][]string{{}} // the claim sets so far
	for n, f := range d.Constraints.Fields {
		values, err := f.values()
		if err != nil {
			return nil, err
		}
		var ids []string
		for m, path := range f.paths(format) {
			if format == dcql.FormatSDJWT && slices.Equal(path, []any{"vct"}) && len(values) > 0 {
				q["meta"] = map[string]any{"vct_values": values}
				continue
			}
			id := fmt.Sprintf("f%d-%d", n, m)
			claim := map[string]any{"id": id, "path": path}
			if len(values) > 0 {
				claim["values"] = values
			}
			if f.Retain && format == dcql.FormatMdoc {
				claim["intent_to_retain"] = true
			}
			if !f.Optional {
				claims, ids = append(claims, claim), append(ids, id)
			}
		}
		if len(ids) == 0 {
			if !f.Optional && len(f.paths(format)) == 0 {
				return nil, fmt.Errorf("%w: a field without a plain path", ErrUnsupported)
			}
			continue
		}
		var longer [][]string
		for _, set := range choices {
			for _, id := range ids {
				longer = append(longer, append(slices.Clone(set), id))
			}
		}
		if choices = longer; len(choices) > maxOptions {
			return nil, fmt.Errorf("%w: too many alternatives", ErrUnsupported)
		}
	}
	if len(claims) > 0 {
		q["claims"], q["claim_sets"] = claims, choices
	}
	return q, nil
}

// paths are the alternatives of a field as DCQL has them, without repetition.
func (f field) paths(format string) [][]any {
	var all [][]any
	for _, text := range f.Path {
		path, ok := steps(text)
		if !ok || format == dcql.FormatMdoc && len(path) != 2 {
			continue
		}
		// The claims of a VC of data model 1.1 in a JWT stand in vc; for DCQL they
		// begin at the credential.
		if path[0] == "vc" && len(path) > 1 {
			path = path[1:]
		}
		// An array is filtered by its elements.
		if path[0] == "type" && len(path) == 1 && (format == dcql.FormatLDP || format == dcql.FormatJWT) {
			path = []any{"type", nil}
		}
		if !slices.ContainsFunc(all, func(other []any) bool { return slices.Equal(other, path) }) {
			all = append(all, path)
		}
	}
	return all
}

var step = regexp.MustCompile(`^(?:\.([A-Za-z_@][A-Za-z0-9_:@-]*)|\['([^'\\]{1,256})'\]|\["([^"\\]{1,256})"\]|\[(\d{1,6})\]|\[(\*)\])`)

// steps reads the plain part of JSONPath: members, indices, and all of an array.
func steps(text string) ([]any, bool) {
	rest, ok := strings.CutPrefix(text, "$")
	if !ok || len(text) > 1024 {
		return nil, false
	}
	var path []any
	for rest != "" {
		m := step.FindStringSubmatch(rest)
		if m == nil || len(path) >= 16 {
			return nil, false
		}
		switch {
		case m[4] != "":
			index, err := strconv.Atoi(m[4])
			if err != nil {
				return nil, false
			}
			path = append(path, index)
		case m[5] != "":
			path = append(path, nil)
		default:
			path = append(path, m[1]+m[2]+m[3])
		}
		rest = rest[len(m[0]):]
	}
	return path, len(path) > 0
}

// values reads a filter: a JSON Schema of which a constant, a choice of constants
// and a literal pattern can be translated, for the value or for what an array holds.
func (f field) values() ([]any, error) {
	if len(f.Filter) == 0 {
		return nil, nil
	}
	var schema map[string]json.RawMessage
	if err := json.Unmarshal(f.Filter, &schema); err != nil {
		return nil, fmt.Errorf("%w: a filter is not an object", ErrMalformed)
	}
	var values []any
	for keyword, raw := range schema {
		switch keyword {
		case "type", "title", "description", "$schema", "$comment":
			continue
		case "contains":
			inner, err := field{Filter: raw}.values()
			if err != nil {
				return nil, err
			}
			values = append(values, inner...)
		case "const":
			var value any
			if json.Unmarshal(raw, &value) != nil {
				return nil, ErrMalformed
			}
			values = append(values, value)
		case "enum":
			var some []any
			if json.Unmarshal(raw, &some) != nil || len(some) == 0 {
				return nil, ErrMalformed
			}
			values = append(values, some...)
		case "pattern":
			text, ok := literal(raw)
			if !ok {
				return nil, fmt.Errorf("%w: a pattern that is no literal", ErrUnsupported)
			}
			values = append(values, text)
		default:
			return nil, fmt.Errorf("%w: the filter keyword %q", ErrUnsupported, keyword)
		}
	}
	return values, nil
}

var escaped = regexp.MustCompile(`\\([^A-Za-z0-9])`)

// literal takes a pattern that stands for one text only, or for text that holds it
// where the pattern is a plain word: a type is meant.
func literal(raw json.RawMessage) (string, bool) {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return "", false
	}
	text = strings.TrimSuffix(strings.TrimPrefix(text, "^"), "$")
	plain := escaped.ReplaceAllString(text, "$1")
	if regexp.QuoteMeta(plain) != text && plain != text || strings.ContainsAny(escaped.ReplaceAllString(text, ""), `*+?()[]{}|\^$`) {
		return "", false
	}
	return plain, plain != ""
}
