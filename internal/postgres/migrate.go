package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

//go:embed migrations/*.sql
var files embed.FS

// migrationLock is the advisory lock that whoever migrates holds ("plinth" in ASCII).
const migrationLock = 0x706c696e7468

// Migrations is the SQL that Migrate applies, River's own aside.
func Migrations() fs.FS {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		panic(err) // the directory is compiled in
	}
	return sub
}

// Migrate brings the schema up to date, forward only. Any number of processes may
// call it at once: one works, the others wait and find nothing left to do. A
// schema that is ahead of this binary is left as it is.
func Migrate(ctx context.Context, pool *pgxpool.Pool) error {
	patient, err := patientPool(ctx, pool)
	if err != nil {
		return fmt.Errorf("migrating: %w", err)
	}
	defer patient.Close()
	for {
		err = migrateLocked(ctx, patient)
		var failed *pgconn.PgError
		if err == nil || !errors.As(err, &failed) || failed.Code != "55P03" {
			return err
		}
		// Somebody works on the table; we stepped back so as not to hold up all
		// who queue behind our lock, and ask again.
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Second):
		}
	}
}

// patientPool is for statements that may take hours, such as an index on a full
// table, but that never wait long for a lock on a table others use.
func patientPool(ctx context.Context, pool *pgxpool.Pool) (*pgxpool.Pool, error) {
	config := pool.Config()
	config.MinConns, config.MinIdleConns, config.MaxConns = 0, 0, 4
	config.ConnConfig.RuntimeParams["statement_timeout"] = "0"
	config.ConnConfig.RuntimeParams["lock_timeout"] = "2s"
	return pgxpool.NewWithConfig(ctx, config)
}

func migrateLocked(ctx context.Context, pool *pgxpool.Pool) error {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("migrating: %w", err)
	}
	defer conn.Release()
	// One lock for goose and River, since River takes none. It is asked for again
	// and again rather than waited for: a waiting statement keeps a snapshot, for
	// which CREATE INDEX CONCURRENTLY of the working process would wait in turn.
	for locked := false; !locked; {
		if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, migrationLock).Scan(&locked); err != nil {
			return fmt.Errorf("locking the schema: %w", err)
		}
		if locked {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for another process that migrates: %w", ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
	defer func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), finish)
		defer cancel()
		_, _ = conn.Exec(last, `SELECT pg_advisory_unlock($1)`, migrationLock) // the pool is closed next anyway
	}()
	return migrateAll(ctx, pool)
}

func migrateAll(ctx context.Context, pool *pgxpool.Pool) error {
	db := stdlib.OpenDBFromPool(pool)
	defer db.Close()
	provider, err := provider(db)
	if err != nil {
		return err
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrating the schema: %w", err)
	}
	jobs, err := jobs(pool)
	if err != nil {
		return err
	}
	if _, err := jobs.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrating the job tables: %w", err)
	}
	return nil
}

func provider(db *sql.DB) (*goose.Provider, error) {
	// Owners add migrations in their own ranges, so a lower number may come later.
	p, err := goose.NewProvider(goose.DialectPostgres, db, Migrations(),
		goose.WithAllowOutofOrder(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return nil, fmt.Errorf("reading the migrations: %w", err)
	}
	return p, nil
}

func jobs(pool *pgxpool.Pool) (*rivermigrate.Migrator[pgx.Tx], error) {
	m, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, fmt.Errorf("reading the migrations of the job tables: %w", err)
	}
	return m, nil
}

// Pending counts the migrations of this binary that the database lacks.
func Pending(ctx context.Context, pool *pgxpool.Pool) (int, error) {
	pending := 0
	applied, err := appliedVersions(ctx, pool)
	if err != nil {
		return 0, err
	}
	db := stdlib.OpenDBFromPool(pool)
	defer db.Close()
	provider, err := provider(db)
	if err != nil {
		return 0, err
	}
	for _, source := range provider.ListSources() {
		if !applied[source.Version] {
			pending++
		}
	}
	jobs, err := jobs(pool)
	if err != nil {
		return 0, err
	}
	existing, err := jobs.ExistingVersions(ctx)
	if err != nil {
		return 0, fmt.Errorf("reading the version of the job tables: %w", err)
	}
	return pending + max(0, len(jobs.AllVersions())-len(existing)), nil
}

// appliedVersions reads goose's table without making it, so that doctor may run
// with a role that can only read.
func appliedVersions(ctx context.Context, db DB) (map[int64]bool, error) {
	var exists bool
	if err := db.QueryRow(ctx, `SELECT to_regclass($1) IS NOT NULL`, goose.DefaultTablename).Scan(&exists); err != nil {
		return nil, fmt.Errorf("reading the schema's version: %w", err)
	}
	applied := map[int64]bool{}
	if !exists {
		return applied, nil
	}
	rows, _ := db.Query(ctx, `SELECT version_id FROM goose_db_version WHERE is_applied`)
	versions, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("reading the schema's version: %w", err)
	}
	for _, v := range versions {
		applied[v] = true
	}
	return applied, nil
}
