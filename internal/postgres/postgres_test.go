package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/internal/postgres/pgtest"
)

// ledger is a pool with a table of names in it.
func ledger(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool := pgtest.Pool(t)
	if _, err := pool.Exec(t.Context(), `CREATE TABLE ledger (name text PRIMARY KEY, amount int NOT NULL DEFAULT 0)`); err != nil {
		t.Fatal(err)
	}
	return pool
}

func add(ctx context.Context, db postgres.DB, name string) error {
	_, err := db.Exec(ctx, `INSERT INTO ledger (name) VALUES ($1)`, name)
	return err
}

func lines(t *testing.T, db postgres.DB) int {
	t.Helper()
	var n int
	if err := db.QueryRow(context.Background(), `SELECT count(*) FROM ledger`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestCommitCannotBeCancelled(t *testing.T) {
	pool := ledger(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := postgres.InTx(ctx, pool, func(tx pgx.Tx) error {
		defer cancel() // the client hangs up just before COMMIT
		return add(ctx, tx, "a")
	})
	if err != nil || lines(t, pool) != 1 {
		t.Fatalf("got %v and %d lines, want the commit carried out", err, lines(t, pool))
	}
}

func TestAnErrorRollsBack(t *testing.T) {
	pool := ledger(t)
	refused := errors.New("refused")
	ctx, cancel := context.WithCancel(t.Context())
	err := postgres.InTx(ctx, pool, func(tx pgx.Tx) error {
		if err := add(ctx, tx, "a"); err != nil {
			return err
		}
		cancel() // rolling back must not depend on the client either
		return refused
	})
	if !errors.Is(err, refused) || lines(t, pool) != 0 {
		t.Fatalf("got %v and %d lines, want the error and none", err, lines(t, pool))
	}
	if got := pool.Stat().AcquiredConns(); got != 0 {
		t.Fatalf("got %d connections still out, want none", got)
	}
}

func TestAPanicRollsBack(t *testing.T) {
	pool := ledger(t)
	func() {
		defer func() {
			if recover() == nil {
				t.Fatal("want the panic to go on")
			}
		}()
		_ = postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
			if err := add(t.Context(), tx, "a"); err != nil {
				return err
			}
			panic("in the middle")
		})
	}()
	if lines(t, pool) != 0 || pool.Stat().AcquiredConns() != 0 {
		t.Fatalf("got %d lines and %d connections out, want none", lines(t, pool), pool.Stat().AcquiredConns())
	}
}

func TestADeferredConstraintFailsTheCommit(t *testing.T) {
	pool := ledger(t)
	if _, err := pool.Exec(t.Context(), `ALTER TABLE ledger ADD CONSTRAINT once UNIQUE (amount) DEFERRABLE INITIALLY DEFERRED`); err != nil {
		t.Fatal(err)
	}
	err := postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		return errors.Join(add(t.Context(), tx, "a"), add(t.Context(), tx, "b"))
	})
	if !postgres.IsUnique(err, "once") || postgres.IsUnique(err, "other") || !postgres.IsUnique(err, "") || lines(t, pool) != 0 {
		t.Fatalf("got %v and %d lines, want the constraint's error and none", err, lines(t, pool))
	}
}

func TestATransactionInTheWayOfAnotherRunsAgain(t *testing.T) {
	pool := ledger(t)
	if err := add(t.Context(), pool, "a"); err != nil {
		t.Fatal(err)
	}
	var runs atomic.Int64
	var both sync.WaitGroup
	both.Add(2)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			first := true
			err := postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
				runs.Add(1)
				if _, err := tx.Exec(t.Context(), `SET TRANSACTION ISOLATION LEVEL SERIALIZABLE`); err != nil {
					return err
				}
				var amount int
				if err := tx.QueryRow(t.Context(), `SELECT amount FROM ledger WHERE name = 'a'`).Scan(&amount); err != nil {
					return err
				}
				if first { // both have read before either writes
					first = false
					both.Done()
					both.Wait()
				}
				_, err := tx.Exec(t.Context(), `UPDATE ledger SET amount = $1 WHERE name = 'a'`, amount+1)
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var amount int
	if err := pool.QueryRow(t.Context(), `SELECT amount FROM ledger`).Scan(&amount); err != nil || amount != 2 {
		t.Fatalf("got %d, %v; want both counted", amount, err)
	}
	if runs.Load() != 3 {
		t.Fatalf("got %d runs, want one of the two to run again", runs.Load())
	}
}

func TestRunningAgainHasAnEnd(t *testing.T) {
	pool := ledger(t)
	runs := 0
	err := postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		runs++
		_, err := tx.Exec(t.Context(), `DO $$ BEGIN RAISE serialization_failure; END $$`)
		return err
	})
	if err == nil || runs != 6 {
		t.Fatalf("got %v after %d runs, want the error after 6", err, runs)
	}
}

func TestNothingElseRunsAgain(t *testing.T) {
	pool := ledger(t)
	runs := 0
	err := postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		runs++
		return errors.Join(add(t.Context(), tx, "a"), add(t.Context(), tx, "a"))
	})
	if !postgres.IsUnique(err, "ledger_pkey") || runs != 1 {
		t.Fatalf("got %v after %d runs, want the error after one", err, runs)
	}
}

func TestOpenBoundsEveryStatement(t *testing.T) {
	url := pgtest.URL(t)
	pool, err := postgres.Open(t.Context(), url+"&lock_timeout=7s&pool_max_conns=3")
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	for setting, want := range map[string]string{"statement_timeout": "30s", "idle_in_transaction_session_timeout": "1min",
		"lock_timeout": "7s", "TimeZone": "UTC", "application_name": "plinth"} {
		var got string
		if err := pool.QueryRow(t.Context(), `SELECT current_setting($1)`, setting).Scan(&got); err != nil || got != want {
			t.Errorf("%s: got %q, %v; want %q", setting, got, err, want)
		}
	}
	if got := pool.Config().MaxConns; got != 3 {
		t.Errorf("got %d connections, want what the URL says", got)
	}
	if _, err := postgres.Open(t.Context(), "postgres:///none?host=/nowhere&user=x"); err == nil {
		t.Error("got a pool on nothing, want an error at once")
	}
	if _, err := postgres.Open(t.Context(), "postgres://:bad port/"); err == nil {
		t.Error("got a pool for a malformed URL, want an error")
	}
}

// deaf is a connection that dies between COMMIT and its answer.
type deaf struct {
	net.Conn
	committed atomic.Bool
}

func (d *deaf) Write(p []byte) (int, error) {
	if bytes.Contains(bytes.ToLower(p), []byte("commit\x00")) {
		d.committed.Store(true)
	}
	return d.Conn.Write(p)
}

func (d *deaf) Read(p []byte) (int, error) {
	n, err := d.Conn.Read(p)
	if d.committed.Load() {
		d.Conn.Close()
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

func TestACommitOfUnknownOutcomeIsNotRunAgain(t *testing.T) {
	pool := ledger(t)
	config := pool.Config()
	config.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return &deaf{Conn: conn}, err
	}
	broken, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer broken.Close()
	runs := 0
	err = postgres.InTx(t.Context(), broken, func(tx pgx.Tx) error {
		runs++
		return add(t.Context(), tx, "a")
	})
	if err == nil || runs != 1 || lines(t, pool) != 1 {
		t.Fatalf("got %v, %d runs and %d lines; want an error after the one run that took effect", err, runs, lines(t, pool))
	}
}
