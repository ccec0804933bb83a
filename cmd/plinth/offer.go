package main

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/credentials"
	"github.com/plinth-id/plinth/credentials/qr"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/registry/auth"
)

type offerCommand struct {
	UIN      string   `required:"" help:"UIN or VID of the person."`
	Kind     []string `help:"Credential configuration of the issuer metadata; more than one may be given. By default the national identity card."`
	Login    bool     `help:"The wallet may also send the person to log in (authorization code)."`
	NoCode   bool     `help:"There is no pre-authorized code: the person must log in."`
	TxCode   string   `help:"A code that must be told apart, as in numeric:6 or text:8."`
	Describe string   `help:"Where that code comes from, for the person to read in the wallet."`
	answerable
	QR string `type:"path" help:"Also write the offer as a QR code (SVG) to this file."`
}

func (c *offerCommand) Run(ctx context.Context, settings lazySettings) error {
	to, err := c.to()
	if err != nil {
		return err
	}
	return onGround(ctx, settings, func(g *ground) error {
		h, err := openHouse(ctx, g)
		if err != nil {
			return err
		}
		officer, reason, err := c.answers(ctx, h.places)
		if err != nil {
			return err
		}
		if to.Person, err = h.registry.Find(ctx, h.pool, c.UIN); err != nil {
			return err
		}
		to.Voucher = auth.Voucher{Officer: officer.ID, Reason: reason}
		var o credentials.Offer
		err = postgres.InTx(ctx, h.pool, func(tx pgx.Tx) (err error) {
			o, err = h.issuer.Offer(ctx, tx, to)
			return err
		})
		if err != nil {
			return err
		}
		if c.QR != "" {
			image, err := qr.SVG(o.Link, qr.Medium)
			if err != nil {
				return err
			}
			if err := os.WriteFile(c.QR, image, 0o600); err != nil {
				return wrongUse{err}
			}
		}
		return printJSON(map[string]any{"offer": o.ID, "link": o.Link, "value": o.Value, "page": o.Page, "tx_code": o.TxCode, "expires_at": o.Expires})
	})
}

// to reads what is to be offered, and how.
func (c *offerCommand) to() (credentials.OfferTo, error) {
	to := credentials.OfferTo{Kinds: c.Kind, TxCode: c.TxCode != ""}
	if !c.NoCode {
		to.Grants = append(to.Grants, credentials.GrantType)
	}
	if c.Login || c.NoCode {
		to.Grants = append(to.Grants, credentials.LoginGrant)
	}
	if to.TxCode {
		mode, length, _ := strings.Cut(c.TxCode, ":")
		n, err := strconv.Atoi(length)
		if err != nil {
			return to, wrongUse{errors.New("--tx-code is a mode and a length, as in numeric:6 or text:8")}
		}
		to.Code = credentials.CodeForm{Mode: mode, Length: n, Description: c.Describe}
	}
	return to, nil
}
