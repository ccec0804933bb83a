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
		raw, err := fs.ReadFile(static, "static/"+file.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(raw)
		sums[file.Name()] = hex.EncodeToString(sum[:6])
	}
	return sums
}

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
