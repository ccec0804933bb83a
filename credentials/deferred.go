package credentials

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/plinth-id/plinth/credentials/proof"
	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/registry/auth"
)

const (
	deferredLife  = 30 * 24 * time.Hour
	approvalPause = 5 * time.Minute // before a wallet asks again: an officer is no machine
	settlingPause = time.Minute
	leastReason   = 10 // characters, as everywhere where an officer says why
)

// The states of what was deferred.
const (
	deferredWaiting  = "waiting"
	deferredApproved = "approved"
	deferredRefused  = "refused"
	deferredTaken    = "taken"

	mostDeferred = 20 // requests of one person for one kind that wait at once
)

// errTransaction is one answer for what is unknown, expired, taken or somebody else's.
var errTransaction = fault.New(fault.Invalid, "There is no such transaction_id, or its credential was fetched. Ask for the credential again.").Named("invalid_transaction_id")

var errRequestUnknown = fault.New(fault.NotFound, "There is no such request, or it has expired. List those that wait.").Named("request-unknown")

// Deferred is a request that waits for an officer.
type Deferred struct {
	ID            uuid.UUID `json:"id"`
	Configuration string    `json:"configuration"`
	UIN           string    `json:"uin_masked"`
	Reason        string    `json:"reason,omitempty"` // of the officer who vouched for the person
	Created       time.Time `json:"created_at"`
	Expires       time.Time `json:"expires_at"`
}

// Ruling is what an officer decides about a request, and why.
type Ruling struct {
	ID      uuid.UUID
	Officer uuid.UUID
	Approve bool
	Reason  string
}

// mustWait tells whether an order cannot be carried out now: an officer must approve
// it, or the person's record is about to change, and with it what would be signed.
func (i *Issuer) mustWait(ctx context.Context, o order) (bool, error) {
	if o.kind.Approved || i.Unsettled == nil {
		return o.kind.Approved, nil
	}
	return i.Unsettled(ctx, i.Pool, o.person)
}

// deferIt keeps an order under a number that only its wallet knows. The nonces are
// spent: the keys were proven, and what is issued later is bound to them.
func (i *Issuer) deferIt(ctx context.Context, g auth.Grant, o order, draft13 bool) (Answer, error) {
	transaction, err := drawSecret()
	if err != nil {
		return Answer{}, err
	}
	row := deferredRow{ID: uuid.New(), Hash: hashed(transaction), State: deferredWaiting, Configuration: o.kind.ID, PersonLookup: i.personLookup(o.person),
		Draft13: draft13, Approval: o.kind.Approved, Created: i.Now(), Expires: i.Now().Add(deferredLife)}
	if row.Grant, err = i.Desk.SealGrant(g, row.ID[:]); err != nil {
		return Answer{}, err
	}
	names, err := proof.Dump(o.keys)
	if err != nil {
		return Answer{}, err
	}
	if row.Keys, err = i.Ring.Seal(keys.Identity, names, row.ID[:]); err != nil {
		return Answer{}, err
	}
	err = postgres.InTx(ctx, i.Pool, func(tx pgx.Tx) error {
		active, err := i.Registry.Active(ctx, tx, o.person)
		if err != nil {
			return err
		}
		if !active {
			return errDenied
		}
		open, err := openDeferred(ctx, tx, row.PersonLookup, row.Configuration, row.Created)
		if err != nil {
			return err
		}
		if open >= mostDeferred {
			return errDenied.Because(errors.New("as many requests of this person wait already as officers should be troubled with"))
		}
		var b pgx.Batch
		if err := i.spendNonces(&b, o.nonces); err != nil {
			return err
		}
		if err := sent(ctx, tx, &b, "spending the nonces of a deferred request"); err != nil {
			return err
		}
		if err := insertDeferred(ctx, tx, row); err != nil {
			return err
		}
		return audit.Append(ctx, tx, audit.Entry{Event: audit.CredentialDeferred, Person: o.person, Actor: o.actor, Subject: row.ID.String(),
			Details: map[string]string{"configuration": o.kind.ID}})
	})
	return Answer{Transaction: transaction, Interval: row.pause(), Draft13: draft13}, err
}

func (d deferredRow) pause() int {
	if d.Approval {
		return int(approvalPause / time.Second)
	}
	return int(settlingPause / time.Second)
}

