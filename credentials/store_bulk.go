package credentials

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/plinth-id/plinth/internal/postgres"
)

func outcomeOf(ctx context.Context, db postgres.DB, r Row) (outcome string, err error) {
	err = db.QueryRow(ctx, `SELECT coalesce(outcome, '') FROM credential_errand WHERE run = $1 AND row = $2`, r.Run, r.Number).Scan(&outcome)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading row %d: %w", r.Number, err)
	}
	return outcome, nil
}

// takeRow begins a row for a subject, and gives the one that it was begun for before.
func takeRow(ctx context.Context, tx pgx.Tx, r Row, subject uuid.UUID, now time.Time) (before *uuid.UUID, done bool, err error) {
	_, err = tx.Exec(ctx, `INSERT INTO credential_errand (run, row, begun_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, r.Run, r.Number, now)
	if err == nil {
		err = tx.QueryRow(ctx, `SELECT subject, outcome IS NOT NULL FROM credential_errand WHERE run = $1 AND row = $2 FOR UPDATE`, r.Run, r.Number).Scan(&before, &done)
	}
	if err == nil && !done {
		_, err = tx.Exec(ctx, `UPDATE credential_errand SET subject = $3, begun_at = $4 WHERE run = $1 AND row = $2`, r.Run, r.Number, subject, now)
	}
	if err != nil {
		return nil, false, fmt.Errorf("beginning row %d: %w", r.Number, err)
	}
	return before, done, nil
}

func finishRow(ctx context.Context, db postgres.DB, r Row, outcome string, now time.Time) error {
	_, err := db.Exec(ctx, `INSERT INTO credential_errand (run, row, outcome, begun_at, done_at) VALUES ($1, $2, $3, $4, $4)
		ON CONFLICT (run, row) DO UPDATE SET outcome = $3, done_at = $4 WHERE credential_errand.outcome IS NULL`, r.Run, r.Number, outcome, now)
	if err != nil {
		return fmt.Errorf("finishing row %d: %w", r.Number, err)
	}
	return nil
}

// deleteOffer takes back an offer that nobody has used.
func deleteOffer(ctx context.Context, db postgres.DB, id uuid.UUID) error {
	if _, err := db.Exec(ctx, `DELETE FROM credential_offer WHERE id = $1 AND spent_at IS NULL`, id); err != nil {
		return fmt.Errorf("taking back offer %s: %w", id, err)
	}
	return nil
}
