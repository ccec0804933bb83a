package credentials

import (
	"context"
	"crypto/sha256"
	"maps"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/plinth-id/plinth/credentials/proof"
	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/failpoint"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/registry"
	"github.com/plinth-id/plinth/registry/auth"
)

// Where a crash would hurt.
var (
	pointIntended = failpoint.Name("credentials/issue/intended")
	pointSigned   = failpoint.Name("credentials/issue/signed")
)

// Issued are signed credentials on their way out, one for each key. Nothing of them
// is kept but a hash.
type Issued struct {
	IDs          []uuid.UUID
	Documents    [][]byte // as their format has them in a file
	Notification string
}

// order is what is to be issued, with all that decides it.
type order struct {
	person  uuid.UUID
	kind    Kind
	actor   string
	details map[string]string
	keys    []proof.Key // one document for each; nil: one document that is bound to no key
	nonces  []string    // to be spent
	counted bool        // against what a person may be given in a day
	taken   uuid.UUID   // the deferral that ends with it; zero: none
}

// statements are the documents of an order. Each has a number, and later a place in a
// status list, of its own: a shared one would tell verifiers that the copies are one.
func (i *Issuer) statements(o order, who registry.Identity) []statement {
	from := i.Now().UTC().Truncate(time.Second)
	holders := o.keys
	if holders == nil {
		holders = []proof.Key{{}}
	}
	var all []statement
	for _, holder := range holders {
		all = append(all, statement{ID: uuid.New(), Who: who, Holder: holder, From: from, Until: i.until(o.kind, from)})
	}
	return all
}

// issue records the intent, then signs, then records what was signed: all copies
// or none. A crash in between leaves an intent without a credential, which does no harm
// and can be revoked; never a credential that is in no ledger.
func (i *Issuer) issue(ctx context.Context, o order) (Issued, error) {
	who, err := i.Registry.Read(ctx, i.Pool, o.person)
	if err != nil {
		return Issued{}, err
	}
	if who.Status != registry.Active {
		return Issued{}, errDenied
	}
	all := i.statements(o, who)
	places, err := i.Status.Draw(ctx, len(all))
	if err != nil {
		return Issued{}, err
	}
	for n := range all {
		all[n].Entry = places[n]
	}
	issued := Issued{Notification: uuid.NewString()}
	err = postgres.InTx(ctx, i.Pool, func(tx pgx.Tx) error { return i.intend(ctx, tx, o, all, issued.Notification) })
	if err != nil {
		return Issued{}, err
	}
	failpoint.Hit(pointIntended)
	for _, s := range all {
		document, err := i.sign(o.kind, s)
		if err != nil {
			return Issued{}, err
		}
		issued.IDs, issued.Documents = append(issued.IDs, s.ID), append(issued.Documents, document)
	}
	failpoint.Hit(pointSigned)
	return issued, postgres.InTx(ctx, i.Pool, func(tx pgx.Tx) error { return i.record(ctx, tx, o, issued) })
}

// intend spends the nonces, counts the copies, draws places in the status list and
// writes the lines of the ledger, all or nothing.
func (i *Issuer) intend(ctx context.Context, tx pgx.Tx, o order, all []statement, notification string) error {
	// Whoever is deactivated in this moment waits for the line, which is then revoked.
	active, err := i.Registry.Active(ctx, tx, o.person)
	if err != nil {
		return err
	}
	if !active {
		return errDenied
	}
	if err := i.spendNonces(ctx, tx, o.nonces); err != nil {
		return err
	}
	if err := i.count(ctx, tx, o, len(all)); err != nil {
		return err
	}
	for _, s := range all {
		if err := i.intendOne(ctx, tx, o, s, hashed(notification)); err != nil {
			return err
		}
	}
	return nil
}

// count keeps a stolen token from being worth any number of credentials.
func (i *Issuer) count(ctx context.Context, tx pgx.Tx, o order, copies int) error {
	if !o.counted || o.kind.Daily == 0 {
		return nil
	}
	used, err := useQuota(ctx, tx, quotaRow{Person: i.personLookup(o.person), Configuration: o.kind.ID, Day: i.Now().UTC(), Copies: copies})
	if err != nil {
		return err
	}
	if used > o.kind.Daily {
		return errQuota
	}
	return nil
}

func (i *Issuer) intendOne(ctx context.Context, tx pgx.Tx, o order, s statement, notification []byte) error {
	sealed, err := i.Ring.Seal(keys.Identity, o.person[:], s.ID[:])
	if err != nil {
		return err
	}
	err = insertIssuance(ctx, tx, issuanceRow{ID: s.ID, Configuration: o.kind.ID, PersonLookup: i.personLookup(o.person), PersonSealed: sealed,
		Holder: s.Holder.Thumbprint(), List: s.Entry.List, Index: s.Entry.Index, Notification: notification, Intended: i.Now(), Expires: s.Until})
	if err != nil {
		return err
	}
	details := map[string]string{"configuration": o.kind.ID}
	maps.Copy(details, o.details)
	return audit.Append(ctx, tx, audit.Entry{Event: audit.CredentialIntended, Person: o.person, Actor: o.actor, Subject: s.ID.String(), Details: details})
}

// record writes down what was signed, and ends the deferral that waited for it.
func (i *Issuer) record(ctx context.Context, tx pgx.Tx, o order, issued Issued) error {
	if o.taken != uuid.Nil {
		first, err := moveDeferred(ctx, tx, o.taken, deferredApproved, deferredTaken, i.Now())
		if err != nil {
			return err
		}
		if !first {
			return errTransaction
		}
	}
	for n, id := range issued.IDs {
		digest := sha256.Sum256(issued.Documents[n])
		moved, err := markIssued(ctx, tx, id, digest[:], i.Now())
		if err != nil {
			return err
		}
		if !moved {
			return fault.New(fault.Conflict, "This credential was recorded as issued already.")
		}
		err = audit.Append(ctx, tx, audit.Entry{Event: audit.CredentialIssued, Person: o.person, Actor: o.actor, Subject: id.String()})
		if err != nil {
			return err
		}
	}
	return nil
}

const personKind = "credential person"

func (i *Issuer) personLookup(person uuid.UUID) []byte {
	return i.Ring.Lookup(personKind, person.String())
}

// actor names who caused what is done under a grant.
func actor(g auth.Grant) string {
	if v := g.Voucher(); v.Officer != uuid.Nil {
		return "officer:" + v.Officer.String()
	}
	if g.Client() != "" {
		return "client:" + g.Client()
	}
	return "system"
}