// Fetch answers a deferred credential request (9.1): with the credentials, or by the
// same number again.
func (i *Issuer) Fetch(ctx context.Context, t auth.Token, transaction string) (Answer, error) {
	row, err := findDeferred(ctx, i.Pool, hashed(transaction), i.Now())
	if errors.Is(err, pgx.ErrNoRows) {
		return Answer{}, errTransaction
	}
	if err != nil {
		return Answer{}, err
	}
	grant, err := i.Desk.OpenGrant(row.Grant, row.ID[:])
	if err != nil {
		return Answer{}, err
	}
	// A token of another login will do, but not one of another wallet or person.
	if t.Person() != grant.Person() || t.Client() != grant.Client() {
		return Answer{}, errTransaction
	}
	kind, err := i.granted(t, row.Configuration, errDenied)
	if err != nil {
		return Answer{}, err
	}
	if row.State == deferredWaiting && !row.Approval {
		if row.State, err = i.settle(ctx, row, grant.Person()); err != nil {
			return Answer{}, err
		}
	}
	switch row.State {
	case deferredWaiting:
		return Answer{Transaction: transaction, Interval: row.pause(), Draft13: row.Draft13}, nil
	case deferredRefused:
		return Answer{}, errDenied
	}
	return i.fetch(ctx, kind, row, grant)
}

// settle lets a request pass that waited for the person's record alone.
func (i *Issuer) settle(ctx context.Context, row deferredRow, person uuid.UUID) (string, error) {
	if i.Unsettled != nil {
		if wait, err := i.Unsettled(ctx, i.Pool, person); err != nil || wait {
			return deferredWaiting, err
		}
	}
	_, err := moveDeferred(ctx, i.Pool, row.ID, deferredWaiting, deferredApproved, i.Now())
	return deferredApproved, err
}

// fetch issues what was approved. The number is good until the credentials were
// signed: a crash before that costs nobody anything.
func (i *Issuer) fetch(ctx context.Context, kind Kind, row deferredRow, grant auth.Grant) (Answer, error) {
	o := order{person: grant.Person(), kind: kind, actor: actor(grant), counted: true, taken: row.ID, details: map[string]string{"deferred": row.ID.String()}}
	if kind.Bound {
		names, err := i.Ring.Open(keys.Identity, row.Keys, row.ID[:])
		if err != nil {
			return Answer{}, fmt.Errorf("opening the keys of %s: %w", row.ID, err)
		}
		if o.keys, err = proof.Load(names); err != nil {
			return Answer{}, err
		}
	}
	issued, err := i.issue(ctx, o)
	if err != nil {
		return Answer{}, err
	}
	return answerOf(kind, issued, row.Draft13)
}

// Waiting lists what waits for an officer, the oldest first.
func (i *Issuer) Waiting(ctx context.Context, limit int) ([]Deferred, error) {
	rows, err := waitingDeferred(ctx, i.Pool, i.Now(), limit)
	if err != nil {
		return nil, err
	}
	all := make([]Deferred, 0, len(rows))
	for _, row := range rows {
		grant, err := i.Desk.OpenGrant(row.Grant, row.ID[:])
		if err != nil {
			return nil, err
		}
		who, err := i.Registry.Read(ctx, i.Pool, grant.Person())
		if fault.Is(err, fault.NotFound) {
			continue // erased or deactivated since
		}
		if err != nil {
			return nil, err
		}
		all = append(all, Deferred{ID: row.ID, Configuration: row.Configuration, UIN: who.UIN.String(), Reason: grant.Voucher().Reason, Created: row.Created, Expires: row.Expires})
	}
	return all, nil
}

// Rule decides about a request that waits. Whoever vouched for the person cannot
// approve what follows from it: that would be one officer's word, twice.
func (i *Issuer) Rule(ctx context.Context, r Ruling) error {
	if len(r.Reason) < leastReason || len(r.Reason) > 500 {
		return fault.New(fault.Invalid, "Say why, in 10 to 500 characters: it is kept.").At("reason", "must have 10 to 500 characters")
	}
	to, event := deferredRefused, audit.CredentialRefused
	if r.Approve {
		to, event = deferredApproved, audit.CredentialApproved
	}
	return postgres.InTx(ctx, i.Pool, func(tx pgx.Tx) error {
		row, err := deferredByID(ctx, tx, r.ID, i.Now())
		if errors.Is(err, pgx.ErrNoRows) {
			return errRequestUnknown
		}
		if err != nil {
			return err
		}
		grant, err := i.Desk.OpenGrant(row.Grant, row.ID[:])
		if err != nil {
			return err
		}
		if r.Approve && r.Officer != uuid.Nil && grant.Voucher().Officer == r.Officer {
			return fault.New(fault.Denied, "You vouched for this person yourself. Another officer must approve the request.").Named("own-request")
		}
		moved, err := moveDeferred(ctx, tx, r.ID, deferredWaiting, to, i.Now())
		if err != nil {
			return err
		}
		if !moved {
			return fault.New(fault.Conflict, "This request was decided already. List those that wait.").Named("request-decided")
		}
		return audit.Append(ctx, tx, audit.Entry{Event: event, Person: grant.Person(), Actor: "officer:" + r.Officer.String(), Subject: r.ID.String(),
			Details: map[string]string{"reason": r.Reason, "configuration": row.Configuration}})
	})
}
