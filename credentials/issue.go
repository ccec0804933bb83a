package credentials

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strconv"

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

// Issued are signed credentials on their way out, one for each key and kind. Nothing
// of them is kept but a hash.
type Issued struct {
	Issuance     uuid.UUID // what they share in the ledger
	IDs          []uuid.UUID
	Documents    [][]byte // as their format has them in a file
	Notification string
	statements   []statement
}

// order is what is to be issued, with all that decides it.
type order struct {
	person  uuid.UUID
	kind    Kind
	also    []Kind // further formats of the same, revoked together with it
	actor   string
	details map[string]string
	keys    []proof.Key // one document of each kind for each; nil: one that is bound to no key
	nonces  []string    // to be spent
	counted bool        // against what a person may be given in a day
	taken   uuid.UUID   // the deferral that ends with it; zero: none
	row     *Row        // of a list that is worked through; nil: of none
}

// artefact is one document of an order.
type artefact struct {
	statement
	kind Kind
}

// artefacts are the documents of an order. Each has a number and a place in a status
// list of its own: a shared one would tell verifiers that the copies are one.
func (i *Issuer) artefacts(ctx context.Context, o order) ([]artefact, error) {
	read := i.Registry.Details // the portrait is by far the largest part
	if slices.ContainsFunc(append([]Kind{o.kind}, o.also...), Kind.Pictured) {
		read = i.Registry.Read
	}
	who, err := read(ctx, i.Pool, o.person)
	if err != nil {
		return nil, err
	}
	if who.Status != registry.Active {
		return nil, errDenied
	}
	holders := o.keys
	if holders == nil {
		holders = []proof.Key{{}}
	}
	var all []artefact
	for _, k := range append([]Kind{o.kind}, o.also...) {
		if err := i.ready(k); err != nil {
			return nil, err
		}
		from := i.from(k)
		for _, holder := range holders {
			all = append(all, artefact{kind: k, statement: statement{ID: uuid.New(), Who: who, Holder: holder, From: from, Until: i.until(k, from)}})
		}
	}
	places, err := i.Status.Draw(ctx, len(all))
	for n := range places {
		all[n].Entry = places[n]
	}
	return all, err
}

// issue records the intent, then signs, then records what was signed: all copies
// or none. A crash in between leaves an intent without a credential, which does no harm
// and can be revoked; never a credential that is in no ledger.
func (i *Issuer) issue(ctx context.Context, o order) (Issued, error) {
	all, err := i.artefacts(ctx, o)
	if err != nil {
		return Issued{}, err
	}
	issued := Issued{Issuance: all[0].ID, Notification: uuid.NewString()}
	err = postgres.InTx(ctx, i.Pool, func(tx pgx.Tx) error { return i.intend(ctx, tx, o, all, issued) })
	if err != nil {
		return Issued{}, err
	}
	failpoint.Hit(pointIntended)
	for _, a := range all {
		document, err := i.sign(a.kind, a.statement)
		if err != nil {
			return Issued{}, err
		}
		issued.IDs, issued.Documents, issued.statements = append(issued.IDs, a.ID), append(issued.Documents, document), append(issued.statements, a.statement)
	}
	failpoint.Hit(pointSigned)
	return issued, postgres.InTx(ctx, i.Pool, func(tx pgx.Tx) error { return i.record(ctx, tx, o, issued) })
}

// intend spends the nonces, counts the copies and writes the lines of the ledger,
// all or nothing.
func (i *Issuer) intend(ctx context.Context, tx pgx.Tx, o order, all []artefact, issued Issued) error {
	// Whoever is deactivated in this moment waits for the lines, which are then revoked.
	active, err := i.Registry.Active(ctx, tx, o.person)
	if err != nil {
		return err
	}
	if !active {
		return errDenied
	}
	if o.row != nil {
		if err := i.begin(ctx, tx, *o.row, issued.Issuance); err != nil {
			return err
		}
	}
	// What follows goes out at once: one way to the database and back.
	var b pgx.Batch
	if err := i.spendNonces(&b, o.nonces); err != nil {
		return err
	}
	i.count(&b, o, len(all))
	rows := issuanceRows{Issuance: issued.Issuance, PersonLookup: i.personLookup(o.person), Notification: hashed(issued.Notification), Intended: i.Now()}
	for _, a := range all {
		sealed, err := i.Ring.Seal(keys.Identity, o.person[:], a.ID[:])
		if err != nil {
			return err
		}
		rows.add(a, sealed)
	}
	queueIssuances(&b, rows)
	details := map[string]string{"configuration": o.kind.ID}
	for _, k := range o.also {
		details["configuration"] += " " + k.ID
	}
	if len(o.keys) > 1 {
		details["copies"] = strconv.Itoa(len(o.keys))
	}
	maps.Copy(details, o.details)
	err = audit.Queue(&b, audit.Entry{Event: audit.CredentialIntended, Person: o.person, Actor: o.actor, Subject: issued.Issuance.String(), Details: details})
	if err != nil {
		return err
	}
	return sent(ctx, tx, &b, "recording the intent to issue "+issued.Issuance.String())
}

// sent sends a batch of statements, and fails with the first of them.
func sent(ctx context.Context, tx pgx.Tx, b *pgx.Batch, doing string) error {
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// count keeps a stolen token from being worth any number of credentials.
func (i *Issuer) count(b *pgx.Batch, o order, copies int) {
	if o.counted && o.kind.Daily > 0 {
		queueQuota(b, quotaRow{Person: i.personLookup(o.person), Configuration: o.kind.ID, Day: i.Now().UTC(), Copies: copies}, o.kind.Daily)
	}
}

var errRecorded = fault.New(fault.Conflict, "This credential was recorded as issued already.")

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
	digests := make([][]byte, len(issued.Documents))
	for n, document := range issued.Documents {
		sum := sha256.Sum256(document)
		digests[n] = sum[:]
	}
	var b pgx.Batch
	queueIssued(&b, issued.IDs, digests, i.Now())
	err := audit.Queue(&b, audit.Entry{Event: audit.CredentialIssued, Person: o.person, Actor: o.actor, Subject: issued.Issuance.String()})
	if err != nil {
		return err
	}
	return sent(ctx, tx, &b, "recording that "+issued.Issuance.String()+" was issued")
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
