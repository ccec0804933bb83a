package registry

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strings"
	"time"
	"unicode"

	"github.com/dlclark/regexp2"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/internal/fault"
)

//go:embed schema/default.json
var defaultSchema []byte

// DefaultSchema is the identity schema of a deployment that has not chosen its own.
func DefaultSchema() *Schema {
	s, err := LoadSchema(defaultSchema)
	if err != nil {
		panic(err) // compiled in, and tested
	}
	return s
}

const (
	maxSchema = 256 << 10
	maxPerson = 256 << 10
	maxDepth  = 12
)

// Schema is a JSON Schema (draft 4 to 2020-12) for the object {"identity": …},
// with what identity systems add to a field: fieldCategory (none, pvt, kyc,
// evidence, optional), validators (regular expressions), bioAttributes, handle.
type Schema struct {
	document []byte
	version  string
	compiled *jsonschema.Schema
	fields   map[string]field
}

// field is what the schema adds to one field.
type field struct {
	Category   string   `json:"fieldCategory"`
	Handle     bool     `json:"handle"`
	Biometrics []string `json:"bioAttributes"`
	Ref        string   `json:"$ref"`
	Validators []struct {
		Type     string `json:"type"`
		Pattern  string `json:"validator"`
		Language string `json:"langCode"`
	} `json:"validators"`

	rules []rule
}

type rule struct {
	language string // empty: every language
	pattern  *regexp2.Regexp
}

