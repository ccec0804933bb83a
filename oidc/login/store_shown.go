package login

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/postgres"
)

// shownRow is a request to a wallet within a login.
type shownRow struct {
	ID      uuid.UUID
	Request uuid.UUID
	Link    string
	Number  string
	Asked   json.RawMessage
	State   string
	Code    []byte
	Expires time.Time
	Visit   uuid.UUID
	Browser json.RawMessage
}

const shownColumns = `id, request, link, number, asked, state, code, expires_at, coalesce(visit, id), browser`

func oneShown(rows pgx.Rows, _ error) (shownRow, error) { // CollectExactlyOneRow returns the error of the query
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[shownRow])
}

// insertShown keeps a request; false when its visit has so many.
func insertShown(ctx context.Context, db postgres.DB, l shownRow, most int) (bool, error) {
	tag, err := db.Exec(ctx, `INSERT INTO oidc_shown (id, request, link, number, asked, state, expires_at, visit, browser)
		SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9 WHERE (SELECT count(*) FROM oidc_shown WHERE visit = $8) < $10`,
		l.ID, l.Request, l.Link, l.Number, l.Asked, l.State, l.Expires, l.Visit, l.Browser, most)
	if err != nil {
		return false, fmt.Errorf("keeping a request to a wallet: %w", err)
	}
	return tag.RowsAffected() == 1, nil
}

// countShown tells how many requests a visit has made.
func countShown(ctx context.Context, db postgres.DB, visit uuid.UUID) (n int, err error) {
	err = db.QueryRow(ctx, `SELECT count(*) FROM oidc_shown WHERE visit = $1`, visit).Scan(&n)
	return n, err
}

func readShown(ctx context.Context, db postgres.DB, id uuid.UUID, now time.Time) (shownRow, error) {
	return oneShown(db.Query(ctx, `SELECT `+shownColumns+` FROM oidc_shown WHERE id = $1 AND expires_at > $2`, id, now))
}

// moveShown moves a request on from one state; pgx.ErrNoRows when it is in another.
func moveShown(ctx context.Context, db postgres.DB, l shownRow, from string, now time.Time) (shownRow, error) {
	return oneShown(db.Query(ctx, `UPDATE oidc_shown SET state = $3, code = coalesce($4, code) WHERE id = $1 AND state = $2 AND expires_at > $5 RETURNING `+shownColumns,
		l.ID, from, l.State, l.Code, now))
}
