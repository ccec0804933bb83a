package partner

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/postgres"
)

// insert reports false when the id is taken.
func insert(ctx context.Context, db postgres.DB, c Client, at time.Time) (bool, error) {
	tag, err := db.Exec(ctx, `INSERT INTO partner_client (id, metadata, secrets, manager, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT DO NOTHING`, c.ID, c, c.Secrets, c.Manager, at)
	return tag.RowsAffected() == 1, err
}

func update(ctx context.Context, db postgres.DB, c Client, at time.Time) (bool, error) {
	tag, err := db.Exec(ctx, `UPDATE partner_client SET metadata = $2, secrets = $3, updated_at = $4 WHERE id = $1`, c.ID, c, c.Secrets, at)
	return tag.RowsAffected() == 1, err
}

func setDisabled(ctx context.Context, db postgres.DB, id string, disabled bool, at time.Time) (bool, error) {
	tag, err := db.Exec(ctx, `UPDATE partner_client SET disabled = $2, updated_at = $3 WHERE id = $1`, id, disabled, at)
	return tag.RowsAffected() == 1, err
}

// upsertVouched adds or renews a client of a federation; false when another has its id.
func upsertVouched(ctx context.Context, db postgres.DB, c Client, at time.Time) (bool, error) {
	tag, err := db.Exec(ctx, `INSERT INTO partner_client AS p (id, metadata, created_at, updated_at) VALUES ($1, $2, $3, $3)
		ON CONFLICT (id) DO UPDATE SET metadata = $2, updated_at = $3 WHERE p.metadata ? 'expires_at'`, c.ID, c, at)
	return tag.RowsAffected() == 1, err
}

func byID(ctx context.Context, db postgres.DB, id string) (Client, error) {
	rows, _ := db.Query(ctx, `SELECT metadata, secrets, manager, disabled FROM partner_client WHERE id = $1`, id)
	return pgx.CollectExactlyOneRow(rows, scan)
}

func all(ctx context.Context, db postgres.DB) ([]Client, error) {
	rows, _ := db.Query(ctx, `SELECT metadata, secrets, manager, disabled FROM partner_client ORDER BY created_at, id`)
	return pgx.CollectRows(rows, scan)
}

func scan(row pgx.CollectableRow) (c Client, err error) {
	var secrets []Secret
	var manager []byte
	var disabled bool
	err = row.Scan(&c, &secrets, &manager, &disabled)
	c.Secrets, c.Manager, c.Disabled = secrets, manager, disabled
	return c, err
}
