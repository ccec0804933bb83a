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

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/plinth-id/plinth/credentials/chain"
	"github.com/plinth-id/plinth/credentials/envelope"
	"github.com/plinth-id/plinth/credentials/scribe"
	"github.com/plinth-id/plinth/credentials/shelf"
	"github.com/plinth-id/plinth/credentials/status"
	"github.com/plinth-id/plinth/internal/attest"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/notify"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/registry"
	"github.com/plinth-id/plinth/registry/auth"
)

// Config is what an Issuer works with.
type Config struct {
	Pool      *pgxpool.Pool
	Ring      *keys.Ring
	Registry  *registry.Registry
	Desk      *auth.Desk
	Status    *status.Publisher
	Chain     *chain.Keeper
	Tokens    Tokens
	Notify    func(context.Context, pgx.Tx, notify.Message) error // notify.Sender.Queue
	Offers    func(notify.Channel) bool                           // notify.Sender.Offers
	Issuer    *url.URL                                            // public base URL
	Authority string                                              // who issues, in words that may stand on a card; empty: the host
	Now       func() time.Time                                    // nil means time.Now

	Officer   func(*gin.Context) uuid.UUID                                // place.OfficerFrom: who came through the guard
	Unsettled func(context.Context, postgres.DB, uuid.UUID) (bool, error) // a person's record is about to change; nil: it never is
	Attesters *attest.Attesters                                           // makers of wallets whose word is taken; nil: none
	Draft13   bool                                                        // wallets of that draft are served too
	Encrypted bool                                                        // requests and answers must be
}

// Tokens are what the authorization server does for us, oidc.Provider in the binary.
type Tokens struct {
	Token     func(context.Context, *http.Request) (auth.Token, error) // judges the access token of a request
	Challenge func(*gin.Context, error) error                          // answers who has none that will do
	Nonce     func() string                                            // for the next proof of DPoP
}

// Issuer issues credentials.
type Issuer struct {
	Config
	Dialects *Dialects
	apart    chan struct{} // connections outside of the pool
	active   atomic.Pointer[kinds]
	known    atomic.Pointer[[]shelf.Version] // that were ever active
	signing  atomic.Pointer[scribe.Hand]
	printers printers
}

// New makes an Issuer.
func New(c Config) (*Issuer, error) {
	if c.Pool == nil || c.Ring == nil || c.Registry == nil || c.Desk == nil || c.Status == nil || c.Chain == nil || c.Tokens.Token == nil || c.Tokens.Challenge == nil || c.Tokens.Nonce == nil || c.Notify == nil || c.Offers == nil || c.Issuer == nil {
		return nil, errors.New("credentials: every field of Config up to Issuer is needed")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Draft13 = c.Draft13 && !c.Encrypted // that draft has no way to encrypt a request
	i := &Issuer{Config: c, Dialects: newDialects(), apart: make(chan struct{}, 2)}
	i.active.Store(i.builtin())
	known := shelf.Builtin()
	i.known.Store(&known)
	return i, nil
}

// ID is the credential issuer identifier.
func (i *Issuer) ID() string { return strings.TrimSuffix(i.Config.Issuer.String(), "/") }

// at is an address below the issuer's.
func (i *Issuer) at(path string) string { return i.ID() + path }

// Sweep sees which kinds are active now, and forgets what has expired.
func (i *Issuer) Sweep(ctx context.Context) error {
	now := i.Now()
	return errors.Join(i.Reload(ctx), sweepNonces(ctx, i.Pool, now), sweepOffers(ctx, i.Pool, now), sweepDeferred(ctx, i.Pool, now), sweepQuota(ctx, i.Pool, now))
}

// messages are the keys that wallets encrypt requests to.
func (i *Issuer) messages() envelope.Keys { return envelope.Keys{Secret: i.Ring.PRF, Now: i.Now} }
