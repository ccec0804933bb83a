// Package credentials issues signed documents about a person: to a wallet over
// OpenID4VCI, and to an officer's desk for printing. Everything issued has a line
// in a ledger that never holds its contents, and a place in a status list.
package credentials

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/plinth-id/plinth/credentials/chain"
	"github.com/plinth-id/plinth/credentials/status"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/notify"
	"github.com/plinth-id/plinth/registry"
	"github.com/plinth-id/plinth/registry/auth"
)

// Config is what an Issuer works with.
type Config struct {
	Pool     *pgxpool.Pool
	Ring     *keys.Ring
	Registry *registry.Registry
	Desk     *auth.Desk
	Status   *status.Publisher
	Chain    *chain.Keeper
	Grant    func(context.Context, *http.Request) (auth.Grant, error) // oidc.Provider.Grant: access token → Grant
	Notify   func(context.Context, pgx.Tx, notify.Message) error      // notify.Sender.Queue
	Offers   func(notify.Channel) bool                                // notify.Sender.Offers
	Issuer   *url.URL                                                 // public base URL
	// Authority is who issues, in words that may stand on a card; empty: the host.
	Authority string
	Now       func() time.Time // nil means time.Now
}

// Issuer issues credentials.
type Issuer struct {
	Config
	apart   chan struct{} // connections outside of the pool
	active  atomic.Pointer[kinds]
	signing atomic.Pointer[hand]
}

// New makes an Issuer.
func New(c Config) (*Issuer, error) {
	if c.Pool == nil || c.Ring == nil || c.Registry == nil || c.Desk == nil || c.Status == nil || c.Chain == nil || c.Grant == nil || c.Notify == nil || c.Offers == nil || c.Issuer == nil {
		return nil, errors.New("credentials: every field of Config but Authority and Now is needed")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	i := &Issuer{Config: c, apart: make(chan struct{}, 2)}
	i.active.Store(builtin())
	return i, nil
}

// ID is the credential issuer identifier.
func (i *Issuer) ID() string { return strings.TrimSuffix(i.Config.Issuer.String(), "/") }

// at is an address below the issuer's.
func (i *Issuer) at(path string) string { return i.ID() + path }

// Sweep forgets nonces and offers that have expired.
func (i *Issuer) Sweep(ctx context.Context) error {
	return errors.Join(sweepNonces(ctx, i.Pool, i.Now()), sweepOffers(ctx, i.Pool, i.Now()))
}
