package templates

import (
	"encoding/json"
	"io/fs"
	"net/http/httptest"
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
	_ = example(Home{Demo: true, Doors: []string{"verify", "portal", "inbox"}, Issuer: "http://localhost:8080"})
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

func TestEverySentenceIsInEveryLanguage(t *testing.T) {
	keys := func(l string) []string {
		var all []string
		files, err := fs.Glob(locales, "locales/"+l+"/*.json")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			raw, err := fs.ReadFile(locales, file)
			if err != nil {
				t.Fatal(err)
			}
			var sentences map[string]any
			if err := json.Unmarshal(raw, &sentences); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			for key := range sentences {
				all = append(all, key)
			}
		}
		slices.Sort(all)
		return all
	}
	want := keys("eng")
	for _, l := range Languages() {
		got := keys(l.Tag)
		for _, key := range want {
			if !slices.Contains(got, key) {
				t.Errorf("%s: no sentence %s", l.Tag, key)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s: got %d sentences, want %d", l.Tag, len(got), len(want))
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
