package place

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/postgres"
)

func insertOfficer(ctx context.Context, db postgres.DB, o Officer, hash string, at time.Time) error {
	_, err := db.Exec(ctx, `INSERT INTO place_officer (id, name, role, password, created_at) VALUES ($1, $2, $3, $4, $5)`, o.ID, o.Name, o.Role, hash, at)
	return err
}

func allOfficers(ctx context.Context, db postgres.DB) ([]Officer, error) {
	rows, _ := db.Query(ctx, `SELECT id, name, role FROM place_officer WHERE NOT disabled ORDER BY name`)
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Officer])
}

func officerByName(ctx context.Context, db postgres.DB, name string) (o Officer, hash string, err error) {
	err = db.QueryRow(ctx, `SELECT id, name, role, password FROM place_officer WHERE name = $1 AND NOT disabled`, name).Scan(&o.ID, &o.Name, &o.Role, &hash)
	return o, hash, err
}

func insertSession(ctx context.Context, db postgres.DB, hash []byte, officer uuid.UUID, at time.Time) error {
	_, err := db.Exec(ctx, `INSERT INTO place_session (token_hash, officer, begun_at, seen_at) VALUES ($1, $2, $3, $3)`, hash, officer, at)
	return err
}

// touchSession reads a live session, and notes that it was used: at most every
// half minute, since a write for every request would cost more than it tells.
func touchSession(ctx context.Context, db postgres.DB, hash []byte, now, seenAfter, begunAfter time.Time) (o Officer, err error) {
	var seen time.Time
	err = db.QueryRow(ctx, `SELECT o.id, o.name, o.role, s.seen_at FROM place_session s JOIN place_officer o ON o.id = s.officer
		WHERE s.token_hash = $1 AND s.seen_at > $2 AND s.begun_at > $3 AND NOT o.disabled`, hash, seenAfter, begunAfter).Scan(&o.ID, &o.Name, &o.Role, &seen)
	if err == nil && now.Sub(seen) > 30*time.Second {
		_, err = db.Exec(ctx, `UPDATE place_session SET seen_at = $2 WHERE token_hash = $1`, hash, now)
	}
	return o, err
}

func deleteSession(ctx context.Context, db postgres.DB, hash []byte) error {
	_, err := db.Exec(ctx, `DELETE FROM place_session WHERE token_hash = $1`, hash)
	return err
}

func sweepSessions(ctx context.Context, db postgres.DB, seenBefore, begunBefore time.Time) error {
	_, err := db.Exec(ctx, `DELETE FROM place_session WHERE seen_at < $1 OR begun_at < $2`, seenBefore, begunBefore)
	return err
}

// takeAttempt counts one attempt, or finds them used up, in one statement, so that
// many at once are no way around the limit. A count that has run out begins again.
func takeAttempt(ctx context.Context, db postgres.DB, key []byte, limit int, now, until time.Time) (bool, error) {
	tag, err := db.Exec(ctx, `INSERT INTO place_attempt AS a (key, failures, until) VALUES ($1, 1, $3)
		ON CONFLICT (key) DO UPDATE SET failures = CASE WHEN a.until > $2 THEN a.failures + 1 ELSE 1 END, until = $3
		WHERE a.until <= $2 OR a.failures < $4`, key, now, until, limit)
	return tag.RowsAffected() == 1, err
}

func forgetAttempts(ctx context.Context, db postgres.DB, key []byte) error {
	_, err := db.Exec(ctx, `DELETE FROM place_attempt WHERE key = $1`, key)
	return err
}

func sweepAttempts(ctx context.Context, db postgres.DB, now time.Time) error {
	_, err := db.Exec(ctx, `DELETE FROM place_attempt WHERE until < $1`, now)
	return err
}

func insertStation(ctx context.Context, db postgres.DB, s Station, at time.Time) error {
	_, err := db.Exec(ctx, `INSERT INTO place_station (id, name, public, created_at) VALUES ($1, $2, $3, $4)`, s.ID, s.Name, []byte(s.Public), at)
	return err
}

func stationByID(ctx context.Context, db postgres.DB, id uuid.UUID) (s Station, err error) {
	var public []byte
	err = db.QueryRow(ctx, `SELECT id, name, public, disabled FROM place_station WHERE id = $1`, id).Scan(&s.ID, &s.Name, &public, &s.Disabled)
	s.Public = public
	return s, err
}

func disableStation(ctx context.Context, db postgres.DB, id uuid.UUID) (bool, error) {
	tag, err := db.Exec(ctx, `UPDATE place_station SET disabled = true WHERE id = $1`, id)
	return tag.RowsAffected() == 1, err
}
