package templates

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
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
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		files.ServeHTTP(w, r)
	})
}
