package templates

import (
	"encoding/json"
	"io/fs"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// examples has one filled page for each file; a page's author adds it here or
// in a file of their own by init-free registration: var _ = example(Page{…}).
var examples = map[string]Page{}

func example(p Page) Page { examples[p.file()] = p; return p }

var (
	_ = example(Home{Demo: true, Doors: []string{"wallet", "verify", "portal", "inbox"}, Issuer: "http://localhost:8080"})
	_ = example(Problem{Kind: "invalid", Sentence: "Send a picture.", Fields: []FieldError{{"file", "Choose a picture"}}, RequestID: "r-1"})
	_ = example(Inbox{Messages: []InboxMessage{{Channel: "sms", To: "+1", Text: "<b>", At: time.Unix(0, 0)}, {Channel: "mail", Subject: "s"}}})
	_ = example(Portal{Problem: "The login was cancelled."})
	_ = example(PortalProfile{Name: "Ada <x>", Claims: []PortalClaim{{"name", "Ada"}}, Times: "now"})
)

func TestEveryPageRendersInEveryLanguage(t *testing.T) {
	for _, name := range names() {
		page, ok := examples[name+".html"]
		if !ok {
			t.Errorf("%s: no example page", name)
			continue
		}
		for _, l := range Languages() {
			r := httptest.NewRequest("GET", "/x?lang="+l.Tag, nil)
			w := httptest.NewRecorder()
			if err := Render(w, r, 200, page); err != nil {
				t.Errorf("%s in %s: %v", name, l.Tag, err)
				continue
			}
			body := w.Body.String()
			if want := `<html lang="` + l.BCP47 + `" dir="` + l.Dir + `">`; !strings.Contains(body, want) {
				t.Errorf("%s in %s: no %s", name, l.Tag, want)
			}
			for _, banned := range []string{"<script>", "style=", "onclick", "<no value>"} {
				if strings.Contains(body, banned) {
					t.Errorf("%s in %s contains %q", name, l.Tag, banned)
				}
			}
		}
	}
}

// sentences reads the catalogue of a language: each key with the sentence, or its plural forms.
func sentences(t *testing.T, l string) map[string]any {
	t.Helper()
	all := make(map[string]any)
	files, err := fs.Glob(locales, "locales/"+l+"/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		raw, err := fs.ReadFile(locales, file)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, &all); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	return all
}

func TestEverySentenceIsInEveryLanguage(t *testing.T) {
	want := sentences(t, "eng")
	for _, l := range Languages() {
		got := sentences(t, l.Tag)
		for key := range want {
			if _, ok := got[key]; !ok {
				t.Errorf("%s: no sentence %s", l.Tag, key)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s: got %d sentences, want %d", l.Tag, len(got), len(want))
		}
	}
}

var hole = regexp.MustCompile(`\{\{\.(\w+)\}\}`)

// holes are the names that a sentence wants filled in. A plural form may do without its
// number ("one minute"), and a sentence may name the same thing twice.
func holes(sentence any) string {
	raw, _ := json.Marshal(sentence)
	var names []string
	for _, found := range hole.FindAllStringSubmatch(string(raw), -1) {
		if found[1] != "Count" && !slices.Contains(names, found[1]) {
			names = append(names, found[1])
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func TestEveryTranslationSaysWhatTheSentenceSays(t *testing.T) {
	english := sentences(t, "eng")
	for _, l := range Languages() {
		for key, sentence := range sentences(t, l.Tag) {
			if got, want := holes(sentence), holes(english[key]); got != want {
				t.Errorf("%s: %s fills in %q, want %q", l.Tag, key, got, want)
			}
		}
	}
}

// Six plural forms in Arabic, three in French and Spanish, two in Hindi and English.
func TestEveryNumberHasItsPlural(t *testing.T) {
	for _, l := range Languages() {
		for key, sentence := range sentences(t, l.Tag) {
			if _, plural := sentence.(map[string]any); !plural {
				continue
			}
			for _, n := range []int{0, 1, 2, 3, 10, 11, 15, 99, 100, 101, 102, 180, 1_000_000} {
				if _, err := l.Text(key, "Count", n); err != nil {
					t.Errorf("%s: %s for %d: %v", l.Tag, key, n, err)
				}
			}
		}
	}
}

func TestLanguageIsChosenByTheReader(t *testing.T) {
	for _, c := range []struct{ target, accept, cookie, want string }{
		{"/", "", "", "eng"},
		{"/", "fr-CA,en;q=0.5", "", "fra"},
		{"/", "fr", "ara", "ara"},
		{"/?ui_locales=xx+ar", "fr", "", "ara"},
		{"/?lang=eng&ui_locales=fr", "ar", "fra", "eng"},
		{"/", "es-MX,es;q=0.8", "", "spa"},
		{"/", "hi-IN", "", "hin"},
		{"/?ui_locales=pt+hi", "", "", "hin"},
		{"/?lang=%00%ff", ";;;", "", "eng"},
	} {
		r := httptest.NewRequest("GET", c.target, nil)
		r.Header.Set("Accept-Language", c.accept)
		if c.cookie != "" {
			r.Header.Set("Cookie", "plinth_lang="+c.cookie)
		}
		if got := For(r).Tag; got != c.want {
			t.Errorf("%+v: got %s, want %s", c, got, c.want)
		}
	}
}

// A Latin name in an Arabic sentence, and the other way round.
func TestANameDoesNotShuffleTheSentence(t *testing.T) {
	for lang, name := range map[string]string{"ara": "Ministry (x)", "eng": "وزارة (س)"} {
		w := httptest.NewRecorder()
		if err := Render(w, httptest.NewRequest("GET", "/x?lang="+lang, nil), 200, LoggedOut{Client: name, Link: "https://rp.example"}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(w.Body.String(), "\u2068"+name+"\u2069") {
			t.Errorf("%s: the name is not kept apart", lang)
		}
	}
}
