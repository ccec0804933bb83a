package credentials

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/plinth-id/plinth/credentials/status"
	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/registry/auth"
)

var (
	errNotification   = fault.New(fault.Invalid, "The notification is malformed. Send notification_id and event as OpenID4VCI 1.0 describes them.").Named("invalid_notification_request")
	errNotificationID = fault.New(fault.Invalid, "There is no such notification_id.").Named("invalid_notification_id")
	errNoCredential   = fault.New(fault.NotFound, "There is no such credential. Check its number.").Named("credential-unknown")

	outcomes = []string{"credential_accepted", "credential_failure", "credential_deleted"}
)

// line is one artefact in the ledger: what was issued, or meant to be.
type line struct {
	ID            uuid.UUID
	Issuance      uuid.UUID // that it shares with the other artefacts of one issuance
	Configuration string
	Version       int // of the kind
	State         string
	Outcome       *string
	List          int64
	Index         int
	Suspended     *string // by whom
	Intended      time.Time
	Issued        *time.Time
	Expires       time.Time
}

// Who suspended something; each lifts only their own.
const (
	byRegistry = "registry"
	byOfficer  = "officer"
)

// Notified records what a wallet says it did with a credential.
func (i *Issuer) Notified(ctx context.Context, g auth.Grant, notification, event string) error {
	if notification == "" || !slices.Contains(outcomes, event) {
		return errNotification
	}
	known, err := notified(ctx, i.Pool, hashed(notification), i.Ring.LookupAll(personKind, g.Person().String()), event)
	if err != nil {
		return err
	}
	if !known {
		return errNotificationID
	}
	return nil
}

// sentence is what is done to credentials, and why.
type sentence struct {
	person uuid.UUID
	to     status.Value
	actor  string
	reason string
	owner  string // of a suspension
}

// events are how the log names what is done.
var events = map[status.Value]audit.Event{status.Revoked: audit.CredentialRevoked, status.Suspended: audit.CredentialSuspended, status.Valid: audit.CredentialResumed}

// apply writes a sentence into the status lists and the log, all of it in the
// caller's transaction; one entry for each issuance.
func (i *Issuer) apply(ctx context.Context, tx pgx.Tx, lines []line, s sentence) error {
	if len(lines) == 0 {
		return nil
	}
	var places []status.Entry
	var ids, issuances []uuid.UUID
	for _, l := range lines {
		places, ids = append(places, i.Status.Entry(l.List, l.Index)), append(ids, l.ID)
		if !slices.Contains(issuances, l.Issuance) {
			issuances = append(issuances, l.Issuance)
		}
	}
	if err := i.Status.Set(ctx, tx, places, s.to); err != nil {
		return err
	}
	var owner *string
	if s.to == status.Suspended {
		owner = &s.owner
	}
	if err := markSuspended(ctx, tx, ids, owner); err != nil {
		return err
	}
	for _, issuance := range issuances {
		err := audit.Append(ctx, tx, audit.Entry{Event: events[s.to], Person: s.person, Actor: s.actor, Subject: issuance.String(), Details: map[string]string{"reason": s.reason}})
		if err != nil {
			return err
		}
	}
	return nil
}

// issuance reads every artefact of the issuance that one of them, or its own number, names.
func (i *Issuer) issuance(ctx context.Context, db postgres.DB, id uuid.UUID) ([]line, uuid.UUID, error) {
	lines, err := linesOfIssuance(ctx, db, id)
	if err != nil {
		return nil, uuid.Nil, err
	}
	if len(lines) == 0 {
		return nil, uuid.Nil, errNoCredential
	}
	person, err := i.PersonOf(ctx, db, lines[0].ID)
	return lines, person, err
}

// Revoke revokes a credential, with all that was issued together with it.
func (i *Issuer) Revoke(ctx context.Context, tx pgx.Tx, id uuid.UUID, by, reason string) error {
	lines, person, err := i.issuance(ctx, tx, id)
	if err != nil {
		return err
	}
	return i.apply(ctx, tx, lines, sentence{person: person, to: status.Revoked, actor: by, reason: reason})
}

