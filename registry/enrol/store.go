package enrol

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres"
)

func insertApplication(ctx context.Context, db postgres.DB, a Application, station uuid.UUID, at time.Time) error {
	_, err := db.Exec(ctx, `WITH a AS (INSERT INTO enrol_application
			(id, packet, digest, station, officer, submitter, process, state, received_at, moved_at, moves)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, 1) RETURNING id, state)
		INSERT INTO enrol_move (application, n, state, reason, at) SELECT id, 1, state, '', $9 FROM a`,
		a.ID, a.packet, a.digest, station, a.officer, a.submitter, a.Process, a.State, at)
	return err
}

const applicationColumns = `id, packet, digest, officer, submitter, process, state, stopped_at, reason_code, reason, waits_for, person, attempts, shots`

func scanApplication(row pgx.Row) (a Application, err error) {
	var stopped *State
	var person *uuid.UUID
	err = row.Scan(&a.ID, &a.packet, &a.digest, &a.officer, &a.submitter, &a.Process, &a.State, &stopped, &a.Code, &a.Reason, &a.WaitsFor, &person, &a.attempts, &a.shots)
	if stopped != nil {
		a.stoppedAt = *stopped
	}
	if person != nil {
		a.person = *person
	}
	a.Stage = stages[a.State]
	return a, err
}

func readApplication(ctx context.Context, db postgres.DB, id uuid.UUID) (Application, error) {
	return scanApplication(db.QueryRow(ctx, `SELECT `+applicationColumns+` FROM enrol_application WHERE id = $1`, id))
}

func applicationOf(ctx context.Context, db postgres.DB, packet uuid.UUID) (Application, error) {
	return scanApplication(db.QueryRow(ctx, `SELECT `+applicationColumns+` FROM enrol_application WHERE packet = $1`, packet))
}

func readMoves(ctx context.Context, db postgres.DB, id uuid.UUID) ([]Move, error) {
	rows, _ := db.Query(ctx, `SELECT state, reason, at FROM enrol_move WHERE application = $1 ORDER BY n`, id)
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Move])
}

// claim takes an application that is nobody's; pgx.ErrNoRows: there is nothing to
// take. The database's clock counts, since it is the same for every process.
func claim(ctx context.Context, db postgres.DB, id uuid.UUID, by int64) (Application, error) {
	return scanApplication(db.QueryRow(ctx, `UPDATE enrol_application
		SET claimed_by = $2, claimed_until = now() + $3::interval, attempts = attempts + 1
		WHERE id = $1 AND state = ANY($4) AND waits_for IS NULL AND (claimed_until < now() OR claimed_by = $2)
		RETURNING `+applicationColumns, id, by, lease, working))
}

func extend(ctx context.Context, db postgres.DB, id uuid.UUID, by int64, span time.Duration) error {
	_, err := db.Exec(ctx, `UPDATE enrol_application SET claimed_until = now() + $3::interval
		WHERE id = $1 AND claimed_by = $2 AND claimed_until > now()`, id, by, span)
	return err
}

// postpone keeps a claim until the next attempt. River counts what fails; attempts
// are those that nobody lived to tell of.
func postpone(ctx context.Context, db postgres.DB, id uuid.UUID, by int64, span time.Duration) error {
	_, err := db.Exec(ctx, `UPDATE enrol_application SET claimed_until = now() + $3::interval, attempts = greatest(attempts - 1, 0)
		WHERE id = $1 AND claimed_by = $2 AND claimed_until > now()`, id, by, span)
	return err
}

// release gives a claim back as if it had never been.
func release(ctx context.Context, db postgres.DB, id uuid.UUID, by int64) error {
	_, err := db.Exec(ctx, `UPDATE enrol_application SET claimed_until = '-infinity', attempts = greatest(attempts - 1, 0)
		WHERE id = $1 AND claimed_by = $2`, id, by)
	return err
}

// advance makes one step. A claim goes on where we go on working.
func advance(ctx context.Context, db postgres.DB, a Application, t transition, at time.Time) error {
	tag, err := db.Exec(ctx, `WITH a AS (UPDATE enrol_application SET state = $3, reason_code = $4, reason = $5, moved_at = $6, moves = moves + 1,
			attempts = CASE WHEN claimed_until > now() THEN 1 ELSE 0 END, waits_for = NULL,
			stopped_at = CASE WHEN $3 = 'quarantined' THEN state END,
			claimed_until = CASE WHEN claimed_until > now() AND $3 = ANY($7) THEN now() + $8::interval ELSE '-infinity' END
			WHERE id = $1 AND state = $2 RETURNING id, moves)
		INSERT INTO enrol_move (application, n, state, reason, at) SELECT id, moves, $3, $5, $6 FROM a`,
		a.ID, a.State, t.to, t.code, t.reason, at, working, lease)
	if err == nil && tag.RowsAffected() == 0 {
		return fault.New(fault.Conflict, "This application has moved on. Look at it again.").Named("application-moved")
	}
	return err
}

// hold lets an application wait for another, in nobody's hands.
func hold(ctx context.Context, db postgres.DB, a Application, waitsFor uuid.UUID) error {
	tag, err := db.Exec(ctx, `UPDATE enrol_application SET waits_for = $3, attempts = 0, claimed_until = '-infinity'
		WHERE id = $1 AND state = $2`, a.ID, a.State, waitsFor)
	if err == nil && tag.RowsAffected() == 0 {
		return fault.New(fault.Conflict, "This application has moved on. Look at it again.").Named("application-moved")
	}
	return err
}

// lockUndecided tells whether an application is undecided, and keeps it so until
// the transaction ends.
func lockUndecided(ctx context.Context, tx pgx.Tx, id uuid.UUID) (undecided bool, err error) {
	err = tx.QueryRow(ctx, `SELECT state NOT IN ('assigned', 'notified', 'rejected') FROM enrol_application WHERE id = $1 FOR SHARE`, id).Scan(&undecided)
	return undecided, err
}

// wake ends the waiting for an application, and names those who waited.
func wake(ctx context.Context, db postgres.DB, id uuid.UUID) ([]uuid.UUID, error) {
	rows, _ := db.Query(ctx, `UPDATE enrol_application SET waits_for = NULL WHERE waits_for = $1 RETURNING id`, id)
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

// abandoned lists applications that are nobody's and have no job in line. A job
// that River takes for running may be that of a process that died.
func abandoned(ctx context.Context, db postgres.DB, limit int) ([]uuid.UUID, error) {
	rows, _ := db.Query(ctx, `SELECT a.id FROM enrol_application a
		WHERE a.state IN ('received', 'checked', 'compared', 'unique', 'assigned') AND a.waits_for IS NULL AND a.claimed_until < now()
		AND NOT EXISTS (SELECT FROM river_job j WHERE j.kind = $1 AND j.state IN ('available', 'scheduled', 'retryable', 'pending')
			AND j.args ->> 'application' = a.id::text)
		ORDER BY a.claimed_until LIMIT $2 FOR UPDATE OF a SKIP LOCKED`, jobKind, limit)
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

func setPerson(ctx context.Context, db postgres.DB, id, person uuid.UUID) error {
	_, err := db.Exec(ctx, `UPDATE enrol_application SET person = $2 WHERE id = $1`, id, person)
	return err
}

func personOf(ctx context.Context, db postgres.DB, id uuid.UUID) (person uuid.UUID, err error) {
	err = db.QueryRow(ctx, `SELECT person FROM enrol_application WHERE id = $1 AND person IS NOT NULL`, id).Scan(&person)
	return person, err
}
