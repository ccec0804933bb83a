package credentials

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/plinth-id/plinth/credentials/status"
	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/registry"
	"github.com/plinth-id/plinth/registry/auth"
)

var (
	errNotification   = fault.New(fault.Invalid, "The notification is malformed. Send notification_id and event as OpenID4VCI 1.0 describes them.").Named("invalid_notification_request")
	errNotificationID = fault.New(fault.Invalid, "There is no such notification_id.").Named("invalid_notification_id")

	outcomes = []string{"credential_accepted", "credential_failure", "credential_deleted"}
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

// Revoke revokes one credential.
func (i *Issuer) Revoke(ctx context.Context, tx pgx.Tx, issuance uuid.UUID, by, reason string) error {
	person, err := i.PersonOf(ctx, tx, issuance)
	if err != nil {
		return err
	}
	place, err := i.place(ctx, tx, issuance)
	if err != nil {
		return err
	}
	if err := i.Status.Set(ctx, tx, []status.Entry{place}, status.Revoked); err != nil {
		return err
	}
	return audit.Append(ctx, tx, audit.Entry{Event: audit.CredentialRevoked, Person: person, Actor: by, Subject: issuance.String(),
		Details: map[string]string{"reason": reason}})
}

// Revoked tells whether a credential was revoked.
func (i *Issuer) Revoked(ctx context.Context, db postgres.DB, issuance uuid.UUID) (bool, error) {
	place, err := i.place(ctx, db, issuance)
	if err != nil {
		return false, err
	}
	said, err := i.Status.Values(ctx, db, []status.Entry{place})
	return err == nil && said[0] == status.Revoked, err
}

func (i *Issuer) place(ctx context.Context, db postgres.DB, issuance uuid.UUID) (status.Entry, error) {
	list, index, err := placeOf(ctx, db, issuance)
	return i.Status.Entry(list, index), err
}

// RevokeAll revokes all that was ever issued, or meant to be, to a person. It
// runs inside the transaction of the change in the registry that asks for it.
func (i *Issuer) RevokeAll(ctx context.Context, tx pgx.Tx, person uuid.UUID, reason string) error {
	all, err := issuancesOf(ctx, tx, i.Ring.LookupAll(personKind, person.String()))
	if err != nil {
		return err
	}
	for _, issuance := range all {
		done, err := i.Revoked(ctx, tx, issuance)
		if err != nil {
			return err
		}
		if done {
			continue
		}
		if err := i.Revoke(ctx, tx, issuance, "system", reason); err != nil {
			return err
		}
	}
	return nil
}

// Changed follows a change of an identity: what was issued to somebody whose
// identity is deactivated is revoked. It is the OnChange of registry.Config.
func (i *Issuer) Changed(ctx context.Context, tx pgx.Tx, c registry.Change) error {
	if c.Status != registry.Deactivated {
		return nil
	}
	return i.RevokeAll(ctx, tx, c.Person, "identity "+string(c.Status))
}

// PersonOf tells whom an issuance is about.
func (i *Issuer) PersonOf(ctx context.Context, db postgres.DB, issuance uuid.UUID) (uuid.UUID, error) {
	sealed, err := personOf(ctx, db, issuance)
	if errors.Is(err, pgx.ErrNoRows) {
		return uuid.Nil, fault.New(fault.NotFound, "There is no such credential. Check its number.")
	}
	if err != nil {
		return uuid.Nil, err
	}
	plain, err := i.Ring.Open(keys.Identity, sealed, issuance[:])
	if err != nil {
		return uuid.Nil, err
	}
	return uuid.FromBytes(plain)
}
