package federation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/postgres"
)

// registration is a relying party that came in.
type registration struct {
	Entity, Way, Anchor string
	Expires             time.Time
}

// saveRegistration writes a registration; one of before ends.
func saveRegistration(ctx context.Context, db postgres.DB, r registration) error {
	_, err := db.Exec(ctx, `INSERT INTO oidc_federation_client (entity, way, anchor, expires_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (entity) DO UPDATE SET way = excluded.way, anchor = excluded.anchor, expires_at = excluded.expires_at`,
		r.Entity, r.Way, r.Anchor, r.Expires)
	if err != nil {
		return fmt.Errorf("writing the registration of an entity: %w", err)
	}
	return nil
}

// isRegistered tells whether an entity has a registration that still holds.
func isRegistered(ctx context.Context, db postgres.DB, entity string, now time.Time) (holds bool, err error) {
	err = db.QueryRow(ctx, `SELECT EXISTS (SELECT FROM oidc_federation_client WHERE entity = $1 AND expires_at > $2)`, entity, now).Scan(&holds)
	if err != nil {
		return false, fmt.Errorf("reading the registration of an entity: %w", err)
	}
	return holds, nil
}

// dropRegistration ends a registration: the entity is looked up anew when it comes.
func dropRegistration(ctx context.Context, db postgres.DB, entity string) error {
	if _, err := db.Exec(ctx, `DELETE FROM oidc_federation_client WHERE entity = $1`, entity); err != nil {
		return fmt.Errorf("ending the registration of an entity: %w", err)
	}
	return nil
}

// found tells a row that is missing from a failure.
func found[T any](row T, err error) (T, bool, error) {
	if errors.Is(err, pgx.ErrNoRows) {
		return row, false, nil
	}
	if err != nil {
		return row, false, fmt.Errorf("reading what is known of an entity: %w", err)
	}
	return row, true, nil
}

// sweepRegistrations deletes registrations that have ended, a bounded number at once.
func sweepRegistrations(ctx context.Context, db postgres.DB, now time.Time) (int64, error) {
	done, err := db.Exec(ctx, `DELETE FROM oidc_federation_client WHERE entity = ANY (ARRAY(
		SELECT entity FROM oidc_federation_client WHERE expires_at < $1 LIMIT 5000 FOR UPDATE SKIP LOCKED))`, now)
	if err != nil {
		return 0, fmt.Errorf("sweeping registrations of entities: %w", err)
	}
	return done.RowsAffected(), nil
}

// saveSubordinate writes what we state of an entity, over what we stated before.
func saveSubordinate(ctx context.Context, db postgres.DB, s Subordinate, now time.Time) error {
	_, err := db.Exec(ctx, `INSERT INTO oidc_federation_subordinate (entity, jwks, metadata, policy, constraints, entity_types, intermediate, added_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (entity) DO UPDATE SET jwks = excluded.jwks, metadata = excluded.metadata,
		policy = excluded.policy, constraints = excluded.constraints, entity_types = excluded.entity_types, intermediate = excluded.intermediate`,
		s.Entity, s.Keys, s.Metadata, s.Policy, s.Constraints, s.EntityTypes, s.Intermediate, now)
	if err != nil {
		return fmt.Errorf("writing a subordinate: %w", err)
	}
	return nil
}

// dropSubordinate deletes an entity from below us; false means that it was not there.
func dropSubordinate(ctx context.Context, db postgres.DB, entity string) (bool, error) {
	done, err := db.Exec(ctx, `DELETE FROM oidc_federation_subordinate WHERE entity = $1`, entity)
	if err != nil {
		return false, fmt.Errorf("removing a subordinate: %w", err)
	}
	return done.RowsAffected() == 1, nil
}

const subordinateColumns = `SELECT entity, jwks, metadata, policy, constraints, entity_types, intermediate FROM oidc_federation_subordinate`

