package auth

import (
	"context"
	"fmt"

	"github.com/plinth-id/plinth/internal/altcha"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres"
)

// hashesAsked of a browser, at most: a second on a cheap phone.
const hashesAsked = 100_000

// AskWork asks a browser for a proof of work, where a range is Strained.
func (d *Desk) AskWork() altcha.Challenge { return d.toll.Challenge(hashesAsked) }

// SpendWork takes a proof of work, once.
func (d *Desk) SpendWork(ctx context.Context, db postgres.DB, payload string) error {
	id, err := d.toll.Check(payload)
	if err != nil {
		return err
	}
	first, err := spendWork(ctx, db, id, d.Now().Add(altcha.Life))
	if err != nil {
		return fmt.Errorf("spending a proof of work: %w", err)
	}
	if !first {
		return fault.New(fault.Invalid, "This proof of work was used before. Load the page again.").Named("work-spent")
	}
	return nil
}
