package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/credentials"
	"github.com/plinth-id/plinth/credentials/scribe"
	"github.com/plinth-id/plinth/credentials/status"
)

type credentialCommand struct {
	Kinds  kindsCommand  `cmd:"" help:"Kinds of credentials: what is issued, in versions."`
	Bulk   bulkCommand   `cmd:"" help:"Issue for every line of a CSV file; run again, it does what is left."`
	Search searchCommand `cmd:"" help:"Look credentials up, by person or by place in a status list; it is kept."`
	Judge  struct {
		Revoke  judgeCommand `cmd:"" help:"Revoke a credential for good."`
		Suspend judgeCommand `cmd:"" help:"Suspend a credential."`
		Resume  judgeCommand `cmd:"" help:"End a suspension."`
	} `embed:""`
}

type kindsCommand struct {
	List struct{} `cmd:"" help:"List every version of every kind."`
	Show struct {
		ID      string `arg:""`
		Version int    `default:"-1" help:"Which version; by default the newest."`
	} `cmd:"" help:"Print the definition of a kind: a start for one's own."`
	Check struct {
		File string `arg:"" help:"Definition (JSON); - for standard input."`
		UIN  string `name:"uin" help:"Rehearse with this person (UIN or VID) in place of samples; it is kept."`
	} `cmd:"" help:"Draft a definition and rehearse it: every artefact is made with keys that are thrown away, and read again."`
	Activate struct {
		File string `arg:"" help:"Definition (JSON), - for standard input, or the id of a kind whose newest version is activated."`
	} `cmd:"" help:"Draft, rehearse and put a definition to use."`
	Retire struct {
		ID string `arg:""`
	} `cmd:"" help:"Take a kind out of use; what was issued stays good."`
}

// onHouse runs do with everything composed.
func onHouse(ctx context.Context, settings lazySettings, do func(*house) error) error {
	return onGround(ctx, settings, func(g *ground) error {
		h, err := openHouse(ctx, g)
		if err != nil {
			return err
		}
		if err := h.issuer.Reload(ctx); err != nil {
			return err
		}
		return do(h)
	})
}

const (
	atCommandLine = "system"
	maxDefinition = 256 << 10
)

func (c *kindsCommand) Run(ctx context.Context, settings lazySettings, at chosen) error {
	return onHouse(ctx, settings, func(h *house) error {
		switch at {
		case "list":
			all, err := h.issuer.Kinds(ctx)
			return shown(all, err)
		case "show":
			v, err := h.issuer.KindVersion(ctx, c.Show.ID, c.Show.Version)
			if err == nil {
				fmt.Println(v.Document)
			}
			return err
		case "check":
			return c.check(ctx, h)
		case "activate":
			return c.activate(ctx, h)
		}
		return shown(map[string]any{"id": c.Retire.ID, "state": "retired"}, h.issuer.Retire(ctx, c.Retire.ID, atCommandLine))
	})
}

func (c *kindsCommand) check(ctx context.Context, h *house) error {
	raw, err := input(c.Check.File, maxDefinition)
	if err != nil {
		return err
	}
	v, err := h.issuer.Draft(ctx, raw, atCommandLine)
	if err != nil {
		return err
	}
	report, err := h.issuer.Rehearse(ctx, v.Name, v.Version, credentials.Rehearsal{By: atCommandLine, UIN: c.Check.UIN})
	if err != nil {
		return err
	}
	return c.told(report, v.Version)
}

// told prints a report, and exits with a no when anything stands against it.
func (c *kindsCommand) told(report scribe.Report, version int) error {
	if err := printJSON(map[string]any{"id": report.Kind, "version": version, "artefacts": report.Artefacts, "problems": report.Problems}); err != nil {
		return err
	}
	if len(report.Problems) > 0 {
		return exit(exitNo)
	}
	return nil
}

func (c *kindsCommand) activate(ctx context.Context, h *house) error {
	name, version := c.Activate.File, -1
	if raw, err := input(c.Activate.File, maxDefinition); err == nil {
		v, err := h.issuer.Draft(ctx, raw, atCommandLine)
		if err != nil {
			return err
		}
		name, version = v.Name, v.Version
	}
	_, err := h.issuer.Activate(ctx, name, version, atCommandLine)
	if err != nil {
		return err
	}
	v, err := h.issuer.KindVersion(ctx, name, version)
	return shown(v, err)
}

type searchCommand struct {
	UIN    string `name:"uin" help:"UIN or VID of the person."`
	Status string `help:"Place in a status list: its address, #, and the index."`
}

func (c *searchCommand) Run(ctx context.Context, settings lazySettings) error {
	return onHouse(ctx, settings, func(h *house) error {
		found, err := h.issuer.Search(ctx, credentials.Search{UIN: c.UIN, Place: c.Status}, atCommandLine)
		if err != nil {
			return err
		}
		for _, f := range found {
			if err := printJSON(f); err != nil {
				return err
			}
		}
		return nil
	})
}

type judgeCommand struct {
	ID string `arg:"" help:"Number of the credential, or of its issuance."`
	answerable
}

func (c *judgeCommand) Run(ctx context.Context, settings lazySettings, at chosen) error {
	id, err := uuid.Parse(c.ID)
	if err != nil {
		return wrongUse{errors.New("a credential's number looks like 0f8fad5b-d9cb-469f-a165-70867728950e; plinth credential search finds it")}
	}
	to := map[chosen]status.Value{"revoke": status.Revoked, "suspend": status.Suspended, "resume": status.Valid}[at]
	return onHouse(ctx, settings, func(h *house) error {
		officer, reason, err := c.answers(ctx, h.places)
		if err != nil {
			return err
		}
		by := atCommandLine
		if officer.ID != uuid.Nil {
			by = "officer:" + officer.ID.String()
		}
		return shown(map[string]any{"id": id, "done": at}, h.issuer.Judge(ctx, credentials.Judgement{ID: id, To: to, By: by, Reason: reason}))
	})
}
