package main

import (
	"context"
	"errors"
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"slices"

	"github.com/plinth-id/plinth/credentials"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/registry/place"
)

type issueCommand struct {
	UIN    string `required:"" help:"UIN or VID of the person."`
	Type   string `default:"national_id" help:"Which credential."`
	Format string `default:"ldp_vc" enum:"ldp_vc,dc+sd-jwt,mso_mdoc,claim169,claim169-text,card-pdf,card-svg,letter-pdf,all" help:"ldp_vc (JSON), dc+sd-jwt, mso_mdoc (CBOR), claim169 (QR code as PNG), claim169-text, card-pdf, card-svg, letter-pdf; all: every format of the credential into the directory -o."`
	answerable
	Out string `short:"o" type:"path" help:"File to write; by default the credential goes to standard output."`
}

// answerable says who answers for what a command does.
type answerable struct {
	Officer string `env:"PLINTH_OFFICER" help:"Who answers for it (name of an officer, with PLINTH_OFFICER_PASSWORD); by default the log names this machine's user."`
	Reason  string `default:"done at the command line" help:"Why; it is kept."`
}

// extensions are the names of files by their format.
var extensions = map[string]string{"ldp_vc": "json", "dc+sd-jwt": "sd-jwt", "mso_mdoc": "mdoc", "claim169": "png", "claim169-text": "txt",
	"card-pdf": "pdf", "card-svg": "svg", "letter-pdf": "pdf"}

func (c *issueCommand) Run(ctx context.Context, settings lazySettings) error {
	if c.Format == "all" && c.Out == "" {
		return wrongUse{errors.New("--format all needs a directory: -o DIR")}
	}
	return onGround(ctx, settings, func(g *ground) error {
		h, err := openHouse(ctx, g)
		if err != nil {
			return err
		}
		errand, err := c.errand(ctx, h.places)
		if err != nil {
			return err
		}
		if c.Format == "all" {
			return c.every(ctx, h, errand)
		}
		errand.Formats = []string{c.Format}
		return c.one(ctx, h, errand)
	})
}

func (c *issueCommand) one(ctx context.Context, h *house, errand credentials.Errand) (err error) {
	// Before anything is signed: what is issued must not get lost.
	out := os.Stdout
	if c.Out != "" {
		if out, err = os.OpenFile(c.Out, os.O_WRONLY|os.O_CREATE, 0o600); err != nil {
			return wrongUse{err}
		}
		defer out.Close()
	}
	documents, err := h.issuer.Assisted(ctx, errand)
	if err != nil {
		return err
	}
	document := documents[c.Format]
	if _, err := out.Write(document); err != nil || c.Out == "" {
		return err
	}
	if err := out.Truncate(int64(len(document))); err != nil {
		return err
	}
	return printJSON(map[string]any{"file": c.Out, "format": c.Format, "bytes": len(document)})
}

// every issues all formats at once, with one revocation, into a directory.
func (c *issueCommand) every(ctx context.Context, h *house, errand credentials.Errand) error {
	if err := os.MkdirAll(c.Out, 0o700); err != nil {
		return wrongUse{err}
	}
	documents, err := h.issuer.Assisted(ctx, errand)
	if err != nil {
		return err
	}
	for _, format := range slices.Sorted(maps.Keys(documents)) {
		file := filepath.Join(c.Out, c.Type+"."+extensions[format])
		if err := os.WriteFile(file, documents[format], 0o600); err != nil {
			return err
		}
		if err := printJSON(map[string]any{"file": file, "format": format, "bytes": len(documents[format])}); err != nil {
			return err
		}
	}
	return nil
}

// errand names who answers for the credential.
func (c *issueCommand) errand(ctx context.Context, places *place.Directory) (credentials.Errand, error) {
	e := credentials.Errand{UIN: c.UIN, Kind: c.Type}
	officer, reason, err := c.answers(ctx, places)
	e.Officer, e.Reason = officer.ID, reason
	return e, err
}

// answers is an officer who signs in, or, since whoever can run this holds the keys
// anyway, the user of this machine, who is named in the reason.
func (a answerable) answers(ctx context.Context, places *place.Directory) (place.Officer, string, error) {
	if a.Officer != "" {
		officer, err := officerHere(ctx, places, a.Officer)
		if err == nil && officer.Role == place.Adjudicator {
			err = fault.New(fault.Denied, "An adjudicator does not issue credentials. Let an operator or an administrator do it.")
		}
		return officer, a.Reason, err
	}
	who, err := user.Current()
	if err != nil {
		return place.Officer{}, "", err
	}
	return place.Officer{}, "user " + who.Username + " of the server: " + a.Reason, nil
}
