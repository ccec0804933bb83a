package credentials

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/plinth-id/plinth/internal/postgres"
)

type deferredRow struct {
	ID            uuid.UUID
	Hash          []byte
	State         string
	Configuration string
	PersonLookup  []byte
	Grant         []byte
	Keys          []byte
	Draft13       bool
	Approval      bool
	Created       time.Time
	Expires       time.Time
}

const deferredColumns = `id, hash, state, configuration, person_lookup, sealed_grant, sealed_keys, draft13, approval, created_at, expires_at`

// openDeferred counts what waits for a person.
func openDeferred(ctx context.Context, db postgres.DB, person []byte, configuration string, now time.Time) (n int, err error) {
	err = db.QueryRow(ctx, `SELECT count(*) FROM credential_deferred WHERE person_lookup = $1 AND configuration = $2 AND state = 'waiting' AND expires_at > $3`,
		person, configuration, now).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("counting what waits for a person: %w", err)
	}
	return n, nil
}

func insertDeferred(ctx context.Context, db postgres.DB, r deferredRow) error {
	_, err := db.Exec(ctx, `INSERT INTO credential_deferred (`+deferredColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		r.ID, r.Hash, r.State, r.Configuration, r.PersonLookup, r.Grant, r.Keys, r.Draft13, r.Approval, r.Created, r.Expires)
	if err != nil {
		return fmt.Errorf("deferring %s: %w", r.ID, err)
	}
	return nil
}

func oneDeferred(rows pgx.Rows, _ error) (deferredRow, error) { // CollectExactlyOneRow returns the error of the query
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[deferredRow])
}

// findDeferred finds what can still be fetched; pgx.ErrNoRows otherwise.
func findDeferred(ctx context.Context, db postgres.DB, hash []byte, now time.Time) (deferredRow, error) {
	return oneDeferred(db.Query(ctx, `SELECT `+deferredColumns+` FROM credential_deferred WHERE hash = $1 AND state <> 'taken' AND expires_at > $2`, hash, now))
}

func deferredByID(ctx context.Context, db postgres.DB, id uuid.UUID, now time.Time) (deferredRow, error) {
	return oneDeferred(db.Query(ctx, `SELECT `+deferredColumns+` FROM credential_deferred WHERE id = $1 AND approval AND expires_at > $2`, id, now))
}

func waitingDeferred(ctx context.Context, db postgres.DB, now time.Time, limit int) ([]deferredRow, error) {
	rows, _ := db.Query(ctx, `SELECT `+deferredColumns+` FROM credential_deferred
		WHERE state = 'waiting' AND approval AND expires_at > $1 ORDER BY created_at LIMIT $2`, now, limit) // CollectRows returns its error
	return pgx.CollectRows(rows, pgx.RowToStructByPos[deferredRow])
}

// moveDeferred takes a request from one state to another; false when it was in none.
func moveDeferred(ctx context.Context, db postgres.DB, id uuid.UUID, from, to string, now time.Time) (bool, error) {
	tag, err := db.Exec(ctx, `UPDATE credential_deferred SET state = $3, decided_at = $4 WHERE id = $1 AND state = $2`, id, from, to, now)
	if err != nil {
		return false, fmt.Errorf("moving request %s: %w", id, err)
	}
	return tag.RowsAffected() == 1, nil
}

// sweepDeferred forgets the requests that have expired.
func sweepDeferred(ctx context.Context, db postgres.DB, now time.Time) error {
	if _, err := db.Exec(ctx, `DELETE FROM credential_deferred WHERE expires_at < $1`, now); err != nil {
		return fmt.Errorf("sweeping deferred requests: %w", err)
	}
	return nil
}

type quotaRow struct {
	Person        []byte
	Configuration string
	Day           time.Time
	Copies        int
}

// queueQuota counts copies; errQuota when they are more on that day than there are.
func queueQuota(b *pgx.Batch, r quotaRow, most int) {
	b.Queue(`INSERT INTO credential_quota AS q (person_lookup, configuration, day, used) VALUES ($1, $2, $3::date, $4)
		ON CONFLICT (person_lookup, configuration, day) DO UPDATE SET used = q.used + $4 RETURNING used`, r.Person, r.Configuration, r.Day, r.Copies).QueryRow(func(row pgx.Row) error {
		var used int
		if err := row.Scan(&used); err != nil {
			return err
		}
		if used > most {
			return errQuota
		}
		return nil
	})
}

// sweepQuota forgets the days before yesterday.
func sweepQuota(ctx context.Context, db postgres.DB, now time.Time) error {
	if _, err := db.Exec(ctx, `DELETE FROM credential_quota WHERE day < $1::date - 1`, now); err != nil {
		return fmt.Errorf("sweeping counts of copies: %w", err)
	}
	return nil
}
