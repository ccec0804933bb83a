package auth

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/postgres"
)

func insertCode(ctx context.Context, db postgres.DB, id uuid.UUID, in []byte, person uuid.UUID, code []byte, expires time.Time) error {
	_, err := db.Exec(ctx, `INSERT INTO auth_code (id, transaction, person, code, expires_at) VALUES ($1, $2, $3, $4, $5)`, id, in, person, code, expires)
	return err
}

// dropCodes drops the codes of a transaction that were not spent.
func dropCodes(ctx context.Context, db postgres.DB, in []byte, person uuid.UUID) error {
	_, err := db.Exec(ctx, `DELETE FROM auth_code WHERE transaction = $1 AND person = $2 AND used_at IS NULL`, in, person)
	return err
}

// spendCode spends a code of this transaction, once.
func spendCode(ctx context.Context, db postgres.DB, in []byte, person uuid.UUID, code []byte, now time.Time) (bool, error) {
	tag, err := db.Exec(ctx, `UPDATE auth_code SET used_at = $4
		WHERE transaction = $1 AND person = $2 AND code = $3 AND used_at IS NULL AND expires_at > $4 AND tries < $5`, in, person, code, now, codeTries)
	return tag.RowsAffected() > 0, err
}

// countTry counts a wrong try against every code of the transaction.
func countTry(ctx context.Context, db postgres.DB, in []byte, person uuid.UUID) error {
	_, err := db.Exec(ctx, `UPDATE auth_code SET tries = tries + 1 WHERE transaction = $1 AND person = $2 AND used_at IS NULL`, in, person)
	return err
}

func sweepCodes(ctx context.Context, db postgres.DB, before time.Time) error {
	_, err := db.Exec(ctx, `DELETE FROM auth_code WHERE expires_at < $1`, before)
	return err
}

// showOnce remembers what is shown, and tells whether it is for the first time.
func showOnce(ctx context.Context, db postgres.DB, token []byte, now, until time.Time) (bool, error) {
	tag, err := db.Exec(ctx, `INSERT INTO auth_image AS i (token, until) VALUES ($1, $3)
		ON CONFLICT (token) DO UPDATE SET until = excluded.until WHERE i.until <= $2`, token, now, until)
	return tag.RowsAffected() > 0, err
}

func sweepImages(ctx context.Context, db postgres.DB, now time.Time) error {
	_, err := db.Exec(ctx, `DELETE FROM auth_image WHERE until < $1`, now)
	return err
}

// takeEach takes one from each budget that has something left, and gives the keys
// of those, all in one round trip.
func takeEach(ctx context.Context, tx pgx.Tx, budgets []budget, now time.Time) (taken [][]byte, err error) {
	var batch pgx.Batch
	for _, b := range budgets {
		batch.Queue(`INSERT INTO auth_limit AS l (key, used, until) VALUES ($1, 1, $2)
			ON CONFLICT (key) DO UPDATE SET used = CASE WHEN l.until <= $3 THEN 1 ELSE l.used + 1 END, until = CASE WHEN l.until <= $3 THEN $2 ELSE l.until END
			WHERE l.until <= $3 OR l.used < $4 RETURNING key`, b.key, now.Add(b.window), now, b.limit).QueryRow(func(row pgx.Row) error {
			var key []byte
			err := row.Scan(&key)
			if errors.Is(err, pgx.ErrNoRows) {
				return nil // used up
			}
			taken = append(taken, key)
			return err
		})
	}
	return taken, tx.SendBatch(ctx, &batch).Close()
}

// isFree tells whether a budget has something left, without taking it.
func isFree(ctx context.Context, db postgres.DB, b budget, now time.Time) (free bool, err error) {
	err = db.QueryRow(ctx, `SELECT NOT EXISTS (SELECT FROM auth_limit WHERE key = $1 AND until > $2 AND used >= $3)`, b.key, now, b.limit).Scan(&free)
	return free, err
}

// anyUsed tells whether one of some budgets has been used so often.
func anyUsed(ctx context.Context, db postgres.DB, keys [][]byte, often int, now time.Time) (used bool, err error) {
	err = db.QueryRow(ctx, `SELECT EXISTS (SELECT FROM auth_limit WHERE key = ANY($1) AND until > $2 AND used >= $3)`, keys, now, often).Scan(&used)
	return used, err
}

func giveBack(ctx context.Context, db postgres.DB, keys [][]byte) error {
	_, err := db.Exec(ctx, `UPDATE auth_limit SET used = greatest(used - 1, 0) WHERE key = ANY ($1)`, keys)
	return err
}

func sweepLimits(ctx context.Context, db postgres.DB, now time.Time) error {
	_, err := db.Exec(ctx, `DELETE FROM auth_limit WHERE until < $1`, now)
	return err
}

// spendWork remembers a proof of work, and tells whether it is for the first time.
func spendWork(ctx context.Context, db postgres.DB, id []byte, expires time.Time) (bool, error) {
	tag, err := db.Exec(ctx, `INSERT INTO auth_work (id, expires_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING`, id, expires)
	return tag.RowsAffected() == 1, err
}

func sweepWork(ctx context.Context, db postgres.DB, now time.Time) error {
	_, err := db.Exec(ctx, `DELETE FROM auth_work WHERE expires_at < $1`, now)
	return err
}
