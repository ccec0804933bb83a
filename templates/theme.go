package templates

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"unicode/utf8"
)

// Theme is how a country makes the pages its own: a folder with theme.json and a logo.
// Only ReadTheme makes one.
type Theme struct {
	name, footer Words
	links        []themeLink
	accent       *colour // nil: ours
	logo         *logo   // nil: ours
}

// Words is a text in several languages, by ISO 639-3.
type Words map[string]string

type themeLink struct {
	Name Words `json:"name"`
	URL  Words `json:"url"`
}

const (
	maxTheme  = 64 << 10
	maxName   = 40 // characters: it stands in the header of a narrow phone
	maxLink   = 60
	maxLinks  = 8
	maxFooter = 500
	maxURL    = 500
)

// UnmarshalJSON takes {"eng": "…", "fra": "…"}, or one text for everybody.
func (w *Words) UnmarshalJSON(raw []byte) error {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		*w = Words{supported[0].Tag: one}
		return nil
	}
	var each map[string]string
	if err := json.Unmarshal(raw, &each); err != nil {
		return errors.New(`a text is "…" or {"eng": "…", "fra": "…"}`)
	}
	*w = each
	return nil
}

// check refuses what would not fit, and languages in which there are no pages.
func (w Words) check(what string, longest int) error {
	for tag, text := range w {
		if !slices.ContainsFunc(supported, func(l Language) bool { return l.Tag == tag }) {
			return fmt.Errorf("%s is in %q, in which there are no pages; there are %s", what, tag, strings.Join(tags(), ", "))
		}
		if n := utf8.RuneCountInString(text); n == 0 || n > longest || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' }) {
			return fmt.Errorf("%s (%s) has %d characters; it has 1 to %d, in one line", what, tag, n, longest)
		}
	}
	return nil
}

func tags() []string {
	var all []string
	for _, l := range supported {
		all = append(all, l.Tag)
	}
	return all
}

// in is the text in a language or, where there is none, in the first that it has.
func (w Words) in(wanted Language) (string, Language) {
	for _, l := range append([]Language{wanted}, supported...) {
		if text, ok := w[l.Tag]; ok {
			return text, l
		}
	}
	return "", wanted
}

// ReadTheme reads a folder and checks all of it: what is wrong is told before
// anybody sees a page.
func ReadTheme(folder fs.FS) (*Theme, error) {
	raw, err := readBounded(folder, "theme.json", maxTheme)
	if err != nil {
		return nil, err
	}
	var said struct {
		Name   Words       `json:"name"`
		Logo   string      `json:"logo"`
		Accent string      `json:"accent"`
		Links  []themeLink `json:"links"`
		Footer Words       `json:"footer"`
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&said); err != nil {
		return nil, fmt.Errorf("theme.json: %w (docs/theming.md shows what it holds)", err)
	}
	t := &Theme{name: said.Name, footer: said.Footer, links: said.Links}
	if err := t.checkWords(); err != nil {
		return nil, fmt.Errorf("theme.json: %w", err)
	}
	if said.Accent != "" {
		if t.accent, err = parseAccent(said.Accent); err != nil {
			return nil, fmt.Errorf("theme.json: accent %w", err)
		}
	}
	if said.Logo != "" {
		if t.logo, err = readLogo(folder, said.Logo); err != nil {
			return nil, fmt.Errorf("%s: %w", said.Logo, err)
		}
	}
	return t, nil
}

func readBounded(folder fs.FS, name string, limit int64) ([]byte, error) {
	file, err := folder.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(raw)) > limit {
		err = fmt.Errorf("it is larger than %d KiB", limit>>10)
	}
	return raw, err
}

func (t *Theme) checkWords() error {
	if err := t.name.check("name", maxName); err != nil {
		return err
	}
	if err := t.footer.check("footer", maxFooter); err != nil {
		return err
	}
	if len(t.links) > maxLinks {
		return fmt.Errorf("there are %d links; there is room for %d", len(t.links), maxLinks)
	}
	for i, link := range t.links {
		what := fmt.Sprintf("link %d", i+1)
		if len(link.Name) == 0 || len(link.URL) == 0 {
			return fmt.Errorf("%s lacks its name or its url", what)
		}
		if err := link.Name.check(what+": name", maxLink); err != nil {
			return err
		}
		if err := link.URL.check(what+": url", maxURL); err != nil {
			return err
		}
		for _, address := range link.URL {
			u, err := url.Parse(address)
			if err != nil || !(u.Scheme == "https" && u.Host != "" || (u.Scheme == "mailto" || u.Scheme == "tel") && u.Opaque != "") {
				return fmt.Errorf("%s leads to %q; it must begin with https:, mailto: or tel:", what, address)
			}
		}
	}
	return nil
}

// dress is what the layout shows of a theme in one language.
type dress struct {
	Name   string
	Logo   dressLogo
	Sheet  string // address of a style sheet; empty: none
	Links  []dressLink
	Footer dressText
}

type dressLogo struct {
	Address, Type string
	Width, Height int
}

type dressText struct{ Text, Lang, Dir string }

type dressLink struct {
	dressText
	Address template.URL // checked to be harmless by checkWords
}

// wardrobe is the theme of this process, ready to be shown.
type wardrobe struct {
	dresses map[string]dress     // by language
	files   map[string]themeFile // by path
}

type themeFile struct {
	kind string
	raw  []byte
}

// worn is one for the process, as the catalogues and the pages are. Nobody waits for
// it: it is set before the first page is asked for.
var worn atomic.Pointer[wardrobe]

func init() { Use(nil) }

// Use has all pages show a theme from now on; nil: our own.
func Use(t *Theme) {
	if t == nil {
		t = &Theme{}
	}
	w := wardrobe{dresses: make(map[string]dress), files: make(map[string]themeFile)}
	icon, _ := asset("plinth.svg") // the test of the pages fails without it
	plain := dress{Logo: dressLogo{Address: icon, Type: "image/svg+xml", Width: 28, Height: 28}}
	if t.logo != nil {
		plain.Logo = dressLogo{Address: w.add("logo."+t.logo.extension, themeFile{t.logo.kind, t.logo.raw}), Type: t.logo.kind, Width: t.logo.width, Height: logoHeight}
	}
	if t.accent != nil {
		plain.Sheet = w.add("theme.css", themeFile{"text/css; charset=utf-8", []byte(t.accent.sheet())})
	}
	for _, l := range supported {
		d := plain
		if d.Name, _ = t.name.in(l); d.Name == "" {
			d.Name = "Plinth"
		}
		d.Footer = dressed(t.footer, l)
		for _, link := range t.links {
			address, _ := link.URL.in(l)
			d.Links = append(d.Links, dressLink{dressed(link.Name, l), template.URL(address)})
		}
		w.dresses[l.Tag] = d
	}
	worn.Store(&w)
}

func dressed(w Words, l Language) dressText {
	text, in := w.in(l)
	return dressText{text, in.BCP47, in.Dir}
}

// add puts a file at an address that holds its digest: what is there never changes.
// An old page finds nothing at a new copy of ours rather than something else.
func (w *wardrobe) add(name string, file themeFile) string {
	sum := sha256.Sum256(file.raw)
	address := "/static/theme/" + hex.EncodeToString(sum[:6]) + "/" + name
	w.files[address] = file
	return address
}

// Service is the name of the service, as the country calls it.
func (l Language) Service() string { return worn.Load().dresses[l.Tag].Name }
