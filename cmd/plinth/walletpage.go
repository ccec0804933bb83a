package main

import (
	"context"
	"crypto/x509"
	"maps"
	"slices"
	"time"

	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/internal/web"
	"github.com/plinth-id/plinth/registry/partner"
	"github.com/plinth-id/plinth/templates"
	"github.com/plinth-id/plinth/wallet"
)

// answerBegins is how long others may be silent who are asked for a wallet: its place at
// the counter is taken meanwhile.
const answerBegins = 5 * time.Second

// buildWallet builds the server's half of the wallet in a browser. Links lead it where
// strangers want, so it goes to public addresses only.
func (h *house) buildWallet() (err error) {
	own, err := vc.DIDWeb(h.URL.JoinPath("vp").String())
	if err != nil {
		return err
	}
	var anchors func() *x509.CertPool
	if pool := h.Settings.Wallets.Anchors; pool != nil {
		anchors = func() *x509.CertPool { return pool }
	}
	h.wallets, err = wallet.NewCounter(wallet.Config{Pool: h.pool, Issuer: h.URL.String(), Anchors: anchors, Own: own,
		HTTP: web.NewClient(web.ClientConfig{Timeout: 20 * time.Second, Header: answerBegins, Limit: 2 << 20, Private: h.Inside || h.demo}),
		Seal: func(plain, ad []byte) ([]byte, error) { return h.ring.Seal(keys.Sessions, plain, ad) },
		Open: func(sealed, ad []byte) ([]byte, error) { return h.ring.Open(keys.Sessions, sealed, ad) }})
	return err
}

// client finds a relying party. The wallet in a browser is one that every deployment
// has: without a secret, since a page can keep none; what it gets is bound to its keys.
func (h *house) client(ctx context.Context, db postgres.DB, id string) (partner.Client, error) {
	if id != wallet.ClientID {
		return h.partners.Known(ctx, db, id)
	}
	c := partner.Client{ID: id, Names: make(map[string]string), Sector: h.URL.Host, Scopes: []string{"openid", "offline_access"}}
	for _, l := range templates.Languages() {
		c.Names[l.BCP47] = l.Must("wallet.title")
	}
	c.Scopes = append(c.Scopes, slices.Sorted(maps.Keys(h.issuer.Scopes()))...)
	c.Kept = partner.Kept{Name: "Wallet", Profile: partner.OIDC, AuthMethod: partner.NoAuth, GrantTypes: []string{"authorization_code", "refresh_token"},
		RedirectURIs: []string{h.URL.JoinPath(wallet.BackPath).String()}, RequirePKCE: true, RequirePushed: true, DPoPBound: true}
	return c, nil
}
