package auth

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/fault"
)

// Presentation names what a wallet has shown to the verifier of this deployment.
type Presentation struct {
	Request uuid.UUID // that the verifier made
	Key     string    // with which it was asked to
	Code    string    // that the wallet's browser brought back; empty: the answer came without one
}

// credentialFits judges a credential of ours that a wallet has shown for this login.
// The verifier has checked that it holds and that its holder showed it; the ledger of
// what was issued says whose it is. It is given once, so a replay finds nothing.
func (d *Desk) credentialFits(ctx context.Context, a Attempt) (factor, error) {
	if d.Presented == nil {
		return factor{}, notOffered(ByCredential)
	}
	person, err := d.Presented(ctx, a.Presentation)
	if err != nil && !fault.Is(err, fault.Denied) && !fault.Is(err, fault.NotFound) {
		return factor{}, err
	}
	shown := err == nil
	return factor{
		who: func(ctx context.Context, tx pgx.Tx) (claimed, error) {
			var nobody claimed
			copy(nobody.person[:], d.Ring.PRF("auth nobody", a.Presentation.Request[:]))
			if !shown {
				return nobody, nil
			}
			active, err := d.Registry.Active(ctx, tx, person)
			if err != nil && !fault.Is(err, fault.NotFound) {
				return nobody, err
			}
			if !active {
				return nobody, nil
			}
			return d.sameAs(ctx, tx, claimed{person, true}, a.Identifier)
		},
		unfit: func(context.Context, pgx.Tx, claimed) (string, error) { return "", nil }, // who has shown nothing is nobody
	}, nil
}
