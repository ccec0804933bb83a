package keys

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/postgres"
)

// lock lets one process at a time make keys ("keys" in ASCII).
func lock(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, 0x6b657973); err != nil {
		return fmt.Errorf("locking the keys: %w", err)
	}
	return nil
}

func hasCurrent(ctx context.Context, db postgres.DB, d Domain) (exists bool, err error) {
	err = db.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM key_domain WHERE domain = $1 AND state = 'current')`, d).Scan(&exists)
	return exists, err
}

func insertKey(ctx context.Context, db postgres.DB, k *domainKey) error {
	_, err := db.Exec(ctx, `INSERT INTO key_domain (id, domain, algorithm, public, wrapped, state, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`, k.ID, k.Domain, k.Algorithm, k.Public, k.Wrapped, k.State, k.Created)
	if err != nil {
		return fmt.Errorf("storing %s: %w", k, err)
	}
	return nil
}

func retire(ctx context.Context, db postgres.DB, d Domain) error {
	_, err := db.Exec(ctx, `UPDATE key_domain SET state = 'retired', retired_at = now() WHERE domain = $1 AND state = 'current'`, d)
	return err
}

// promote lets the next key be the current one; false when there is none.
func promote(ctx context.Context, db postgres.DB, d Domain) (bool, error) {
	done, err := db.Exec(ctx, `UPDATE key_domain SET state = 'current' WHERE domain = $1 AND state = 'next'`, d)
	return done.RowsAffected() == 1, err
}

// schedule tells how old the current key of a domain is and, if there is one, the next.
func schedule(ctx context.Context, db postgres.DB, d Domain) (of, after *time.Time, err error) {
	err = db.QueryRow(ctx, `SELECT max(created_at) FILTER (WHERE state = 'current'), max(created_at) FILTER (WHERE state = 'next')
		FROM key_domain WHERE domain = $1`, d).Scan(&of, &after)
	return of, after, err
}

// allKeys reads every key, the current one of each domain first.
func allKeys(ctx context.Context, db postgres.DB) ([]*domainKey, error) {
	rows, _ := db.Query(ctx, `SELECT id, domain, algorithm, coalesce(public, ''), wrapped, state, created_at, retired_at
		FROM key_domain ORDER BY state, created_at DESC`)
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*domainKey, error) {
		var k domainKey
		err := row.Scan(&k.ID, &k.Domain, &k.Algorithm, &k.Public, &k.Wrapped, &k.State, &k.Created, &k.Retired)
		return &k, err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the keys: %w", err)
	}
	return all, nil
}

func insertPerson(ctx context.Context, db postgres.DB, person uuid.UUID, wrapped []byte) error {
	_, err := db.Exec(ctx, `INSERT INTO key_person (person, wrapped) VALUES ($1, $2)`, person, wrapped)
	return err
}

func personWrapped(ctx context.Context, db postgres.DB, person uuid.UUID) (wrapped []byte, err error) {
	err = db.QueryRow(ctx, `SELECT wrapped FROM key_person WHERE person = $1`, person).Scan(&wrapped)
	return wrapped, err
}

func deletePerson(ctx context.Context, db postgres.DB, person uuid.UUID) error {
	_, err := db.Exec(ctx, `DELETE FROM key_person WHERE person = $1`, person)
	return err
}
