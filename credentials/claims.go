package credentials

import (
	"strings"

	"github.com/plinth-id/plinth/registry"
	"golang.org/x/text/language"
)

// claimsOf is what a national identity card says of a person: who they are, and
// no number by which different holders of it could be joined.
func claimsOf(who registry.Identity) map[string]any {
	claims := map[string]any{}
	for claim, field := range map[string]string{"fullName": "fullName", "givenName": "givenName", "familyName": "familyName"} {
		if texts := spoken(who, field); texts != nil {
			claims[claim] = texts
		}
	}
	if born := who.Birthdate(); born != "" {
		claims["birthDate"] = born
	}
	if gender := who.Gender(); gender != "" {
		claims["gender"] = gender
	}
	return claims
}

// spoken is a field in every language in which it is written; nil when it is not.
func spoken(who registry.Identity, field string) any {
	var all []any
	for _, in := range who.Languages(field) {
		tag := in
		if base, err := language.ParseBase(in); err == nil {
			tag = base.String()
		}
		all = append(all, map[string]any{"@value": who.Text(field, in), "@language": tag})
	}
	switch {
	case len(all) == 1:
		return all[0]
	case len(all) > 1:
		return all
	}
	if text := who.Text(field, ""); text != "" {
		return text
	}
	return nil
}

// genders are the numbers of claim 169.
var genders = map[string]int{"male": 1, "female": 2}

func genderNumber(gender string) int {
	if n, ok := genders[gender]; ok || gender == "" {
		return n
	}
	return 3
}

// compactDate is YYYYMMDD.
func compactDate(date string) string { return strings.ReplaceAll(date, "-", "") }
