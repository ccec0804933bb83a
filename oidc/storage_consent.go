package oidc

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/postgres"
)

// given is what a person allowed a client.
type given struct {
	ID, Person                     uuid.UUID
	Client                         string
	Hash                           []byte
	Scopes, Claims, Configurations []string
	Details                        json.RawMessage
	At, Ends                       time.Time
	Withdrawn                      *time.Time
}

const givenColumns = `id, person, client, hash, scopes, claims, configurations, details, given_at, ends_at, withdrawn_at`

func insertConsent(ctx context.Context, tx pgx.Tx, g given) error {
	_, err := tx.Exec(ctx, `INSERT INTO oidc_consent (id, person, client, hash, scopes, claims, configurations, details, given_at, ends_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, g.ID, g.Person, g.Client, g.Hash, listed(g.Scopes), listed(g.Claims), listed(g.Configurations), g.Details, g.At, g.Ends)
	if postgres.IsUnique(err, "oidc_consent_pkey") {
		return errEnded // said again after the rest of the visit was forgotten
	}
	if err != nil {
		return fmt.Errorf("recording consent %s: %w", g.ID, err)
	}
	return nil
}

// remembered finds the answer that a person gave to the same question.
func remembered(ctx context.Context, db postgres.DB, person uuid.UUID, hash []byte, now time.Time) (given, error) {
	rows, _ := db.Query(ctx, `SELECT `+givenColumns+` FROM oidc_consent WHERE person = $1 AND hash = $2 AND withdrawn_at IS NULL AND ends_at > $3
		ORDER BY given_at DESC LIMIT 1`, person, hash, now) // CollectExactlyOneRow returns its error
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[given])
}

// consents lists what a person has allowed, the newest first; of answers to the same
// question the last.
func consents(ctx context.Context, db postgres.DB, person uuid.UUID) ([]given, error) {
	rows, _ := db.Query(ctx, `SELECT `+givenColumns+` FROM (SELECT DISTINCT ON (client, hash) `+givenColumns+` FROM oidc_consent WHERE person = $1
		ORDER BY client, hash, given_at DESC) g ORDER BY given_at DESC LIMIT 200`, person) // CollectRows returns its error
	return pgx.CollectRows(rows, pgx.RowToStructByPos[given])
}

// oneConsent is an answer of a person, however old.
func oneConsent(ctx context.Context, db postgres.DB, id, person uuid.UUID) (given, error) {
	rows, _ := db.Query(ctx, `SELECT `+givenColumns+` FROM oidc_consent WHERE id = $1 AND person = $2`, id, person) // CollectExactlyOneRow returns its error
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[given])
}

// withdraw ends a consent, and every earlier one to the same question, lest an older
// answer be taken for a yes; pgx.ErrNoRows when it is not the person's or had ended.
func withdraw(ctx context.Context, tx pgx.Tx, id, person uuid.UUID, now time.Time) (given, error) {
	rows, _ := tx.Query(ctx, `WITH ended AS (UPDATE oidc_consent SET withdrawn_at = $3 WHERE person = $2 AND withdrawn_at IS NULL
			AND (client, hash) = (SELECT client, hash FROM oidc_consent WHERE id = $1 AND person = $2) RETURNING `+givenColumns+`)
		SELECT `+givenColumns+` FROM ended ORDER BY (id = $1) DESC, given_at DESC LIMIT 1`, id, person, now) // CollectExactlyOneRow returns its error
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[given])
}

// isNew tells whether a person has never allowed a client anything before.
func isNew(ctx context.Context, db postgres.DB, person uuid.UUID, client string) (first bool, err error) {
	err = db.QueryRow(ctx, `SELECT NOT EXISTS (SELECT FROM oidc_consent WHERE person = $1 AND client = $2)`, person, client).Scan(&first)
	return first, err
}

// listed is never NULL in the database.
func listed(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
