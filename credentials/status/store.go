package status

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/plinth-id/plinth/internal/postgres"
)

// findOpen is the list being filled; pgx.ErrNoRows when there is none.
func findOpen(ctx context.Context, db postgres.DB) (list int64, err error) {
	err = db.QueryRow(ctx, `SELECT id FROM status_list WHERE purpose = 'revocation' AND open`).Scan(&list)
	if err != nil {
		return 0, fmt.Errorf("finding the open status list: %w", err)
	}
	return list, nil
}

// open makes the next list, unless another transaction just did.
func open(ctx context.Context, db postgres.DB, now time.Time) error {
	_, err := db.Exec(ctx, `INSERT INTO status_list (purpose, created_at) VALUES ('revocation', $1)
		ON CONFLICT DO NOTHING`, now)
	if err != nil {
		return fmt.Errorf("opening a status list: %w", err)
	}
	return nil
}

func closeList(ctx context.Context, db postgres.DB, list int64) error {
	if _, err := db.Exec(ctx, `UPDATE status_list SET open = false WHERE id = $1 AND open`, list); err != nil {
		return fmt.Errorf("closing status list %d: %w", list, err)
	}
	return nil
}

// reserve takes the first free one of the drawn places; -1 when it got none, and
// then free tells whether one had seemed free.
func reserve(ctx context.Context, db postgres.DB, list int64, drawn []int32, issuance uuid.UUID) (index int, free bool, err error) {
	err = db.QueryRow(ctx, `WITH choice AS (
			SELECT d.idx FROM unnest($2::int[]) WITH ORDINALITY AS d(idx, n)
			WHERE NOT EXISTS (SELECT FROM status_entry e WHERE e.list = $1 AND e.idx = d.idx)
			ORDER BY d.n LIMIT 1
		), taken AS (
			INSERT INTO status_entry (list, idx, issuance) SELECT $1, idx, $3 FROM choice
			ON CONFLICT (list, idx) DO NOTHING RETURNING idx
		)
		SELECT coalesce((SELECT idx FROM taken), -1), EXISTS (SELECT FROM choice)`, list, drawn, issuance).Scan(&index, &free)
	if err != nil {
		return -1, false, fmt.Errorf("reserving a place in status list %d: %w", list, err)
	}
	return index, free, nil
}

func revoke(ctx context.Context, db postgres.DB, issuance uuid.UUID, now time.Time) (known bool, err error) {
	tag, err := db.Exec(ctx, `UPDATE status_entry SET revoked_at = coalesce(revoked_at, $2) WHERE issuance = $1`, issuance, now)
	if err != nil {
		return false, fmt.Errorf("revoking issuance %s: %w", issuance, err)
	}
	return tag.RowsAffected() == 1, nil
}

func revoked(ctx context.Context, db postgres.DB, issuance uuid.UUID) (is bool, err error) {
	err = db.QueryRow(ctx, `SELECT revoked_at IS NOT NULL FROM status_entry WHERE issuance = $1`, issuance).Scan(&is)
	if err != nil {
		return false, fmt.Errorf("reading the status of issuance %s: %w", issuance, err)
	}
	return is, nil
}

// revokedIndexes lists the set bits of a list in order, and whether there is such a list.
func revokedIndexes(ctx context.Context, db postgres.DB, list int64) (set []int32, known bool, err error) {
	var id int64
	err = db.QueryRow(ctx, `SELECT id FROM status_list WHERE id = $1`, list).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("finding status list %d: %w", list, err)
	}
	rows, _ := db.Query(ctx, `SELECT idx FROM status_entry WHERE list = $1 AND revoked_at IS NOT NULL ORDER BY idx`, list)
	set, err = pgx.CollectRows(rows, pgx.RowTo[int32])
	if err != nil {
		return nil, false, fmt.Errorf("reading status list %d: %w", list, err)
	}
	return set, true, nil
}
