package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/oidc"
)

// onGround runs do on the data of this machine and closes it again.
func onGround(ctx context.Context, settings lazySettings, do func(*ground) error) error {
	s, err := settings()
	if err != nil {
		return err
	}
	g, err := openGround(ctx, s, false)
	if err != nil {
		return err
	}
	defer g.close()
	return do(g)
}

// input reads a file, or standard input for "-".
func input(file string, limit int64) ([]byte, error) {
	in := io.Reader(os.Stdin)
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, wrongUse{err}
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err != nil {
		return nil, wrongUse{err}
	}
	if int64(len(raw)) > limit {
		return nil, wrongUse{fmt.Errorf("%s is larger than %d bytes", file, limit)}
	}
	return raw, nil
}

type applicationCommand struct {
	ID string `arg:"" help:"Application id, as enrol printed it."`
}

func (c *applicationCommand) Run(ctx context.Context, settings lazySettings) error {
	id, err := uuid.Parse(c.ID)
	if err != nil {
		return wrongUse{errors.New("an application id looks like 0f8fad5b-d9cb-469f-a165-70867728950e")}
	}
	return onGround(ctx, settings, func(g *ground) error {
		h, err := openHouse(ctx, g)
		if err != nil {
			return err
		}
		a, err := h.office.Application(ctx, id)
		if err != nil {
			return err
		}
		return printJSON(a)
	})
}

type clientCommand struct {
	Add struct {
		File string `short:"f" default:"-" help:"RFC 7591 metadata (JSON); - for standard input."`
	} `cmd:"" help:"Register a relying party."`
	List struct{} `cmd:"" help:"List the relying parties."`
	Show struct {
		ID string `arg:""`
	} `cmd:"" help:"Show a relying party, with what must be seen to."`
	Update struct {
		ID   string `arg:""`
		File string `short:"f" default:"-" help:"New RFC 7591 metadata (JSON); - for standard input."`
	} `cmd:"" help:"Put new metadata in the place of the old."`
	Readiness struct {
		ID string `arg:""`
	} `cmd:"" help:"Show what would fail under the profile that a relying party rehearses."`
	Secret struct {
		ID string `arg:""`
	} `cmd:"" help:"Give a relying party a new secret; the old one is good for another week."`
	Disable struct {
		ID string `arg:""`
	} `cmd:"" help:"Shut a relying party out at once."`
	Enable struct {
		ID string `arg:""`
	} `cmd:"" help:"Let a relying party in again."`
	Rotate struct {
		ID   string `arg:""`
		JWKS string `required:"" help:"File with the new JWKS; - for standard input."`
	} `cmd:"" help:"Give a relying party new keys."`
}

func (c *clientCommand) Run(ctx context.Context, settings lazySettings, at chosen) error {
	return onGround(ctx, settings, func(g *ground) error {
		switch at {
		case "add":
			raw, err := input(c.Add.File, 256<<10)
			if err != nil {
				return err
			}
			client, err := g.partners.Add(ctx, raw)
			return shown(client, err)
		case "list":
			clients, err := g.partners.List(ctx)
			return shown(clients, err)
		case "show":
			client, err := g.partners.Client(ctx, g.pool, c.Show.ID)
			return shown(map[string]any{"client": client, "warnings": client.Warnings(time.Now())}, err)
		case "update":
			raw, err := input(c.Update.File, 256<<10)
			if err != nil {
				return err
			}
			client, err := g.partners.Update(ctx, c.Update.ID, raw)
			return shown(client, err)
		case "readiness":
			return c.readiness(ctx, g)
		case "secret":
			secret, err := g.partners.RotateSecret(ctx, c.Secret.ID)
			return shown(map[string]any{"client_id": c.Secret.ID, "client_secret": secret}, err)
		case "enable":
			return shown(map[string]any{"client_id": c.Enable.ID, "disabled": false}, g.partners.Enable(ctx, c.Enable.ID))
		case "disable":
			return shown(map[string]any{"client_id": c.Disable.ID, "disabled": true}, g.partners.Disable(ctx, c.Disable.ID))
		}
		raw, err := input(c.Rotate.JWKS, 256<<10)
		if err != nil {
			return err
		}
		return shown(map[string]any{"client_id": c.Rotate.ID, "rotated": true}, g.partners.Rotate(ctx, c.Rotate.ID, raw))
	})
}

func (c *clientCommand) readiness(ctx context.Context, g *ground) error {
	client, err := g.partners.Client(ctx, g.pool, c.Readiness.ID)
	if err != nil {
		return err
	}
	lapses, err := oidc.Readiness(ctx, g.pool, client.ID)
	return shown(map[string]any{"client_id": client.ID, "plinth_profile": client.Profile, "plinth_shadow_profile": client.Rehearsed, "lapses": lapses}, err)
}

func shown(v any, err error) error {
	if err != nil {
		return err
	}
	return printJSON(v)
}

type auditCommand struct {
	Verify struct {
		From int64 `help:"First entry to report on."`
		To   int64 `help:"Last entry; 0 for all."`
	} `cmd:"" help:"Recompute the tree and check every signed checkpoint."`
}

func (c *auditCommand) Run(ctx context.Context, settings lazySettings) error {
	return onGround(ctx, settings, func(g *ground) error {
		report, err := g.log.Verify(ctx, c.Verify.From, c.Verify.To)
		if err != nil {
			return err
		}
		if err := printJSON(report); err != nil {
			return err
		}
		if !report.OK() {
			return exit(exitNo)
		}
		return nil
	})
}

type keysCommand struct {
	List   struct{} `cmd:"" help:"List the keys."`
	Rotate struct {
		Domain string `arg:"" help:"Which key: identity, biometrics, lookup, packets, oidc-signing, vc-issuing, audit…"`
	} `cmd:"" help:"Begin a new key; what the old one sealed or signed stays good."`
	CSR struct{} `cmd:"" name:"csr" help:"Print requests for certificates (PEM) of the keys that sign documents: for PLINTH_VC_CERTS."`
}

func (c *keysCommand) Run(ctx context.Context, settings lazySettings, at chosen) error {
	return onGround(ctx, settings, func(g *ground) error {
		if at == "csr" {
			return printRequests(ctx, g)
		}
		if at == "rotate" {
			if err := g.ring.Rotate(ctx, keys.Domain(c.Rotate.Domain)); err != nil {
				return err
			}
			entry := audit.Entry{Event: audit.KeyRotated, Actor: "system", Subject: c.Rotate.Domain}
			if err := audit.Append(ctx, g.pool, entry); err != nil {
				return err
			}
		}
		return printJSON(g.ring.List())
	})
}
