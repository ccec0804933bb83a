package oidc

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/postgres"
)

// hashed is how the name of a pushed request is kept. It has 256 random bits, so
// that a plain hash is enough.
func hashed(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// kept is a stored authorization request.
type kept struct {
	hash, sealed  []byte
	client        string
	open, expires time.Time
}

func keep(ctx context.Context, db postgres.DB, k kept) error {
	_, err := db.Exec(ctx, `INSERT INTO oidc_par (hash, client, sealed, open_until, expires_at) VALUES ($1, $2, $3, $4, $5)`, k.hash, k.client, k.sealed, k.open, k.expires)
	if err != nil {
		return fmt.Errorf("keeping an authorization request: %w", err)
	}
	return nil
}

// pushed reads a kept request that its client sends somebody with.
func pushed(ctx context.Context, db postgres.DB, hash []byte, client string, now time.Time) (sealed []byte, err error) {
	err = db.QueryRow(ctx, `SELECT sealed FROM oidc_par WHERE hash = $1 AND client = $2 AND open_until > $3`, hash, client, now).Scan(&sealed)
	return sealed, err
}

// recall reads a kept request for a visit that began with it.
func recall(ctx context.Context, db postgres.DB, hash []byte, now time.Time) (sealed []byte, err error) {
	err = db.QueryRow(ctx, `SELECT sealed FROM oidc_par WHERE hash = $1 AND expires_at > $2`, hash, now).Scan(&sealed)
	return sealed, err
}

// forget ends a kept request; false means that it had ended before.
func forget(ctx context.Context, db postgres.DB, hash []byte) (bool, error) {
	done, err := db.Exec(ctx, `DELETE FROM oidc_par WHERE hash = $1`, hash)
	if err != nil {
		return false, fmt.Errorf("ending an authorization request: %w", err)
	}
	return done.RowsAffected() == 1, nil
}

// row is a grant as it is written.
type row struct {
	id               uuid.UUID
	client           string
	sealed           []byte
	facts            facts
	session, consent *uuid.UUID
	code             *time.Time // until when the code is good; nil: there is none
	expires          time.Time
}

// insertGrant writes a grant; false means that its interaction was completed before.
func insertGrant(ctx context.Context, tx pgx.Tx, r row) (bool, error) {
	done, err := tx.Exec(ctx, `INSERT INTO oidc_grant (id, client, sealed, facts, session, consent, code_expires_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING`,
		r.id, r.client, r.sealed, r.facts, r.session, r.consent, r.code, r.expires)
	if err != nil {
		return false, fmt.Errorf("writing grant %s: %w", r.id, err)
	}
	return done.RowsAffected() == 1, nil
}

// stored is a grant as it is read.
type stored struct {
	ID         uuid.UUID
	Client     string
	Sealed     []byte
	Facts      facts
	Session    *uuid.UUID
	Generation uint32
	Turned     *time.Time
	Expires    time.Time
}

const columns = `g.id, g.client, g.sealed, g.facts, g.session, g.generation, g.turned_at, g.expires_at`

func one(rows pgx.Rows, _ error) (stored, error) { // CollectExactlyOneRow returns the error of the query
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[stored])
}

// ended is what ends a grant from outside: a consent that was withdrawn, and a
// session that is over, unless the grant is for offline use.
const ended = `EXISTS (SELECT FROM oidc_consent c WHERE c.id = g.consent AND c.withdrawn_at IS NOT NULL)
	OR NOT coalesce((g.facts->>'offline')::boolean, false) AND EXISTS (SELECT FROM oidc_session s WHERE s.id = g.session AND s.ended_at IS NOT NULL)`

// setFacts writes down what a grant has come to.
func setFacts(ctx context.Context, tx pgx.Tx, id uuid.UUID, f facts) error {
	if _, err := tx.Exec(ctx, `UPDATE oidc_grant SET facts = $2 WHERE id = $1`, id, f); err != nil {
		return fmt.Errorf("writing grant %s: %w", id, err)
	}
	return nil
}

// spend takes a code out of use. Of any number of callers one gets the row, the
// others pgx.ErrNoRows.
func spend(ctx context.Context, tx pgx.Tx, id uuid.UUID, client string, now time.Time) (stored, error) {
	return one(tx.Query(ctx, `UPDATE oidc_grant g SET spent_at = $3 WHERE g.id = $1 AND g.client = $2 AND g.spent_at IS NULL AND g.revoked_at IS NULL
		AND g.code_expires_at > $3 AND NOT (`+ended+`) RETURNING `+columns, id, client, now))
}

