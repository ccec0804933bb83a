package main

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/credentials/vc/jws"
	"github.com/plinth-id/plinth/credentials/verifier"
	"github.com/plinth-id/plinth/internal/web"
)

type verifyCommand struct {
	Input   string `arg:"" help:"PNG, JPEG or PDF with a QR code, the code's text, a JSON-LD credential, an SD-JWT VC, a JWT, or an mdoc (CBOR or base64url); - for standard input."`
	Trust   string `type:"existingfile" help:"Trust list, plain (JSON) or signed: the issuers and keys that are believed. Default: trust.json in the data directory; without it, that of the server at PLINTH_URL."`
	Signer  string `help:"Key (did:key or multibase) that must have signed the trust list. Without it, a signed list is as good as where it came from."`
	Policy  string `type:"existingfile" help:"Policy (JSON) that says what it means that a check could not be made."`
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
	if c.Policy != "" {
		raw, err := os.ReadFile(c.Policy)
		if err != nil {
			return wrongUse{err}
		}
		if config.Policy, err = verifier.ParsePolicy(raw); err != nil {
			return wrongUse{err}
		}
	}
	if !c.Offline {
		config.Status = func(ctx context.Context, address string) ([]byte, error) {
			return fetch(ctx, client, address)
		}
		config.Tokens = func(ctx context.Context, address string) ([]byte, error) {
			return fetchAs(ctx, client, address, tokenLists)
		}
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
		return c.readTrust(c.Trust)
	}
	s, err := settings()
	if err != nil {
		return vc.TrustList{}, err
	}
	if list, err := c.readTrust(filepath.Join(s.Data, trustFile)); err == nil {
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

// readTrust reads a trust list, in the form that it has.
func (c *verifyCommand) readTrust(file string) (vc.TrustList, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return vc.TrustList{}, wrongUse{err}
	}
	list, err := c.parseTrust(bytes.TrimSpace(raw))
	if err != nil {
		return list, unreadable(file, err)
	}
	return list, nil
}

func (c *verifyCommand) parseTrust(raw []byte) (vc.TrustList, error) {
	if bytes.HasPrefix(raw, []byte("{")) {
		if c.Signer != "" {
			return vc.TrustList{}, errors.New("this trust list is not signed")
		}
		return vc.ParseTrustList(raw)
	}
	if c.Signer != "" {
		key, err := vc.ParseDID("did:key:" + strings.TrimPrefix(c.Signer, "did:key:"))
		if err != nil {
			return vc.TrustList{}, err
		}
		return vc.ParseSignedTrustList(raw, vc.Edition{Keys: []crypto.PublicKey{key}, Now: time.Now()})
	}
	// Whoever gave us the file could have given a plain one: what is inside counts, and
	// one that is over does not.
	token, err := jws.Parse(string(raw))
	if err != nil {
		return vc.TrustList{}, err
	}
	list, err := vc.ParseTrustList(token.Payload)
	if err == nil && !list.Expires.IsZero() && !time.Now().Before(list.Expires) {
		err = errors.New("this edition of the trust list is over")
	}
	return list, err
}
