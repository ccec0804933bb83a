package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/credentials/verifier"
	"github.com/plinth-id/plinth/internal/web"
)

type verifyCommand struct {
	Input   string `arg:"" help:"PNG, JPEG or PDF with a QR code, the code's text, or a JSON-LD credential; - for standard input."`
	Trust   string `type:"existingfile" help:"Trust list (JSON): the issuers and keys that are believed. Default: trust.json in the data directory; without it, that of the server at PLINTH_URL."`
	Offline bool   `help:"Use no network: the status is then undetermined, and the answer says so."`
}

func (c *verifyCommand) Run(ctx context.Context, settings lazySettings) error {
	raw, err := input(c.Input, verifier.MaxInput)
	if err != nil {
		return err
	}
	// Status lists and trust lists are where the deployment is, which may be here.
	client := web.NewClient(web.ClientConfig{Timeout: 10 * time.Second, Private: true})
	trust, err := c.trust(ctx, settings, client)
	if err != nil {
		return err
	}
	config := verifier.Config{Trust: func() vc.TrustList { return trust }}
	if !c.Offline {
		config.Status = func(ctx context.Context, address string) ([]byte, error) { return fetch(ctx, client, address) }
	}
	v, err := verifier.New(config)
	if err != nil {
		return err
	}
	verdict, err := v.Check(ctx, raw)
	if err != nil {
		return err
	}
	if err := printJSON(verdict); err != nil {
		return err
	}
	if verdict.Verdict != verifier.Valid {
		return exit(exitNo)
	}
	return nil
}

// trust finds out whom to believe.
func (c *verifyCommand) trust(ctx context.Context, settings lazySettings, client *http.Client) (vc.TrustList, error) {
	if c.Trust != "" {
		return readTrust(c.Trust)
	}
	s, err := settings()
	if err != nil {
		return vc.TrustList{}, err
	}
	if list, err := readTrust(filepath.Join(s.Data, trustFile)); err == nil {
		return list, nil
	}
	if c.Offline {
		return vc.TrustList{}, wrongUse{errors.New("--offline needs --trust FILE: the issuers to believe (a server gives its own at /.well-known/plinth-trust.json)")}
	}
	raw, err := fetch(ctx, client, s.URL.JoinPath("/.well-known/plinth-trust.json").String())
	if err != nil {
		return vc.TrustList{}, wrongUse{errors.New("whom to believe? Give --trust FILE, or set PLINTH_URL to a server that answers")}
	}
	return vc.ParseTrustList(raw)
}

func readTrust(file string) (vc.TrustList, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return vc.TrustList{}, wrongUse{err}
	}
	list, err := vc.ParseTrustList(raw)
	if err != nil {
		return list, unreadable(file, err)
	}
	return list, nil
}
