package main

import (
	"context"
	"os"

	"github.com/plinth-id/plinth/credentials"
)

type issueCommand struct {
	UIN     string `required:"" help:"UIN or VID of the person."`
	Type    string `default:"national_id" help:"Which credential."`
	Format  string `default:"ldp_vc" enum:"ldp_vc,claim169,claim169-text" help:"ldp_vc (JSON), claim169 (QR code as PNG) or claim169-text."`
	Officer string `required:"" env:"PLINTH_OFFICER" help:"Who answers for it (name of an officer)."`
	Reason  string `required:"" help:"Why; it is kept."`
	Out     string `short:"o" required:"" type:"path" help:"File to write."`
}

func (c *issueCommand) Run(ctx context.Context, settings lazySettings) error {
	return onGround(ctx, settings, func(g *ground) error {
		h, err := openHouse(ctx, g)
		if err != nil {
			return err
		}
		officer, err := h.places.Officer(ctx, c.Officer)
		if err != nil {
			return err
		}
		document, err := h.issuer.Assisted(ctx, credentials.Errand{UIN: c.UIN, Kind: c.Type, Format: c.Format, Officer: officer.ID, Reason: c.Reason})
		if err != nil {
			return err
		}
		if err := os.WriteFile(c.Out, document, 0o600); err != nil {
			return wrongUse{err}
		}
		return printJSON(map[string]any{"file": c.Out, "format": c.Format, "bytes": len(document)})
	})
}
