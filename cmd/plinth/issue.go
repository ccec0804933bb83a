package main

import (
	"context"
	"errors"
	"os"
	"slices"

	"github.com/plinth-id/plinth/credentials"
	"github.com/plinth-id/plinth/registry/place"
)

type issueCommand struct {
	UIN     string `required:"" help:"UIN or VID of the person."`
	Type    string `default:"national_id" help:"Which credential."`
	Format  string `default:"ldp_vc" enum:"ldp_vc,claim169,claim169-text" help:"ldp_vc (JSON), claim169 (QR code as PNG) or claim169-text."`
	Officer string `help:"Who answers for it (name of an officer); by default the administrator, where there is only one."`
	Reason  string `default:"issued at the command line" help:"Why; it is kept."`
	Out     string `short:"o" type:"path" help:"File to write; by default the credential goes to standard output."`
}

func (c *issueCommand) Run(ctx context.Context, settings lazySettings) error {
	return onGround(ctx, settings, func(g *ground) error {
		h, err := openHouse(ctx, g)
		if err != nil {
			return err
		}
		officer, err := c.answerable(ctx, h.places)
		if err != nil {
			return err
		}
		document, err := h.issuer.Assisted(ctx, credentials.Errand{UIN: c.UIN, Kind: c.Type, Format: c.Format, Officer: officer.ID, Reason: c.Reason})
		if err != nil {
			return err
		}
		if c.Out == "" {
			_, err := os.Stdout.Write(document)
			return err
		}
		if err := os.WriteFile(c.Out, document, 0o600); err != nil {
			return wrongUse{err}
		}
		return printJSON(map[string]any{"file": c.Out, "format": c.Format, "bytes": len(document)})
	})
}

// answerable is the officer on whose word the credential is issued.
func (c *issueCommand) answerable(ctx context.Context, places *place.Directory) (place.Officer, error) {
	if c.Officer != "" {
		return places.Officer(ctx, c.Officer)
	}
	all, err := places.Officers(ctx)
	if err != nil {
		return place.Officer{}, err
	}
	others := func(o place.Officer) bool { return o.Role != place.Administrator }
	if all = slices.DeleteFunc(all, others); len(all) != 1 {
		return place.Officer{}, wrongUse{errors.New("say with --officer who answers for this credential (see: plinth officer list)")}
	}
	return all[0], nil
}
