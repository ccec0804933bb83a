package status

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/postgres"
)

// open makes the next list, unless another process just did.
func open(ctx context.Context, db postgres.DB, now time.Time) error {
	_, err := db.Exec(ctx, `INSERT INTO status_list (open, taken, created_at) VALUES (true, 0, $1) ON CONFLICT DO NOTHING`, now)
	if err != nil {
		return fmt.Errorf("opening a status list: %w", err)
	}
	return nil
}

// takeBlock takes the next places of the open list out of use for everybody else;
// pgx.ErrNoRows when no list is open. Size is a multiple of a block.
func takeBlock(ctx context.Context, db postgres.DB, block int) (list int64, from int, err error) {
	err = db.QueryRow(ctx, `UPDATE status_list SET taken = taken + $1, open = taken + $1 < $2 WHERE open
		RETURNING id, taken - $1`, block, Size).Scan(&list, &from)
	if err != nil {
		return 0, 0, fmt.Errorf("taking places of a status list: %w", err)
	}
	return list, from, nil
}

func set(ctx context.Context, tx pgx.Tx, entries []Entry, v Value, now time.Time) error {
	lists, places := columns(entries)
	_, err := tx.Exec(ctx, `INSERT INTO status_change AS s (list, idx, value, changed_at)
		SELECT list, idx, $3, $4 FROM unnest($1::bigint[], $2::int[]) AS e (list, idx)
		ON CONFLICT (list, idx) DO UPDATE SET value = $3, version = s.version + 1, changed_at = $4
		WHERE s.value <> 1 AND s.value <> $3`, lists, places, v, now)
	if err != nil {
		return fmt.Errorf("changing the status of %d credentials: %w", len(entries), err)
	}
	return nil
}

func values(ctx context.Context, db postgres.DB, entries []Entry) ([]Value, error) {
	lists, places := columns(entries)
	rows, _ := db.Query(ctx, `SELECT coalesce(s.value, 0) FROM unnest($1::bigint[], $2::int[]) WITH ORDINALITY AS e (list, idx, n)
		LEFT JOIN status_change s USING (list, idx) ORDER BY e.n`, lists, places) // CollectRows returns its error
	all, err := pgx.CollectRows(rows, pgx.RowTo[Value])
	if err != nil {
		return nil, fmt.Errorf("reading the status of %d credentials: %w", len(entries), err)
	}
	return all, nil
}

func columns(entries []Entry) (lists []int64, places []int32) {
	for _, e := range entries {
		lists, places = append(lists, e.List), append(places, int32(e.Index))
	}
	return lists, places
}

// state numbers the state of a list: every change makes it greater. known tells
// whether there is such a list.
func state(ctx context.Context, db postgres.DB, list int64) (n int64, known bool, err error) {
	err = db.QueryRow(ctx, `SELECT coalesce((SELECT sum(version) FROM status_change WHERE list = $1), 0)
		FROM status_list WHERE id = $1`, list).Scan(&n)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("finding status list %d: %w", list, err)
	}
	return n, true, nil
}

// change is a place that is, or was, not valid.
type change struct {
	Index   int32
	Value   Value
	Version int64
}

func changes(ctx context.Context, db postgres.DB, list int64) ([]change, error) {
	rows, _ := db.Query(ctx, `SELECT idx, value, version FROM status_change WHERE list = $1 ORDER BY idx`, list) // CollectRows returns its error
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[change])
	if err != nil {
		return nil, fmt.Errorf("reading status list %d: %w", list, err)
	}
	return all, nil
}
