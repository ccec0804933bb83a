// Package templates is all that a person sees: a struct for each page with its
// .html file beside it, the layout they share, the static files, and every
// sentence in every language (locales/<language>/<topic>.json). It knows
// nothing of the rest: whoever shows a page fills its struct.
package templates

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
)

//go:embed *.html
var pages embed.FS

//go:embed locales
var locales embed.FS

// Page is one page: a struct of this package with the .html file that shows it.
type Page interface{ file() string }

// FieldError is one line of the error summary, linked to the field it is about.
type FieldError struct {
	Field   string // id of the input; empty: the page as a whole
	Message string // what to do, already in the reader's language
}

// faulty is a page that can show errors.
type faulty interface{ errors() []FieldError }

// view is what the layout sees.
type view struct {
	Page      Page
	Errors    []FieldError
	Languages []choice
}

// choice is one entry of the language menu.
type choice struct {
	Tag, Name, Link string
	Current         bool
}

// shown holds every page in every language, parsed at start: a fault in a page
// stops the program before anybody meets it.
var shown = parse()

func parse() map[string]map[string]*template.Template {
	files, err := fs.Glob(pages, "*.html")
	if err != nil {
		panic(err)
	}
	all := make(map[string]map[string]*template.Template)
	for _, l := range Languages() {
		all[l.Tag] = make(map[string]*template.Template)
		layout := template.New("layout.html").Option("missingkey=error").Funcs(functions(l))
		layout = template.Must(layout.ParseFS(pages, "layout.html", "parts.html"))
		for _, file := range files {
			if file != "layout.html" && file != "parts.html" {
				all[l.Tag][file] = template.Must(template.Must(layout.Clone()).ParseFS(pages, file))
			}
		}
	}
	return all
}

func functions(l Language) template.FuncMap {
	return template.FuncMap{
		"t": func(key string, pairs ...any) (string, error) {
			return l.spoken(key, l.apart(l.Service()), l.isolated(pairs))
		},
		"dress":   func() dress { return worn.Load().dresses[l.Tag] },
		"lang":    func() string { return l.BCP47 },
		"dir":     func() string { return l.Dir },
		"asset":   asset,
		"bundled": bundled,
		"fielderr": func(errors []FieldError, field string) string {
			for _, e := range errors {
				if e.Field == field {
					return e.Message
				}
			}
			return ""
		},
	}
}

// Render writes a page in the reader's language: whole, or not at all.
func Render(w http.ResponseWriter, r *http.Request, status int, page Page) error {
	l := For(r)
	v := view{Page: page, Languages: choices(r, l)}
	if f, ok := page.(faulty); ok {
		v.Errors = f.errors()
	}
	var whole bytes.Buffer
	t, ok := shown[l.Tag][page.file()]
	if !ok {
		return fmt.Errorf("rendering %s: there is no such page", page.file())
	}
	if err := t.ExecuteTemplate(&whole, "layout.html", v); err != nil {
		return fmt.Errorf("rendering %s: %w", page.file(), err)
	}
	if chosen := r.URL.Query().Get("lang"); chosen != "" {
		http.SetCookie(w, &http.Cookie{Name: cookie, Value: l.Tag, Path: "/", MaxAge: 365 * 24 * 3600,
			HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: r.TLS != nil})
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Add("Vary", "Accept-Language, Cookie")
	w.Header().Set("Content-Language", l.BCP47)
	w.WriteHeader(status)
	_, err := whole.WriteTo(w)
	return err
}

// choices is the language menu. A page that answers a POST has none, since
// following a link would lose what was sent.
func choices(r *http.Request, current Language) []choice {
	if r.Method != http.MethodGet {
		return nil
	}
	var menu []choice
	for _, l := range Languages() {
		query := r.URL.Query()
		query.Del("ui_locales")
		query.Set("lang", l.Tag)
		link := url.URL{Path: r.URL.Path, RawQuery: query.Encode()}
		menu = append(menu, choice{Tag: l.BCP47, Name: l.Name, Link: link.String(), Current: l.Tag == current.Tag})
	}
	return menu
}

// Names lists the pages, for the test that renders them all.
func names() []string {
	var list []string
	for file := range shown[Languages()[0].Tag] {
		list = append(list, strings.TrimSuffix(file, ".html"))
	}
	return list
}
