package templates

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
)

//go:embed static
var static embed.FS

// digests versions each static file, so that a browser may keep it for ever.
var digests = digest()

func digest() map[string]string {
	sums := make(map[string]string)
	files, err := fs.ReadDir(static, "static")
	if err != nil {
		panic(err)
	}
	for _, file := range files {
		if file.IsDir() {
			continue
		}
		raw, err := fs.ReadFile(static, "static/"+file.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(raw)
		sums[file.Name()] = hex.EncodeToString(sum[:6])
	}
	return sums
}

// walletScripts and verifyScripts are the modules of the wallet and of the verifier.
// They import one another by name, so they are versioned together: their directory has
// the digest of them all.
var (
	walletScripts = scripts("wallet")
	verifyScripts = scripts("verify")
	bundles       = map[string]string{"wallet": bundleOf("wallet"), "verify": bundleOf("verify")}
)

func scripts(dir string) []string {
	files, err := fs.ReadDir(static, "static/"+dir)
	if err != nil {
		panic(err)
	}
	var names []string
	for _, file := range files {
		names = append(names, file.Name())
	}
	return names
}

func bundleOf(dir string) string {
	sum := sha256.New()
	for _, name := range scripts(dir) {
		raw, err := fs.ReadFile(static, "static/"+dir+"/"+name)
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(sum, "%s %d\n%s", name, len(raw), raw)
	}
	return hex.EncodeToString(sum.Sum(nil)[:6])
}

// bundled is the address of a directory of modules, with its version.
func bundled(dir string) string { return "/static/" + dir + "/" + bundles[dir] + "/" }

// asset is the address of a static file, with its version.
func asset(name string) (string, error) {
	version, ok := digests[name]
	if !ok {
		return "", fmt.Errorf("there is no static file %s", name)
	}
	return "/static/" + name + "?v=" + version, nil
}

// Static serves the static files below /static/.
func Static() http.Handler {
	files := http.FileServerFS(static)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/static/theme/") {
			serveTheme(w, r)
			return
		}
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		for dir := range bundles {
			if name, ok := strings.CutPrefix(r.URL.Path, bundled(dir)); ok {
				r = r.Clone(r.Context())
				r.URL.Path = "/static/" + dir + "/" + name
			}
		}
		files.ServeHTTP(w, r)
	})
}

// serveTheme serves what the country brought. Opened by itself, a drawing may do
// nothing but be seen.
func serveTheme(w http.ResponseWriter, r *http.Request) {
	file, ok := worn.Load().files[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Header().Set("Content-Type", file.kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(file.raw)))
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
	_, _ = w.Write(file.raw) // to a browser that has gone, nothing can be told
}
