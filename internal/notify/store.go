package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/postgres"
)

func insertOutbox(ctx context.Context, db postgres.DB, id uuid.UUID, sealed []byte, at time.Time) error {
	_, err := db.Exec(ctx, `INSERT INTO notify_outbox (id, sealed, queued_at) VALUES ($1, $2, $3)`, id, sealed, at)
	return err
}

// readOutbox gives nil for a message that went out already.
func readOutbox(ctx context.Context, db postgres.DB, id uuid.UUID) (sealed []byte, err error) {
	err = db.QueryRow(ctx, `SELECT sealed FROM notify_outbox WHERE id = $1`, id).Scan(&sealed)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading a queued message: %w", err)
	}
	return sealed, nil
}

func markSent(ctx context.Context, db postgres.DB, id uuid.UUID, at time.Time) error {
	_, err := db.Exec(ctx, `UPDATE notify_outbox SET sealed = NULL, sent_at = $2 WHERE id = $1`, id, at)
	return err
}

func forget(ctx context.Context, db postgres.DB, id uuid.UUID) error {
	_, err := db.Exec(ctx, `DELETE FROM notify_outbox WHERE id = $1`, id)
	return err
}

// sweepOutbox counts those among the deleted that never went out.
func sweepOutbox(ctx context.Context, db postgres.DB, sent, queued time.Time) (lost int, err error) {
	err = db.QueryRow(ctx, `WITH swept AS (DELETE FROM notify_outbox WHERE sent_at < $1 OR sent_at IS NULL AND queued_at < $2 RETURNING sent_at)
		SELECT count(*) FROM swept WHERE sent_at IS NULL`, sent, queued).Scan(&lost)
	return lost, err
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