// revokeReused takes back what a code was traded for before.
func revokeReused(ctx context.Context, tx pgx.Tx, id uuid.UUID, client string, now time.Time) (stored, error) {
	return one(tx.Query(ctx, `UPDATE oidc_grant g SET revoked_at = $3 WHERE g.id = $1 AND g.client = $2 AND g.spent_at IS NOT NULL AND g.revoked_at IS NULL
		RETURNING `+columns, id, client, now))
}

// turn renews a grant from one generation of its refresh token to the next. Of any
// number of callers one gets the row, the others pgx.ErrNoRows.
func turn(ctx context.Context, tx pgx.Tx, t ticket, client string, now time.Time) (stored, error) {
	return one(tx.Query(ctx, `UPDATE oidc_grant g SET generation = g.generation + 1, turned_at = $4
		WHERE g.id = $1 AND g.client = $2 AND g.generation = $3 AND g.revoked_at IS NULL AND g.expires_at > $4 AND NOT (`+ended+`) RETURNING `+columns, t.id, client, t.generation, now))
}

// revoke takes a grant of a client back.
func revoke(ctx context.Context, tx pgx.Tx, id uuid.UUID, client string, now time.Time) (stored, error) {
	return one(tx.Query(ctx, `UPDATE oidc_grant g SET revoked_at = $3 WHERE g.id = $1 AND g.client = $2 AND g.revoked_at IS NULL RETURNING `+columns, id, client, now))
}

// live reads a grant that holds.
func live(ctx context.Context, db postgres.DB, id uuid.UUID, now time.Time) (stored, error) {
	return one(db.Query(ctx, `SELECT `+columns+` FROM oidc_grant g WHERE g.id = $1 AND g.revoked_at IS NULL AND g.expires_at > $2 AND NOT (`+ended+`)`, id, now))
}

// useOnce takes what may be shown once out of use; false when any of it was shown before.
func useOnce(ctx context.Context, db postgres.DB, shown [][]byte, expires time.Time) (bool, error) {
	if len(shown) == 0 {
		return true, nil
	}
	done, err := db.Exec(ctx, `INSERT INTO oidc_jti (hash, expires_at) SELECT hash, $2 FROM unnest($1::bytea[]) AS hash ORDER BY hash ON CONFLICT DO NOTHING`, shown, expires)
	if err != nil {
		return false, fmt.Errorf("using up what is shown once: %w", err)
	}
	return int(done.RowsAffected()) == len(shown), nil
}

// revokeToken remembers an access token without a grant that was revoked.
func revokeToken(ctx context.Context, db postgres.DB, id uuid.UUID, expires time.Time) error {
	_, err := db.Exec(ctx, `INSERT INTO oidc_revoked (id, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING`, id, expires)
	return err
}

func isRevoked(ctx context.Context, db postgres.DB, id uuid.UUID) (revoked bool, err error) {
	err = db.QueryRow(ctx, `SELECT EXISTS (SELECT FROM oidc_revoked WHERE id = $1)`, id).Scan(&revoked)
	return revoked, err
}

// noteRehearsed counts a rule that a client would break.
func noteRehearsed(ctx context.Context, db postgres.DB, client, rule string, now time.Time) error {
	_, err := db.Exec(ctx, `INSERT INTO oidc_rehearsal AS r (client, rule, times, first_at, last_at) VALUES ($1, $2, 1, $3, $3)
		ON CONFLICT (client, rule) DO UPDATE SET times = r.times + 1, last_at = $3`, client, rule, now)
	return err
}

func rehearsed(ctx context.Context, db postgres.DB, client string) ([]Lapse, error) {
	rows, _ := db.Query(ctx, `SELECT rule, times, first_at, last_at FROM oidc_rehearsal WHERE client = $1 ORDER BY last_at DESC`, client) // CollectRows returns its error
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Lapse])
}

// swept are the tables whose rows end.
var swept = []string{"oidc_par", "oidc_jti", "oidc_grant", "oidc_revoked", "oidc_session", "oidc_logout", "oidc_deferred", "oidc_link", "oidc_shown"}

// sweepTable deletes expired rows of a table, a bounded number at once, and says how many.
func sweepTable(ctx context.Context, db postgres.DB, table string, now time.Time) (int64, error) {
	done, err := db.Exec(ctx, `DELETE FROM `+table+` WHERE ctid = ANY (ARRAY(SELECT ctid FROM `+table+` WHERE expires_at < $1 LIMIT 5000 FOR UPDATE SKIP LOCKED))`, now)
	if err != nil {
		return 0, fmt.Errorf("sweeping %s: %w", table, err)
	}
	return done.RowsAffected(), nil
}
