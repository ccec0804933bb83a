package oidc

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/postgres"
)

// session is a person who is logged in here, in one browser.
type session struct {
	ID, Person uuid.UUID
	Sealed     []byte
	Clients    []string
	Generation uint32 // of the cookie
}

const sessionColumns = `id, person, sealed, clients, generation`

// insertSession begins a session, or goes on with one after its person was proven
// again: with the next generation of its cookie, which is told.
func insertSession(ctx context.Context, tx pgx.Tx, s session, expires time.Time) (generation uint32, err error) {
	err = tx.QueryRow(ctx, `INSERT INTO oidc_session (id, person, sealed, clients, expires_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (id) DO UPDATE SET sealed = $3, clients = (SELECT array_agg(DISTINCT c) FROM unnest(oidc_session.clients || $4::text[]) c),
			generation = oidc_session.generation + 1, expires_at = greatest(oidc_session.expires_at, $5)
		WHERE oidc_session.person = $2 AND oidc_session.ended_at IS NULL RETURNING generation`, s.ID, s.Person, s.Sealed, listed(s.Clients), expires).Scan(&generation)
	return generation, err
}

func liveSession(ctx context.Context, db postgres.DB, id uuid.UUID, now time.Time) (session, error) {
	rows, _ := db.Query(ctx, `SELECT `+sessionColumns+` FROM oidc_session WHERE id = $1 AND ended_at IS NULL AND expires_at > $2`, id, now)
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[session])
}

// joinSession adds a client to those that are told of the session's end.
func joinSession(ctx context.Context, tx pgx.Tx, id uuid.UUID, client string) error {
	_, err := tx.Exec(ctx, `UPDATE oidc_session SET clients = clients || $2 WHERE id = $1 AND ended_at IS NULL AND NOT $2 = ANY (clients)`, id, client)
	return err
}

// endSession ends a session, once. Its row stays as long as a token of it could be
// shown, for it is what says that the token is worth nothing.
func endSession(ctx context.Context, tx pgx.Tx, id uuid.UUID, now time.Time) (session, error) {
	rows, _ := tx.Query(ctx, `UPDATE oidc_session SET ended_at = $2, expires_at = greatest(expires_at, $3) WHERE id = $1 AND ended_at IS NULL AND expires_at > $2
		RETURNING `+sessionColumns, id, now, now.Add(grantLife)) // CollectExactlyOneRow returns its error
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[session])
}

// sessionsAt lists the sessions of a person that a client takes part in.
func sessionsAt(ctx context.Context, db postgres.DB, person uuid.UUID, client string, now time.Time) ([]uuid.UUID, error) {
	rows, _ := db.Query(ctx, `SELECT id FROM oidc_session WHERE person = $1 AND $2 = ANY (clients) AND ended_at IS NULL AND expires_at > $3`, person, client, now) // CollectRows returns its error
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

// sessionsOf lists the sessions of a person that last.
func sessionsOf(ctx context.Context, db postgres.DB, person uuid.UUID, now time.Time) ([]uuid.UUID, error) {
	rows, _ := db.Query(ctx, `SELECT id FROM oidc_session WHERE person = $1 AND ended_at IS NULL AND expires_at > $2`, person, now) // CollectRows returns its error
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

// notice is a client that is to be told of the end of a session.
type notice struct {
	ID      uuid.UUID
	Client  string
	Session *uuid.UUID
	Subject string
	Tries   int
}

func insertNotice(ctx context.Context, tx pgx.Tx, n notice, due, expires time.Time) error {
	_, err := tx.Exec(ctx, `INSERT INTO oidc_logout (id, client, session, subject, due_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)`, n.ID, n.Client, n.Session, n.Subject, due, expires)
	return err
}

// takeNotices takes some notices that are due, and puts them off until later: who
// falls down meanwhile leaves them to the next round.
func takeNotices(ctx context.Context, db postgres.DB, now, later time.Time) ([]notice, error) {
	rows, _ := db.Query(ctx, `UPDATE oidc_logout SET due_at = $2, tries = tries + 1 WHERE id IN
		(SELECT id FROM oidc_logout WHERE due_at <= $1 AND expires_at > $1 ORDER BY due_at LIMIT 32 FOR UPDATE SKIP LOCKED)
		RETURNING id, client, session, subject, tries`, now, later) // CollectRows returns its error
	return pgx.CollectRows(rows, pgx.RowToStructByPos[notice])
}

// postponeNotice has a client told again later.
func postponeNotice(ctx context.Context, db postgres.DB, id uuid.UUID, due time.Time) error {
	_, err := db.Exec(ctx, `UPDATE oidc_logout SET due_at = $2 WHERE id = $1`, id, due)
	return err
}

func dropNotice(ctx context.Context, db postgres.DB, id uuid.UUID) error {
	_, err := db.Exec(ctx, `DELETE FROM oidc_logout WHERE id = $1`, id)
	return err
}
