package shelf

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/postgres"
)

// lock lets one change of a kind happen at a time.
func lock(ctx context.Context, tx pgx.Tx, name string) error {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('credential kind ' || $1, 0))`, name); err != nil {
		return fmt.Errorf("locking the kind %s: %w", name, err)
	}
	return nil
}

// insert gives a version the next number of its kind.
func insert(ctx context.Context, db postgres.DB, v Version) (version int, err error) {
	err = db.QueryRow(ctx, `INSERT INTO credential_kind (name, version, state, definition, made_by, created_at, retired_at)
		SELECT $1, coalesce(max(version), 0) + 1, $2, $3, $4, $5, $6 FROM credential_kind WHERE name = $1 RETURNING version`,
		v.Name, v.State, v.Document, v.By, v.Created, v.Retired).Scan(&version)
	if err != nil {
		return 0, fmt.Errorf("storing the kind %s: %w", v.Name, err)
	}
	return version, nil
}

func rehearsed(ctx context.Context, db postgres.DB, name string, version int, now time.Time) (bool, error) {
	tag, err := db.Exec(ctx, `UPDATE credential_kind SET state = 'dry-run', tried_at = $3
		WHERE name = $1 AND version = $2 AND state IN ('draft', 'dry-run')`, name, version, now)
	if err != nil {
		return false, fmt.Errorf("recording the rehearsal of %s: %w", name, err)
	}
	return tag.RowsAffected() == 1, nil
}

func activate(ctx context.Context, db postgres.DB, name string, version int, now time.Time) (bool, error) {
	tag, err := db.Exec(ctx, `UPDATE credential_kind SET state = 'active', activated_at = $3
		WHERE name = $1 AND version = $2 AND state = 'dry-run'`, name, version, now)
	if err != nil {
		return false, fmt.Errorf("activating %s: %w", name, err)
	}
	return tag.RowsAffected() == 1, nil
}

// retire retires the active version of a kind, and gives its number; 0: there was none.
func retire(ctx context.Context, db postgres.DB, name string, now time.Time) (version int, err error) {
	err = db.QueryRow(ctx, `UPDATE credential_kind SET state = 'retired', retired_at = $2
		WHERE name = $1 AND state = 'active' RETURNING version`, name, now).Scan(&version)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("retiring %s: %w", name, err)
	}
	return version, nil
}

func everActive(ctx context.Context, db postgres.DB, name string) (ever bool, err error) {
	err = db.QueryRow(ctx, `SELECT EXISTS (SELECT FROM credential_kind WHERE name = $1 AND state IN ('active', 'retired'))`, name).Scan(&ever)
	if err != nil {
		return false, fmt.Errorf("looking for the kind %s: %w", name, err)
	}
	return ever, nil
}

func list(ctx context.Context, db postgres.DB) ([]Version, error) {
	rows, _ := db.Query(ctx, `SELECT name, version, state, made_by, created_at, tried_at, activated_at, retired_at, definition
		FROM credential_kind ORDER BY name, version DESC`) // CollectRows returns its error
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (v Version, err error) {
		err = row.Scan(&v.Name, &v.Version, &v.State, &v.By, &v.Created, &v.Tried, &v.Activated, &v.Retired, &v.Document)
		return v, err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the kinds of credentials: %w", err)
	}
	return all, nil
}
