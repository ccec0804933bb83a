package dcql

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
)

const (
	maxItems = 64   // of any array of the query
	maxText  = 1024 // bytes of any text
	maxPath  = 16   // steps
)

var identifier = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Parse reads a query. What the specification does not define is passed over, as
// it demands; a format that is not known is kept, and no credential matches it.
func Parse(raw []byte) (Query, error) {
	object, err := document(raw)
	if err != nil {
		return Query{}, err
	}
	var q Query
	items, err := list(object, "credentials", true)
	if err != nil {
		return Query{}, err
	}
	seen := map[string]bool{}
	for _, item := range items {
		c, err := readCredential(item)
		if err != nil {
			return Query{}, err
		}
		if seen[c.ID] {
			return Query{}, fmt.Errorf("%w: the id %q is repeated", ErrMalformed, c.ID)
		}
		seen[c.ID] = true
		q.Credentials = append(q.Credentials, c)
	}
	if items, err = list(object, "credential_sets", false); err != nil {
		return Query{}, err
	}
	for _, item := range items {
		s, err := readSet(item, seen)
		if err != nil {
			return Query{}, err
		}
		q.Sets = append(q.Sets, s)
	}
	var plain bytes.Buffer
	if err := json.Compact(&plain, raw); err != nil {
		return Query{}, fmt.Errorf("%w: not JSON", ErrMalformed)
	}
	q.raw = plain.Bytes()
	return q, nil
}

func readCredential(item any) (Credential, error) {
	object, ok := item.(map[string]any)
	if !ok {
		return Credential{}, fmt.Errorf("%w: a credential query is not an object", ErrMalformed)
	}
	c := Credential{}
	if c.ID, ok = object["id"].(string); !ok || !identifier.MatchString(c.ID) {
		return c, fmt.Errorf("%w: a credential query needs an id of letters, digits, _ and -", ErrMalformed)
	}
	if c.Format, ok = object["format"].(string); !ok || c.Format == "" || len(c.Format) > maxText {
		return c, fmt.Errorf("%w: %s needs a format", ErrMalformed, c.ID)
	}
	bound := true
	for name, into := range map[string]*bool{"multiple": &c.Multiple, "require_cryptographic_holder_binding": &bound} {
		if err := flag(object, name, into); err != nil {
			return c, err
		}
	}
	c.Unbound = !bound
	meta, ok := object["meta"].(map[string]any)
	if !ok {
		return c, fmt.Errorf("%w: %s needs meta", ErrMalformed, c.ID)
	}
	for _, read := range []func() error{
		func() (err error) { c.Types, err = readTypes(c.Format, meta); return err },
		func() (err error) { c.Authorities, err = readAuthorities(object); return err },
		func() (err error) { c.Claims, err = readClaims(c.Format, object); return err },
		func() (err error) { c.ClaimSets, err = readClaimSets(object, c.Claims); return err },
	} {
		if err := read(); err != nil {
			return c, fmt.Errorf("%s: %w", c.ID, err)
		}
	}
	return c, nil
}

// readTypes takes the types of every format into one form: alternatives, each a set
// that must be present as a whole.
func readTypes(format string, meta map[string]any) ([][]string, error) {
	switch format {
	case FormatSDJWT:
		values, err := texts(meta, "vct_values")
		var types [][]string
		for _, v := range values {
			types = append(types, []string{v})
		}
		return types, err
	case FormatMdoc:
		value, present := meta["doctype_value"]
		if !present {
			return nil, nil
		}
		text, ok := value.(string)
		if !ok || text == "" || len(text) > maxText {
			return nil, fmt.Errorf("%w: doctype_value is not text", ErrMalformed)
		}
		return [][]string{{text}}, nil
	case FormatLDP, FormatJWT:
		return textLists(meta, "type_values")
	}
	return nil, nil
}

func readAuthorities(object map[string]any) ([]Authority, error) {
	items, err := list(object, "trusted_authorities", false)
	if err != nil {
		return nil, err
	}
	var all []Authority
	for _, item := range items {
		fields, _ := item.(map[string]any)
		kind, ok := fields["type"].(string)
		values, err := texts(fields, "values")
		if err != nil || !ok || len(values) == 0 {
			return nil, fmt.Errorf("%w: a trusted authority needs a type and values", ErrMalformed)
		}
		all = append(all, Authority{Type: kind, Values: values})
	}
	return all, nil
}

