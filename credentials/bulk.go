package credentials

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/plinth-id/plinth/credentials/status"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/registry/auth"
)

// Row is one row of a list that is worked through, perhaps in several goes.
type Row struct {
	Run    []byte // names the list
	Number int    // from 1
}

// errRowDone says that a row has its outcome.
var errRowDone = fault.New(fault.Conflict, "This row has been dealt with.").Named("row-done")

// Outcome is what became of a row; empty: nothing yet.
func (i *Issuer) Outcome(ctx context.Context, r Row) (string, error) {
	return outcomeOf(ctx, i.Pool, r)
}

// Finish gives a row its outcome, once.
func (i *Issuer) Finish(ctx context.Context, r Row, outcome string) error {
	return finishRow(ctx, i.Pool, r, outcome, i.Now())
}

// begin takes a row for a subject: an issuance, or an offer. What was made for it when
// it was begun before, and did not get into anybody's hands, is taken back.
func (i *Issuer) begin(ctx context.Context, tx pgx.Tx, r Row, subject uuid.UUID) error {
	before, done, err := takeRow(ctx, tx, r, subject, i.Now())
	if err != nil {
		return err
	}
	if done {
		return errRowDone
	}
	if before == nil {
		return nil
	}
	if err := deleteOffer(ctx, tx, *before); err != nil {
		return err
	}
	lines, person, err := i.issuance(ctx, tx, *before)
	if errors.Is(err, errNoCredential) {
		return nil
	}
	if err != nil {
		return err
	}
	return i.apply(ctx, tx, lines, sentence{person: person, to: status.Revoked, actor: "system", reason: "the work was broken off before it was handed out"})
}

// OfferRow makes the offer of a row.
func (i *Issuer) OfferRow(ctx context.Context, r Row, e Errand) (o Offer, err error) {
	k, err := i.kindOf(e.Kind, e.Formats[0])
	if err != nil {
		return Offer{}, err
	}
	person, err := i.Registry.Find(ctx, i.Pool, e.UIN)
	if err != nil {
		return Offer{}, err
	}
	err = postgres.InTx(ctx, i.Pool, func(tx pgx.Tx) error {
		if o, err = i.Offer(ctx, tx, OfferTo{Person: person, Kinds: []string{k.ID}, Voucher: auth.Voucher{Officer: e.Officer, Reason: e.Reason}}); err != nil {
			return err
		}
		return i.begin(ctx, tx, r, o.ID)
	})
	return o, err
}
