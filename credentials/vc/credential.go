package vc

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Credential is what a verified credential says.
type Credential struct {
	ID         string // may be empty
	Issuer     string
	Types      []string  // as written, VerifiableCredential among them
	ValidFrom  time.Time // zero: from ever
	ValidUntil time.Time // zero: for ever
	Subject    string    // the holder's identifier; may be empty
	Claims     map[string]any
	Status     []StatusEntry
	Method     string // the key that signed
	Suite      string
	Created    time.Time // of the proof; may be zero
}

// read takes the data model out of a document.
func read(doc map[string]any) (Credential, error) {
	c := Credential{}
	var err error
	if c.Types, err = texts(doc["type"]); err != nil || !slices.Contains(c.Types, TypeCredential) {
		return Credential{}, fmt.Errorf("%w: its type is not %s", ErrMalformed, TypeCredential)
	}
	if c.ID, err = optionalText(doc, "id"); err != nil {
		return Credential{}, err
	}
	if c.Issuer, err = readIssuer(doc["issuer"]); err != nil {
		return Credential{}, err
	}
	if c.ValidFrom, err = optionalTime(doc, "validFrom"); err != nil {
		return Credential{}, err
	}
	if c.ValidUntil, err = optionalTime(doc, "validUntil"); err != nil {
		return Credential{}, err
	}
	subject, ok := doc["credentialSubject"].(map[string]any)
	if !ok || len(subject) == 0 {
		return Credential{}, fmt.Errorf("%w: it needs exactly one subject", ErrMalformed)
	}
	if c.Subject, err = optionalText(subject, "id"); err != nil {
		return Credential{}, err
	}
	c.Claims = make(map[string]any, len(subject))
	for name, value := range subject {
		if name != "id" {
			c.Claims[name] = value
		}
	}
	c.Status, err = readStatus(doc["credentialStatus"])
	return c, err
}

func readIssuer(v any) (string, error) {
	if object, ok := v.(map[string]any); ok {
		v = object["id"]
	}
	issuer, ok := v.(string)
	if !ok || !absoluteIRI.MatchString(issuer) {
		return "", fmt.Errorf("%w: the issuer is not an absolute IRI", ErrMalformed)
	}
	return issuer, nil
}

// readStatus demands every entry whole: one that was cut in two would make the
// same statements, and its reader would miss a revocation.
func readStatus(v any) ([]StatusEntry, error) {
	entries, ok := v.([]any)
	if !ok && v != nil {
		entries = []any{v}
	}
	var all []StatusEntry
	for _, item := range entries {
		object, _ := item.(map[string]any)
		kind, ok := object["type"].(string)
		if !ok {
			return nil, fmt.Errorf("%w: a status without a type", ErrMalformed)
		}
		entry := StatusEntry{Type: kind}
		if kind == typeStatus {
			purpose, a := object["statusPurpose"].(string)
			list, b := object["statusListCredential"].(string)
			text, c := object["statusListIndex"].(string)
			index, err := strconv.ParseUint(text, 10, 31)
			if !a || !b || !c || err != nil {
				return nil, fmt.Errorf("%w: a status that is not whole", ErrMalformed)
			}
			entry.Purpose, entry.List, entry.Index = purpose, list, int(index)
		}
		all = append(all, entry)
	}
	return all, nil
}

func texts(v any) ([]string, error) {
	if s, ok := v.(string); ok {
		return []string{s}, nil
	}
	items, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("%w: text is missing", ErrMalformed)
	}
	all := make([]string, len(items))
	for i, item := range items {
		if all[i], ok = item.(string); !ok {
			return nil, fmt.Errorf("%w: something other than text", ErrMalformed)
		}
	}
	return all, nil
}

func optionalText(doc map[string]any, key string) (string, error) {
	s, ok := doc[key].(string)
	if !ok && doc[key] != nil {
		return "", fmt.Errorf("%w: %s is not text", ErrMalformed, key)
	}
	return s, nil
}

func optionalTime(doc map[string]any, key string) (time.Time, error) {
	s, err := optionalText(doc, key)
	if err != nil || s == "" && doc[key] == nil {
		return time.Time{}, err
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: %s is not a date with a time and a zone", ErrMalformed, key)
	}
	return at, nil
}