func readClaims(format string, object map[string]any) ([]Claim, error) {
	items, err := list(object, "claims", false)
	if err != nil {
		return nil, err
	}
	var all []Claim
	seen := map[string]bool{}
	for _, item := range items {
		fields, ok := item.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%w: a claim query is not an object", ErrMalformed)
		}
		c := Claim{}
		if id, present := fields["id"]; present {
			if c.ID, ok = id.(string); !ok || !identifier.MatchString(c.ID) || seen[c.ID] {
				return nil, fmt.Errorf("%w: the id of a claim is repeated, or not of letters, digits, _ and -", ErrMalformed)
			}
			seen[c.ID] = true
		}
		if c.Path, err = readPath(format, fields); err != nil {
			return nil, err
		}
		if c.Values, err = readValues(fields); err != nil {
			return nil, err
		}
		if err := flag(fields, "intent_to_retain", &c.Retain); err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

func readPath(format string, fields map[string]any) (Path, error) {
	steps, err := list(fields, "path", true)
	if err != nil || len(steps) > maxPath {
		return nil, fmt.Errorf("%w: a claim needs a path of at most %d steps", ErrMalformed, maxPath)
	}
	var path Path
	for _, step := range steps {
		switch s := step.(type) {
		case nil:
			path = append(path, nil)
		case string:
			if len(s) > maxText {
				return nil, fmt.Errorf("%w: a step of a path", ErrTooLarge)
			}
			path = append(path, s)
		case json.Number:
			index, err := strconv.ParseUint(s.String(), 10, 31)
			if err != nil {
				return nil, fmt.Errorf("%w: an index that is not a whole number from 0", ErrMalformed)
			}
			path = append(path, int(index))
		default:
			return nil, fmt.Errorf("%w: a step that is neither text, a number nor null", ErrMalformed)
		}
	}
	if format == FormatMdoc && (len(path) != 2 || !isText(path[0]) || !isText(path[1])) {
		return nil, fmt.Errorf("%w: the path into an mdoc is a namespace and an element", ErrMalformed)
	}
	return path, nil
}

func isText(step any) bool {
	_, ok := step.(string)
	return ok
}

func readValues(fields map[string]any) ([]any, error) {
	values, err := list(fields, "values", false)
	if err != nil {
		return nil, err
	}
	for _, v := range values {
		switch v := v.(type) {
		case bool:
			continue
		case string:
			if len(v) <= maxText {
				continue
			}
		case json.Number:
			if _, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
				continue
			}
		}
		return nil, fmt.Errorf("%w: a value that is neither text, a whole number nor a truth value", ErrMalformed)
	}
	return values, nil
}

func readClaimSets(object map[string]any, claims []Claim) ([][]string, error) {
	sets, err := textLists(object, "claim_sets")
	if err != nil {
		return nil, err
	}
	for _, c := range claims {
		if c.ID == "" && len(sets) > 0 {
			return nil, fmt.Errorf("%w: with claim_sets every claim needs an id", ErrMalformed)
		}
	}
	for _, id := range slices.Concat(sets...) {
		if !slices.ContainsFunc(claims, func(c Claim) bool { return c.ID == id }) {
			return nil, fmt.Errorf("%w: claim_sets names a claim that is not there", ErrMalformed)
		}
	}
	return sets, nil
}

func readSet(item any, known map[string]bool) (Set, error) {
	object, ok := item.(map[string]any)
	if !ok {
		return Set{}, fmt.Errorf("%w: a credential set is not an object", ErrMalformed)
	}
	required := true
	if err := flag(object, "required", &required); err != nil {
		return Set{}, err
	}
	options, err := textLists(object, "options")
	if err != nil || len(options) == 0 {
		return Set{}, fmt.Errorf("%w: a credential set needs options", ErrMalformed)
	}
	for _, id := range slices.Concat(options...) {
		if !known[id] {
			return Set{}, fmt.Errorf("%w: a credential set names a credential that is not there", ErrMalformed)
		}
	}
	return Set{Options: options, Optional: !required}, nil
}

// list reads an array, which must have something in it when it is there.
func list(object map[string]any, name string, required bool) ([]any, error) {
	value, present := object[name]
	if !present && !required {
		return nil, nil
	}
	items, ok := value.([]any)
	if !ok || len(items) == 0 {
		return nil, fmt.Errorf("%w: %s is not an array with something in it", ErrMalformed, name)
	}
	if len(items) > maxItems {
		return nil, fmt.Errorf("%w: %s has %d items, at most %d", ErrTooLarge, name, len(items), maxItems)
	}
	return items, nil
}

func texts(object map[string]any, name string) ([]string, error) {
	items, err := list(object, name, false)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, item := range items {
		text, ok := item.(string)
		if !ok || text == "" || len(text) > maxText {
			return nil, fmt.Errorf("%w: %s holds something other than text", ErrMalformed, name)
		}
		all = append(all, text)
	}
	return all, nil
}

func textLists(object map[string]any, name string) ([][]string, error) {
	items, err := list(object, name, false)
	if err != nil {
		return nil, err
	}
	var all [][]string
	for _, item := range items {
		inner, err := texts(map[string]any{name: item}, name)
		if err != nil {
			return nil, err
		}
		all = append(all, inner)
	}
	return all, nil
}

func flag(object map[string]any, name string, into *bool) error {
	value, present := object[name]
	if !present {
		return nil
	}
	set, ok := value.(bool)
	if !ok {
		return fmt.Errorf("%w: %s is neither true nor false", ErrMalformed, name)
	}
	*into = set
	return nil
}

// Askable tells whether a verifier may send the query. A wallet overlooks more than
// a verifier is allowed to write.
func (q Query) Askable() error {
	for _, c := range q.Credentials {
		if !slices.Contains([]string{FormatSDJWT, FormatMdoc, FormatLDP, FormatJWT}, c.Format) {
			return fmt.Errorf("%w: %s asks for a format that is not known", ErrMalformed, c.ID)
		}
		if len(c.Types) == 0 {
			return fmt.Errorf("%w: %s names no type in meta", ErrMalformed, c.ID)
		}
		for i, one := range c.Claims {
			if slices.ContainsFunc(c.Claims[:i], func(other Claim) bool { return slices.Equal(one.Path, other.Path) }) {
				return fmt.Errorf("%w: %s points to one claim twice", ErrMalformed, c.ID)
			}
		}
	}
	return nil
}