// LoadSchema reads an identity schema. It reaches for nothing outside of it.
func LoadSchema(document []byte) (*Schema, error) {
	wrong := fault.New(fault.Invalid, "This identity schema cannot be used. Correct it and load it again.").Named("schema-invalid")
	if len(document) > maxSchema {
		return nil, wrong.At("schema", "must be at most 256 KiB")
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return nil, wrong.Because(err)
	}
	if depth(parsed) > 4*maxDepth {
		return nil, wrong.At("schema", "is nested too deeply")
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(noLoader{})
	compiler.UseRegexpEngine(compilePattern)
	compiler.DefaultDraft(jsonschema.Draft7)
	if err := compiler.AddResource("identity.json", parsed); err != nil {
		return nil, wrong.Because(err)
	}
	compiled, err := compiler.Compile("identity.json")
	if err != nil {
		return nil, wrong.At("schema", "is no valid JSON Schema").Because(err)
	}
	var shape struct {
		Properties struct {
			Identity struct {
				Properties map[string]field `json:"properties"`
			} `json:"identity"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(document, &shape); err != nil || len(shape.Properties.Identity.Properties) == 0 {
		return nil, wrong.At("schema", "needs properties.identity.properties").Because(err)
	}
	sum := sha256.Sum256(document)
	s := &Schema{document: document, version: fmt.Sprintf("%x", sum[:8]), compiled: compiled, fields: shape.Properties.Identity.Properties}
	return s, s.prepare(wrong)
}

var categories = []string{"", "none", "pvt", "kyc", "evidence", "optional"}

// prepare compiles what is added to the fields.
func (s *Schema) prepare(wrong *fault.Fault) error {
	for name, f := range s.fields {
		if !slices.Contains(categories, f.Category) {
			return wrong.At(name, "has an unknown fieldCategory")
		}
		for _, position := range f.Biometrics {
			if _, err := biometrics.ParsePosition(position); err != nil {
				return wrong.At(name, "has an unknown position in bioAttributes").Because(err)
			}
		}
		for _, v := range f.Validators {
			if v.Type != "regex" {
				continue
			}
			pattern, err := backtracking(v.Pattern)
			if err != nil {
				return wrong.At(name, "has a regular expression that cannot be read").Because(err)
			}
			f.rules = append(f.rules, rule{v.Language, pattern})
		}
		s.fields[name] = f
	}
	return nil
}

// Version names the schema by its contents.
func (s *Schema) Version() string { return s.version }

// Has tells whether there is a field of this name.
func (s *Schema) Has(field string) bool {
	_, ok := s.fields[field]
	return ok
}

// Biometrics are the positions that the schema asks for.
func (s *Schema) Biometrics() []biometrics.Position {
	var all []biometrics.Position
	for name, f := range s.fields {
		if strings.HasPrefix(name, "introducer") {
			continue
		}
		for _, text := range f.Biometrics {
			if p, err := biometrics.ParsePosition(text); err == nil && !slices.Contains(all, p) {
				all = append(all, p)
			}
		}
	}
	slices.Sort(all)
	return all
}

// Documents are the categories of documents that the schema knows.
func (s *Schema) Documents() []string {
	var all []string
	for name, f := range s.fields {
		if strings.HasSuffix(f.Ref, "/documentType") {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

// errSlow says nothing of a person: the machine is busy, or the pattern is bad.
var errSlow = errors.New("a regular expression of the identity schema took too long")

// Check holds a person's fields against the schema: {"identity": {…}}, or the
// identity alone. The fault names every field and the rule that it broke.
func (s *Schema) Check(person map[string]any) (err error) {
	defer func() {
		if r := recover(); r == errSlow {
			err = errSlow
		} else if r != nil {
			panic(r)
		}
	}()
	identity := Unwrapped(person)
	f := fault.New(fault.Invalid, "Some of the person's data do not fit the identity schema. Correct the fields that are named.").Named("person-invalid")
	raw, err := json.Marshal(identity)
	if err != nil || len(raw) > maxPerson {
		return f.At("identity", "must be at most 256 KiB of JSON").Because(err)
	}
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil || depth(instance) > maxDepth {
		return f.At("identity", "is nested too deeply").Because(err)
	}
	found := make(map[string]string)
	s.violations(map[string]any{"identity": instance}, found)
	for name, value := range identity {
		s.checkField(name, value, found)
	}
	if len(found) == 0 {
		return nil
	}
	names := make([]string, 0, len(found))
	for name := range found {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		f = f.At(name, found[name])
	}
	return f
}

// Unwrapped is the identity in either of its two forms.
func Unwrapped(person map[string]any) map[string]any {
	if inner, ok := person["identity"].(map[string]any); ok {
		return inner
	}
	return person
}

var english = message.NewPrinter(language.English)

// quoted is where a message of the validator quotes the value, which may be personal.
var quoted = regexp.MustCompile(`'[^']*'`)

func (s *Schema) violations(instance any, found map[string]string) {
	err := s.compiled.Validate(instance)
	var v *jsonschema.ValidationError
	if !errors.As(err, &v) {
		return
	}
	var walk func(*jsonschema.ValidationError)
	walk = func(v *jsonschema.ValidationError) {
		for _, cause := range v.Causes {
			walk(cause)
		}
		if len(v.Causes) > 0 {
			return
		}
		name := strings.TrimPrefix(strings.Join(v.InstanceLocation, "."), "identity.")
		switch text := v.ErrorKind.LocalizedString(english); {
		case len(v.InstanceLocation) == 1 && strings.HasPrefix(text, "missing propert"):
			for _, match := range quoted.FindAllString(text, -1) {
				found[strings.Trim(match, "'")] = "is required"
			}
		case len(v.InstanceLocation) <= 1 && strings.Contains(text, "additional propert"):
			for _, match := range quoted.FindAllString(text, -1) {
				found[strings.Trim(match, "'")] = "is not in the identity schema"
			}
		default:
			found[name] = strings.TrimSpace(quoted.ReplaceAllString(text, "the value"))
		}
	}
	walk(v)
}

// checkField applies the validators, and refuses what no screen or signature
// can carry.
func (s *Schema) checkField(name string, value any, found map[string]string) {
	f := s.fields[name]
	check := func(language, text string) {
		if strings.IndexFunc(text, unicode.IsControl) >= 0 {
			found[name] = "must not hold control characters"
			return
		}
		for _, r := range f.rules {
			if r.language != "" && r.language != language {
				continue
			}
			if !(patternEngine{r.pattern}).MatchString(text) {
				found[name] = "must match " + r.pattern.String()
			}
		}
	}
	switch v := value.(type) {
	case string:
		check("", v)
		if name == "dateOfBirth" && found[name] == "" && !isDate(v) {
			found[name] = "must be a day that exists, as 1984/04/18"
		}
	case []any:
		for _, item := range v {
			if said, ok := item.(map[string]any); ok {
				language, _ := said["language"].(string)
				text, _ := said["value"].(string)
				check(language, text)
			}
		}
	}
}

func isDate(s string) bool {
	_, err := time.Parse("2006-01-02", strings.ReplaceAll(s, "/", "-"))
	return err == nil
}

// depth is how deeply arrays and objects are nested.
func depth(v any) int {
	deepest := 0
	switch v := v.(type) {
	case map[string]any:
		for _, child := range v {
			deepest = max(deepest, depth(child))
		}
	case []any:
		for _, child := range v {
			deepest = max(deepest, depth(child))
		}
	default:
		return 0
	}
	return deepest + 1
}

// noLoader keeps schemas from reaching outside.
type noLoader struct{}

func (noLoader) Load(string) (any, error) {
	return nil, errors.New("an identity schema may refer only to itself")
}

// patience is far more than a good pattern takes, on a busy machine too.
const patience = 2 * time.Second

// Schemas in the field use lookahead, which Go's own regular expressions do
// not know; the time limit keeps a bad one from stopping the pipeline.
func backtracking(pattern string) (*regexp2.Regexp, error) {
	r, err := regexp2.Compile(pattern, regexp2.ECMAScript)
	if err != nil {
		// Some patterns in use, such as [(?i)A-Z], are not ECMAScript.
		if r, err = regexp2.Compile(pattern, regexp2.None); err != nil {
			return nil, err
		}
	}
	r.MatchTimeout = patience
	return r, nil
}

type patternEngine struct{ *regexp2.Regexp }

// MatchString panics with errSlow, which Check turns into its error: a time that is
// over must not pass for a text that does not fit, and the interface knows no third.
func (p patternEngine) MatchString(s string) bool {
	ok, err := p.Regexp.MatchString(s)
	if err != nil {
		panic(errSlow)
	}
	return ok
}

func compilePattern(pattern string) (jsonschema.Regexp, error) {
	r, err := backtracking(pattern)
	return patternEngine{r}, err
}
