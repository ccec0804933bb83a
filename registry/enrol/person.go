package enrol

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/registry"
)

// person is person.json.
type person struct {
	Fields     map[string]any
	Consent    consent
	Process    string
	Exceptions []exception
}

// consent is what the person agreed to; the packet keeps it whole.
type consent struct {
	Given   bool   `json:"given"`
	Text    string `json:"text"`
	Version string `json:"version"`
}

// exception says why a finger could not be captured.
type exception struct {
	Position biometrics.Position `json:"position"`
	Kind     string              `json:"kind"`
	Reason   string              `json:"reason"`
}

// processNew is the only process so far.
const processNew = "NEW"

var errPerson = fault.New(fault.Invalid, "person.json cannot be used. Correct what is named.").Named("person-unreadable")

// maxFields is more than any schema has; without it, thousands of unknown fields
// would be reported one by one.
const maxFields = 500

// reserved are the names in person.json that are no fields of the identity.
var reserved = []string{"identity", "consent", "process", "introducer", "exceptions"}

// parsePerson reads person.json. Its fields are checked by the schema later.
func parsePerson(raw []byte) (person, error) {
	var p person
	if len(raw) > maxPerson {
		return p, errTooLarge.At(personFile, "must be at most 256 KiB")
	}
	var around struct {
		Identity   map[string]any `json:"identity"`
		Consent    consent        `json:"consent"`
		Process    string         `json:"process"`
		Exceptions []exception    `json:"exceptions"`
	}
	if err := json.Unmarshal(raw, &around); err != nil {
		return p, unreadable(err)
	}
	p = person{Fields: around.Identity, Consent: around.Consent, Process: around.Process, Exceptions: around.Exceptions}
	if p.Fields == nil {
		if err := json.Unmarshal(raw, &p.Fields); err != nil {
			return p, unreadable(err)
		}
		maps.DeleteFunc(p.Fields, func(name string, _ any) bool { return slices.Contains(reserved, name) })
	}
	if len(p.Fields) == 0 {
		return p, errPerson.At("identity", "is missing")
	}
	if len(p.Fields) > maxFields {
		return p, errPerson.At("identity", "must have at most 500 fields")
	}
	return p, nil
}

// unreadable says where person.json is no JSON, or not of its form. The error
// itself may quote what the person said, so it goes no further.
func unreadable(err error) error {
	var form *json.UnmarshalTypeError
	if errors.As(err, &form) && form.Field != "" {
		return errPerson.At(form.Field, "must be of another JSON type, as the documentation of person.json shows")
	}
	var text *json.SyntaxError
	if errors.As(err, &text) {
		return errPerson.At(personFile, fmt.Sprintf("is no JSON from byte %d on", text.Offset))
	}
	return errPerson.At(personFile, "must be JSON: identity, consent, process and, where needed, exceptions")
}

// admissible holds what surrounds the identity to its rules.
func (p person) admissible() error {
	if p.Process != processNew {
		return fault.New(fault.Invalid, `This process is not supported yet. Set "process" to "NEW".`).Named("process-unsupported").At("process", "must be NEW")
	}
	if !p.Consent.Given || p.Consent.Text == "" && p.Consent.Version == "" {
		return fault.New(fault.Invalid, "The person's consent is missing. Ask for it, and put it into person.json.").Named("consent-missing").
			At("consent", `needs "given": true and the "text" or "version" that was agreed to`)
	}
	seen := make(map[biometrics.Position]bool)
	for _, e := range p.Exceptions {
		if _, err := biometrics.ParsePosition(string(e.Position)); err != nil {
			return errPerson.At("exceptions.position", "must name a position, such as leftThumb")
		}
		if seen[e.Position] {
			return errPerson.At("exceptions."+string(e.Position), "is there twice")
		}
		if e.Kind != "permanent" && e.Kind != "temporary" || strings.TrimSpace(e.Reason) == "" {
			return errPerson.At("exceptions."+string(e.Position), "needs a kind, permanent or temporary, and a reason")
		}
		seen[e.Position] = true
	}
	if _, ok := p.Fields["UIN"]; ok {
		return errPerson.At("UIN", "must be absent: a new person has no number yet")
	}
	return nil
}

// excepted are the positions for which an exception is declared.
func (p person) excepted() map[biometrics.Position]bool {
	all := make(map[biometrics.Position]bool, len(p.Exceptions))
	for _, e := range p.Exceptions {
		all[e.Position] = true
	}
	return all
}

// sayings are the strings by which two enrolments of one person may be found
// without fingers: name, birth date and gender, in every language of the name.
func (p person) sayings() []string {
	i := registry.Identity{Fields: p.Fields}
	languages := i.Languages("fullName")
	if languages == nil {
		languages = []string{""}
	}
	var all []string
	for _, l := range languages {
		if name := plainWords(i.Text("fullName", l)); name != "" && i.Birthdate() != "" {
			all = append(all, l+"\x00"+name+"\x00"+i.Birthdate()+"\x00"+plainWords(i.Text("gender", l)))
		}
	}
	return all
}

// plainWords is a text without what differs between two clerks: case, accents,
// punctuation and the order of names.
func plainWords(text string) string {
	text = cases.Fold().String(norm.NFKD.String(text))
	words := strings.FieldsFunc(strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	slices.Sort(words)
	return strings.Join(words, " ")
}
