package jsonld

import (
	"fmt"
	"strings"
)

// CheckPlain refuses the forms of JSON-LD that make the same statements as a plain
// document but that a reader of plain JSON would not see, or would see elsewhere.
// The members named in documents hold documents of their own, with contexts. Proofs
// are left to their suites.
func CheckPlain(doc map[string]any, documents ...string) error {
	for key, item := range doc {
		if key == "@context" || key == "proof" {
			continue
		}
		for _, name := range documents {
			if key == name {
				return checkDocuments(item)
			}
		}
		if err := checkMember(key, item); err != nil {
			return err
		}
	}
	return nil
}

func checkDocuments(v any) error {
	items, ok := v.([]any)
	if !ok {
		items = []any{v}
	}
	for _, item := range items {
		doc, ok := item.(map[string]any)
		if !ok {
			return fmt.Errorf("%w: something other than a document", ErrMalformed)
		}
		if err := CheckPlain(doc); err != nil {
			return err
		}
	}
	return nil
}

func checkMember(key string, value any) error {
	if strings.HasPrefix(key, "@") || strings.Contains(key, ":") {
		return fmt.Errorf("%w: a key that is not a plain term", ErrUnsupported)
	}
	return checkValue(value)
}

func checkValue(v any) error {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			if _, nested := item.([]any); nested {
				return fmt.Errorf("%w: an array in an array", ErrUnsupported)
			}
			if err := checkValue(item); err != nil {
				return err
			}
		}
	case map[string]any:
		if _, text := v["@value"]; text {
			return checkValueObject(v)
		}
		for key, item := range v {
			if err := checkMember(key, item); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkValueObject lets a value pass that is written with its language, direction
// or type.
func checkValueObject(v map[string]any) error {
	for key, item := range v {
		text, ok := item.(string)
		switch {
		case key == "@value" && (ok || v["@language"] == nil && v["@direction"] == nil):
		case key == "@language" && ok && isLanguage(text):
		case key == "@direction" && (text == "ltr" || text == "rtl"):
		case key == "@type" && ok && text != "@json":
		default:
			return fmt.Errorf("%w: a value that is not a text with its language", ErrUnsupported)
		}
	}
	return nil
}
