package templates

import (
	_ "embed"
	"encoding/json"
)

// Wallet is the wallet in a browser. What a person has in it never passes through
// here: scripts fill it in.
type Wallet struct {
	Issuer string // whose catalogue is shown
}

func (Wallet) file() string { return "wallet.html" }

// Words are the sentences that the scripts of the wallet say. What is filled in stands
// for itself: {name} and {other}.
func (Wallet) Words() []string { return walletWords }

var walletWords = []string{
	"working", "network", "failed", "noprf", "noblob", "nokey", "elsewhere", "issued.by", "until", "expired", "unnamed", "copies", "state.good",
	"state.revoked", "state.suspended", "state.unlisted", "state.unknown", "mark.vouched", "mark.proven", "mark.unproven", "purpose", "shows",
	"instead", "optional", "authorizes", "shared", "shared.back", "declined", "later", "login.asks", "login.done", "history.received", "history.shown",
	"history.login", "history.deleted", "yes", "no", "answered", "nocode", "kept.passkey", "kept.device", "stay", "fault.offer-gone",
	"fault.offer-refused", "fault.bad-offer", "fault.issuer-unreachable", "fault.credential-bad", "fault.verifier-unproven", "fault.request-expired",
	"fault.no-card", "fault.verifier-refused", "fault.link-refused", "fault.login-refused", "fault.code-large", "fault.copies-used-up",
	"format.dc+sd-jwt", "format.mso_mdoc", "format.ldp_vc", "format.jwt_vc_json", "format.claim169", "claim.name", "claim.email", "claim.birthdate",
	"claim.phone_number", "claim.address", "claim.given_name", "claim.family_name", "claim.locale", "claim.updated_at", "claim.gender", "claim.picture",
}

//go:embed walletworker.js
var walletWorker []byte

// WalletWorker is the service worker of the wallet: with the addresses, versions
// included, of what the page is made of.
func WalletWorker() []byte {
	css, err := asset("plinth.css")
	if err != nil {
		panic(err)
	}
	shell := []string{"/wallet", css, "/static/plinth.svg"}
	for _, file := range walletScripts {
		shell = append(shell, bundled("wallet")+file)
	}
	list, err := json.Marshal(shell)
	if err != nil {
		panic(err)
	}
	return append([]byte("const shell = "+string(list)+";\nconst edition = '"+bundled("wallet")+"';\n"), walletWorker...)
}

// WalletManifest makes the wallet a page that can be installed.
func WalletManifest(l Language) ([]byte, error) {
	icon, err := asset("wallet.svg")
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{
		"name": l.Must("wallet.title"), "short_name": l.Must("wallet.title"), "lang": l.BCP47, "dir": l.Dir, "id": "/wallet", "start_url": "/wallet", "scope": "/wallet",
		"display": "standalone", "background_color": "#f3f6f8", "theme_color": "#0b4f6c",
		"icons":        []map[string]string{{"src": icon, "sizes": "any", "type": "image/svg+xml", "purpose": "any"}, {"src": icon, "sizes": "any", "type": "image/svg+xml", "purpose": "maskable"}},
		"share_target": map[string]any{"action": "/wallet", "method": "GET", "params": map[string]string{"text": "link", "url": "link"}},
	})
}
