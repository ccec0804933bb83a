package jose

import (
	"fmt"
	"slices"
	"time"
)

const (
	contextV2        = "https://www.w3.org/ns/credentials/v2"
	contextV1        = "https://www.w3.org/2018/credentials/v1"
	typeCredential   = "VerifiableCredential"
	typePresentation = "VerifiablePresentation"
)

// read takes what every envelope needs out of a document of the Data Model 2.0.
func read(claims map[string]any, presentation bool) (Document, error) {
	for _, name := range []string{"vc", "vp"} { // they belong to the Data Model 1.1
		if _, given := claims[name]; given {
			return Document{}, fmt.Errorf("%w: the claim %s", ErrMalformed, name)
		}
	}
	return readAny(claims, presentation, contextV2)
}

func readAny(claims map[string]any, presentation bool, context string) (Document, error) {
	if contexts, _ := claims["@context"].([]any); claims["@context"] != context && (len(contexts) == 0 || contexts[0] != context) {
		return Document{}, fmt.Errorf("%w: its first context is not that of the data model", ErrMalformed)
	}
	d := Document{Claims: claims}
	var err error
	if d.Types, err = texts(claims["type"]); err != nil {
		return Document{}, err
	}
	if presentation {
		return d.presentation()
	}
	return d.credential()
}

func (d Document) credential() (Document, error) {
	if !slices.Contains(d.Types, typeCredential) {
		return Document{}, fmt.Errorf("%w: its type is not %s", ErrMalformed, typeCredential)
	}
	switch subject := d.Claims["credentialSubject"].(type) {
	case map[string]any:
	case []any:
		if len(subject) == 0 {
			return Document{}, fmt.Errorf("%w: it needs a subject", ErrMalformed)
		}
	default:
		return Document{}, fmt.Errorf("%w: it needs a subject", ErrMalformed)
	}
	var err error
	if d.By, err = named(d.Claims["issuer"]); err != nil || d.By == "" {
		return Document{}, fmt.Errorf("%w: it needs an issuer", ErrMalformed)
	}
	if d.ValidFrom, err = optionalTime(d.Claims, "validFrom", "issuanceDate"); err != nil {
		return Document{}, err
	}
	d.ValidUntil, err = optionalTime(d.Claims, "validUntil", "expirationDate")
	return d, err
}

func (d Document) presentation() (Document, error) {
	if !slices.Contains(d.Types, typePresentation) {
		return Document{}, fmt.Errorf("%w: its type is not %s", ErrMalformed, typePresentation)
	}
	var err error
	if d.By, err = named(d.Claims["holder"]); err != nil {
		return Document{}, err
	}
	d.Credentials, err = enveloped(d.Claims["verifiableCredential"])
	return d, err
}

// named reads who somebody is: a text, or an object with its id.
func named(v any) (string, error) {
	if object, ok := v.(map[string]any); ok {
		v = object["id"]
	}
	name, ok := v.(string)
	if v != nil && !ok {
		return "", fmt.Errorf("%w: a name that is not text", ErrMalformed)
	}
	return name, nil
}

func texts(v any) ([]string, error) {
	if s, ok := v.(string); ok {
		return []string{s}, nil
	}
	items, ok := v.([]any)
	all := make([]string, len(items))
	for i, item := range items {
		var text bool
		all[i], text = item.(string)
		ok = ok && text
	}
	if !ok {
		return nil, fmt.Errorf("%w: it needs its types", ErrMalformed)
	}
	return all, nil
}

// optionalTime reads the first of the names that is there.
func optionalTime(claims map[string]any, names ...string) (time.Time, error) {
	for _, name := range names {
		v, given := claims[name]
		if !given {
			continue
		}
		text, _ := v.(string)
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return time.Time{}, fmt.Errorf("%w: %s is not a date with a time and a zone", ErrMalformed, name)
		}
		return at, nil
	}
	return time.Time{}, nil
}
