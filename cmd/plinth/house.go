package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"go.opentelemetry.io/otel/trace"

	"github.com/plinth-id/plinth/biometrics/evidence"
	"github.com/plinth-id/plinth/biometrics/gallery"
	"github.com/plinth-id/plinth/credentials"
	"github.com/plinth-id/plinth/credentials/chain"
	"github.com/plinth-id/plinth/credentials/status"
	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/credentials/verifier"
	"github.com/plinth-id/plinth/credentials/verifier/present"
	"github.com/plinth-id/plinth/internal/blob"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/notify"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/internal/web"
	"github.com/plinth-id/plinth/oidc"
	"github.com/plinth-id/plinth/oidc/federation"
	"github.com/plinth-id/plinth/oidc/keyset"
	"github.com/plinth-id/plinth/oidc/signals"
	"github.com/plinth-id/plinth/registry/auth"
	"github.com/plinth-id/plinth/registry/enrol"
	"github.com/plinth-id/plinth/registry/partner"
	"github.com/plinth-id/plinth/registry/place"
	"github.com/plinth-id/plinth/templates"
	"github.com/plinth-id/plinth/wallet"
)

// house is everything that serves, standing on the ground.
type house struct {
	*ground
	river      *river.Client[pgx.Tx]
	sender     *notify.Sender
	inbox      *notify.Inbox
	desk       *auth.Desk
	office     *enrol.Office
	provider   *oidc.Provider
	issuer     *credentials.Issuer
	wallets    *wallet.Counter
	federation *federation.Federation // nil: none
	signals    *signals.Transmitter
	status     *status.Publisher
	chain      *chain.Keeper
	checker    *verifier.Verifier
	others     *others // whom the checker believes besides us
	counter    *present.Counter
	router     *web.Router
	tracer     trace.Tracer                // nil: nobody collects spans
	flush      func(context.Context) error // sends the last spans
	sweeps     []sweep
}

// sweep forgets what has expired.
type sweep struct {
	name string
	do   func(context.Context) error
}

// openHouse composes the parts; nothing runs yet.
func openHouse(ctx context.Context, g *ground) (*house, error) {
	h := &house{ground: g}
	templates.Use(g.Theme)
	var err error
	if h.tracer, h.flush, err = tracing(g.OTel); err != nil {
		return nil, err
	}
	for _, build := range []func() error{h.buildSender, h.buildDesk, func() error { return h.buildChain(ctx) }, h.buildCredentials, h.buildFederation, h.buildVerifier, h.buildWallet, h.buildOffice, h.buildRiver, h.buildRouter, func() error { return h.serveVCAPI(ctx) }} {
		if err := build(); err != nil {
			return nil, err
		}
	}
	h.sweeps = []sweep{
		{"applications", h.office.Recover}, {"sessions", h.places.Sweep}, {"codes", h.desk.Sweep}, {"grants", h.provider.Sweep}, {"signing keys", h.provider.Maintain},
		{"offers", h.issuer.Sweep}, {"certificates", h.chain.Maintain}, {"presentations", h.counter.Sweep}, {"signals", h.signals.Sweep}, {"messages", h.sender.Sweep}, {"wallets", h.wallets.Sweep},
		{"answers", func(ctx context.Context) error { _, err := web.SweepIdempotency(ctx, h.pool); return err }},
	}
	if h.federation != nil {
		h.sweeps = append(h.sweeps, sweep{"federation", h.federation.Sweep})
	}
	return h, nil
}

// galleryQueue is what a process with the role gallery works at.
const galleryQueue = "gallery"

func (h *house) enqueue(ctx context.Context, tx pgx.Tx, args river.JobArgs, opts *river.InsertOpts) error {
	opts.Queue = galleryQueue
	_, err := h.river.InsertTx(ctx, tx, args, opts)
	return err
}

