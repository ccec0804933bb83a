package templates

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// axePath is where `make test` puts the checker of Deque.
const axePath = "../bench/axe/node_modules/axe-core/axe.min.js"

// mostBytes is how much a page may weigh, with all that it loads and without what is
// kept from the page before.
const mostBytes = 60 << 10

const violations = `axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})
	.then(r => r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.html).join(' | ')))`

// Every page in every language, on the narrowest phone: no violation of WCAG 2.2 AA
// that a machine can find, nothing wider than the window, and no more than 60 KB.
func TestEveryPageIsAccessible(t *testing.T) {
	axe, err := os.ReadFile(axePath)
	if os.IsNotExist(err) && os.Getenv("CI") == "" {
		t.Skip("axe-core is not installed (make test does it); pages are not checked for accessibility")
	}
	if err != nil {
		t.Fatal(err)
	}
	server := showroom(t)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.Flag("disable-dev-shm-usage", true))
	alloc, stop := chromedp.NewExecAllocator(t.Context(), options...)
	defer stop()
	tab, end := chromedp.NewContext(alloc)
	defer end()
	limited, cancel := context.WithTimeout(tab, 5*time.Minute)
	defer cancel()
	if err := chromedp.Run(limited, emulation.SetDeviceMetricsOverride(320, 640, 1, true)); err != nil {
		t.Fatal(err)
	}
	var control []string
	if err := chromedp.Run(limited, chromedp.Navigate(server.URL+"/home"), chromedp.Evaluate(string(axe), nil),
		chromedp.Evaluate(`document.querySelector('main').innerHTML = '<img src="x"><input>'`, nil), chromedp.Evaluate(violations, &control, awaiting)); err != nil || len(control) < 2 {
		t.Fatalf("got %v, %v; want the checker to find what is wrong on purpose", control, err)
	}
	for _, name := range names() {
		for _, l := range Languages() {
			accessible(t, limited, string(axe), fmt.Sprintf("%s/%s?lang=%s", server.URL, name, l.Tag))
		}
	}
	// The widest logo, the longest name, all the links that there may be.
	link := `{"name": "` + strings.Repeat("Kundendienst", 5) + `", "url": "https://id.example"}`
	wear(t, `{"name": "`+strings.Repeat("Identität", 4)+`", "logo": "logo.svg", "accent": "#006644", "links": [`+strings.Repeat(link+",", maxLinks-1)+link+`], "footer": "`+strings.Repeat("Republik ", 55)+`"}`,
		strings.Replace(drawn, "64 32", "160 32", 1))
	for _, name := range []string{"home", "consent"} {
		accessible(t, limited, string(axe), fmt.Sprintf("%s/%s?lang=ara", server.URL, name))
	}
}

// showroom serves every example page by its name.
func showroom(t *testing.T) *httptest.Server {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/static/") {
			Static().ServeHTTP(w, r)
			return
		}
		page, ok := examples[strings.TrimPrefix(r.URL.Path, "/")+".html"]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if err := Render(w, r, http.StatusOK, page); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

// accessible checks one page.
func accessible(t *testing.T, tab context.Context, axe, address string) {
	t.Helper()
	var found []string
	var wide bool
	var bytes int
	err := chromedp.Run(tab, chromedp.Navigate(address), chromedp.Evaluate(axe, nil),
		chromedp.Evaluate(violations, &found, awaiting),
		chromedp.Evaluate(`document.documentElement.scrollWidth > document.documentElement.clientWidth`, &wide),
		chromedp.Evaluate(`document.documentElement.outerHTML.length + performance.getEntriesByType('resource').reduce((sum, r) => sum + r.decodedBodySize, 0)`, &bytes))
	if err != nil {
		t.Fatalf("%s: %v", address, err)
	}
	for _, v := range found {
		t.Errorf("%s: %s", address, v)
	}
	if wide {
		t.Errorf("%s is wider than a phone", address)
	}
	if bytes > mostBytes {
		t.Errorf("%s weighs %d bytes, want %d at most", address, bytes, mostBytes)
	}
}

func awaiting(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }
