package registry

import (
	"context"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/text/language"

	"github.com/plinth-id/plinth/internal/postgres"
)

// Text is a field in a language ("eng", or BCP 47), else in the first language
// that it has; empty when there is no such field.
func (i Identity) Text(name, lang string) string {
	switch v := i.Fields[name].(type) {
	case string:
		return v
	case []any:
		first := ""
		for _, item := range v {
			said, _ := item.(map[string]any)
			text, _ := said["value"].(string)
			if in, _ := said["language"].(string); lang != "" && sameLanguage(in, lang) {
				return text
			}
			if first == "" {
				first = text
			}
		}
		return first
	}
	return ""
}

// Languages lists the languages in which a field is written.
func (i Identity) Languages(name string) []string {
	var all []string
	if v, ok := i.Fields[name].([]any); ok {
		for _, item := range v {
			if said, ok := item.(map[string]any); ok {
				if in, ok := said["language"].(string); ok {
					all = append(all, in)
				}
			}
		}
	}
	return all
}

func sameLanguage(a, b string) bool {
	if a == b {
		return true
	}
	x, errA := language.ParseBase(strings.SplitN(a, "-", 2)[0])
	y, errB := language.ParseBase(strings.SplitN(b, "-", 2)[0])
	return errA == nil && errB == nil && x == y
}

// Name is the full name.
func (i Identity) Name(lang string) string { return i.Text("fullName", lang) }

// Birthdate is YYYY-MM-DD.
func (i Identity) Birthdate() string { return strings.ReplaceAll(i.Text("dateOfBirth", ""), "/", "-") }

// Gender is "female", "male" or another word in lower case, as OpenID Connect has it.
func (i Identity) Gender() string {
	g := strings.ToLower(i.Text("gender", "eng"))
	switch g {
	case "f", "fle":
		return "female"
	case "m", "mle":
		return "male"
	}
	return g
}

// Email is the mail address, or empty.
func (i Identity) Email() string { return i.Text("email", "") }

// Phone is the phone number, or empty.
func (i Identity) Phone() string { return i.Text("phone", "") }

// Language is the language that the person prefers, or empty.
func (i Identity) Language() string { return i.Text("preferredLang", "") }

// Address is the lines of the address in a language.
func (i Identity) Address(lang string) []string {
	var lines []string
	for _, name := range []string{"addressLine1", "addressLine2", "addressLine3", "city", "zone", "province", "region", "postalCode"} {
		if text := i.Text(name, lang); text != "" {
			lines = append(lines, text)
		}
	}
	return lines
}

// ClaimNames are the standard claims (OpenID Connect Core 5.1) that Claims knows.
func ClaimNames() []string {
	return []string{"name", "given_name", "family_name", "birthdate", "gender", "email", "email_verified",
		"phone_number", "phone_number_verified", "address", "picture", "locale", "updated_at",
		"age_over_16", "age_over_18", "age_over_21", "age_over_65", "birth_year", "region"}
}

// Claims reads claims of a person now. Those that the person does not have are
// left out. With locales, name#fra stands beside name for each further language
// that was asked for.
func (r *Registry) Claims(ctx context.Context, db postgres.DB, person uuid.UUID, names, locales []string) (map[string]any, error) {
	i, err := r.read(ctx, db, person, slices.Contains(names, "picture"))
	if err != nil {
		return nil, err
	}
	if i.Status != Active {
		return nil, errUnknown
	}
	all := make(map[string]any)
	for _, name := range names {
		if field, ok := named[name]; ok {
			i.spoken(all, name, field, locales)
		} else if v := i.derived(name, locales, r.Now()); v != nil && v != "" {
			all[name] = v
		} else if v := i.claim(name, locales); v != nil && v != "" {
			all[name] = v
		}
	}
	return all, nil
}

// named are the claims that are written in several languages.
var named = map[string]string{"name": "fullName", "given_name": "givenName", "family_name": "familyName"}

func (i Identity) spoken(all map[string]any, claim, field string, locales []string) {
	text := i.Text(field, firstOf(locales))
	if text == "" {
		return
	}
	all[claim] = text
	for n, locale := range locales {
		for _, in := range i.Languages(field) {
			if n > 0 && sameLanguage(in, locale) {
				all[claim+"#"+locale] = i.Text(field, in)
			}
		}
	}
}

func firstOf(locales []string) string {
	if len(locales) == 0 {
		return ""
	}
	return locales[0]
}

func (i Identity) claim(name string, locales []string) any {
	switch name {
	case "birthdate":
		return i.Birthdate()
	case "gender":
		return i.Gender()
	case "email":
		return i.Email()
	case "phone_number":
		return i.Phone()
	case "email_verified":
		// Nobody has proved yet that they receive what is sent there.
		return ifAny(i.Email(), false)
	case "phone_number_verified":
		return ifAny(i.Phone(), false)
	case "locale":
		return i.locale()
	case "updated_at":
		return i.Updated.Unix()
	case "address":
		return i.address(firstOf(locales))
	case "picture":
		if len(i.Portrait) == 0 {
			return nil
		}
		return "data:" + http.DetectContentType(i.Portrait) + ";base64," + base64.StdEncoding.EncodeToString(i.Portrait)
	}
	return nil
}

// derived works a claim out of others, so that less need be told: whether somebody
// is of age rather than when they were born.
func (i Identity) derived(name string, locales []string, now time.Time) any {
	born, err := time.Parse(time.DateOnly, i.Birthdate())
	age, isAge := strings.CutPrefix(name, "age_over_")
	switch {
	case name == "region":
		return i.Text("region", firstOf(locales))
	case err != nil || !isAge && name != "birth_year":
		return nil
	case name == "birth_year":
		return born.Year()
	}
	years, err := strconv.Atoi(age)
	if err != nil {
		return nil
	}
	// Somebody born on 29 February is a year older on 1 March.
	return !now.UTC().Before(born.AddDate(years, 0, 0))
}

func ifAny(text string, v bool) any {
	if text == "" {
		return nil
	}
	return v
}

// locale is the preferred language as BCP 47 has it.
func (i Identity) locale() any {
	base, err := language.ParseBase(i.Language())
	if err != nil {
		return nil
	}
	return base.String()
}

func (i Identity) address(lang string) any {
	lines := i.Address(lang)
	if len(lines) == 0 {
		return nil
	}
	a := map[string]any{"formatted": strings.Join(lines, "\n")}
	var street []string
	for _, name := range []string{"addressLine1", "addressLine2", "addressLine3"} {
		if text := i.Text(name, lang); text != "" {
			street = append(street, text)
		}
	}
	for key, text := range map[string]string{"street_address": strings.Join(street, "\n"), "locality": i.Text("city", lang),
		"region": i.Text("region", lang), "postal_code": i.Text("postalCode", "")} {
		if text != "" {
			a[key] = text
		}
	}
	return a
}
