package wallet

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/postgres"
)

// blob is a browser wallet as we keep it.
type blob struct {
	Key     []byte
	Sealed  []byte
	Edition int64
}

// findBlob reads one.
func findBlob(ctx context.Context, db postgres.DB, id []byte) (blob, error) {
	rows, _ := db.Query(ctx, `SELECT key, sealed, edition FROM wallet_blob WHERE id = $1`, id) // CollectExactlyOneRow returns its error
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[blob])
}

// insertBlob keeps the first edition, unless there is one.
func insertBlob(ctx context.Context, db postgres.DB, id []byte, b blob, on time.Time) (bool, error) {
	tag, err := db.Exec(ctx, `INSERT INTO wallet_blob (id, key, sealed, edition, changed_on) VALUES ($1, $2, $3, 1, $4) ON CONFLICT DO NOTHING`, id, b.Key, b.Sealed, on)
	return tag.RowsAffected() == 1, err
}

// updateBlob keeps the edition after the one that its writer has seen.
func updateBlob(ctx context.Context, db postgres.DB, id []byte, b blob, on time.Time) (bool, error) {
	tag, err := db.Exec(ctx, `UPDATE wallet_blob SET sealed = $3, edition = edition + 1, changed_on = $5 WHERE id = $1 AND key = $2 AND edition = $4`, id, b.Key, b.Sealed, b.Edition, on)
	return tag.RowsAffected() == 1, err
}

// deleteBlob forgets one.
func deleteBlob(ctx context.Context, db postgres.DB, id, key []byte) (bool, error) {
	tag, err := db.Exec(ctx, `DELETE FROM wallet_blob WHERE id = $1 AND key = $2`, id, key)
	return tag.RowsAffected() == 1, err
}

// sweepBlobs forgets those that nobody has touched since a day.
func sweepBlobs(ctx context.Context, db postgres.DB, before time.Time) error {
	_, err := db.Exec(ctx, `DELETE FROM wallet_blob WHERE changed_on < $1`, before)
	return err
}
