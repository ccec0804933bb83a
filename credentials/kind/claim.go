package kind

import (
	"encoding/json"
	"strings"
)

// Claim is one fact: where it comes from and where each format puts it. A format
// that has no place for it does not show it.
type Claim struct {
	Name      string   `json:"name"` // for those who read the configuration, and for the card
	From      Source   `json:"from"`
	Mandatory bool     `json:"mandatory,omitempty"` // nobody who lacks it gets the credential
	Whole     bool     `json:"whole,omitempty"`     // always disclosed: the holder cannot withhold it
	Display   []Label  `json:"display,omitempty"`
	LDP       []string `json:"ldp_vc,omitempty"`    // path below credentialSubject
	SDJWT     []string `json:"dc+sd-jwt,omitempty"` // path
	MDoc      []string `json:"mso_mdoc,omitempty"`  // namespace and element
	Code      int64    `json:"claim169,omitempty"`  // key
	Card      string   `json:"card,omitempty"`      // path of the printed card
}

// Label names a claim in one language.
type Label struct {
	Locale string `json:"locale"`
	Name   string `json:"name"`
}

// Source is where a claim comes from; exactly one of its first three is set.
type Source struct {
	Field    string          `json:"field,omitempty"`    // of the identity schema
	Claim    string          `json:"claim,omitempty"`    // worked out: see Derived
	Value    json.RawMessage `json:"value,omitempty"`    // the same for everybody
	Language string          `json:"language,omitempty"` // of a text: all, first, second, or a tag; empty: first
}

// The languages that are no tag.
const (
	languageAll    = "all"
	languageFirst  = "first"
	languageSecond = "second"
)

// derived says which fields of the identity each worked-out claim rests on. Those
// that rest on none are about the credential, not about the person.
var derived = map[string][]string{
	"birthdate": {"dateOfBirth"}, "birth_year": {"dateOfBirth"}, "age_in_years": {"dateOfBirth"},
	"gender": {"gender"}, "picture": {"individualBiometrics"},
	"region": {"region"}, "locality": {"city"}, "postal_code": {"postalCode"},
	"address":   {"addressLine1", "addressLine2", "addressLine3", "city", "zone", "province", "region", "postalCode"},
	"language":  {"fullName"},
	"issued_on": nil, "expires_on": nil, "issuing_authority": nil, "issuing_country": nil,
}

const ageOver = "age_over_"

// Derived tells whether a claim can be worked out.
func Derived(name string) bool {
	_, ok := derived[name]
	return ok || isAge(name)
}

// isAge is age_over_1 to age_over_99.
func isAge(name string) bool {
	digits, ok := strings.CutPrefix(name, ageOver)
	if !ok || len(digits) == 0 || len(digits) > 2 || digits[0] == '0' {
		return false
	}
	return strings.Trim(digits, "0123456789") == ""
}

func (s Source) fields() []string {
	switch {
	case s.Field != "":
		return []string{s.Field}
	case isAge(s.Claim):
		return []string{"dateOfBirth"}
	}
	return derived[s.Claim]
}
