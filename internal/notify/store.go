package notify

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/postgres"
)

func insertOutbox(ctx context.Context, db postgres.DB, id uuid.UUID, sealed []byte, at time.Time) error {
	_, err := db.Exec(ctx, `INSERT INTO notify_outbox (id, sealed, queued_at, due_at) VALUES ($1, $2, $3, $3)`, id, sealed, at)
	return err
}

// queued is a message that this process has taken upon itself.
type queued struct {
	ID       uuid.UUID
	Sealed   []byte
	Attempts int // with this one
}

// takeOutbox takes messages that are due, which nobody else may take before until.
func takeOutbox(ctx context.Context, db postgres.DB, now, until time.Time) ([]queued, error) {
	rows, _ := db.Query(ctx, `UPDATE notify_outbox SET due_at = $2, attempts = attempts + 1
		WHERE id IN (SELECT id FROM notify_outbox WHERE due_at <= $1 ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED)
		RETURNING id, sealed, attempts`, now, until, atOnce)
	return pgx.CollectRows(rows, pgx.RowToStructByPos[queued])
}

func postpone(ctx context.Context, db postgres.DB, id uuid.UUID, due time.Time) error {
	_, err := db.Exec(ctx, `UPDATE notify_outbox SET due_at = $2 WHERE id = $1`, id, due)
	return err
}

func forget(ctx context.Context, db postgres.DB, ids []uuid.UUID) error {
	_, err := db.Exec(ctx, `DELETE FROM notify_outbox WHERE id = ANY($1)`, ids)
	return err
}

// sweepOutbox counts those that never went out.
func sweepOutbox(ctx context.Context, db postgres.DB, queued time.Time) (lost int64, err error) {
	done, err := db.Exec(ctx, `DELETE FROM notify_outbox WHERE queued_at < $1`, queued)
	return done.RowsAffected(), err
}

func insertInbox(ctx context.Context, db postgres.DB, id uuid.UUID, sealed []byte, at time.Time) error {
	_, err := db.Exec(ctx, `INSERT INTO notify_inbox (id, sealed, at) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING`, id, sealed, at)
	return err
}

type inboxRow struct {
	ID     uuid.UUID
	Sealed []byte
	At     time.Time
}

func readInbox(ctx context.Context, db postgres.DB, limit int) ([]inboxRow, error) {
	rows, _ := db.Query(ctx, `SELECT id, sealed, at FROM notify_inbox ORDER BY at DESC, id LIMIT $1`, limit)
	return pgx.CollectRows(rows, pgx.RowToStructByPos[inboxRow])
}
