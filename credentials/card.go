package credentials

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/plinth-id/plinth/credentials/kind"
	"github.com/plinth-id/plinth/credentials/qr"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/registry/auth"
)

// The formats of assisted issuance.
const (
	FormatVC     = "ldp_vc"        // the document, bound to no key
	FormatQR     = "claim169"      // the code as a PNG, for printing
	FormatQRText = "claim169-text" // what the code says, for who draws it themselves
)

// Errand is what an officer asks for at the desk, for somebody who stands before them.
type Errand struct {
	UIN     string // or VID
	Kind    string // which credential: "national_id"
	Format  string
	Officer uuid.UUID
	Reason  string
}

// Assisted issues a credential on an officer's word. It is bound to no key: whoever
// holds the paper shows it.
func (i *Issuer) Assisted(ctx context.Context, e Errand) ([]byte, error) {
	format := e.Format
	if format == FormatQRText {
		format = kind.Code
	}
	k, err := i.kindOf(e.Kind, format)
	if err != nil {
		return nil, err
	}
	person, err := i.Registry.Find(ctx, i.Pool, e.UIN)
	if err != nil {
		return nil, err
	}
	var grant auth.Grant
	err = postgres.InTx(ctx, i.Pool, func(tx pgx.Tx) (err error) {
		grant, err = i.Desk.Vouch(ctx, tx, auth.Voucher{Officer: e.Officer, Reason: e.Reason}, person, auth.Terms{Configurations: []string{k.ID}})
		return err
	})
	if err != nil {
		return nil, err
	}
	issued, err := i.issue(ctx, order{person: person, kind: k, actor: actor(grant), details: map[string]string{"format": e.Format}})
	if err != nil {
		return nil, err
	}
	if e.Format != FormatQR {
		return issued.Documents[0], nil
	}
	return qr.PNG(string(issued.Documents[0]), k.Target().Level)
}
