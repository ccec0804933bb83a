// Package signals tells relying parties what happened to the people they know: that a
// session has ended, that a way to log in has changed. It is a transmitter of the OpenID
// Shared Signals Framework 1.0, with events of CAEP 1.0, pushed (RFC 8935) or fetched
// (RFC 8936).
//
// A party hears of its own people only, by the name that it knows them by, and has one
// stream. Events are written in the transaction of their cause, and delivered in order,
// at least once.
package signals

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/semaphore"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/oidc"
)

// The types of events.
const (
	caep           = "https://schemas.openid.net/secevent/caep/event-type/"
	sessionRevoked = caep + oidc.SessionRevoked
	credential     = caep + oidc.CredentialChange
	verification   = "https://schemas.openid.net/secevent/ssf/event-type/verification"
	streamUpdated  = "https://schemas.openid.net/secevent/ssf/event-type/stream-updated"
)

// supported are the events that a party can ask for.
var supported = []string{sessionRevoked, credential}

const (
	eventLife    = 7 * 24 * time.Hour // an event that nobody fetched
	mostEvents   = 10_000             // waiting in one stream; the oldest go first
	mostWaiting  = 64                 // parties that wait for events at once
	patience     = 20 * time.Second   // how long they may wait
	verifyEvery  = 10 * time.Second   // between two verifications
	givenUpAfter = 24 * time.Hour     // of pushes that fail, until the stream is paused
)

// Config is what a Transmitter works with; all of it but Plain and Now is needed.
type Config struct {
	Pool     *pgxpool.Pool
	Ring     *keys.Ring
	Provider *oidc.Provider
	HTTP     *http.Client // to addresses that parties have chosen
	Plain    bool         // those may do without TLS: in a demonstration, or inside a network of our own
	Now      func() time.Time
}

// Transmitter tells relying parties.
type Transmitter struct {
	Config
	issuer  string
	waking  chan struct{}
	waiting *semaphore.Weighted
}

// New makes a Transmitter.
func New(c Config) (*Transmitter, error) {
	if c.Pool == nil || c.Ring == nil || c.Provider == nil || c.HTTP == nil {
		return nil, errors.New("signals: Pool, Ring, Provider and HTTP are needed")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Transmitter{c, c.Provider.Issuer.String(), make(chan struct{}, 1), semaphore.NewWeighted(mostWaiting)}, nil
}

// event is what a security event token will say (RFC 8417), but for its audience.
type event struct {
	Type    string         `json:"type"`
	Subject map[string]any `json:"sub_id"`
	Claims  map[string]any `json:"claims"`
	Cause   string         `json:"txn,omitempty"`
	At      int64          `json:"at"`
}

// Emit puts a signal in line for those parties of it that have a stream, in the
// transaction of its cause. It is the provider's Config.Emit.
func (t *Transmitter) Emit(ctx context.Context, tx pgx.Tx, s oidc.Signal) error {
	kind := caep + s.Kind
	streams, err := streamsFor(ctx, tx, s.Clients, kind)
	if err != nil || len(streams) == 0 {
		return err
	}
	now, cause := t.Now(), uuid.NewString()
	for _, st := range streams {
		subject, err := t.Provider.SubjectAt(ctx, tx, st.Client, s.Person)
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("naming a person to client %s: %w", st.Client, err)
		}
		unwanted, err := isUnwanted(ctx, tx, st.ID, t.unwanted(st.ID, subject))
		if err != nil {
			return err
		}
		if unwanted {
			continue
		}
		if err := t.enqueue(ctx, tx, st.ID, event{Type: kind, Subject: t.subject(subject, s), Claims: claimsOf(s, now), Cause: cause, At: now.Unix()}); err != nil {
			return err
		}
	}
	t.wake()
	return nil
}

// unwanted is how a subject is kept that a party does not want to hear of.
func (t *Transmitter) unwanted(stream uuid.UUID, subject string) []byte {
	return t.Ring.PRF("signal subject", stream[:], []byte(subject))
}

// subject names a person as the party knows them, and their session where it is one
// session that is spoken of (SSF 1.0, 3.2 and 3.3).
func (t *Transmitter) subject(name string, s oidc.Signal) map[string]any {
	user := map[string]any{"format": "iss_sub", "iss": t.issuer, "sub": name}
	if s.Kind != oidc.SessionRevoked || s.Session == "" {
		return user
	}
	return map[string]any{"format": "complex", "user": user, "session": map[string]any{"format": "opaque", "id": s.Session}}
}

// credentials are the names that CAEP has for ways to log in.
var credentials = map[string]string{"pin": "pin", "password": "password", "passkey": "fido2-platform", "wallet": "app"}

// claimsOf are the claims of an event (CAEP 1.0, 2 and 3).
func claimsOf(s oidc.Signal, now time.Time) map[string]any {
	claims := map[string]any{"event_timestamp": now.Unix(), "initiating_entity": "user"}
	if s.Kind == oidc.CredentialChange {
		kind, ok := credentials[s.Reason]
		if !ok {
			kind = s.Reason
		}
		claims["credential_type"], claims["change_type"] = kind, s.Change
		return claims
	}
	claims["reason_admin"] = map[string]string{"en": s.Reason}
	return claims
}

// enqueue seals an event, which names a person, and puts it in line.
func (t *Transmitter) enqueue(ctx context.Context, tx pgx.Tx, stream uuid.UUID, e event) error {
	raw, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("queueing an event: %w", err)
	}
	id := uuid.New()
	sealed, err := t.Ring.Seal(keys.Notices, raw, place(stream, id))
	if err != nil {
		return fmt.Errorf("queueing an event: %w", err)
	}
	return insertEvent(ctx, tx, queued{ID: id, Sealed: sealed}, stream, t.Now().Add(eventLife))
}

func place(stream, id uuid.UUID) []byte { return slices.Concat([]byte("signal\x00"), stream[:], id[:]) }

// sign makes the security event token of an event (RFC 8417; SSF 1.0 wants neither sub
// nor exp in it).
func (t *Transmitter) sign(st stream, q queued) (string, error) {
	raw, err := t.Ring.Open(keys.Notices, q.Sealed, place(st.ID, q.ID))
	if err != nil {
		return "", fmt.Errorf("reading a queued event: %w", err)
	}
	var e event
	if err := json.Unmarshal(raw, &e); err != nil {
		return "", errors.New("a queued event cannot be read")
	}
	claims := map[string]any{"iss": t.issuer, "aud": st.Client, "jti": q.ID.String(), "iat": e.At, "sub_id": e.Subject, "events": map[string]any{e.Type: e.Claims}}
	if e.Cause != "" {
		claims["txn"] = e.Cause
	}
	return t.Provider.Sign("secevent+jwt", claims)
}

// wake lets Run look at once.
func (t *Transmitter) wake() {
	select {
	case t.waking <- struct{}{}:
	default:
	}
}

// Sweep forgets events that nobody took in time, and the oldest of streams that have
// too many.
func (t *Transmitter) Sweep(ctx context.Context) error { return sweep(ctx, t.Pool, t.Now()) }
