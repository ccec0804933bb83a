package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/plinth-id/plinth/credentials/qr"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/web"
	"github.com/plinth-id/plinth/wallet"
)

type walletCommand struct {
	File string `help:"The wallet's sealed file; default: wallet.sealed in the data directory." type:"path"`

	Receive struct {
		Offer  string `arg:"" help:"Credential offer: openid-credential-offer://… or the https link of it."`
		TxCode string `help:"Code that came another way, when the offer wants one."`
	} `cmd:"" help:"Receive a credential that was offered."`
	List struct{} `cmd:"" help:"List the credentials."`
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
		card, err := w.Receive(ctx, c.Receive.Offer, c.Receive.TxCode)
		return shown(card, err)
	case "list":
		cards, err := w.List()
		return shown(cards, err)
	}
	return c.show(w)
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
	if err := os.WriteFile(file, png, 0o600); err != nil {
		return wrongUse{err}
	}
	return nil
}
