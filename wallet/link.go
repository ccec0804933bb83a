package wallet

import (
	"context"

	"github.com/go-jose/go-jose/v4"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/wallet/errand"
)

// loginKey is the key by which the owner logs in at one provider.
type loginKey struct {
	ID string `json:"kid"`
	key
}

// BeginBinding has the provider send its code to the owner.
func (w *Wallet) BeginBinding(ctx context.Context, server, number string) (*errand.Binding, error) {
	return w.runner().BeginBinding(ctx, server, number)
}

// Bind makes a key for logins at a provider, and keeps it once the provider has
// bound it to the owner.
func (w *Wallet) Bind(ctx context.Context, b *errand.Binding, owner errand.Owner, name string) error {
	made, public, err := newKey(string(jose.ES256))
	if err != nil {
		return err
	}
	turn, err := w.runner().Bind(b, public, owner, name)
	if err != nil {
		return err
	}
	signature, err := made.sign(turn.Sign[0].Data)
	if err != nil {
		return err
	}
	id, err := w.runner().Bound(ctx, b, [][]byte{signature})
	if err != nil {
		return err
	}
	return w.change(func(c *contents) error {
		if c.Logins == nil {
			c.Logins = make(map[string]loginKey)
		}
		c.Logins[b.Server] = loginKey{ID: id, key: made}
		return nil
	})
}

// Open takes the login that a picture, or a code typed from beside it, stands for.
func (w *Wallet) Open(ctx context.Context, link, server string) (*errand.Login, error) {
	return w.runner().OpenLink(ctx, link, server)
}

// Allow logs the owner in at the party of a link, who has read the number on the
// page there, and allows it some claims.
func (w *Wallet) Allow(ctx context.Context, l *errand.Login, number string, allowed []string) error {
	c, err := w.load()
	if err != nil {
		return err
	}
	key, ok := c.Logins[l.Link.Issuer]
	if !ok {
		return fault.New(fault.NotFound, "This wallet has no key for that provider. Bind one with: plinth wallet bind").Named("no-login-key")
	}
	public, err := key.public()
	if err != nil {
		return err
	}
	turn, err := w.runner().Allow(l, public, key.ID, number, allowed)
	if err != nil {
		return err
	}
	signatures := make([][]byte, len(turn.Sign))
	for i, s := range turn.Sign {
		if signatures[i], err = key.sign(s.Data); err != nil {
			return err
		}
	}
	_, err = w.runner().Allowed(ctx, l, signatures)
	return err
}
