package vc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strings"
	"unicode/utf8"
)

// parse reads one JSON object and refuses whatever two readers could read
// differently, or could be read without being signed: repeated keys, null and empty
// arrays (JSON-LD drops them), numbers and characters on which canonicalisers differ.
func parse(raw []byte) (map[string]any, error) {
	if len(raw) > maxBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(raw), maxBytes)
	}
	if !utf8.Valid(raw) {
		return nil, fmt.Errorf("%w: not UTF-8", ErrMalformed)
	}
	p := parser{Decoder: json.NewDecoder(bytes.NewReader(raw))}
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
	objects, values int
}

func (p *parser) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%w: nested deeper than %d", ErrTooLarge, maxDepth)
	}
	if p.values++; p.values > maxValues {
		return nil, fmt.Errorf("%w: more than %d values", ErrTooLarge, maxValues)
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
		return t, checkText(t)
	case json.Number:
		return number(t)
	case bool:
		return t, nil
	}
	return nil, fmt.Errorf("%w: null, which claims nothing", ErrMalformed)
}

func (p *parser) object(depth int) (any, error) {
	if p.objects++; p.objects > maxObjects {
		return nil, fmt.Errorf("%w: more than %d objects", ErrTooLarge, maxObjects)
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
		if err := checkText(key); err != nil {
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

// checkText refuses control characters: RDF canonicalisers do not agree on how
// they are escaped. U+FFFD is what broken text is read as.
func checkText(s string) error {
	if strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7f || r == utf8.RuneError
	}) {
		return fmt.Errorf("%w: a text holds a control or a broken character", ErrMalformed)
	}
	return nil
}

// number refuses what implementations write differently in RDF: whole numbers that
// a double cannot hold, and fractions near or past the exponent forms.
func number(n json.Number) (float64, error) {
	const safe = 1<<53 - 1
	f, err := n.Float64()
	whole := f == math.Trunc(f)
	switch {
	case err != nil,
		whole && (math.Abs(f) > safe || strings.ContainsAny(n.String(), ".eE") || n == "-0"),
		!whole && (math.Abs(f) < 1e-6 || math.Abs(f) > 1e15):
		return 0, fmt.Errorf("%w: a number is outside of the safe range; write it as text", ErrMalformed)
	}
	return f, nil
}

// checkShape refuses the forms of JSON-LD that make the same statements as a plain
// document but that a reader of plain JSON would not see, or would see elsewhere.
func checkShape(v any, top bool) error {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			if _, nested := item.([]any); nested {
				return fmt.Errorf("%w: an array in an array", ErrUnsupported)
			}
			if err := checkShape(item, false); err != nil {
				return err
			}
		}
	case map[string]any:
		if _, text := v["@value"]; text {
			return checkLanguageText(v)
		}
		for key, item := range v {
			if key == "@context" && top {
				continue
			}
			if strings.HasPrefix(key, "@") || strings.Contains(key, ":") {
				return fmt.Errorf("%w: a key that is not a plain term", ErrUnsupported)
			}
			if err := checkShape(item, false); err != nil {
				return err
			}
		}
	}
	return nil
}

var language = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$`)

// checkLanguageText lets one kind of value object pass: a text and its language.
func checkLanguageText(v map[string]any) error {
	_, text := v["@value"].(string)
	tag, tagged := v["@language"].(string)
	if !text || !tagged || len(v) != 2 || !language.MatchString(tag) {
		return fmt.Errorf("%w: a value that is not a text with its language", ErrUnsupported)
	}
	// Canonicalisers may keep or lower the case of a tag (JSON-LD 1.1, 13.1); those
	// that are in use lower it, json-gold keeps it.
	v["@language"] = strings.ToLower(tag)
	return nil
}
