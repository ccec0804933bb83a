// Package oidc is the OpenID provider and OAuth authorization server: clients ask
// here for people, and get tokens for what those people allowed. The OAuth
// library parses and shapes requests and errors; what is allowed is judged here,
// and none of its types leaves the package.
package oidc

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/ory/fosite"

	"github.com/plinth-id/plinth/internal/attest"
	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/internal/web"
	"github.com/plinth-id/plinth/oidc/dpop"
	"github.com/plinth-id/plinth/oidc/keyset"
	"github.com/plinth-id/plinth/oidc/login"
	"github.com/plinth-id/plinth/registry"
	"github.com/plinth-id/plinth/registry/auth"
	"github.com/plinth-id/plinth/registry/partner"
)

const (
	codeLife    = time.Minute      // ASVS 10.4.3
	pushedLife  = 90 * time.Second // from the push to the first visit; FAPI 2.0 wants less than 600 s
	loginLife   = 15 * time.Minute // from the first visit to the last page
	tokenLife   = 10 * time.Minute
	grantLife   = codeLife + deferredLife + tokenLife // of one that is not for offline use, at most
	bearerLife  = 5 * time.Minute                     // of a token for credentials that is bound to nothing
	walletLife  = 90 * 24 * time.Hour                 // of what a wallet has of an offer, to fetch more copies by
	idTokenLife = 10 * time.Minute
	maxBody     = 64 << 10
	// proofRemembered is how long a DPoP proof is remembered to be good once.
	proofRemembered = dpop.Remembered
)

// Config is what a Provider needs. What follows HTTP may be left out: then there
// is none of it, and time is time.Now.
type Config struct {
	Pool     *pgxpool.Pool
	Ring     *keys.Ring
	Desk     *auth.Desk
	Registry *registry.Registry
	Clients  func(ctx context.Context, db postgres.DB, id string) (partner.Client, error)
	Issuer   *url.URL
	HTTP     *http.Client // to addresses that clients have chosen: key sets, logouts

	Offered   func(ctx context.Context, db postgres.DB, issuerState string) (uuid.UUID, error) // for whom the offer is that a login began with
	Accepted  func(ctx context.Context, tx pgx.Tx, issuerState string) error                   // uses that offer up
	HAIP      func(configuration string) bool                                                  // for wallets of that profile alone
	CNonce    func() (string, time.Duration, error)                                            // for wallets that expect it with the token; nil: none does
	Attesters *attest.Attesters                                                                // makers of wallets whose word is taken; nil: none

	Redeem           func(ctx context.Context, tx pgx.Tx, code, txCode string) (auth.Grant, error)
	CredentialScopes func() map[string][]string                                                     // scope → credential_configuration_ids, as of now; nil: none
	Scopes           []string                                                                       // of clients for themselves, and of other resources
	Certificate      func(r *http.Request) *Certificate                                             // of the connection; nil: none
	MTLS             *url.URL                                                                       // where clients connect with certificates
	Federated        func(ctx context.Context, entity string) error                                 // registers a client of a federation
	Emit             func(ctx context.Context, tx pgx.Tx, s Signal) error                           // tells relying parties
	AskWallet        func(ctx context.Context, q login.WalletQuestion) (login.WalletRequest, error) // for a credential of ours; nil: credentials log nobody in
	Methods          []auth.Method                                                                  // to prove who one is, in the order of the pages; nil: the usual ones
	Sandbox          bool                                                                           // a demonstration, which does as hints of relying parties say
	Now              func() time.Time
}

// Provider answers clients.
type Provider struct {
	Config
	issuer   string
	flow     *login.Flow
	settings *fosite.Config
	tokens   fosite.OAuth2Provider // for the endpoints that clients authenticate at
	sets     *keyset.Sets
	proofs   dpop.Judge
	signers  signers
	lapses   lapses
	waking   chan struct{}
	readings *audit.Batch // entries of who was read about
}

