package auth

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/postgres"
)

// keyRow is a row of auth_key.
type keyRow struct {
	ID      uuid.UUID
	Kind    Method
	Lookup  []byte
	Person  uuid.UUID
	Sealed  []byte
	Created time.Time
	Used    *time.Time
	Expires *time.Time
}

const keyColumns = `id, kind, lookup, person, sealed, created_at, used_at, expires_at`

// insertKey reports false when somebody has the key.
func insertKey(ctx context.Context, db postgres.DB, k keyRow) (bool, error) {
	tag, err := db.Exec(ctx, `INSERT INTO auth_key (id, kind, lookup, person, sealed, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (lookup) DO NOTHING`, k.ID, k.Kind, k.Lookup, k.Person, k.Sealed, k.Created, k.Expires)
	return tag.RowsAffected() == 1, err
}

func lockKey(ctx context.Context, tx pgx.Tx, kind Method, lookups [][]byte, now time.Time) (keyRow, error) {
	rows, _ := tx.Query(ctx, `SELECT `+keyColumns+` FROM auth_key
		WHERE lookup = ANY($1) AND kind = $2 AND (expires_at IS NULL OR expires_at > $3) FOR UPDATE`, lookups, kind, now)
	return pgx.CollectOneRow(rows, pgx.RowToStructByPos[keyRow])
}

func readKeys(ctx context.Context, db postgres.DB, person uuid.UUID, kind Method, now time.Time) ([]keyRow, error) {
	rows, _ := db.Query(ctx, `SELECT `+keyColumns+` FROM auth_key
		WHERE person = $1 AND kind = $2 AND (expires_at IS NULL OR expires_at > $3) ORDER BY created_at, id`, person, kind, now)
	return pgx.CollectRows(rows, pgx.RowToStructByPos[keyRow])
}

func countKeys(ctx context.Context, db postgres.DB, person uuid.UUID, kind Method) (n int, err error) {
	err = db.QueryRow(ctx, `SELECT count(*) FROM auth_key WHERE person = $1 AND kind = $2`, person, kind).Scan(&n)
	return n, err
}

func touchKey(ctx context.Context, db postgres.DB, id uuid.UUID, sealed []byte, now time.Time) error {
	_, err := db.Exec(ctx, `UPDATE auth_key SET sealed = $2, used_at = $3 WHERE id = $1`, id, sealed, now)
	return err
}

func deleteKey(ctx context.Context, db postgres.DB, person uuid.UUID, kind Method, id uuid.UUID) (bool, error) {
	tag, err := db.Exec(ctx, `DELETE FROM auth_key WHERE id = $1 AND person = $2 AND kind = $3`, id, person, kind)
	return tag.RowsAffected() > 0, err
}

// hasMore tells whether a person has set up anything to log in with.
func hasMore(ctx context.Context, db postgres.DB, person uuid.UUID, now time.Time) (more bool, err error) {
	err = db.QueryRow(ctx, `SELECT EXISTS (SELECT FROM auth_secret WHERE person = $1)
		OR EXISTS (SELECT FROM auth_key WHERE person = $1 AND (expires_at IS NULL OR expires_at > $2))`, person, now).Scan(&more)
	return more, err
}

// answerOnce remembers that a challenge was answered, and tells whether it is for the first time.
func answerOnce(ctx context.Context, db postgres.DB, token []byte, expires time.Time) (bool, error) {
	tag, err := db.Exec(ctx, `INSERT INTO auth_challenge (token, expires_at) VALUES ($1, $2) ON CONFLICT (token) DO NOTHING`, token, expires)
	return tag.RowsAffected() == 1, err
}

func sweepChallenges(ctx context.Context, db postgres.DB, now time.Time) error {
	_, err := db.Exec(ctx, `DELETE FROM auth_challenge WHERE expires_at < $1`, now)
	return err
}

func sweepKeys(ctx context.Context, db postgres.DB, now time.Time) error {
	_, err := db.Exec(ctx, `DELETE FROM auth_key WHERE expires_at < $1`, now)
	return err
}

// clearKey deletes a key that is the person's own already, or has expired.
func clearKey(ctx context.Context, db postgres.DB, kind Method, lookups [][]byte, person uuid.UUID, now time.Time) error {
	_, err := db.Exec(ctx, `DELETE FROM auth_key WHERE lookup = ANY($1) AND kind = $2 AND (person = $3 OR expires_at <= $4)`, lookups, kind, person, now)
	return err
}
