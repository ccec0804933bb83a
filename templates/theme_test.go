package templates

import (
	"bytes"
	"image"
	"image/png"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

const drawn = `<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 32"><style>.a{fill:url(#g)}</style>` +
	`<defs><linearGradient id="g"><stop offset="0"/></linearGradient></defs><g style="fill:#fff"><path class="a" d="M0 0h64v32z"/><use href="#g"/></g></svg>`

// themeOf is a folder with a theme.json and, if given, a logo.svg.
func themeOf(theme, svg string) fstest.MapFS {
	return fstest.MapFS{"theme.json": {Data: []byte(theme)}, "logo.svg": {Data: []byte(svg)}}
}

func TestAThemeThatIsNotGoodSaysWhatIsWrong(t *testing.T) {
	withLogo := `{"logo": "logo.svg"}`
	svg := func(inner string) string {
		return `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 1 1">` + inner + `</svg>`
	}
	for name, c := range map[string]struct{ theme, svg, want string }{
		"no JSON":                    {`name`, "", "theme.json: invalid character"},
		"a member that nobody knows": {`{"colour": "#000000"}`, "", `unknown field "colour"`},
		"a language without pages":   {`{"name": {"deu": "Ausweis"}}`, "", `name is in "deu", in which there are no pages; there are eng, fra`},
		"a name that is too long":    {`{"name": "` + strings.Repeat("x", 41) + `"}`, "", "has 41 characters; it has 1 to 40"},
		"a name of two lines":        {`{"name": "a\nb"}`, "", "in one line"},
		"a text that is none":        {`{"footer": 1}`, "", `a text is`},
		"too pale":                   {`{"accent": "#ffcc00"}`, "", "accent #ffcc00 with #ffffff (white letters on it, in the header and on buttons) has a contrast of 1.51:1, and 4.5:1 is needed"},
		"too pale for the ground":    {`{"accent": "#767676"}`, "", "accent #767676 with #f3f6f8 (links in it on the ground of the page) has a contrast of 4.18:1"},
		"no colour":                  {`{"accent": "red"}`, "", `"red" is no colour; write it like #0b4f6c`},
		"a link that runs":           {`{"links": [{"name": "x", "url": "javascript:alert(1)"}]}`, "", `link 1 leads to "javascript:alert(1)"`},
		"a link without a name":      {`{"links": [{"url": "https://a.example"}]}`, "", "link 1 lacks its name"},
		"too many links":             {`{"links": [` + strings.Repeat(`{"name": "x", "url": "https://a.example"},`, 8) + `{"name": "x", "url": "https://a.example"}]}`, "", "there are 9 links"},
		"a logo from elsewhere":      {`{"logo": "../logo.svg"}`, "", "../logo.svg: the logo is named as a file of the same folder"},
		"a logo that is not there":   {`{"logo": "none.png"}`, "", "none.png: open none.png: file does not exist"},
		"a picture of another kind":  {`{"logo": "theme.json"}`, "", "a logo is an .svg or a .png"},
		"a large logo":               {withLogo, svg(strings.Repeat(" ", maxLogo)), "it is larger than 20 KiB"},
		"a long logo":                {withLogo, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 1"/>`, "it is 100 by 1"},
		"a logo without a size":      {withLogo, `<svg xmlns="http://www.w3.org/2000/svg"/>`, "it has no size"},
		"a script":                   {withLogo, svg(`<script>alert(1)</script>`), "it holds <script>, which does not draw"},
		"a script in a handler":      {withLogo, svg(`<path onload="alert(1)"/>`), "it holds a script (onload)"},
		"HTML":                       {withLogo, svg(`<foreignObject><body/></foreignObject>`), "it holds <foreignObject>"},
		"HTML in its own space":      {withLogo, svg(`<path xmlns="http://www.w3.org/1999/xhtml"/>`), "it holds <path>"},
		"an animated link":           {withLogo, svg(`<a><set attributeName="href" to="javascript:alert(1)"/></a>`), "it holds <a>"},
		"a picture from elsewhere":   {withLogo, svg(`<use xlink:href="https://a.example/x.svg#a"/>`), "its href leads elsewhere"},
		"a style from elsewhere":     {withLogo, svg(`<style>@import "https://a.example";</style>`), "its style loads something"},
		"a fill from elsewhere":      {withLogo, svg(`<path fill="url( 'https://a.example/#x')"/>`), "its fill leads elsewhere"},
		"a style that hides":         {withLogo, svg(`<style>a{b:u\72l(x)}</style>`), "its style loads something"},
		"an entity":                  {withLogo, `<!DOCTYPE svg [<!ENTITY a "b">]>` + svg("&a;"), "its DOCTYPE declares something"},
		"a style sheet":              {withLogo, `<?xml-stylesheet href="https://a.example"?>` + svg(""), "processing instruction (xml-stylesheet)"},
		"a deep drawing":             {withLogo, svg(strings.Repeat("<g>", 60) + strings.Repeat("</g>", 60)), "nest deeper"},
		"half a drawing":             {withLogo, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1">`, "it is no SVG that can be read"},
		"nothing":                    {withLogo, "", "it is no SVG that can be read"},
	} {
		if _, err := ReadTheme(themeOf(c.theme, c.svg)); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want one line with %s", name, err, c.want)
		}
	}
	if _, err := ReadTheme(fstest.MapFS{}); err == nil || !strings.Contains(err.Error(), "theme.json") {
		t.Errorf("got %v for an empty folder, want theme.json named", err)
	}
}

// wear has the pages show a theme until the test ends.
func wear(t *testing.T, theme, svg string) {
	t.Helper()
	made, err := ReadTheme(themeOf(theme, svg))
	if err != nil {
		t.Fatal(err)
	}
	Use(made)
	t.Cleanup(func() { Use(nil) })
}

const whole = `{"name": {"eng": "Example ID", "fra": "Identité Exemple", "ara": "هوية المثال"}, "logo": "logo.svg", "accent": "#5b1a6e",
	"links": [{"name": {"eng": "Contact & help", "ara": "اتصل بنا"}, "url": {"eng": "https://id.example/en/help", "fra": "https://id.example/fr/aide"}},
		{"name": "Call", "url": "tel:+15550100"}], "footer": {"eng": "Republic of Examples <x>"}}`

func TestThePagesShowTheTheme(t *testing.T) {
	wear(t, whole, drawn)
	for lang, want := range map[string][]string{
		"eng": {"– Example ID</title>", "Contact &amp; help", "https://id.example/en/help", "Republic of Examples &lt;x&gt;", `href="tel:&#43;15550100"`, `width="64" height="32"`},
		"fra": {"– Identité Exemple</title>", `href="https://id.example/fr/aide" lang="en" dir="ltr">Contact &amp; help`, `<p lang="en" dir="ltr">Republic`},
		"ara": {"هوية المثال", `lang="ar" dir="rtl">اتصل بنا`, "https://id.example/en/help"},
		"hin": {"– Example ID</title>"},
	} {
		w := httptest.NewRecorder()
		if err := Render(w, httptest.NewRequest("GET", "/x?lang="+lang, nil), 200, examples["home.html"]); err != nil {
			t.Fatal(err)
		}
		for _, part := range append(want, `href="/static/theme/`) {
			if !strings.Contains(w.Body.String(), part) {
				t.Errorf("%s: got no %s", lang, part)
			}
		}
		if strings.Contains(w.Body.String(), "Plinth") || strings.Contains(w.Body.String(), "style=") {
			t.Errorf("%s: our own name, or a style that the policy forbids, is on the page", lang)
		}
	}
	if got := Languages()[1].Must("notice.code", "Code", "1", "Minutes", 5); !strings.Contains(got, "Identité Exemple") {
		t.Errorf("got %q, want messages to name the service too", got)
	}
	Use(nil)
	if got := Languages()[1].Must("portal.login"); !strings.Contains(got, "Plinth") {
		t.Errorf("got %q after the theme, want our own name", got)
	}
}

func TestWhatTheThemeBringsNeverChangesAndCannotRun(t *testing.T) {
	wear(t, whole, drawn)
	d := worn.Load().dresses["eng"]
	for address, want := range map[string]string{d.Logo.Address: drawn, d.Sheet: ":root { --brand: #5b1a6e; --brand-dark: #441352; }\n"} {
		w := httptest.NewRecorder()
		Static().ServeHTTP(w, httptest.NewRequest("GET", address, nil))
		policy := w.Header().Get("Content-Security-Policy")
		if w.Code != 200 || w.Body.String() != want || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: got %d, %q, %q", address, w.Code, w.Header().Get("Cache-Control"), w.Body.String())
		}
		if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "sandbox") || strings.Contains(policy, "script") {
			t.Errorf("%s: got the policy %q, want nothing to run", address, policy)
		}
	}
	wear(t, `{"logo": "logo.svg"}`, strings.Replace(drawn, "64 32", "32 32", 1))
	if worn.Load().dresses["eng"].Logo.Address == d.Logo.Address {
		t.Error("another logo is at the same address")
	}
	for _, address := range []string{d.Logo.Address, "/static/theme/", "/static/theme/../plinth.css"} {
		w := httptest.NewRecorder()
		if Static().ServeHTTP(w, httptest.NewRequest("GET", address, nil)); w.Code != 404 || strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: got %d %v, want nothing to be there, and that not for ever", address, w.Code, w.Header())
		}
	}
}

