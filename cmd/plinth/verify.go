package main

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
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
	Signer  string `help:"Key (did:key or multibase) that must have signed the trust list. Without it, one that trust.json (beside the list, or in the data directory) names; without that, the answer says that it was not checked."`
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
	trust, unsigned, err := c.trust(ctx, settings, client)
	if err != nil {
		return err
	}
	config := verifier.Config{Trust: func() vc.TrustList { return trust }, Unsigned: unsigned}
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

// trust finds out whom to believe, and whether it is a signed list whose signature
// nobody could check.
func (c *verifyCommand) trust(ctx context.Context, settings lazySettings, client *http.Client) (list vc.TrustList, unsigned bool, err error) {
	s, err := settings()
	if c.Trust != "" {
		return c.readTrust(c.Trust, filepath.Dir(c.Trust), s.Data)
	}
	if err != nil {
		return vc.TrustList{}, false, err
	}
	// One that is over serves only where there is no network to fetch it anew.
	if list, unsigned, err = c.readTrust(filepath.Join(s.Data, trustFile)); err == nil && (c.Offline || !list.Over(time.Now())) {
		return list, unsigned, nil
	}
	if c.Offline {
		return vc.TrustList{}, false, wrongUse{errors.New("--offline needs --trust FILE: the issuers to believe (a server gives its own at /.well-known/plinth-trust.json)")}
	}
	raw, err := fetch(ctx, client, s.URL.JoinPath("/.well-known/plinth-trust.json").String())
	if err != nil {
		return vc.TrustList{}, false, wrongUse{errors.New("whom to believe? Give --trust FILE, or set PLINTH_URL to a server that answers")}
	}
	list, err = vc.ParseTrustList(raw)
	return list, false, err
}

// readTrust reads a trust list, in the form that it has. Where the user names no
// signer, those count whom a plain list in one of the directories names.
func (c *verifyCommand) readTrust(file string, beside ...string) (list vc.TrustList, unsigned bool, err error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return vc.TrustList{}, false, wrongUse{err}
	}
	raw = bytes.TrimSpace(raw)
	known := vc.Edition{Now: time.Now()}
	switch {
	case c.Signer != "":
		var key crypto.PublicKey
		if key, err = vc.ParseDID("did:key:" + strings.TrimPrefix(c.Signer, "did:key:")); err != nil {
			break
		}
		known.Keys = []crypto.PublicKey{key}
		if list, err = vc.ParseSignedTrustList(raw, known); bytes.HasPrefix(raw, []byte("{")) {
			err = errors.New("this trust list is not signed")
		}
	case bytes.HasPrefix(raw, []byte("{")):
		list, err = vc.ParseTrustList(raw)
	default:
		if known.After = plainList(beside); len(known.After.Signers) > 0 {
			list, err = vc.ParseSignedTrustList(raw, known)
			break
		}
		// Whoever gave us the file could have given a plain one: what is inside counts.
		var token jws.Token
		if token, err = jws.Parse(string(raw)); err == nil {
			list, err = vc.ParseTrustList(token.Payload)
		}
		unsigned = true
	}
	switch {
	case errors.Is(err, vc.ErrExpired):
		err = errors.New("this edition of the list of issuers has expired: fetch it anew")
	case errors.Is(err, vc.ErrSignature) && c.Signer == "":
		err = fmt.Errorf("%w: it is by none of the signers that %s names; of another deployment, name the signer by --signer", err, trustFile)
	}
	if err != nil {
		return list, false, unreadable(file, err)
	}
	return list, unsigned, nil
}

// plainList is the first plain trust list in the directories, which says who may sign
// the editions after it.
func plainList(directories []string) vc.TrustList {
	for _, dir := range directories {
		raw, err := os.ReadFile(filepath.Join(dir, trustFile))
		if err != nil || dir == "" {
			continue
		}
		if list, err := vc.ParseTrustList(raw); err == nil {
			return list
		}
	}
	return vc.TrustList{}
}
