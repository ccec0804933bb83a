package present

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/internal/postgres"
)

type requestRow struct {
	ID      uuid.UUID
	Secret  []byte // its hash
	Network []byte // nil: not limited
	Sealed  []byte
	Expires time.Time
}

// insertRequest keeps a request, unless its network has as many open as it may.
func insertRequest(ctx context.Context, db postgres.DB, r requestRow, now time.Time, most int) (bool, error) {
	tag, err := db.Exec(ctx, `INSERT INTO vp_request (id, state, secret_hash, network, sealed, asked_at, expires_at)
		SELECT $1, 'asked', $2, $3, $4, $5, $6
		WHERE $3::bytea IS NULL OR (SELECT count(*) FROM vp_request WHERE network = $3 AND state = 'asked' AND expires_at > $5) < $7`,
		r.ID, r.Secret, r.Network, r.Sealed, now, r.Expires, most)
	if err != nil {
		return false, fmt.Errorf("storing a request: %w", err)
	}
	return tag.RowsAffected() == 1, nil
}

// waiting gives a request that still takes an answer; pgx.ErrNoRows otherwise.
func waiting(ctx context.Context, db postgres.DB, id uuid.UUID, now time.Time) (sealed []byte, err error) {
	err = db.QueryRow(ctx, `SELECT sealed FROM vp_request WHERE id = $1 AND state = 'asked' AND expires_at > $2`, id, now).Scan(&sealed)
	if err != nil {
		return nil, fmt.Errorf("finding request %s: %w", id, err)
	}
	return sealed, nil
}

// noteFetched remembers that a wallet has seen the request.
func noteFetched(ctx context.Context, db postgres.DB, id uuid.UUID, now time.Time) error {
	_, err := db.Exec(ctx, `UPDATE vp_request SET fetched_at = $2 WHERE id = $1 AND fetched_at IS NULL`, id, now)
	if err != nil {
		return fmt.Errorf("noting that request %s was fetched: %w", id, err)
	}
	return nil
}

// ending is what a request ends with.
type ending struct {
	ID                uuid.UUID
	State             string
	Verdict           string
	Reason            string
	Digest            []byte
	Result            []byte // sealed
	Presentation      []byte // sealed
	PresentationUntil *time.Time
	Code              []byte // its hash
	At                time.Time
	Expires           time.Time // of the result
}

// endRequest ends a request, once: of any number of answers at the same time one
// finds it waiting. What was asked is forgotten with it.
func endRequest(ctx context.Context, db postgres.DB, e ending) (bool, error) {
	tag, err := db.Exec(ctx, `UPDATE vp_request SET state = $2, verdict = NULLIF($3, ''), reason = NULLIF($4, ''), digest = $5, result = $6, presentation = $7,
		presentation_until = $8, code_hash = $9, answered_at = $10, expires_at = $11, sealed = NULL
		WHERE id = $1 AND state = 'asked' AND expires_at > $10`,
		e.ID, e.State, e.Verdict, e.Reason, e.Digest, e.Result, e.Presentation, e.PresentationUntil, e.Code, e.At, e.Expires)
	if err != nil {
		return false, fmt.Errorf("ending request %s: %w", e.ID, err)
	}
	return tag.RowsAffected() == 1, nil
}

type stateRow struct {
	State   string
	Verdict string
	Reason  string
	Code    []byte
	Fetched bool
	Expires time.Time
}

// find gives a request to whoever knows its secret; pgx.ErrNoRows to others.
func find(ctx context.Context, db postgres.DB, id uuid.UUID, secret []byte) (r stateRow, err error) {
	err = db.QueryRow(ctx, `SELECT state, COALESCE(verdict, ''), COALESCE(reason, ''), code_hash, fetched_at IS NOT NULL, expires_at FROM vp_request
		WHERE id = $1 AND secret_hash = $2`, id, secret).Scan(&r.State, &r.Verdict, &r.Reason, &r.Code, &r.Fetched, &r.Expires)
	if err != nil {
		return r, fmt.Errorf("looking at request %s: %w", id, err)
	}
	return r, nil
}

// collect takes the result away, once; pgx.ErrNoRows when somebody was faster, or it
// is too late.
func collect(ctx context.Context, db postgres.DB, id uuid.UUID, now time.Time) (result []byte, err error) {
	err = db.QueryRow(ctx, `WITH before AS (SELECT id, result FROM vp_request WHERE id = $1 AND state IN ('answered', 'failed') AND expires_at > $2 FOR UPDATE)
		UPDATE vp_request r SET state = 'collected', result = NULL FROM before WHERE r.id = before.id RETURNING before.result`, id, now).Scan(&result)
	if err != nil {
		return nil, fmt.Errorf("collecting the answer to %s: %w", id, err)
	}
	return result, nil
}

// kept gives a presentation that is kept; pgx.ErrNoRows otherwise.
func kept(ctx context.Context, db postgres.DB, id uuid.UUID, secret []byte, now time.Time) (sealed []byte, err error) {
	err = db.QueryRow(ctx, `SELECT presentation FROM vp_request WHERE id = $1 AND secret_hash = $2 AND presentation_until > $3`, id, secret, now).Scan(&sealed)
	if err != nil {
		return nil, fmt.Errorf("reading the presentation of %s: %w", id, err)
	}
	return sealed, nil
}

// sweep forgets requests that nobody answered, results that nobody collected,
// presentations past their time, and verdicts from before old.
func sweep(ctx context.Context, db postgres.DB, now, old time.Time) error {
	for _, statement := range []string{
		`DELETE FROM vp_request WHERE state = 'asked' AND expires_at < $1::timestamptz - interval '1 hour' AND $2::timestamptz IS NOT NULL`,
		`UPDATE vp_request SET result = NULL WHERE result IS NOT NULL AND expires_at < $1 AND $2::timestamptz IS NOT NULL`,
		`UPDATE vp_request SET presentation = NULL, presentation_until = NULL WHERE presentation_until < $1 AND $2::timestamptz IS NOT NULL`,
		`DELETE FROM vp_request WHERE answered_at < $2 AND presentation IS NULL AND $1::timestamptz IS NOT NULL`,
	} {
		if _, err := db.Exec(ctx, statement, now, old); err != nil {
			return fmt.Errorf("sweeping requests: %w", err)
		}
	}
	return nil
}
