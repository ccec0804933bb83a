package main

import (
	"context"
	"os"
	"os/user"

	"github.com/plinth-id/plinth/credentials"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/registry/place"
)

type issueCommand struct {
	UIN     string `required:"" help:"UIN or VID of the person."`
	Type    string `default:"national_id" help:"Which credential."`
	Format  string `default:"ldp_vc" enum:"ldp_vc,claim169,claim169-text" help:"ldp_vc (JSON), claim169 (QR code as PNG) or claim169-text."`
	Officer string `env:"PLINTH_OFFICER" help:"Who answers for it (name of an officer, with PLINTH_OFFICER_PASSWORD); by default the log names this machine's user."`
	Reason  string `default:"issued at the command line" help:"Why; it is kept."`
	Out     string `short:"o" type:"path" help:"File to write; by default the credential goes to standard output."`
}

func (c *issueCommand) Run(ctx context.Context, settings lazySettings) error {
	return onGround(ctx, settings, func(g *ground) error {
		h, err := openHouse(ctx, g)
		if err != nil {
			return err
		}
		errand, err := c.errand(ctx, h.places)
		if err != nil {
			return err
		}
		// Before anything is signed: what is issued must not get lost.
		out := os.Stdout
		if c.Out != "" {
			if out, err = os.OpenFile(c.Out, os.O_WRONLY|os.O_CREATE, 0o600); err != nil {
				return wrongUse{err}
			}
			defer out.Close()
		}
		document, err := h.issuer.Assisted(ctx, errand)
		if err != nil {
			return err
		}
		if _, err := out.Write(document); err != nil || c.Out == "" {
			return err
		}
		if err := out.Truncate(int64(len(document))); err != nil {
			return err
		}
		return printJSON(map[string]any{"file": c.Out, "format": c.Format, "bytes": len(document)})
	})
}

// errand names who answers for the credential: an officer who signs in, or, since
// whoever can run this holds the keys anyway, the user of this machine.
func (c *issueCommand) errand(ctx context.Context, places *place.Directory) (credentials.Errand, error) {
	e := credentials.Errand{UIN: c.UIN, Kind: c.Type, Format: c.Format, Reason: c.Reason}
	if c.Officer != "" {
		officer, err := officerHere(ctx, places, c.Officer)
		if err == nil && officer.Role == place.Adjudicator {
			err = fault.New(fault.Denied, "An adjudicator does not issue credentials. Let an operator or an administrator do it.")
		}
		e.Officer = officer.ID
		return e, err
	}
	who, err := user.Current()
	if err != nil {
		return e, err
	}
	e.Reason = "user " + who.Username + " of the server: " + c.Reason
	return e, nil
}