// New makes a Provider.
func New(config Config) (*Provider, error) {
	if config.Pool == nil || config.Ring == nil || config.Desk == nil || config.Registry == nil || config.Clients == nil || config.Issuer == nil || config.HTTP == nil {
		return nil, errors.New("oidc: Pool, Ring, Desk, Registry, Clients, Issuer and HTTP are required")
	}
	if config.Issuer.RawQuery != "" || config.Issuer.Fragment != "" || config.Issuer.Host == "" {
		return nil, errors.New("oidc: Issuer must be a URL without query and fragment")
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	p := &Provider{Config: config, issuer: config.Issuer.String(), waking: make(chan struct{}, 1), readings: audit.NewBatch(config.Pool)}
	p.sets = keyset.New(config.HTTP, config.Now)
	p.proofs = dpop.Judge{Key: config.Ring.PRF, Now: config.Now}
	p.settings = &fosite.Config{
		ClientAuthenticationStrategy: p.authenticate,
		ScopeStrategy:                p.mayAsk,
		TokenEndpointHandlers:        fosite.TokenEndpointHandlers{codeGrant{p}, refreshGrant{p}, machineGrant{p}, exchangeGrant{p}},
		RevocationHandlers:           fosite.RevocationHandlers{revoker{p}},
	}
	for _, g := range p.deferredGrants() {
		p.settings.TokenEndpointHandlers = append(p.settings.TokenEndpointHandlers, g)
	}
	if config.Redeem != nil {
		p.settings.TokenEndpointHandlers = append(p.settings.TokenEndpointHandlers, offerGrant{p})
	}
	p.tokens = fosite.NewOAuth2Provider(only{}, p.settings)
	var err error
	p.flow, err = login.New(login.Config{Pool: config.Pool, Methods: config.Methods, Ring: config.Ring, Desk: config.Desk, Public: config.Issuer, Recall: p.recall, Told: p.told, Finish: p.end,
		Remembers: p.answered, AskWallet: config.AskWallet, Bound: p.walletBound, Now: config.Now})
	return p, err
}

// Routes opens the doors of the provider.
func (p *Provider) Routes(r *web.Router) {
	suffix := strings.TrimSuffix(p.Issuer.Path, "/")
	r.Handle(http.MethodGet, suffix+"/.well-known/openid-configuration", web.Anyone, p.getMetadata, web.CORS())
	r.Handle(http.MethodGet, "/.well-known/oauth-authorization-server"+suffix, web.Anyone, p.getMetadata, web.CORS())
	r.Handle(http.MethodGet, "/oidc/jwks", web.Anyone, p.getKeys, web.CORS())
	r.Handle(http.MethodGet, "/oidc/authorize", web.Anyone, p.authorize)
	r.Handle(http.MethodPost, "/oidc/authorize", web.Anyone, p.authorize, web.CrossOrigin(), web.MaxBody(maxBody))
	r.Handle(http.MethodGet, "/oidc/logout", web.Anyone, p.logout)
	r.Handle(http.MethodPost, "/oidc/logout", web.Anyone, p.logout, web.CrossOrigin(), web.MaxBody(maxBody))
	r.Handle(http.MethodPost, "/oidc/logout/confirm", web.Anyone, p.logoutConfirmed, web.MaxBody(maxBody))
	for path, take := range map[string]func(*gin.Context) error{"par": p.push, "token": p.token, "revoke": p.revoke, "introspect": p.introspect} {
		r.Handle(http.MethodPost, "/oidc/"+path, web.Client, take, web.CORS(), web.MaxBody(maxBody))
	}
	r.Handle(http.MethodGet, "/oidc/userinfo", web.Bearer, p.userinfo, web.CORS())
	r.Handle(http.MethodPost, "/oidc/userinfo", web.Bearer, p.userinfo, web.CORS(), web.MaxBody(maxBody))
	p.accountRoutes(r)
	p.deviceRoutes(r)
	p.flow.Routes(r)
}

// Sweep deletes what has expired. It is called now and then.
func (p *Provider) Sweep(ctx context.Context) error {
	for _, table := range swept {
		for {
			n, err := sweepTable(ctx, p.Pool, table, p.Now())
			if err != nil {
				return err
			}
			if n == 0 {
				break
			}
		}
	}
	return nil
}

func (p *Provider) at(path string) string { return p.Issuer.JoinPath(path).String() }
