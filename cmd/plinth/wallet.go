package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/plinth-id/plinth/credentials/qr"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/web"
	"github.com/plinth-id/plinth/wallet"
	"github.com/plinth-id/plinth/wallet/errand"
)

type walletCommand struct {
	File string `help:"The wallet's sealed file; default: wallet.sealed in the data directory." type:"path"`

	Receive struct {
		Offer  string `arg:"" optional:"" help:"Credential offer: openid-credential-offer://… or the https link of it."`
		TxCode string `help:"Code that came another way, when the offer wants one."`
		Later  bool   `help:"Ask again for what issuers were to have later."`
		More   string `help:"Fetch more copies of the credential with this id."`
	} `cmd:"" help:"Receive a credential that was offered."`
	List    struct{} `cmd:"" help:"List the credentials."`
	Present struct {
		Request string `arg:"" help:"A verifier's request: openid4vp://… or an https link with client_id and request_uri."`
		Yes     bool   `help:"Show what is asked for without asking back."`
		Refuse  bool   `help:"Tell the verifier that you do not want to."`
		Anchors string `help:"Authorities (PEM file) whose access certificates say who a verifier is; others are refused then." type:"existingfile"`
	} `cmd:"" help:"Show credentials to a verifier that asks for them."`
	Delete struct {
		ID string `arg:"" help:"Which."`
	} `cmd:"" help:"Delete a credential with its keys, and tell its issuer."`
	Bind struct {
		Server string `required:"" help:"The provider, as in https://id.example.org."`
		Number string `required:"" help:"Your UIN or VID."`
		Name   string `default:"plinth wallet" help:"By what you will know this wallet again."`
		Code   string `help:"The code that you got; without it, it is asked for."`
		PIN    string `name:"pin" help:"Your PIN, where you have one: a code alone does not do then."`
		Finger string `help:"Image of a finger of yours, where one was enrolled: a code alone does not do then." type:"existingfile"`
	} `cmd:"" help:"Make a key by which you log in at a provider."`
	Link struct {
		Link   string   `arg:"" help:"What the picture on the login page says, or the code beside it."`
		Server string   `help:"The provider; needed with a code."`
		Number string   `help:"The number on the login page; without it, it is asked for."`
		Allow  []string `help:"Claims that the party may have, beside the essential ones."`
	} `cmd:"" help:"Log in at a party, on the page that shows a picture."`
	Show struct {
		ID     string `arg:"" optional:"" help:"Which; default: the newest."`
		Export string `type:"path" help:"Also write the credential to this file."`
		QR     string `type:"path" help:"Also write its QR code (PNG) to this file."`
	} `cmd:"" help:"Show a credential."`
}

func (c *walletCommand) Run(ctx context.Context, settings lazySettings, at chosen) error {
	w, err := c.open(settings)
	if err != nil {
		return err
	}
	switch at {
	case "receive":
		return c.receive(ctx, w)
	case "present":
		return c.present(ctx, w)
	case "delete":
		return shown(map[string]string{"deleted": c.Delete.ID}, w.Delete(ctx, c.Delete.ID))
	case "bind":
		return c.bind(ctx, w)
	case "link":
		return c.link(ctx, w)
	case "list":
		cards, err := w.List()
		return shown(cards, err)
	}
	return c.show(w)
}

func (c *walletCommand) receive(ctx context.Context, w *wallet.Wallet) error {
	switch {
	case c.Receive.Later:
		cards, err := w.Later(ctx)
		return shown(cards, err)
	case c.Receive.More != "":
		card, err := w.Refill(ctx, c.Receive.More)
		return shown(card, err)
	case c.Receive.Offer == "":
		return wrongUse{errors.New("give the offer, --later or --more")}
	}
	card, err := w.Receive(ctx, c.Receive.Offer, c.Receive.TxCode)
	return shown(card, err)
}

// present shows what a verifier asks, and answers it once the owner agrees.
func (c *walletCommand) present(ctx context.Context, w *wallet.Wallet) error {
	if c.Present.Anchors != "" {
		pool, err := authorities(c.Present.Anchors)
		if err != nil {
			return unreadable(c.Present.Anchors, err)
		}
		w.Anchors = func() *x509.CertPool { return pool }
	}
	a, err := w.Ask(ctx, c.Present.Request)
	if err != nil {
		return err
	}
	if c.Present.Refuse {
		return shown(map[string]any{"refused": a.Asked.Who}, w.Decline(ctx, a))
	}
	choices := a.Usual()
	if !c.Present.Yes {
		asked, err := json.MarshalIndent(a, "", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "%s\n", asked)
		fmt.Fprintf(os.Stderr, "Show this to %s (%s, %s)? [yes/no] ", a.Asked.Who.Name, a.Asked.Who.Domain, a.Asked.Who.Mark)
		var said string
		if _, err := fmt.Fscanln(os.Stdin, &said); err != nil || said != "yes" {
			_ = w.Decline(ctx, a) // nothing is shown either way
			return exit(exitNo)
		}
	}
	turn, err := w.Answer(ctx, a, choices)
	return shown(map[string]any{"who": a.Asked.Who, "shown": turn.Said, "sent": turn.Sent}, err)
}

