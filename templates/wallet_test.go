package templates

import (
	"encoding/json"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
)

var _ = example(Wallet{Issuer: "https://id.example.org"})

// The modules import one another by name: one address with the digest of all serves them.
func TestModulesOfTheWalletAreVersionedTogether(t *testing.T) {
	for _, name := range walletScripts {
		w := httptest.NewRecorder()
		Static().ServeHTTP(w, httptest.NewRequest("GET", bundled("wallet")+name, nil))
		body, err := io.ReadAll(w.Body)
		if err != nil || w.Code != 200 || !strings.Contains(w.Header().Get("Content-Type"), "javascript") || len(body) == 0 {
			t.Errorf("%s: got %d %s, %v; want the module", name, w.Code, w.Header().Get("Content-Type"), err)
		}
	}
	if worker := string(WalletWorker()); !strings.Contains(worker, bundled("wallet")+"main.js") {
		t.Error("the worker does not know the modules of now")
	}
}

func TestManifestOfTheWalletIsInTheReadersLanguage(t *testing.T) {
	for _, l := range Languages() {
		raw, err := WalletManifest(l)
		var m map[string]any
		if err != nil || json.Unmarshal(raw, &m) != nil || m["name"] != l.Must("wallet.title") || m["dir"] != l.Dir || m["start_url"] != "/wallet" {
			t.Errorf("%s: got %s, %v", l.Tag, raw, err)
		}
	}
}
