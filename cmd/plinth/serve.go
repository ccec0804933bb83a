package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/internal/web"
	"golang.org/x/sync/errgroup"
)

// drain is how long requests under way may take when we are told to stop.
const drain = 20 * time.Second

type serveCommand struct{}

func (serveCommand) Run(ctx context.Context, settings lazySettings) error {
	s, err := settings()
	if err != nil {
		return err
	}
	logTo(s.Log)
	g, err := openGround(ctx, s, true)
	if err != nil {
		return err
	}
	defer g.close()
	if g.demo {
		return wrongUse{fmt.Errorf("%s holds a demonstration, whose code everybody knows; run plinth demo, or choose another PLINTH_DATA", g.Data)}
	}
	if g.SMTP == "" && g.SMS == "" {
		return wrongUse{errors.New("PLINTH_SMTP_URL, PLINTH_SMS_URL: set at least one, or nobody can get a one-time code")}
	}
	h, err := openHouse(ctx, g)
	if err != nil {
		return err
	}
	ln, err := listen(s)
	if err != nil {
		return err
	}
	slog.InfoContext(ctx, "serving", "url", s.URL.String(), "listen", ln.Addr().String(), "roles", s.Roles)
	return h.run(ctx, ln)
}

// logTo sets the one logger: JSON lines on stderr.
func logTo(level slog.Level) {
	slog.SetDefault(slog.New(web.Logging(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))))
}

// listen opens the port, with TLS when we hold a certificate.
func listen(s Settings) (net.Listener, error) {
	ln, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return nil, wrongUse{fmt.Errorf("PLINTH_LISTEN: %w", err)}
	}
	if s.TLSCert == "" {
		return ln, nil
	}
	pair, err := tls.LoadX509KeyPair(s.TLSCert, s.TLSKey)
	if err != nil {
		ln.Close()
		return nil, wrongUse{fmt.Errorf("PLINTH_TLS_CERT: %w", err)}
	}
	return tls.NewListener(ln, strictTLS(pair)), nil
}

// strictTLS allows what RFC 9325 section 4.2 recommends and nothing else, as FAPI
// 2.0 asks for (5.2.2): of TLS 1.2 four suites, of TLS 1.3 all.
func strictTLS(pair tls.Certificate) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, CipherSuites: []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384}}
}

// run does what the roles of this process say until ctx ends, then lets what
// is under way finish.
func (h *house) run(ctx context.Context, ln net.Listener) error {
	group, ctx := errgroup.WithContext(ctx)
	if h.has("gallery") {
		if err := h.river.Start(context.WithoutCancel(ctx)); err != nil {
			return fmt.Errorf("starting the workers: %w", err)
		}
		group.Go(func() error {
			<-ctx.Done()
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
			defer cancel()
			return h.river.Stop(last)
		})
	}
	if h.has("work") {
		group.Go(func() error { return h.sender.Run(ctx) })
	}
	group.Go(func() error { return h.log.Run(ctx) })
	group.Go(func() error { return h.ring.Run(ctx) })
	group.Go(func() error { return h.housekeep(ctx) })
	group.Go(func() error { return h.provider.Run(ctx) })
	group.Go(func() error { return h.signals.Run(ctx) })
	group.Go(func() error { return h.serveMTLS(ctx) })
	group.Go(func() error { return web.Serve(ctx, ln, h.front(), drain) })
	err := group.Wait()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := h.flush(last); err != nil {
		slog.WarnContext(last, "sending the last spans failed", "error", err)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// has tells whether this process has a role.
func (h *house) has(role string) bool { return slices.Contains(h.Roles, role) }

// housekeep sweeps what has expired, and looks for applications whose job was lost.
func (h *house) housekeep(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Second)
	defer tick.Stop()
	for {
		for _, s := range h.sweeps {
			if err := s.do(ctx); err != nil && ctx.Err() == nil {
				slog.WarnContext(ctx, "sweep failed", "sweep", s.name, "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

type migrateCommand struct{}

func (migrateCommand) Run(ctx context.Context, settings lazySettings) error {
	s, err := settings()
	if err != nil {
		return err
	}
	g := &ground{Settings: s}
	defer g.close()
	if err := g.openDatabase(ctx); err != nil {
		return err
	}
	if err := postgres.Migrate(ctx, g.pool); err != nil {
		return err
	}
	return printJSON(map[string]any{"migrated": true})
}
