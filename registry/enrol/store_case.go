package enrol

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/postgres"
)

func insertCase(ctx context.Context, db postgres.DB, c Case) error {
	_, err := db.Exec(ctx, `INSERT INTO enrol_case (id, application, kind, opened_at) VALUES ($1, $2, $3, $4)`, c.ID, c.Application, c.Kind, c.Opened)
	return err
}

func insertCandidate(ctx context.Context, db postgres.DB, opened uuid.UUID, c candidate) error {
	_, err := db.Exec(ctx, `INSERT INTO enrol_candidate (opened, application, score, fingers, same_data, same_image) VALUES ($1, $2, $3, $4, $5, $6)`,
		opened, c.Application, c.Score, c.Fingers, c.SameData, c.SameImage)
	return err
}

func readCandidates(ctx context.Context, db postgres.DB, opened uuid.UUID) ([]candidate, error) {
	rows, _ := db.Query(ctx, `SELECT application, score, fingers, same_data, same_image FROM enrol_candidate WHERE opened = $1 ORDER BY score DESC, application`, opened)
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (c candidate, err error) {
		err = row.Scan(&c.Application, &c.Score, &c.Fingers, &c.SameData, &c.SameImage)
		return c, err
	})
}

const caseColumns = `c.id, c.application, c.kind, c.opened_at, (SELECT count(*) FROM enrol_verdict v WHERE v.opened = c.id), c.decided_at IS NOT NULL`

func scanCase(row pgx.CollectableRow) (c Case, err error) {
	err = row.Scan(&c.ID, &c.Application, &c.Kind, &c.Opened, &c.Given, &c.decided)
	return c, err
}

func openCases(ctx context.Context, db postgres.DB, limit int) ([]Case, error) {
	rows, _ := db.Query(ctx, `SELECT `+caseColumns+` FROM enrol_case c WHERE c.decided_at IS NULL ORDER BY c.opened_at LIMIT $1`, limit)
	return pgx.CollectRows(rows, scanCase)
}

// readCase reads a case, open or decided; pgx.ErrNoRows: there is none.
func readCase(ctx context.Context, db postgres.DB, id uuid.UUID) (Case, error) {
	rows, _ := db.Query(ctx, `SELECT `+caseColumns+` FROM enrol_case c WHERE c.id = $1`, id)
	return pgx.CollectExactlyOneRow(rows, scanCase)
}

// lockCase makes the verdicts on one open case wait for one another.
func lockCase(ctx context.Context, tx pgx.Tx, id uuid.UUID) error {
	return tx.QueryRow(ctx, `SELECT id FROM enrol_case WHERE id = $1 AND decided_at IS NULL FOR UPDATE`, id).Scan(&id)
}

func closeCase(ctx context.Context, db postgres.DB, id uuid.UUID, of *uuid.UUID, at time.Time) error {
	_, err := db.Exec(ctx, `UPDATE enrol_case SET decided_at = $2, duplicate_of = $3 WHERE id = $1`, id, at, of)
	return err
}

func insertVerdict(ctx context.Context, db postgres.DB, opened uuid.UUID, v verdict, reason []byte, at time.Time) error {
	_, err := db.Exec(ctx, `INSERT INTO enrol_verdict (opened, officer, duplicate_of, reason, at) VALUES ($1, $2, $3, $4, $5)`,
		opened, v.Officer, v.DuplicateOf, reason, at)
	return err
}

// verdictOf is what an officer said of a case; pgx.ErrNoRows: nothing.
func verdictOf(ctx context.Context, db postgres.DB, opened, officer uuid.UUID) (v verdict, reason []byte, err error) {
	err = db.QueryRow(ctx, `SELECT officer, duplicate_of, reason FROM enrol_verdict WHERE opened = $1 AND officer = $2`, opened, officer).
		Scan(&v.Officer, &v.DuplicateOf, &reason)
	return v, reason, err
}

func readVerdicts(ctx context.Context, db postgres.DB, opened uuid.UUID) ([]verdict, error) {
	rows, _ := db.Query(ctx, `SELECT officer, duplicate_of FROM enrol_verdict WHERE opened = $1`, opened)
	return pgx.CollectRows(rows, pgx.RowToStructByPos[verdict])
}
