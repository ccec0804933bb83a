package kind

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/text/language"

	"github.com/plinth-id/plinth/registry"
)

// ErrMissing says that a person lacks what a kind cannot be without.
var ErrMissing = errors.New("kind: the person lacks what this credential must say")

// Facts are what is known when a credential is made.
type Facts struct {
	Who         registry.Identity
	From, Until time.Time
	Authority   string // who issues, in words
	Country     string // that issues
}

// What a value can be besides text, a truth, a number, or JSON that stands for itself.
type (
	// Said is a text in one language, or in several.
	Said []Spoken
	// Date is YYYY-MM-DD.
	Date string
	// Gender is in lower case, as OpenID Connect has it.
	Gender string
	// Picture is an image, as JPEG or PNG.
	Picture []byte
)

// Spoken is a text and the tag of its language, which may be empty.
type Spoken struct{ Tag, Text string }

// value is what a claim says of a person; nil: nothing.
func (s Source) value(f Facts) any {
	switch {
	case s.Value != nil:
		var v any
		if json.Unmarshal(s.Value, &v) != nil {
			return nil
		}
		return v
	case s.Claim != "":
		return s.derive(f)
	}
	said := spoken(f.Who, s.Field, s.Language)
	switch {
	case len(said) > 0:
		return said
	case f.Who.Fields[s.Field] == nil:
		return nil
	}
	switch v := f.Who.Fields[s.Field].(type) {
	case bool, float64:
		return v
	}
	return nil // a field that is neither text nor number has no one way to be told
}

// spoken is a text field in the languages that are wanted.
func spoken(who registry.Identity, field, want string) Said {
	in := who.Languages(field)
	if len(in) == 0 {
		if text := who.Text(field, ""); text != "" && want != languageSecond {
			return Said{{Text: text}}
		}
		return nil
	}
	switch want {
	case "", languageFirst:
		in = in[:1]
	case languageSecond:
		if len(in) < 2 {
			return nil
		}
		in = in[1:2]
	case languageAll:
	default:
		in = only(in, want)
	}
	var all Said
	for _, tag := range in {
		if text := who.Text(field, tag); text != "" {
			all = append(all, Spoken{tag, text})
		}
	}
	return all
}

// only are those tags that mean the language that is wanted.
func only(tags []string, want string) []string {
	base, err := language.ParseBase(want)
	for _, tag := range tags {
		if tag == want {
			return []string{tag}
		}
		if other, errOther := language.ParseBase(tag); err == nil && errOther == nil && base == other {
			return []string{tag}
		}
	}
	return nil
}

func (s Source) derive(f Facts) any {
	born := f.Who.Birthdate()
	switch s.Claim {
	case "birthdate":
		return unless(born == "", Date(born))
	case "gender":
		return unless(f.Who.Gender() == "", Gender(f.Who.Gender()))
	case "picture":
		return unless(len(f.Who.Portrait) == 0, Picture(f.Who.Portrait))
	case "issued_on":
		return Date(f.From.UTC().Format(time.DateOnly))
	case "expires_on":
		return Date(f.Until.UTC().Format(time.DateOnly))
	case "issuing_authority":
		return unless(f.Authority == "", f.Authority)
	case "issuing_country":
		return unless(f.Country == "" || f.Country == "XX", f.Country)
	case "language":
		said := spoken(f.Who, "fullName", s.Language)
		return unless(len(said) == 0 || said[0].Tag == "", said.tag())
	case "locality":
		return Source{Field: "city", Language: s.Language}.value(f)
	case "region":
		return Source{Field: "region", Language: s.Language}.value(f)
	case "postal_code":
		return Source{Field: "postalCode"}.value(f)
	case "address":
		lines := f.Who.Address(s.tag())
		return unless(len(lines) == 0, strings.Join(lines, "\n"))
	}
	return s.age(born, f.From)
}

func (s Said) tag() string {
	if len(s) == 0 {
		return ""
	}
	return s[0].Tag
}

// tag is a language that may be asked for by its name.
func (s Source) tag() string {
	if s.Language == languageAll || s.Language == languageFirst || s.Language == languageSecond {
		return ""
	}
	return s.Language
}

// age works out what follows from a date of birth, on the day of issue.
func (s Source) age(birthdate string, on time.Time) any {
	born, err := time.Parse(time.DateOnly, birthdate)
	if err != nil {
		return nil
	}
	on = on.UTC()
	switch s.Claim {
	case "birth_year":
		return born.Year()
	case "age_in_years":
		years := on.Year() - born.Year()
		if on.Before(born.AddDate(years, 0, 0)) {
			years--
		}
		return years
	}
	var years int
	if _, err := fmt.Sscanf(s.Claim, ageOver+"%d", &years); err != nil {
		return nil
	}
	// Somebody born on 29 February is a year older on 1 March.
	return !on.Before(born.AddDate(years, 0, 0))
}

func unless(missing bool, v any) any {
	if missing {
		return nil
	}
	return v
}

// each gives every claim of a format with its value; a mandatory one that is
// missing stops it. The error names the claim and nothing of the person.
func (k *Definition) each(format string, f Facts, put func(c Claim, v any)) error {
	for _, c := range k.Claims {
		if !c.in(format) {
			continue
		}
		v := c.From.value(f)
		if v == nil {
			if c.Mandatory {
				return fmt.Errorf("%w: %s", ErrMissing, c.Name)
			}
			continue
		}
		put(c, v)
	}
	return nil
}
