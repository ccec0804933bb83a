// Package audit is the log of everything that was done, to whom and by whom. An
// entry is written in the transaction that it tells of; one leader then gives
// the entries their places in a Merkle tree (RFC 6962) and signs checkpoints, so
// that nobody, who runs the database included, can change or drop one unseen,
// and a person can be given all entries about them with a proof for each.
//
// The checkpoints stand in the same database: who cuts off the end of the log
// with its checkpoints leaves a shorter log that is sound. Whoever keeps one
// checkpoint elsewhere sees that too. Nothing is ever deleted; a table of a
// country is to be partitioned by day of at, which no query stands against.
package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/postgres"
)

// Event says what happened.
type Event string

// The events.
const (
	PacketReceived        Event = "packet-received"
	ApplicationChecked    Event = "application-checked"
	ApplicationRejected   Event = "application-rejected"
	ApplicationHeld       Event = "application-held"
	ApplicationCompared   Event = "application-compared"
	ApplicationNotified   Event = "application-notified"
	ApplicationResumed    Event = "application-resumed"
	DuplicateFound        Event = "duplicate-found"
	GallerySearched       Event = "gallery-searched"
	CaseOpened            Event = "case-opened"
	CaseShown             Event = "case-shown"
	VerdictGiven          Event = "verdict-given"
	Adjudicated           Event = "adjudicated"
	UINAssigned           Event = "uin-assigned"
	VIDCreated            Event = "vid-created"
	StatusChanged         Event = "status-changed"
	CodeSent              Event = "code-sent"
	LoginSucceeded        Event = "login-succeeded"
	LoginRefused          Event = "login-refused"
	Vouched               Event = "vouched"
	ConsentGiven          Event = "consent-given"
	ClaimsReleased        Event = "claims-released"
	TokenIssued           Event = "token-issued"
	TokenRevoked          Event = "token-revoked"
	CodeReplayed          Event = "code-replayed"
	RefreshReplayed       Event = "refresh-replayed"
	ConsentWithdrawn      Event = "consent-withdrawn"
	LoginCalled           Event = "login-called"
	SessionEnded          Event = "session-ended"
	CredentialOffered     Event = "credential-offered"
	CredentialIntended    Event = "credential-intended"
	CredentialIssued      Event = "credential-issued"
	CredentialRevoked     Event = "credential-revoked"
	CredentialDeferred    Event = "credential-deferred"
	CredentialApproved    Event = "credential-approved"
	CredentialRefused     Event = "credential-refused"
	CredentialSuspended   Event = "credential-suspended"
	CredentialResumed     Event = "credential-resumed"
	CredentialShown       Event = "credential-shown" // an officer looked it up, or at a rehearsal
	OfficerAdded          Event = "officer-added"
	OfficerSignedIn       Event = "officer-signed-in"
	OfficerRefused        Event = "officer-refused"
	OfficerSignedOut      Event = "officer-signed-out"
	StationAdded          Event = "station-added"
	StationDisabled       Event = "station-disabled"
	CredentialKindChanged Event = "credential-kind-changed"
	ClientAdded           Event = "client-added"
	ClientChanged         Event = "client-changed"
	ClientDisabled        Event = "client-disabled"
	ClientEnabled         Event = "client-enabled"
	ClientRotated         Event = "client-rotated"
	KeyRotated            Event = "key-rotated"
	SecretSet             Event = "secret-set"
	SecretDropped         Event = "secret-dropped"
	PasskeyAdded          Event = "passkey-added"
	PasskeyDropped        Event = "passkey-dropped"
	WalletBound           Event = "wallet-bound"
	WalletDropped         Event = "wallet-dropped"
	StreamCreated         Event = "stream-created"
	StreamChanged         Event = "stream-changed"
	StreamDeleted         Event = "stream-deleted"
	ClientFederated       Event = "client-federated"
	SubordinateAdded      Event = "subordinate-added"
	SubordinateRemoved    Event = "subordinate-removed"
	TrustMarkIssued       Event = "trust-mark-issued"
	TrustMarkRevoked      Event = "trust-mark-revoked"
)

// Entry is one thing that happened. It holds ids, never names or numbers.
type Entry struct {
	Event   Event
	Person  uuid.UUID         // whom it is about; zero: nobody
	Actor   string            // "officer:…", "client:…", "person", "system"
	Subject string            // what it was done to: an application, a case, a key
	Details map[string]string // ids and reasons
}

// Append records an entry in the transaction that it tells of.
func Append(ctx context.Context, tx postgres.DB, e Entry) error {
	details, err := e.written()
	if err == nil {
		err = insert(ctx, tx, e, details)
	}
	if err != nil {
		return fmt.Errorf("recording %s: %w", e.Event, err)
	}
	return nil
}

// Queue is Append by a batch of statements, which is sent in the transaction that the
// entry tells of.
func Queue(b *pgx.Batch, e Entry) error {
	details, err := e.written()
	if err != nil {
		return fmt.Errorf("recording %s: %w", e.Event, err)
	}
	b.Queue(insertEntry, values(e, details)...)
	return nil
}

// written are the details as they are kept.
func (e Entry) written() (string, error) {
	if len(e.Details) == 0 {
		return "{}", nil
	}
	details, err := json.Marshal(e.Details) // keys come out sorted
	return string(details), err
}

// record is an entry as it stands in the table.
type record struct {
	ID      uuid.UUID
	Event   Event
	Person  *uuid.UUID
	Actor   string
	Subject string
	Details string
	At      time.Time
}

// leaf is what is hashed into the tree: one JSON array of eight strings, as
// encoding/json writes it, so that nothing depends on the order of names: the
// format, id, event, person (empty: none), actor, subject, details as stored, and
// the time in UTC to the microsecond.
func (r record) leaf() []byte {
	person := ""
	if r.Person != nil {
		person = r.Person.String()
	}
	raw, err := json.Marshal([]string{"plinth-audit-1", r.ID.String(), string(r.Event), person, r.Actor, r.Subject, r.Details,
		r.At.UTC().Format("2006-01-02T15:04:05.000000Z")})
	if err != nil {
		panic(err) // strings always marshal
	}
	return raw
}
