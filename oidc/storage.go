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

// hashed is how a secret of ours is kept. All have 256 random bits, so that a
// plain hash is enough.
func hashed(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// keep stores an authorization request.
func keep(ctx context.Context, db postgres.DB, k kept, sealed []byte, expires time.Time) error {
	_, err := db.Exec(ctx, `INSERT INTO oidc_par (hash, client, sealed, expires_at) VALUES ($1, $2, $3, $4)`, k.hash, k.client, sealed, expires)
	if err != nil {
		return fmt.Errorf("keeping an authorization request: %w", err)
	}
	return nil
}

// claim binds a kept request to the first visit that comes with it, which gets the
// time of a login. The same visit may come again; any other finds nothing.
func claim(ctx context.Context, db postgres.DB, k kept, until, now time.Time) ([]byte, error) {
	var sealed []byte
	err := db.QueryRow(ctx, `UPDATE oidc_par SET visit = $3, expires_at = CASE WHEN visit IS NULL THEN $4 ELSE expires_at END
		WHERE hash = $1 AND client = $2 AND expires_at > $5 AND (visit IS NULL OR visit = $3) RETURNING sealed`,
		k.hash, k.client, k.visit, until, now).Scan(&sealed)
	return sealed, err
}

// kept names a stored request and who comes with it.
type kept struct {
	hash          []byte
	client, visit string
}

// recall reads a kept request for the visit that has claimed it.
func recall(ctx context.Context, db postgres.DB, hash []byte, visit string, now time.Time) ([]byte, error) {
	var sealed []byte
	err := db.QueryRow(ctx, `SELECT sealed FROM oidc_par WHERE hash = $1 AND visit = $2 AND expires_at > $3`, hash, visit, now).Scan(&sealed)
	return sealed, err
}

// forget ends a kept request; false means that it had ended before.
func forget(ctx context.Context, db postgres.DB, hash []byte, visit string) (bool, error) {
	done, err := db.Exec(ctx, `DELETE FROM oidc_par WHERE hash = $1 AND visit = $2`, hash, visit)
	if err != nil {
		return false, fmt.Errorf("ending an authorization request: %w", err)
	}
	return done.RowsAffected() == 1, nil
}

// row is a grant as it is written.
type row struct {
	id           uuid.UUID
	client       string
	sealed       []byte
	facts        facts
	code         []byte // hash; nil: none
	codeExpires  *time.Time
	token        []byte // hash; nil: none yet
	tokenExpires *time.Time
	expires      time.Time
}

// insertGrant writes a grant; false means that its interaction was completed before.
func insertGrant(ctx context.Context, tx pgx.Tx, r row) (bool, error) {
	done, err := tx.Exec(ctx, `INSERT INTO oidc_grant (id, client, sealed, facts, code_hash, code_expires_at, token_hash, token_expires_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING`,
		r.id, r.client, r.sealed, r.facts, r.code, r.codeExpires, r.token, r.tokenExpires, r.expires)
	if err != nil {
		return false, fmt.Errorf("writing grant %s: %w", r.id, err)
	}
	return done.RowsAffected() == 1, nil
}

// stored is a grant as it is read.
type stored struct {
	ID      uuid.UUID
	Client  string
	Sealed  []byte
	Facts   facts
	Expires *time.Time // of the access token
}

// spend takes a code out of use and puts the access token in its place. Of any
// number of callers one gets the row, the others pgx.ErrNoRows.
func spend(ctx context.Context, tx pgx.Tx, code []byte, t token) (stored, error) {
	rows, _ := tx.Query(ctx, `UPDATE oidc_grant SET spent_at = $3, token_hash = $4, token_expires_at = $5, expires_at = $5
		WHERE code_hash = $1 AND client = $2 AND spent_at IS NULL AND revoked_at IS NULL AND code_expires_at > $3
		RETURNING id, client, sealed, facts, token_expires_at`, code, t.client, t.now, t.hash, t.expires) // CollectExactlyOneRow returns its error
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[stored])
}

