package web

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres"
)

// entry is what is known under one idempotency key.
type entry struct {
	Claim  uuid.UUID // changes hands with the work, so that who lost it writes nothing
	Sealed []byte
	Done   bool
	Stale  bool // whoever worked on it has long been gone
}

// begin takes the key, and reports false when it is taken already.
func begin(ctx context.Context, db postgres.DB, id []byte, e entry) (bool, error) {
	tag, err := db.Exec(ctx, `INSERT INTO web_idempotency (id, claim, sealed) VALUES ($1, $2, $3)
		ON CONFLICT (id) DO UPDATE SET claim = excluded.claim, sealed = excluded.sealed, done = false,
			started_at = excluded.started_at, expires_at = excluded.expires_at
		WHERE web_idempotency.expires_at <= now()`, id, e.Claim, e.Sealed)
	if err != nil {
		return false, fmt.Errorf("taking an idempotency key: %w", err)
	}
	return tag.RowsAffected() == 1, nil
}

// earlier reads what is known under a key.
func earlier(ctx context.Context, db postgres.DB, id []byte) (entry, error) {
	rows, _ := db.Query(ctx, `SELECT claim, sealed, done, NOT done AND started_at < now() - interval '5 minutes'
		FROM web_idempotency WHERE id = $1`, id) // CollectExactlyOneRow returns its error
	e, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[entry])
	if errors.Is(err, pgx.ErrNoRows) {
		return e, fault.New(fault.Busy, "The first request with this key has just ended. Please send it again.").Because(err)
	}
	if err != nil {
		return e, fmt.Errorf("reading an idempotency key: %w", err)
	}
	return e, nil
}

// takeOver takes the key from a request that never ended.
func takeOver(ctx context.Context, db postgres.DB, id []byte, from, to uuid.UUID) (bool, error) {
	tag, err := db.Exec(ctx, `UPDATE web_idempotency SET claim = $3, started_at = now()
		WHERE id = $1 AND claim = $2 AND NOT done`, id, from, to)
	if err != nil {
		return false, fmt.Errorf("taking over an idempotency key: %w", err)
	}
	return tag.RowsAffected() == 1, nil
}

// finish keeps the answer for whoever asks again.
func finish(ctx context.Context, db postgres.DB, id []byte, e entry) error {
	tag, err := db.Exec(ctx, `UPDATE web_idempotency SET sealed = $3, done = true
		WHERE id = $1 AND claim = $2 AND NOT done`, id, e.Claim, e.Sealed)
	if err != nil {
		return fmt.Errorf("keeping an answer: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return fault.New(fault.Conflict, "Another request with the same key was faster. Please send it again to see its answer.")
	}
	return nil
}

// release gives the key back after a request that changed nothing.
func release(ctx context.Context, db postgres.DB, id []byte, claim uuid.UUID) error {
	if _, err := db.Exec(ctx, `DELETE FROM web_idempotency WHERE id = $1 AND claim = $2 AND NOT done`, id, claim); err != nil {
		return fmt.Errorf("giving back an idempotency key: %w", err)
	}
	return nil
}

// SweepIdempotency forgets the answers that are older than a day.
func SweepIdempotency(ctx context.Context, db postgres.DB) (int64, error) {
	tag, err := db.Exec(ctx, `DELETE FROM web_idempotency WHERE expires_at <= now()`)
	if err != nil {
		return 0, fmt.Errorf("sweeping idempotency keys: %w", err)
	}
	return tag.RowsAffected(), nil
}
