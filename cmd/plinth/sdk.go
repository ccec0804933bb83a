package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/biosdk/server"
	"github.com/plinth-id/plinth/internal/web"
)

type sdkCommand struct {
	Listen     string  `default:"127.0.0.1:9099" help:"Address; beyond this machine it takes a secret, or --open."`
	Threshold  float64 `default:"4" help:"Score from which samples match: -log10 of the false match rate."`
	SecretFile string  `type:"existingfile" help:"File with the bearer token that is asked for; or PLINTH_SDK_SECRET."`
	Open       bool    `help:"Answer anybody who can reach the address, without a secret."`

	secret string
}

// drainSDK is how long comparisons under way may take to end.
const drainSDK = 10 * time.Second

func (c *sdkCommand) Run(ctx context.Context) error {
	var err error
	if c.secret, err = secretOf("PLINTH_SDK_SECRET", c.SecretFile); err != nil {
		return wrongUse{err}
	}
	sdk, err := server.New(server.Config{Threshold: biometrics.Score(c.Threshold), Secret: c.secret, Version: version()})
	if err != nil || c.Threshold == 0 {
		return wrongUse{errors.New("--threshold is a score above 0")}
	}
	if err := c.guarded(); err != nil {
		return wrongUse{err}
	}
	ln, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return wrongUse{err}
	}
	if c.secret == "" && c.Open {
		fmt.Fprintln(os.Stderr, "plinth: whoever reaches this service is answered.")
	}
	if err := printJSON(map[string]any{"service": "http://" + ln.Addr().String() + server.Context, "threshold": c.Threshold, "secret": c.secret != ""}); err != nil {
		return err
	}
	return web.Serve(ctx, ln, sdk, drainSDK)
}

// leastSecret is the least length of a secret that is not guessed.
const leastSecret = 16

// guarded refuses to answer everybody of a network by accident.
func (c *sdkCommand) guarded() error {
	if c.secret != "" || c.Open {
		return nil
	}
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return err
	}
	if at, err := netip.ParseAddr(host); err == nil && at.Unmap().IsLoopback() || host == "localhost" {
		return nil
	}
	return fmt.Errorf("%s can be reached from other machines: give a secret (--secret-file or PLINTH_SDK_SECRET), or say --open", c.Listen)
}