// token is an access token about to be stored.
type token struct {
	client       string
	hash         []byte
	now, expires time.Time
}

// revokeReused takes back what a code was traded for before.
func revokeReused(ctx context.Context, tx pgx.Tx, code []byte, client string, now time.Time) (stored, error) {
	rows, _ := tx.Query(ctx, `UPDATE oidc_grant SET revoked_at = $3 WHERE code_hash = $1 AND client = $2 AND spent_at IS NOT NULL AND revoked_at IS NULL
		RETURNING id, client, sealed, facts, token_expires_at`, code, client, now) // CollectExactlyOneRow returns its error
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[stored])
}

// revoke takes a grant back.
func revoke(ctx context.Context, tx pgx.Tx, id uuid.UUID, now time.Time) error {
	if _, err := tx.Exec(ctx, `UPDATE oidc_grant SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL`, id, now); err != nil {
		return fmt.Errorf("revoking grant %s: %w", id, err)
	}
	return nil
}

// revokeToken takes back the grant of a client's own access token.
func revokeToken(ctx context.Context, tx pgx.Tx, token []byte, client string, now time.Time) (stored, error) {
	rows, _ := tx.Query(ctx, `UPDATE oidc_grant SET revoked_at = $3 WHERE token_hash = $1 AND client = $2 AND revoked_at IS NULL
		RETURNING id, client, sealed, facts, token_expires_at`, token, client, now) // CollectExactlyOneRow returns its error
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[stored])
}

// live reads the grant of an access token that holds.
func live(ctx context.Context, db postgres.DB, token []byte, now time.Time) (stored, error) {
	rows, _ := db.Query(ctx, `SELECT id, client, sealed, facts, token_expires_at FROM oidc_grant
		WHERE token_hash = $1 AND revoked_at IS NULL AND token_expires_at > $2`, token, now) // CollectExactlyOneRow returns its error
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[stored])
}

// useAssertion takes a client assertion out of use; false means that it was used before.
func useAssertion(ctx context.Context, tx pgx.Tx, client, jti string, expires time.Time) (bool, error) {
	done, err := tx.Exec(ctx, `INSERT INTO oidc_jti (client, hash, expires_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, client, hashed(jti), expires)
	if err != nil {
		return false, fmt.Errorf("using an assertion of client %s: %w", client, err)
	}
	return done.RowsAffected() == 1, nil
}

// given is what a person allowed a client.
type given struct {
	id, person                     uuid.UUID
	client                         string
	scopes, claims, configurations []string
	at, ends                       time.Time
}

func insertConsent(ctx context.Context, tx pgx.Tx, g given) error {
	_, err := tx.Exec(ctx, `INSERT INTO oidc_consent (id, person, client, scopes, claims, configurations, given_at, ends_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, g.id, g.person, g.client, listed(g.scopes), listed(g.claims), listed(g.configurations), g.at, g.ends)
	if postgres.IsUnique(err, "oidc_consent_pkey") {
		return errEnded // said again after the rest of the visit was forgotten
	}
	if err != nil {
		return fmt.Errorf("recording consent %s: %w", g.id, err)
	}
	return nil
}

// listed is never NULL in the database.
func listed(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// swept are the tables whose rows end.
var swept = []string{"oidc_par", "oidc_jti", "oidc_grant"}

// sweepTable deletes expired rows of a table, a bounded number at once, and says how many.
func sweepTable(ctx context.Context, db postgres.DB, table string, now time.Time) (int64, error) {
	done, err := db.Exec(ctx, `DELETE FROM `+table+` WHERE ctid = ANY (ARRAY(SELECT ctid FROM `+table+` WHERE expires_at < $1 LIMIT 5000 FOR UPDATE SKIP LOCKED))`, now)
	if err != nil {
		return 0, fmt.Errorf("sweeping %s: %w", table, err)
	}
	return done.RowsAffected(), nil
}