// bind has a key bound to its owner.
func (c *walletCommand) bind(ctx context.Context, w *wallet.Wallet) error {
	b, err := w.BeginBinding(ctx, c.Bind.Server, c.Bind.Number)
	if err != nil {
		return err
	}
	if c.Bind.Code == "" {
		fmt.Fprint(os.Stderr, "Code that was sent to you: ")
		if _, err := fmt.Fscanln(os.Stdin, &c.Bind.Code); err != nil {
			return wrongUse{fmt.Errorf("--code: %w", err)}
		}
	}
	owner := errand.Owner{Code: c.Bind.Code, PIN: c.Bind.PIN}
	if c.Bind.Finger != "" {
		if owner.Finger, err = os.ReadFile(c.Bind.Finger); err != nil {
			return wrongUse{fmt.Errorf("--finger: %w", err)}
		}
	}
	return shown(map[string]string{"bound": b.Server}, w.Bind(ctx, b, owner, c.Bind.Name))
}

// link shows what a login page asks, and answers it once the owner has read its number.
func (c *walletCommand) link(ctx context.Context, w *wallet.Wallet) error {
	l, err := w.Open(ctx, c.Link.Link, c.Link.Server)
	if err != nil {
		return err
	}
	of := l.Link
	fmt.Fprintf(os.Stderr, "%s (%s) at %s wants to know: %s; and if you allow it: %s\n", of.Names["en"], of.Client, of.Issuer, strings.Join(of.Essential, ", "), strings.Join(of.Voluntary, ", "))
	if c.Link.Number == "" {
		fmt.Fprint(os.Stderr, "Number on the login page (nothing: stop): ")
		if _, err := fmt.Fscanln(os.Stdin, &c.Link.Number); err != nil {
			return exit(exitNo)
		}
	}
	allowed := append(slices.Clone(of.Essential), c.Link.Allow...)
	return shown(map[string]any{"client_id": of.Client, "allowed": allowed}, w.Allow(ctx, l, c.Link.Number, allowed))
}

const leastPassphrase = 12

func (c *walletCommand) open(settings lazySettings) (*wallet.Wallet, error) {
	if c.File == "" {
		s, err := settings()
		if err != nil {
			return nil, err
		}
		c.File = filepath.Join(s.Data, "wallet.sealed")
	}
	passphrase := os.Getenv("PLINTH_WALLET_PASSPHRASE")
	if len(passphrase) < leastPassphrase {
		return nil, wrongUse{fmt.Errorf("PLINTH_WALLET_PASSPHRASE: set the passphrase that seals the wallet, of at least %d characters", leastPassphrase)}
	}
	// Whoever runs a wallet by hand chooses its issuers, which may be on this machine.
	return wallet.New(c.File, passphrase, web.NewClient(web.ClientConfig{Timeout: 20 * time.Second, Private: true}))
}

func (c *walletCommand) show(w *wallet.Wallet) error {
	if c.Show.ID == "" {
		cards, err := w.List()
		if err != nil {
			return err
		}
		if len(cards) == 0 {
			return fault.New(fault.NotFound, "This wallet holds no credential yet. Fetch one with: plinth wallet receive OFFER")
		}
		c.Show.ID = cards[len(cards)-1].ID
	}
	if c.Show.Export != "" {
		document, err := w.Export(c.Show.ID)
		if err != nil {
			return err
		}
		if err := os.WriteFile(c.Show.Export, document, 0o600); err != nil {
			return wrongUse{err}
		}
	}
	if c.Show.QR != "" {
		if err := drawQR(w, c.Show.ID, c.Show.QR); err != nil {
			return err
		}
	}
	card, err := w.Show(c.Show.ID)
	return shown(card, err)
}

// readable is the largest version of a code that common cameras take from a screen.
const readable = 27

// drawQR writes the code that carries a credential whole.
func drawQR(w *wallet.Wallet, id, file string) error {
	text, err := w.QR(id)
	if err != nil {
		return err
	}
	png, err := qr.PNG(text, qr.Low)
	if err != nil {
		return unreadable(file, err)
	}
	if symbol, err := qr.NewSymbol(text, qr.Low); err == nil && symbol.Version > readable {
		fmt.Fprintf(os.Stderr, "plinth: this code is hard to read: it has %d modules a side, and cameras want at most %d. Show the picture large, or the credential by: plinth wallet present\n", symbol.Side(), 17+4*readable)
	}
	if err := os.WriteFile(file, png, 0o600); err != nil {
		return wrongUse{err}
	}
	return nil
}
