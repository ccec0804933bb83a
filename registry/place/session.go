package place

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres"
)

// Sessions of officers end after a quarter of an hour without a request and
// after twelve hours in any case (NIST SP 800-63B, AAL3).
const (
	idle     = 15 * time.Minute
	absolute = 12 * time.Hour
)

// After this many failures in a row from one address range a name waits; from
// other ranges it does not, so that nobody can be shut out from afar. An attempt
// counts when it begins, and is forgotten when it passes.
const (
	patience = 5
	pause    = time.Minute
)

var errSignIn = fault.New(fault.Unauthenticated, "The name or the password is wrong. Try again.").Named("sign-in-failed")

// SignIn opens a session; from is the caller's address range.
func (d *Directory) SignIn(ctx context.Context, name, password, from string) (token string, o Officer, err error) {
	attempt := d.Ring.Lookup("officer attempt", name+"\x00"+from)
	free, err := takeAttempt(ctx, d.Pool, attempt, patience, d.Now(), d.Now().Add(pause))
	if err != nil {
		return "", o, fmt.Errorf("signing in: %w", err)
	}
	if !free {
		return "", o, fault.New(fault.Busy, "Too many wrong passwords. Wait a minute and try again.").Named("rate-limited")
	}
	o, hash, err := d.named(ctx, name)
	known := err == nil
	if errors.Is(err, pgx.ErrNoRows) {
		hash = nobody
	} else if err != nil {
		return "", o, fmt.Errorf("signing in: %w", err)
	}
	fits, err := d.fits(ctx, hash, password)
	if err != nil {
		return "", Officer{}, err
	}
	if !fits || !known {
		return "", Officer{}, d.refused(ctx, o, known)
	}
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails
	token = base64.RawURLEncoding.EncodeToString(raw)
	err = postgres.InTx(ctx, d.Pool, func(tx pgx.Tx) error {
		if err := forgetAttempts(ctx, tx, attempt); err != nil {
			return err
		}
		if err := insertSession(ctx, tx, hashToken(token), o.ID, d.Now()); err != nil {
			return err
		}
		return audit.Append(ctx, tx, audit.Entry{Event: audit.OfficerSignedIn, Actor: actor(o)})
	})
	if err != nil {
		return "", o, fmt.Errorf("signing in: %w", err)
	}
	return token, o, nil
}

// fits compares a password when its turn comes: names that nobody has are not
// limited, so the memory and the time that strangers can take must be.
func (d *Directory) fits(ctx context.Context, hash, password string) (bool, error) {
	turn, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	if d.hashing.Acquire(turn, 1) != nil {
		return false, fault.New(fault.Busy, "Too many are signing in at this moment. Try again in a minute.").Named("too-many-at-once")
	}
	defer d.hashing.Release(1)
	return passwordFits(hash, password), nil
}

// refused records a wrong password, of a name that there is: the log must not
// become a list of what somebody typed.
func (d *Directory) refused(ctx context.Context, o Officer, known bool) error {
	if !known {
		return errSignIn
	}
	if err := audit.Append(ctx, d.Pool, audit.Entry{Event: audit.OfficerRefused, Subject: actor(o)}); err != nil {
		return fmt.Errorf("signing in: %w", err)
	}
	return errSignIn
}

// actor is how the audit log names an officer.
func actor(o Officer) string { return "officer:" + o.ID.String() }

// Tokens have 256 random bits, so a plain hash keeps them.
func hashToken(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// Session gives the officer whose live session this token is.
func (d *Directory) Session(ctx context.Context, token string) (Officer, error) {
	now := d.Now()
	o, err := touchSession(ctx, d.Pool, hashToken(token), now, now.Add(-idle), now.Add(-absolute))
	if errors.Is(err, pgx.ErrNoRows) {
		return o, fault.New(fault.Unauthenticated, "Your session has ended. Sign in again.").Named("session-ended")
	}
	if err != nil {
		return o, fmt.Errorf("reading a session: %w", err)
	}
	return o, nil
}

// SignOut ends a session at once.
func (d *Directory) SignOut(ctx context.Context, token string, o Officer) error {
	return postgres.InTx(ctx, d.Pool, func(tx pgx.Tx) error {
		if err := deleteSession(ctx, tx, hashToken(token)); err != nil {
			return fmt.Errorf("signing out: %w", err)
		}
		return audit.Append(ctx, tx, audit.Entry{Event: audit.OfficerSignedOut, Actor: actor(o)})
	})
}

// Sweep forgets sessions and failures that have expired.
func (d *Directory) Sweep(ctx context.Context) error {
	now := d.Now()
	return errors.Join(sweepSessions(ctx, d.Pool, now.Add(-idle), now.Add(-absolute)), sweepAttempts(ctx, d.Pool, now))
}