func (h *house) buildSender() (err error) {
	c := notify.Config{Pool: h.pool, Ring: h.ring}
	h.inbox = notify.NewInbox(h.pool, h.ring)
	if h.demo {
		c.Mail, c.SMS = h.inbox.Deliver, h.inbox.Deliver
	}
	if h.SMTP != "" {
		if c.Mail, err = notify.SMTP(h.SMTP); err != nil {
			return err
		}
	}
	if h.SMS != "" {
		if c.SMS, err = notify.SMSGateway(h.SMS, web.NewClient(web.ClientConfig{Timeout: 20 * time.Second, Private: true})); err != nil {
			return err
		}
	}
	h.sender, err = notify.New(c)
	return err
}

// policy is what is asked of captured samples: of a demo nothing, unless a policy is set.
func (h *house) policy() evidence.Policy {
	switch {
	case h.Policy != nil:
		return *h.Policy
	case h.demo:
		return evidence.Trial()
	}
	return evidence.Policy{}
}

func (h *house) buildDesk() (err error) {
	h.desk, err = auth.New(auth.Config{Pool: h.pool, Ring: h.ring, Registry: h.registry, Queue: h.sender.Queue, Offers: h.sender.Offers, Policy: h.policy(), Public: h.URL, Demo: h.demo,
		Presented: h.presented, Methods: h.Settings.Methods, CodesPerDay: h.CodesPerDay})
	return err
}

// machineScopes are those that relying parties have for themselves.
var machineScopes = []string{"ssf.manage", "ssf.read", askScope}

// buildCredentials builds the provider and the issuer, each of which asks the
// other one question: whose token is this, and whose code is this.
func (h *house) buildCredentials() (err error) {
	h.provider, err = oidc.New(oidc.Config{Pool: h.pool, Ring: h.ring, Desk: h.desk, Registry: h.registry, Clients: h.client, Issuer: h.URL,
		HTTP: web.NewClient(web.ClientConfig{Timeout: 10 * time.Second, Limit: keyset.MaxBytes, Private: h.Inside || h.demo}), Certificate: h.Settings.certificate, MTLS: h.Settings.MTLS.URL, Scopes: machineScopes, Methods: h.Settings.Methods, Sandbox: h.demo, Federated: h.federated, AskWallet: h.askWallet,
		Redeem: func(ctx context.Context, tx pgx.Tx, code, txCode string) (auth.Grant, error) {
			return h.issuer.Redeem(ctx, tx, code, txCode)
		},
		Offered: func(ctx context.Context, db postgres.DB, state string) (uuid.UUID, error) {
			return h.issuer.Offered(ctx, db, state)
		},
		Accepted: func(ctx context.Context, tx pgx.Tx, state string) error { return h.issuer.Accepted(ctx, tx, state) },
		HAIP:     func(configuration string) bool { return h.issuer.HAIP(configuration) }, Attesters: h.Settings.Wallets.Attesters, CNonce: h.cnonce(),
		CredentialScopes: func() map[string][]string { return h.issuer.Scopes() }, Emit: func(ctx context.Context, tx pgx.Tx, s oidc.Signal) error { return h.signals.Emit(ctx, tx, s) }})
	if err != nil {
		return err
	}
	h.signals, err = signals.New(signals.Config{Pool: h.pool, Ring: h.ring, Provider: h.provider, Plain: h.Inside || h.demo,
		HTTP: web.NewClient(web.ClientConfig{Timeout: 10 * time.Second, Limit: 64 << 10, Private: h.Inside || h.demo})})
	if err != nil {
		return err
	}
	if h.status, err = status.New(status.Config{Pool: h.pool, Ring: h.ring, Issuer: h.URL, Signer: h.statusSigner}); err != nil {
		return err
	}
	h.issuer, err = credentials.New(credentials.Config{Pool: h.pool, Ring: h.ring, Registry: h.registry, Desk: h.desk, Status: h.status, Chain: h.chain, Authority: h.Issuing.Authority,
		Tokens: credentials.Tokens{Token: h.provider.Token, Challenge: h.provider.Challenge, Nonce: h.provider.Nonce}, Notify: h.sender.Queue, Offers: h.sender.Offers, Issuer: h.URL,
		Officer: func(c *gin.Context) uuid.UUID { return place.OfficerFrom(c).ID }, Attesters: h.Settings.Wallets.Attesters, Draft13: h.Settings.Wallets.Draft13, Encrypted: h.Settings.Wallets.Encrypted})
	if err == nil {
		h.ground.changed = h.issuer.Changed
	}
	return err
}

