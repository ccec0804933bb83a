package signals

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres"
)

// stream is what a party has asked for.
type stream struct {
	ID          uuid.UUID
	Client      string
	Endpoint    *string
	Credential  []byte
	Events      []string
	Description string
	Status      string
	Reason      string
	Failing     *time.Time
	Tries       int
}

const columns = `id, client, endpoint, credential, events, description, status, reason, failing_at, tries`

var errNoStream = fault.New(fault.NotFound, "There is no such stream. Create one first, or name the one that you have in stream_id.")

// insertStream tells whether the party had none before.
func insertStream(ctx context.Context, tx pgx.Tx, s stream, now time.Time) (bool, error) {
	done, err := tx.Exec(ctx, `INSERT INTO oidc_signal_stream (id, client, endpoint, credential, events, description, status, due_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (client) DO NOTHING`, s.ID, s.Client, s.Endpoint, s.Credential, s.Events, s.Description, s.Status, now)
	return done.RowsAffected() == 1, err
}

// streamOf is the stream of a party; its id must be the one that the party names.
func streamOf(ctx context.Context, db postgres.DB, client string, id uuid.UUID) (stream, error) {
	rows, _ := db.Query(ctx, `SELECT `+columns+` FROM oidc_signal_stream WHERE client = $1 AND id = $2`, client, id)
	return found(pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[stream]))
}

func streamsOf(ctx context.Context, db postgres.DB, client string) ([]stream, error) {
	rows, _ := db.Query(ctx, `SELECT `+columns+` FROM oidc_signal_stream WHERE client = $1`, client)
	return pgx.CollectRows(rows, pgx.RowToStructByPos[stream])
}

func found(s stream, err error) (stream, error) {
	if errors.Is(err, pgx.ErrNoRows) {
		return s, errNoStream
	}
	return s, err
}

// streamsFor are the streams of some parties that want an event.
func streamsFor(ctx context.Context, tx pgx.Tx, clients []string, kind string) ([]stream, error) {
	rows, _ := tx.Query(ctx, `SELECT `+columns+` FROM oidc_signal_stream WHERE client = ANY($1) AND $2 = ANY(events) AND status <> 'disabled'`, clients, kind)
	return pgx.CollectRows(rows, pgx.RowToStructByPos[stream])
}

// lockStream holds a stream until the transaction ends, so that two changes of it
// follow each other.
func lockStream(ctx context.Context, tx pgx.Tx, client string, id uuid.UUID) (stream, error) {
	rows, _ := tx.Query(ctx, `SELECT `+columns+` FROM oidc_signal_stream WHERE client = $1 AND id = $2 FOR UPDATE`, client, id)
	return found(pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[stream]))
}

func updateStream(ctx context.Context, db postgres.DB, s stream, now time.Time) error {
	_, err := db.Exec(ctx, `UPDATE oidc_signal_stream SET endpoint = $2, credential = $3, events = $4, description = $5, status = $6, reason = $7,
		due_at = $8, failing_at = NULL, tries = 0 WHERE id = $1`, s.ID, s.Endpoint, s.Credential, s.Events, s.Description, s.Status, s.Reason, now)
	return err
}

// deleteStream tells whether there was one; its events go with it.
func deleteStream(ctx context.Context, tx pgx.Tx, client string, id uuid.UUID) (bool, error) {
	done, err := tx.Exec(ctx, `DELETE FROM oidc_signal_stream WHERE client = $1 AND id = $2`, client, id)
	return done.RowsAffected() == 1, err
}

func dropEvents(ctx context.Context, tx pgx.Tx, stream uuid.UUID) error {
	_, err := tx.Exec(ctx, `DELETE FROM oidc_signal_event WHERE stream = $1`, stream)
	return err
}

// verifyNow tells whether a verification may be asked for now, and takes note of it.
func verifyNow(ctx context.Context, tx pgx.Tx, id uuid.UUID, now time.Time) (bool, error) {
	done, err := tx.Exec(ctx, `UPDATE oidc_signal_stream SET verified_at = $2 WHERE id = $1 AND (verified_at IS NULL OR verified_at <= $3)`, id, now, now.Add(-verifyEvery))
	return done.RowsAffected() == 1, err
}

