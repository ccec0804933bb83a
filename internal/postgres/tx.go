package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/plinth-id/plinth/internal/fault"
)

const (
	attempts = 6                // of a transaction that others got in the way of
	finish   = 10 * time.Second // for COMMIT or ROLLBACK, however long the caller still waits
)

// InTx runs do in a transaction and commits it when do returns nil. It runs do
// again when the database found it in the way of another transaction, so do
// keeps nothing outside the database that a second run would spoil.
//
// The COMMIT itself cannot be cancelled: a commit broken off while it waits for
// a standby is visible here and yet may be lost there, and a retry would take it
// for done.
func InTx(ctx context.Context, pool *pgxpool.Pool, do func(tx pgx.Tx) error) error {
	for attempt := 1; ; attempt++ {
		err := once(ctx, pool, do)
		if err == nil || attempt == attempts || !mayRetry(err) {
			return exhausted(err)
		}
		pause := time.Duration(1<<attempt) * 4 * time.Millisecond
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause/2 + rand.N(pause)):
		}
	}
}

// exhausted names a server at its end (class 53: disk, memory, connections), which
// is nobody's mistake and may pass.
func exhausted(err error) error {
	var failed *pgconn.PgError
	if errors.As(err, &failed) && strings.HasPrefix(failed.Code, "53") {
		return fault.New(fault.Busy, "The server has no room left. Try again later; its operators must make room.").Named("no-room").Because(err)
	}
	return err
}

func once(ctx context.Context, pool *pgxpool.Pool, do func(tx pgx.Tx) error) error {
	tx, err := pool.Begin(ctx)
	if err != nil {
		return fmt.Errorf("beginning a transaction: %w", err)
	}
	committed := false
	defer func() { // on a panic of do as well
		if !committed {
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), finish)
			defer cancel()
			_ = tx.Rollback(last) // the connection is closed when this fails, which rolls back too
		}
	}()
	if err := do(tx); err != nil {
		return err
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), finish)
	defer cancel()
	committed = true
	if err := tx.Commit(last); err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	return nil
}

// mayRetry tells the two failures after which nothing of the transaction is left.
func mayRetry(err error) bool {
	var failed *pgconn.PgError
	return errors.As(err, &failed) && (failed.Code == "40001" || failed.Code == "40P01")
}

// IsUnique reports whether err is a violation of the unique constraint of that
// name; of any unique constraint when constraint is empty.
func IsUnique(err error, constraint string) bool {
	var failed *pgconn.PgError
	return errors.As(err, &failed) && failed.Code == "23505" && (constraint == "" || failed.ConstraintName == constraint)
}