// cnonce is what wallets of draft 13 expect with their token; nil when none is served.
func (h *house) cnonce() func() (string, time.Duration, error) {
	if !h.Settings.Wallets.Draft13 {
		return nil
	}
	return func() (string, time.Duration, error) { return h.issuer.CNonce() }
}

func (h *house) buildOffice() error {
	blobs, err := blob.Open(h.BlobURL, h.Data)
	if err != nil {
		return err
	}
	policy := h.policy()
	rates := gallery.Policy{FPIR: policy.Rates.FalsePositive, Bother: policy.Rates.Officer}
	h.office, err = enrol.New(enrol.Config{Pool: h.pool, Ring: h.ring, Blob: blobs, Registry: h.registry, Stations: h.places.Station,
		Gallery: gallery.New(gallery.Config{Policy: rates}), Policy: policy, Enqueue: h.enqueue, Notify: h.sender.Queue, Offer: h.issuer.Enrolled})
	return err
}

// buildRiver lets this process work at the queues of its roles; a process that
// only serves can still put jobs in line.
func (h *house) buildRiver() (err error) {
	config := &river.Config{ID: "plinth-" + uuid.NewString(), Logger: slog.New(quiet{slog.Default().Handler()}), JobTimeout: 5 * time.Minute,
		CompletedJobRetentionPeriod: time.Hour, RescueStuckJobsAfter: 10 * time.Minute}
	if h.has("gallery") {
		config.Queues = map[string]river.QueueConfig{galleryQueue: {MaxWorkers: 8}}
	}
	config.Workers = river.NewWorkers()
	h.office.AddWorkers(config.Workers)
	h.river, err = river.NewClient(riverpgxv5.New(h.pool), config)
	if err != nil {
		return fmt.Errorf("preparing the jobs: %w", err)
	}
	return nil
}

// quiet keeps the job library's everyday lines out of the log.
type quiet struct{ slog.Handler }

func (q quiet) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && q.Handler.Enabled(ctx, l)
}

// guards say who may pass where: an administrator may what an operator may, and
// an adjudicator is nobody else.
func (h *house) guards() {
	h.router.Guard(web.Officer, h.places.Guard(place.Operator, place.Adjudicator, place.Administrator))
	h.router.Guard(web.Operator, h.places.Guard(place.Operator, place.Administrator))
	h.router.Guard(web.Adjudicator, h.places.Guard(place.Adjudicator))
	h.router.Guard(web.Administrator, h.places.Guard(place.Administrator))
}

func (h *house) buildRouter() error {
	h.router = web.New(web.Config{Public: h.URL, Proxies: h.Proxies, ErrorPage: problemPage, Tracer: h.tracer, Again: &web.IdempotencyConfig{Pool: h.pool, PRF: h.ring.PRF,
		Seal: func(plain, ad []byte) ([]byte, error) { return h.ring.Seal(keys.Sessions, plain, ad) },
		Open: func(sealed, ad []byte) ([]byte, error) { return h.ring.Open(keys.Sessions, sealed, ad) }}})
	h.guards()
	h.doors()
	h.places.Routes(h.router)
	h.partners.Routes(h.router, partner.Doors{Base: h.URL.String(), Readiness: func(ctx context.Context, client string) (any, error) { return oidc.Readiness(ctx, h.pool, client) }})
	h.office.Routes(h.router)
	h.provider.Routes(h.router)
	h.signals.Routes(h.router)
	if h.federation != nil {
		h.federation.Routes(h.router)
	}
	h.issuer.Routes(h.router)
	h.status.Routes(h.router)
	h.checker.Routes(h.router)
	h.counter.Routes(h.router)
	h.wallets.Routes(h.router)
	return nil
}

// trusted are the issuers that our own page believes: we, with the keys of now.
func (h *house) trusted() vc.TrustList {
	list, err := h.issuer.TrustList()
	if err != nil {
		slog.Error("reading the issuing keys failed", "error", err)
	}
	return list
}
