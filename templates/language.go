package templates

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
	"unicode"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

const cookie = "plinth_lang"

// Language is one in which every sentence exists.
type Language struct {
	Tag   string // ISO 639-3, as identity schemas name it: "eng"
	BCP47 string // as browsers name it: "en"
	Name  string // in itself
	Dir   string // "ltr" or "rtl"

	say   *i18n.Localizer
	plain *sync.Map // sentences into which nothing is filled but the name of the service, once they were looked up
}

var (
	bundle    = load()
	supported = []Language{
		{Tag: "eng", BCP47: "en", Name: "English", Dir: "ltr", say: i18n.NewLocalizer(bundle, "en"), plain: new(sync.Map)},
		{Tag: "fra", BCP47: "fr", Name: "Français", Dir: "ltr", say: i18n.NewLocalizer(bundle, "fr"), plain: new(sync.Map)},
		{Tag: "spa", BCP47: "es", Name: "Español", Dir: "ltr", say: i18n.NewLocalizer(bundle, "es"), plain: new(sync.Map)},
		{Tag: "hin", BCP47: "hi", Name: "हिन्दी", Dir: "ltr", say: i18n.NewLocalizer(bundle, "hi"), plain: new(sync.Map)},
		{Tag: "ara", BCP47: "ar", Name: "العربية", Dir: "rtl", say: i18n.NewLocalizer(bundle, "ar"), plain: new(sync.Map)},
	}
	matcher = language.NewMatcher([]language.Tag{language.English, language.French, language.Spanish, language.Hindi, language.Arabic})
)

// Languages lists the languages of the pages, the default first.
func Languages() []Language { return supported }

// load reads every catalogue. A catalogue is one flat JSON object per language
// and topic: {"key": "sentence"} or, for plurals, {"key": {"one": …, "other": …}}.
func load() *i18n.Bundle {
	b := i18n.NewBundle(language.English)
	b.RegisterUnmarshalFunc("json", json.Unmarshal)
	err := fs.WalkDir(locales, "locales", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		raw, err := fs.ReadFile(locales, file)
		if err != nil {
			return err
		}
		// go-i18n takes the language from the file's name.
		named := strings.TrimSuffix(path.Base(file), ".json") + "." + path.Base(path.Dir(file)) + ".json"
		_, err = b.ParseMessageFileBytes(raw, named)
		return err
	})
	if err != nil {
		panic(err)
	}
	return b
}

// For chooses the language for a request: ?lang, then ui_locales (OpenID
// Connect), then the language chosen before, then what the browser prefers.
func For(r *http.Request) Language {
	query := r.URL.Query()
	wishes := append([]string{query.Get("lang")}, strings.Fields(query.Get("ui_locales"))...)
	if c, err := r.Cookie(cookie); err == nil {
		wishes = append(wishes, c.Value)
	}
	wishes = append(wishes, r.Header.Get("Accept-Language"))
	for _, wish := range wishes {
		if wish == "" || len(wish) > 256 {
			continue
		}
		tags, _, err := language.ParseAcceptLanguage(wish)
		if err != nil || len(tags) == 0 {
			continue
		}
		if _, index, confidence := matcher.Match(tags...); confidence > language.No {
			return supported[index]
		}
	}
	return supported[0]
}

// Text is the sentence with this key; pairs are names and values to fill in.
// The name "Count" chooses the plural form; "Service" is filled in by itself.
func (l Language) Text(key string, pairs ...any) (string, error) {
	return l.spoken(key, l.Service(), pairs)
}

// sentence is by what one into which nothing else is filled is known again.
type sentence struct{ key, service string }

func (l Language) spoken(key, service string, pairs []any) (string, error) {
	if len(pairs)%2 != 0 {
		return "", fmt.Errorf("text %s: names and values must come in pairs", key)
	}
	if len(pairs) == 0 {
		if kept, ok := l.plain.Load(sentence{key, service}); ok {
			return kept.(string), nil
		}
	}
	data := map[string]any{"Service": service}
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return "", fmt.Errorf("text %s: %v is no name", key, pairs[i])
		}
		data[name] = pairs[i+1]
	}
	text, err := l.say.Localize(&i18n.LocalizeConfig{MessageID: key, TemplateData: data, PluralCount: data["Count"]})
	if err == nil && len(pairs) == 0 {
		l.plain.Store(sentence{key, service}, text)
	}
	return text, err
}

// Must is Text for keys that a test has shown to exist.
func (l Language) Must(key string, pairs ...any) string {
	sentence, err := l.Text(key, pairs...)
	if err != nil {
		panic(err)
	}
	return sentence
}

// isolated keeps names of one direction from shuffling the words of a sentence of
// the other (UAX #9, FSI and PDI). Messages do without: there a link must stay as it is.
func (l Language) isolated(pairs []any) []any {
	var apart []any
	for i, value := range pairs {
		if word, ok := value.(string); ok && i%2 == 1 {
			value = l.apart(word)
		}
		apart = append(apart, value)
	}
	return apart
}

func (l Language) apart(word string) string {
	if l.Dir == "rtl" || strings.ContainsFunc(word, rightToLeft) {
		return "\u2068" + word + "\u2069"
	}
	return word
}

func rightToLeft(r rune) bool {
	return unicode.In(r, unicode.Arabic, unicode.Hebrew, unicode.Syriac, unicode.Thaana, unicode.Nko)
}
