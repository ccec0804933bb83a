package credentials

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/plinth-id/plinth/internal/postgres"
)

const lineColumns = `SELECT id, issuance, configuration, version, state, outcome, status_list, status_index, suspended, intended_at, issued_at, expires_at
	FROM credential_issuance `

func lines(ctx context.Context, db postgres.DB, where string, args ...any) ([]line, error) {
	rows, _ := db.Query(ctx, lineColumns+where, args...) // CollectRows returns its error
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[line])
	if err != nil {
		return nil, fmt.Errorf("reading the ledger: %w", err)
	}
	return all, nil
}

// linesOf are what was issued to a person, the newest first.
func linesOf(ctx context.Context, db postgres.DB, person [][]byte) ([]line, error) {
	return lines(ctx, db, `WHERE person_lookup = ANY ($1) ORDER BY intended_at DESC, id`, person)
}

// linesOfIssuance are the artefacts of one issuance, by its number or that of one of them.
func linesOfIssuance(ctx context.Context, db postgres.DB, id uuid.UUID) ([]line, error) {
	return lines(ctx, db, `WHERE issuance = $1 OR issuance = (SELECT issuance FROM credential_issuance WHERE id = $1) ORDER BY id`, id)
}

// lineAt is the artefact with this place in a status list; pgx.ErrNoRows: none.
func lineAt(ctx context.Context, db postgres.DB, list int64, index int) (line, error) {
	all, err := lines(ctx, db, `WHERE status_list = $1 AND status_index = $2`, list, index)
	if err == nil && len(all) == 0 {
		err = pgx.ErrNoRows
	}
	if err != nil {
		return line{}, err
	}
	return all[0], nil
}

// holderOf is the thumbprint of the key that an artefact is bound to; nil: to none.
func holderOf(ctx context.Context, db postgres.DB, id uuid.UUID) (holder []byte, err error) {
	err = db.QueryRow(ctx, `SELECT holder FROM credential_issuance WHERE id = $1`, id).Scan(&holder)
	if err != nil {
		return nil, fmt.Errorf("reading whose key has credential %s: %w", id, err)
	}
	return holder, nil
}

// markSuspended notes who suspended artefacts; nil: nobody any more.
func markSuspended(ctx context.Context, db postgres.DB, ids []uuid.UUID, by *string) error {
	_, err := db.Exec(ctx, `UPDATE credential_issuance SET suspended = $2 WHERE id = ANY ($1) AND suspended IS DISTINCT FROM $2`, ids, by)
	if err != nil {
		return fmt.Errorf("noting who suspended %d credentials: %w", len(ids), err)
	}
	return nil
}

// holdIssuance lets one judgement of an issuance happen at a time.
func holdIssuance(ctx context.Context, tx pgx.Tx, issuance uuid.UUID) error {
	if _, err := tx.Exec(ctx, `SELECT FROM credential_issuance WHERE issuance = $1 ORDER BY id FOR UPDATE`, issuance); err != nil {
		return fmt.Errorf("holding issuance %s: %w", issuance, err)
	}
	return nil
}