func TestAPictureCanBeALogo(t *testing.T) {
	var raw bytes.Buffer
	if err := png.Encode(&raw, image.NewGray(image.Rect(0, 0, 96, 48))); err != nil {
		t.Fatal(err)
	}
	folder := fstest.MapFS{"theme.json": {Data: []byte(`{"logo": "arms.PNG"}`)}, "arms.PNG": {Data: raw.Bytes()}}
	theme, err := ReadTheme(folder)
	if err != nil || theme.logo.width != 64 || theme.logo.kind != "image/png" {
		t.Fatalf("got %+v, %v; want a PNG, 64 wide where it is 32 high", theme, err)
	}
	for name, bad := range map[string][]byte{"half": raw.Bytes()[:40], "drawing": []byte(drawn)} {
		folder["arms.PNG"].Data = bad
		if _, err := ReadTheme(folder); err == nil || !strings.Contains(err.Error(), "it is no PNG") {
			t.Errorf("%s: got %v, want it refused", name, err)
		}
	}
}

// The colours that an accent is held against are those of the style sheet, and our
// own accent passes.
func TestContrastIsHeldAgainstTheStyleSheet(t *testing.T) {
	raw, err := os.ReadFile("static/plinth.css")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"paper": beside[0].colour.String(), "ground": beside[1].colour.String()} {
		if !strings.Contains(string(raw), "--"+name+": "+want+";") {
			t.Errorf("plinth.css has another --%s than %s", name, want)
		}
	}
	if _, err := parseAccent("#0b4f6c"); err != nil {
		t.Error(err)
	}
	black, white := colour{}, colour{255, 255, 255}
	if got := contrast(black, white); got < 20.999 || got > 21.001 {
		t.Errorf("got %f between black and white, want 21", got)
	}
}

func FuzzMeasureSVG(f *testing.F) {
	f.Add([]byte(drawn))
	f.Add([]byte(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><g onload="x"/></svg>`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		width, height, err := measureSVG(raw)
		if err == nil && (width <= 0 || height <= 0) {
			t.Fatalf("got %f by %f, want a size", width, height)
		}
		if low := bytes.ToLower(raw); err == nil && (bytes.Contains(low, []byte("<script")) && !bytes.Contains(low, []byte("<!--")) && !bytes.Contains(low, []byte("cdata"))) {
			t.Fatalf("a script passed: %s", raw)
		}
	})
}

func FuzzReadTheme(f *testing.F) {
	f.Add(whole)
	f.Add(`{"accent": "#0b4f6c"}`)
	f.Fuzz(func(t *testing.T, theme string) {
		if made, err := ReadTheme(themeOf(theme, drawn)); err == nil && made == nil {
			t.Fatal("got neither a theme nor an error")
		}
	})
}