func subordinate(ctx context.Context, db postgres.DB, entity string) (Subordinate, bool, error) {
	rows, _ := db.Query(ctx, subordinateColumns+` WHERE entity = $1`, entity) // CollectExactlyOneRow returns its error
	return found(pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Subordinate]))
}

func subordinates(ctx context.Context, db postgres.DB) ([]Subordinate, error) {
	rows, _ := db.Query(ctx, subordinateColumns+` ORDER BY entity`) // CollectRows returns its error
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Subordinate])
	if err != nil {
		return nil, fmt.Errorf("listing subordinates: %w", err)
	}
	return all, nil
}

// listed names the subordinates that a listing asks for.
func listed(ctx context.Context, db postgres.DB, l listing, now time.Time) ([]string, error) {
	rows, _ := db.Query(ctx, `SELECT entity FROM oidc_federation_subordinate AS s
		WHERE (cardinality($1::text[]) = 0 OR entity_types && $1) AND ($2::boolean IS NULL OR intermediate = $2)
		AND (NOT $3 OR EXISTS (SELECT FROM oidc_federation_mark AS m WHERE m.entity = s.entity AND ($4 = '' OR type = $4)
			AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $5)))
		ORDER BY entity`, l.kinds, l.intermediate, l.marked || l.mark != "", l.mark, now) // CollectRows returns its error
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("listing subordinates: %w", err)
	}
	return names, nil
}

// standing is what our own configuration has to tell of: whether there is anybody below
// us, and which trust marks of ours hold.
type standing struct {
	Superior bool
	Marks    []string
}

func stands(ctx context.Context, db postgres.DB, now time.Time) (standing, error) {
	rows, _ := db.Query(ctx, `SELECT EXISTS (SELECT FROM oidc_federation_subordinate),
		ARRAY(SELECT DISTINCT type FROM oidc_federation_mark WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $1) ORDER BY type)`,
		now) // CollectExactlyOneRow returns its error
	s, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[standing])
	if err != nil {
		return s, fmt.Errorf("reading who stands below us: %w", err)
	}
	return s, nil
}

// given is a trust mark of ours.
type given struct {
	Hash    []byte
	Type    string
	Entity  string
	Mark    string
	Issued  time.Time
	Expires *time.Time
	Revoked *time.Time
}

func insertMark(ctx context.Context, db postgres.DB, g given) error {
	_, err := db.Exec(ctx, `INSERT INTO oidc_federation_mark (hash, type, entity, mark, issued_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		g.Hash, g.Type, g.Entity, g.Mark, g.Issued, g.Expires)
	if err != nil {
		return fmt.Errorf("writing a trust mark: %w", err)
	}
	return nil
}

// revokeMarks ends all marks of a type that an entity bears, and says how many.
func revokeMarks(ctx context.Context, db postgres.DB, kind, entity string, now time.Time) (int64, error) {
	done, err := db.Exec(ctx, `UPDATE oidc_federation_mark SET revoked_at = $3 WHERE type = $1 AND entity = $2 AND revoked_at IS NULL`, kind, entity, now)
	if err != nil {
		return 0, fmt.Errorf("revoking a trust mark: %w", err)
	}
	return done.RowsAffected(), nil
}

const markColumns = `SELECT hash, type, entity, mark, issued_at, expires_at, revoked_at FROM oidc_federation_mark`

func markByHash(ctx context.Context, db postgres.DB, hash []byte) (given, bool, error) {
	rows, _ := db.Query(ctx, markColumns+` WHERE hash = $1`, hash) // CollectExactlyOneRow returns its error
	return found(pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[given]))
}

// markOf is the newest mark of a type that an entity bears and that holds.
func markOf(ctx context.Context, db postgres.DB, kind, entity string, now time.Time) (given, bool, error) {
	rows, _ := db.Query(ctx, markColumns+` WHERE entity = $1 AND type = $2 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $3)
		ORDER BY issued_at DESC, hash LIMIT 1`, entity, kind, now) // CollectExactlyOneRow returns its error
	return found(pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[given]))
}

// nullable is JSON that may be left out.
func nullable(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return nil
	}
	return raw
}