// queued is an event in line.
type queued struct {
	ID     uuid.UUID
	Sealed []byte
}

func insertEvent(ctx context.Context, tx pgx.Tx, q queued, stream uuid.UUID, expires time.Time) error {
	_, err := tx.Exec(ctx, `INSERT INTO oidc_signal_event (id, stream, sealed, expires_at) VALUES ($1, $2, $3, $4)`, q.ID, stream, q.Sealed, expires)
	return err
}

// waitingEvents are the oldest events of a stream.
func waitingEvents(ctx context.Context, db postgres.DB, stream uuid.UUID, limit int) ([]queued, error) {
	rows, _ := db.Query(ctx, `SELECT id, sealed FROM oidc_signal_event WHERE stream = $1 ORDER BY seq LIMIT $2`, stream, limit)
	return pgx.CollectRows(rows, pgx.RowToStructByPos[queued])
}

func doneEvents(ctx context.Context, db postgres.DB, stream uuid.UUID, ids []uuid.UUID) error {
	_, err := db.Exec(ctx, `DELETE FROM oidc_signal_event WHERE stream = $1 AND id = ANY($2)`, stream, ids)
	return err
}

// takeStreams takes streams with something to push; nobody else may before until.
func takeStreams(ctx context.Context, db postgres.DB, now, until time.Time) ([]stream, error) {
	rows, _ := db.Query(ctx, `UPDATE oidc_signal_stream SET due_at = $2 WHERE id IN (SELECT id FROM oidc_signal_stream s
		WHERE endpoint IS NOT NULL AND status = 'enabled' AND due_at <= $1 AND EXISTS (SELECT FROM oidc_signal_event WHERE stream = s.id)
		ORDER BY due_at LIMIT 16 FOR UPDATE SKIP LOCKED) RETURNING `+columns, now, until)
	return pgx.CollectRows(rows, pgx.RowToStructByPos[stream])
}

// settleStream says when a stream may be pushed to again, and how long it has failed.
func settleStream(ctx context.Context, db postgres.DB, s stream, due time.Time) error {
	_, err := db.Exec(ctx, `UPDATE oidc_signal_stream SET due_at = $2, failing_at = $3, tries = $4, status = $5, reason = $6 WHERE id = $1 AND status = 'enabled'`,
		s.ID, due, s.Failing, s.Tries, s.Status, s.Reason)
	return err
}

func addUnwanted(ctx context.Context, db postgres.DB, stream uuid.UUID, subject []byte) error {
	_, err := db.Exec(ctx, `INSERT INTO oidc_signal_unwanted (stream, subject) VALUES ($1, $2) ON CONFLICT DO NOTHING`, stream, subject)
	return err
}

func dropUnwanted(ctx context.Context, db postgres.DB, stream uuid.UUID, subject []byte) error {
	_, err := db.Exec(ctx, `DELETE FROM oidc_signal_unwanted WHERE stream = $1 AND subject = $2`, stream, subject)
	return err
}

func isUnwanted(ctx context.Context, db postgres.DB, stream uuid.UUID, subject []byte) (is bool, err error) {
	err = db.QueryRow(ctx, `SELECT EXISTS (SELECT FROM oidc_signal_unwanted WHERE stream = $1 AND subject = $2)`, stream, subject).Scan(&is)
	return is, err
}

func sweep(ctx context.Context, db postgres.DB, now time.Time) error {
	_, err := db.Exec(ctx, `DELETE FROM oidc_signal_event WHERE expires_at < $1
		OR seq <= (SELECT e.seq FROM oidc_signal_event e WHERE e.stream = oidc_signal_event.stream ORDER BY e.seq DESC OFFSET $2 LIMIT 1)`, now, mostEvents)
	if err != nil {
		return fmt.Errorf("forgetting events: %w", err)
	}
	return nil
}
