package login

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/postgres"
)

// link is a login that a wallet answers.
type link struct {
	ID     uuid.UUID
	Client string
	Number string
	Nonce  string
	Shown  json.RawMessage
	State  string
	Sealed []byte
	Claims []string
}

const linkColumns = `id, client, number, nonce, shown, state, sealed, claims`

func oneLink(rows pgx.Rows, _ error) (link, error) { // CollectExactlyOneRow returns the error of the query
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[link])
}

// openLink begins a link, or gives one that no wallet has taken yet a new code.
func openLink(ctx context.Context, db postgres.DB, l link, code []byte, until [2]time.Time) (link, error) {
	return oneLink(db.Query(ctx, `INSERT INTO oidc_link AS l (id, client, code_hash, code_until, number, nonce, shown, state, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $8, 'open', $7)
		ON CONFLICT (id) DO UPDATE SET code_hash = CASE WHEN l.state IN ('open', 'refused') THEN $3 END, code_until = $4, expires_at = $7,
			state = CASE WHEN l.state = 'refused' THEN 'open' ELSE l.state END, number = CASE WHEN l.state = 'refused' THEN $5 ELSE l.number END,
			nonce = CASE WHEN l.state = 'refused' THEN $6 ELSE l.nonce END
		RETURNING `+linkColumns, l.ID, l.Client, code, until[0], l.Number, l.Nonce, until[1], l.Shown))
}

// takeLink lets one wallet have a code, once.
func takeLink(ctx context.Context, db postgres.DB, code []byte, now time.Time) (link, error) {
	return oneLink(db.Query(ctx, `UPDATE oidc_link SET state = 'linked', code_hash = NULL WHERE code_hash = $1 AND state = 'open' AND code_until > $2 RETURNING `+linkColumns, code, now))
}

func readLink(ctx context.Context, db postgres.DB, id uuid.UUID, now time.Time) (link, error) {
	return oneLink(db.Query(ctx, `SELECT `+linkColumns+` FROM oidc_link WHERE id = $1 AND expires_at > $2`, id, now))
}

// moveLink moves a link on from one state; pgx.ErrNoRows when it is in another.
func moveLink(ctx context.Context, db postgres.DB, l link, from string, now time.Time) (link, error) {
	return oneLink(db.Query(ctx, `UPDATE oidc_link SET state = $3, sealed = coalesce($4, sealed), claims = coalesce($5, claims)
		WHERE id = $1 AND state = $2 AND expires_at > $6 RETURNING `+linkColumns, l.ID, from, l.State, l.Sealed, l.Claims, now))
}
