package vc

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/plinth-id/plinth/credentials/vc/jsonld"
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
	Subjects   []Subject // where there are several; Subject and Claims are empty then
	Status     []StatusEntry
	Method     string // the key that signed
	Suite      string
	Created    time.Time // of the proof; may be zero
}

// Subject is one of several whom a credential is about.
type Subject struct {
	ID     string // may be empty
	Claims map[string]any
}

// read takes the data model out of a document, and holds it to its rules (Verifiable
// Credentials Data Model 2.0, section 4; 1.1 where that is the first context).
func read(doc map[string]any) (Credential, error) {
	c := Credential{}
	var err error
	if c.Types, err = texts(doc["type"]); err != nil || !slices.Contains(c.Types, TypeCredential) {
		return Credential{}, fmt.Errorf("%w: its type is not %s", ErrMalformed, TypeCredential)
	}
	if c.ID, err = optionalIRI(doc, "id"); err != nil {
		return Credential{}, err
	}
	if c.Issuer, err = readParty(doc["issuer"], "issuer"); err != nil {
		return Credential{}, err
	}
	if c.ValidFrom, c.ValidUntil, err = readPeriod(doc); err != nil {
		return Credential{}, err
	}
	if c.Subjects, err = readSubjects(doc["credentialSubject"]); err != nil {
		return Credential{}, err
	}
	if len(c.Subjects) == 1 {
		c.Subject, c.Claims, c.Subjects = c.Subjects[0].ID, c.Subjects[0].Claims, nil
	}
	if c.Status, err = readStatus(doc["credentialStatus"]); err != nil {
		return Credential{}, err
	}
	return c, checkMembers(doc)
}

// readParty reads an issuer or a holder: a name, or an object that has one.
func readParty(v any, member string) (string, error) {
	if object, ok := v.(map[string]any); ok {
		if err := checkNaming(object); err != nil {
			return "", err
		}
		v = object["id"]
	}
	party, ok := v.(string)
	if !ok || !jsonld.IsIRI(party) {
		return "", fmt.Errorf("%w: the %s is not an absolute IRI", ErrMalformed, member)
	}
	return party, nil
}

func isV1(doc map[string]any) bool {
	listed, ok := doc["@context"].([]any)
	return doc["@context"] == ContextV1 || ok && len(listed) > 0 && listed[0] == ContextV1
}

func readPeriod(doc map[string]any) (from, until time.Time, err error) {
	names := [4]string{"validFrom", "validUntil", "issuanceDate", "expirationDate"}
	if isV1(doc) {
		names = [4]string{"issuanceDate", "expirationDate", "validFrom", "validUntil"}
	}
	if doc[names[2]] != nil || doc[names[3]] != nil {
		return from, until, fmt.Errorf("%w: dates of another version of the data model", ErrUnsupported)
	}
	if from, err = optionalTime(doc, names[0]); err != nil {
		return from, until, err
	}
	if until, err = optionalTime(doc, names[1]); err != nil {
		return from, until, err
	}
	if !until.IsZero() && until.Before(from) {
		return from, until, fmt.Errorf("%w: it ends before it begins", ErrMalformed)
	}
	return from, until, nil
}

func readSubjects(v any) ([]Subject, error) {
	items := listOf(v)
	if len(items) == 0 {
		return nil, fmt.Errorf("%w: it is about nobody", ErrMalformed)
	}
	all := make([]Subject, len(items))
	for i, item := range items {
		object, ok := item.(map[string]any)
		if !ok || len(object) == 0 {
			return nil, fmt.Errorf("%w: a subject of whom nothing is said", ErrMalformed)
		}
		id, err := optionalIRI(object, "id")
		if err != nil {
			return nil, err
		}
		all[i] = Subject{ID: id, Claims: make(map[string]any, len(object))}
		for name, value := range object {
			if name != "id" {
				all[i].Claims[name] = value
			}
		}
	}
	// The claims of one subject in two parts make the same statements; a reader of
	// either part would miss the other.
	for i, s := range all {
		if s.ID != "" && slices.ContainsFunc(all[:i], func(o Subject) bool { return o.ID == s.ID }) {
			return nil, fmt.Errorf("%w: a subject in two parts", ErrMalformed)
		}
	}
	return all, nil
}

// readStatus demands every entry whole: one that was cut in two would make the
// same statements, and its reader would miss a revocation.
func readStatus(v any) ([]StatusEntry, error) {
	var all []StatusEntry
	for _, item := range listOf(v) {
		object, _ := item.(map[string]any)
		kinds, err := texts(object["type"])
		if err != nil || len(kinds) == 0 {
			return nil, fmt.Errorf("%w: a status without a type", ErrMalformed)
		}
		if _, err := optionalIRI(object, "id"); err != nil {
			return nil, err
		}
		entry := StatusEntry{Type: kinds[0]}
		if slices.Contains(kinds, typeStatus) {
			purpose, a := object["statusPurpose"].(string)
			list, b := object["statusListCredential"].(string)
			text, c := object["statusListIndex"].(string)
			index, err := strconv.ParseUint(text, 10, 31)
			if !a || !b || !c || err != nil {
				return nil, fmt.Errorf("%w: a status that is not whole", ErrMalformed)
			}
			entry = StatusEntry{Type: typeStatus, Purpose: purpose, List: list, Index: int(index)}
		}
		all = append(all, entry)
	}
	return all, nil
}

// listOf gives one value or several as several.
func listOf(v any) []any {
	if items, ok := v.([]any); ok || v == nil {
		return items
	}
	return []any{v}
}

func texts(v any) ([]string, error) {
	items := listOf(v)
	if items == nil {
		return nil, fmt.Errorf("%w: text is missing", ErrMalformed)
	}
	all := make([]string, len(items))
	for i, item := range items {
		var ok bool
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

func optionalIRI(doc map[string]any, key string) (string, error) {
	s, err := optionalText(doc, key)
	if err == nil && doc[key] != nil && !jsonld.IsIRI(s) {
		err = fmt.Errorf("%w: %s is not an absolute IRI", ErrMalformed, key)
	}
	return s, err
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
