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

// openedBlob remembers the day on which one was read.
func openedBlob(ctx context.Context, db postgres.DB, id []byte, on time.Time) error {
	_, err := db.Exec(ctx, `UPDATE wallet_blob SET opened_on = $2 WHERE id = $1 AND opened_on IS DISTINCT FROM $2::date`, id, on)
	return err
}

// sweepBlobs forgets those that nobody has touched since a day, and those that were
// never read since another.
func sweepBlobs(ctx context.Context, db postgres.DB, before, unread time.Time) error {
	_, err := db.Exec(ctx, `DELETE FROM wallet_blob WHERE changed_on < $1 AND coalesce(opened_on, changed_on) < $1 OR changed_on < $2 AND opened_on IS NULL`, before, unread)
	return err
}

// sizeOfBlobs is what the table takes of the disk.
func sizeOfBlobs(ctx context.Context, db postgres.DB) (size int64, err error) {
	err = db.QueryRow(ctx, `SELECT pg_total_relation_size('wallet_blob')`).Scan(&size)
	return size, err
}

// sumOfBlobs is what is in it.
func sumOfBlobs(ctx context.Context, db postgres.DB) (sum int64, err error) {
	err = db.QueryRow(ctx, `SELECT coalesce(sum(octet_length(sealed)), 0) FROM wallet_blob`).Scan(&sum)
	return sum, err
}