// Revoked tells whether a credential was revoked.
func (i *Issuer) Revoked(ctx context.Context, db postgres.DB, id uuid.UUID) (bool, error) {
	said, err := i.said(ctx, db, id)
	return said == status.Revoked, err
}

// said is what the lists say of a credential.
func (i *Issuer) said(ctx context.Context, db postgres.DB, id uuid.UUID) (status.Value, error) {
	lines, _, err := i.issuance(ctx, db, id)
	if err != nil {
		return 0, err
	}
	said, err := i.Status.Values(ctx, db, []status.Entry{i.Status.Entry(lines[0].List, lines[0].Index)})
	if err != nil {
		return 0, err
	}
	return said[0], nil
}

// standing are the lines of a person that are not revoked, with what the lists say of them.
func (i *Issuer) standing(ctx context.Context, tx pgx.Tx, person uuid.UUID) ([]line, []status.Value, error) {
	lines, err := linesOf(ctx, tx, i.Ring.LookupAll(personKind, person.String()))
	if err != nil || len(lines) == 0 {
		return nil, nil, err
	}
	places := make([]status.Entry, len(lines))
	for n, l := range lines {
		places[n] = i.Status.Entry(l.List, l.Index)
	}
	values, err := i.Status.Values(ctx, tx, places)
	if err != nil {
		return nil, nil, err
	}
	var left []line
	var said []status.Value
	for n, l := range lines {
		if values[n] != status.Revoked {
			left, said = append(left, l), append(said, values[n])
		}
	}
	return left, said, nil
}

// RevokeAll revokes all that was ever issued, or meant to be, to a person. It
// runs inside the transaction of the change in the registry that asks for it.
func (i *Issuer) RevokeAll(ctx context.Context, tx pgx.Tx, person uuid.UUID, reason string) error {
	lines, _, err := i.standing(ctx, tx, person)
	if err != nil {
		return err
	}
	return i.apply(ctx, tx, lines, sentence{person: person, to: status.Revoked, actor: "system", reason: reason})
}

// PersonOf tells whom a credential is about.
func (i *Issuer) PersonOf(ctx context.Context, db postgres.DB, id uuid.UUID) (uuid.UUID, error) {
	sealed, err := personOf(ctx, db, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return uuid.Nil, errNoCredential
	}
	if err != nil {
		return uuid.Nil, err
	}
	plain, err := i.Ring.Open(keys.Identity, sealed, id[:])
	if err != nil {
		return uuid.Nil, err
	}
	return uuid.FromBytes(plain)
}

// HolderAt tells whose credential the holder of a key has shown: the one with this place
// in a status list, if it was given to that key and stands. The ledger says so, and no
// copy of a list: what was revoked a moment ago is worth nothing.
func (i *Issuer) HolderAt(ctx context.Context, db postgres.DB, at status.Entry, holder []byte) (uuid.UUID, error) {
	l, err := lineAt(ctx, db, at.List, at.Index)
	if errors.Is(err, pgx.ErrNoRows) {
		return uuid.Nil, errNoCredential
	}
	if err != nil {
		return uuid.Nil, err
	}
	given, err := holderOf(ctx, db, l.ID)
	if err != nil {
		return uuid.Nil, err
	}
	said, err := i.Status.Values(ctx, db, []status.Entry{at})
	if err != nil {
		return uuid.Nil, err
	}
	if len(holder) == 0 || !bytes.Equal(given, holder) || said[0] != status.Valid || l.State != "issued" || !i.Now().Before(l.Expires) {
		return uuid.Nil, errNoCredential
	}
	return i.PersonOf(ctx, db, l.ID)
}

// PersonAt tells whom the credential with this place in a status list is about: of
// those that have no number of their own, the place is the only name.
func (i *Issuer) PersonAt(ctx context.Context, db postgres.DB, list int64, index int) (uuid.UUID, error) {
	l, err := lineAt(ctx, db, list, index)
	if errors.Is(err, pgx.ErrNoRows) {
		return uuid.Nil, errNoCredential
	}
	if err != nil {
		return uuid.Nil, err
	}
	return i.PersonOf(ctx, db, l.ID)
}
