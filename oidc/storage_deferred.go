package oidc

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/postgres"
)

// deferred is a question that is answered elsewhere than where it was asked.
type deferred struct {
	ID      uuid.UUID
	Kind    string
	Client  string
	Sealed  []byte
	State   string
	Pause   int // seconds
	Polled  *time.Time
	Pings   int
	Expires time.Time
}

const deferredColumns = `id, kind, client, sealed, state, pause, polled_at, pings, expires_at`

func oneDeferred(rows pgx.Rows, _ error) (deferred, error) { // CollectExactlyOneRow returns the error of the query
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[deferred])
}

func insertDeferred(ctx context.Context, tx pgx.Tx, d deferred, code []byte) error {
	_, err := tx.Exec(ctx, `INSERT INTO oidc_deferred (id, kind, client, code_hash, sealed, state, pause, expires_at) VALUES ($1, $2, $3, $4, $5, 'waiting', $6, $7)`,
		d.ID, d.Kind, d.Client, code, d.Sealed, d.Pause, d.Expires)
	return err
}

// waiting finds a question by what the person entered.
func waiting(ctx context.Context, db postgres.DB, kind string, code []byte, now time.Time) (deferred, error) {
	return oneDeferred(db.Query(ctx, `SELECT `+deferredColumns+` FROM oidc_deferred WHERE kind = $1 AND code_hash = $2 AND state = 'waiting' AND expires_at > $3`, kind, code, now))
}

// answer moves a question on from one state; pgx.ErrNoRows when it is in another.
func answer(ctx context.Context, tx pgx.Tx, id uuid.UUID, from, to string, now time.Time) (deferred, error) {
	return oneDeferred(tx.Query(ctx, `UPDATE oidc_deferred SET state = $3 WHERE id = $1 AND state = $2 AND expires_at > $4 RETURNING `+deferredColumns, id, from, to, now))
}

// poll notes that the client asked, and how things stood before.
func poll(ctx context.Context, tx pgx.Tx, id uuid.UUID, client string, now time.Time) (deferred, error) {
	return oneDeferred(tx.Query(ctx, `UPDATE oidc_deferred d SET polled_at = $3 FROM (SELECT id, polled_at FROM oidc_deferred WHERE id = $1 FOR UPDATE) before
		WHERE d.id = before.id AND d.client = $2 RETURNING d.id, d.kind, d.client, d.sealed, d.state, d.pause, before.polled_at, d.pings, d.expires_at`, id, client, now))
}

// slower makes a client that asks too often wait longer.
func slower(ctx context.Context, tx pgx.Tx, id uuid.UUID) error {
	_, err := tx.Exec(ctx, `UPDATE oidc_deferred SET pause = least(pause + 5, 60) WHERE id = $1`, id)
	return err
}

func setPing(ctx context.Context, db postgres.DB, id uuid.UUID, at *time.Time) error {
	_, err := db.Exec(ctx, `UPDATE oidc_deferred SET ping_at = $2 WHERE id = $1`, id, at)
	return err
}

// takePings takes some clients that are due to be told, and puts them off until later.
func takePings(ctx context.Context, db postgres.DB, now, later time.Time) ([]deferred, error) {
	rows, _ := db.Query(ctx, `UPDATE oidc_deferred SET ping_at = $2, pings = pings + 1 WHERE id IN
		(SELECT id FROM oidc_deferred WHERE ping_at <= $1 ORDER BY ping_at LIMIT 32 FOR UPDATE SKIP LOCKED) RETURNING `+deferredColumns, now, later) // CollectRows returns its error
	return pgx.CollectRows(rows, pgx.RowToStructByPos[deferred])
}
