package partner

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/postgres"
)

// insert reports false when the id is taken.
func insert(ctx context.Context, db postgres.DB, c Client, at time.Time) (bool, error) {
	tag, err := db.Exec(ctx, `INSERT INTO partner_client (id, metadata, created_at, updated_at) VALUES ($1, $2, $3, $3) ON CONFLICT DO NOTHING`, c.ID, c, at)
	return tag.RowsAffected() == 1, err
}

func update(ctx context.Context, db postgres.DB, c Client, at time.Time) (bool, error) {
	tag, err := db.Exec(ctx, `UPDATE partner_client SET metadata = $2, updated_at = $3 WHERE id = $1`, c.ID, c, at)
	return tag.RowsAffected() == 1, err
}

func disable(ctx context.Context, db postgres.DB, id string, at time.Time) (bool, error) {
	tag, err := db.Exec(ctx, `UPDATE partner_client SET disabled = true, updated_at = $2 WHERE id = $1`, id, at)
	return tag.RowsAffected() == 1, err
}

func byID(ctx context.Context, db postgres.DB, id string) (Client, error) {
	rows, _ := db.Query(ctx, `SELECT metadata, disabled FROM partner_client WHERE id = $1`, id)
	return pgx.CollectExactlyOneRow(rows, scan)
}

func all(ctx context.Context, db postgres.DB) ([]Client, error) {
	rows, _ := db.Query(ctx, `SELECT metadata, disabled FROM partner_client ORDER BY created_at, id`)
	return pgx.CollectRows(rows, scan)
}

func scan(row pgx.CollectableRow) (c Client, err error) {
	var disabled bool
	err = row.Scan(&c, &disabled)
	c.Disabled = disabled
	return c, err
}
