package main

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/credentials"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/registry/place"
)

type rulingCommand struct {
	Request string `arg:"" help:"Id of the request; see: plinth officer credential waiting."`
	Officer string `env:"PLINTH_OFFICER" help:"Who decides (name of an operator or administrator); the password is PLINTH_OFFICER_PASSWORD."`
	Reason  string `required:"" help:"Why; it is kept."`
}

func (c *rulingCommand) rule(ctx context.Context, h *house, approve bool) error {
	id, err := uuid.Parse(c.Request)
	if err != nil {
		return wrongUse{errors.New("a request id looks like 0f8fad5b-d9cb-469f-a165-70867728950e; see: plinth officer credential waiting")}
	}
	officer, err := officerHere(ctx, h.places, c.Officer)
	if err != nil {
		return err
	}
	if officer.Role == place.Adjudicator {
		return fault.New(fault.Denied, "An adjudicator does not decide about credentials. Let an operator or an administrator do it.")
	}
	err = h.issuer.Rule(ctx, credentials.Ruling{ID: id, Officer: officer.ID, Approve: approve, Reason: c.Reason})
	return shown(map[string]any{"request": id, "approved": approve}, err)
}
