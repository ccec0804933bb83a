package kind

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/text/language"

	"github.com/plinth-id/plinth/credentials/qr"
)

// Subject is what a W3C credential says of its subject.
func (k *Definition) Subject(f Facts) (map[string]any, error) {
	subject := map[string]any{}
	err := k.each(LDP, f, func(c Claim, v any) { put(subject, c.LDP, jsonLD(v)) })
	return subject, err
}

// jsonLD writes a value as JSON-LD has it: a text carries its language.
func jsonLD(v any) any {
	said, ok := v.(Said)
	if !ok {
		return plain(v)
	}
	var all []any
	for _, s := range said {
		if s.Tag == "" {
			return s.Text
		}
		all = append(all, map[string]any{"@value": s.Text, "@language": short(s.Tag)})
	}
	if len(all) == 1 {
		return all[0]
	}
	return all
}

// short is a language as BCP 47 writes it.
func short(tag string) string {
	if base, err := language.ParseBase(tag); err == nil {
		return base.String()
	}
	return tag
}

// plain writes a value as JSON; of a text in several languages only the first.
func plain(v any) any {
	switch v := v.(type) {
	case Said:
		return v[0].Text
	case Date:
		return string(v)
	case Gender:
		return string(v)
	case Picture:
		return "data:" + http.DetectContentType(v) + ";base64," + base64.StdEncoding.EncodeToString(v)
	}
	return v
}

// put sets a value at a path.
func put(object map[string]any, path []string, v any) {
	for _, name := range path[:len(path)-1] {
		inner, ok := object[name].(map[string]any)
		if !ok {
			inner = map[string]any{}
			object[name] = inner
		}
		object = inner
	}
	object[path[len(path)-1]] = v
}

// Disclosures is what an SD-JWT says, and which of its claims the holder may
// withhold.
func (k *Definition) Disclosures(f Facts) (claims map[string]any, withheld [][]string, err error) {
	claims = map[string]any{}
	err = k.each(SDJWT, f, func(c Claim, v any) {
		put(claims, c.SDJWT, plain(v))
		if !c.Whole {
			withheld = append(withheld, c.SDJWT)
		}
	})
	return claims, withheld, err
}

// Element is one element of an mdoc. Its value is a string, bool, int, Date or
// Picture, or JSON that stands for itself.
type Element struct {
	Namespace, Name string
	Value           any
}

// sexes are the numbers of ISO/IEC 5218; 9: neither.
var sexes = map[Gender]int{"male": 1, "female": 2}

// Elements is what an mdoc says.
func (k *Definition) Elements(f Facts) ([]Element, error) {
	var all []Element
	err := k.each(MDoc, f, func(c Claim, v any) {
		switch of := v.(type) {
		case Said:
			v = of[0].Text
		case Gender:
			if v = sexes[of]; v == 0 {
				v = 9
			}
		}
		all = append(all, Element{c.MDoc[0], c.MDoc[1], v})
	})
	return all, err
}

// genders are the numbers of claim 169; 3: another.
var genders = map[Gender]int{"male": 1, "female": 2}

// table is the version of the table of claim 169 that is written.
const table = "1.2"

// Printed is what a code says, and the face for which there may be room in it.
func (k *Definition) Printed(f Facts) (identity qr.Identity169, face []byte, err error) {
	identity.Version = table
	err = k.each(Code, f, func(c Claim, v any) {
		if c.Code == qr.KeyFace {
			face, _ = v.(Picture)
			return
		}
		fill(&identity, c.Code, v)
	})
	return identity, face, err
}

// texts are the keys of claim 169 that hold text.
var texts = map[int64]func(*qr.Identity169) *string{
	1: func(i *qr.Identity169) *string { return &i.ID }, 3: func(i *qr.Identity169) *string { return &i.Language },
	4: func(i *qr.Identity169) *string { return &i.FullName }, 5: func(i *qr.Identity169) *string { return &i.FirstName },
	6: func(i *qr.Identity169) *string { return &i.MiddleName }, 7: func(i *qr.Identity169) *string { return &i.LastName },
	keyBirth: func(i *qr.Identity169) *string { return &i.DateOfBirth }, 10: func(i *qr.Identity169) *string { return &i.Address },
	11: func(i *qr.Identity169) *string { return &i.Email }, 12: func(i *qr.Identity169) *string { return &i.Phone },
	13: func(i *qr.Identity169) *string { return &i.Nationality }, 15: func(i *qr.Identity169) *string { return &i.Guardian },
	19: func(i *qr.Identity169) *string { return &i.SecondFullName }, 20: func(i *qr.Identity169) *string { return &i.SecondLanguage },
	21: func(i *qr.Identity169) *string { return &i.LocationCode }, 22: func(i *qr.Identity169) *string { return &i.LegalStatus },
	23: func(i *qr.Identity169) *string { return &i.CountryOfIssuance },
}

const (
	keyBirth   = 8
	keyGender  = 9
	keyMarried = 14
)

// knownKey tells whether a kind may fill a key: those of the table that a registry
// can know, and those that a closed ecosystem may use as it likes.
func knownKey(key int64) bool {
	return texts[key] != nil || slices.Contains([]int64{keyGender, keyMarried, qr.KeyFace}, key) || key >= 24 && key <= 49 || key >= 66 && key <= 99
}

func fill(i *qr.Identity169, key int64, v any) {
	if at := texts[key]; at != nil {
		text := fmt.Sprint(plain(v))
		if key == keyBirth {
			text = strings.ReplaceAll(text, "-", "")
		}
		*at(i) = text
		return
	}
	switch key {
	case keyGender:
		gender, _ := v.(Gender)
		if i.Gender = genders[gender]; i.Gender == 0 {
			i.Gender = 3
		}
	case keyMarried:
		if n, ok := v.(float64); ok {
			i.MaritalStatus = int(n)
		}
	default:
		i.Unknown = maps.Clone(i.Unknown)
		if i.Unknown == nil {
			i.Unknown = map[int64]any{}
		}
		i.Unknown[key] = plain(v)
	}
}

// Card169 is what is printed beside a code, by the paths of the card.
func (k *Definition) Card169(f Facts) map[string]Said {
	all := map[string]Said{}
	_ = k.each(printed, f, func(c Claim, v any) { // what is missing on paper was missing in the code
		if said, ok := v.(Said); ok {
			all[c.Card] = append(all[c.Card], said...)
			return
		}
		all[c.Card] = append(all[c.Card], Spoken{Text: fmt.Sprint(plain(v))})
	})
	return all
}

// At is where a claim stands in a format that is made of names; nil: nowhere.
func (c Claim) At(format string) []string {
	switch format {
	case LDP:
		return c.LDP
	case SDJWT:
		return c.SDJWT
	case MDoc:
		return c.MDoc
	}
	return nil
}
