package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/transparency-dev/merkle/compact"

	"github.com/plinth-id/plinth/internal/postgres"
)

const insertEntry = `WITH written AS (
		INSERT INTO audit_entry (id, event, person, actor, subject, details, at)
		VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp()) RETURNING id)
	INSERT INTO audit_pending (entry) SELECT id FROM written`

// values are what insertEntry writes.
func values(e Entry, details string) []any {
	var person *uuid.UUID
	if e.Person != uuid.Nil {
		person = &e.Person
	}
	return []any{uuid.New(), e.Event, person, cmp.Or(e.Actor, "system"), e.Subject, details}
}

func insert(ctx context.Context, db postgres.DB, e Entry, details string) error {
	_, err := db.Exec(ctx, insertEntry, values(e, details)...)
	return err
}

// insertAll writes several entries in one statement.
func insertAll(ctx context.Context, db postgres.DB, all []waiting) error {
	n := len(all)
	ids, people := make([]uuid.UUID, n), make([]*uuid.UUID, n)
	events, actors, subjects, details := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	for i, w := range all {
		ids[i], people[i], events[i], actors[i], subjects[i], details[i] = uuid.New(), w.person(), string(w.entry.Event), w.entry.Actor, w.entry.Subject, w.details
	}
	_, err := db.Exec(ctx, `WITH written AS (
			INSERT INTO audit_entry (id, event, person, actor, subject, details, at)
			SELECT t.*, clock_timestamp() FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[]) AS t RETURNING id)
		INSERT INTO audit_pending (entry) SELECT id FROM written`, ids, events, people, actors, subjects, details)
	return err
}

// lead makes this transaction the one that sequences ("audit" in ASCII).
func lead(ctx context.Context, tx pgx.Tx) (leads bool, err error) {
	err = tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock($1)`, 0x6175646974).Scan(&leads)
	return leads, err
}

// take removes the oldest waiting entries from the line and returns them.
func take(ctx context.Context, tx pgx.Tx, limit int) ([]record, error) {
	rows, _ := tx.Query(ctx, `WITH taken AS (DELETE FROM audit_pending WHERE entry IN (SELECT entry FROM audit_pending LIMIT $1) RETURNING entry)
		SELECT e.id, e.event, e.person, e.actor, e.subject, e.details, e.at
		FROM taken JOIN audit_entry e ON e.id = taken.entry ORDER BY e.at, e.id`, limit)
	return pgx.CollectRows(rows, pgx.RowToStructByPos[record])
}

func countPending(ctx context.Context, db postgres.DB) (n int, err error) {
	err = db.QueryRow(ctx, `SELECT count(*) FROM audit_pending`).Scan(&n)
	return n, err
}

// hasWork tells whether entries wait for their place, or placed ones for a signature.
func hasWork(ctx context.Context, db postgres.DB) (work bool, err error) {
	err = db.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM audit_pending)
		OR coalesce((SELECT max(seq) + 1 FROM audit_leaf), 0) > coalesce((SELECT max(size) FROM audit_checkpoint), 0)`).Scan(&work)
	return work, err
}

func treeSize(ctx context.Context, db postgres.DB) (size uint64, err error) {
	err = db.QueryRow(ctx, `SELECT coalesce(max(seq) + 1, 0) FROM audit_leaf`).Scan(&size)
	return size, err
}

func insertLeaves(ctx context.Context, tx pgx.Tx, first uint64, g growth) error {
	_, err := tx.Exec(ctx, `INSERT INTO audit_leaf (seq, entry, hash)
		SELECT $1 + n - 1, entry, hash FROM unnest($2::uuid[], $3::bytea[]) WITH ORDINALITY AS t (entry, hash, n)`, first, g.entries, g.leaves)
	return err
}

func insertNodes(ctx context.Context, tx pgx.Tx, n nodes) error {
	_, err := tx.Exec(ctx, `INSERT INTO audit_node (level, idx, hash) SELECT * FROM unnest($1::int[], $2::bigint[], $3::bytea[])`,
		n.levels, n.indexes, n.hashes)
	return err
}

// differing finds the first of these nodes that does not stand in the table as it should.
func differing(ctx context.Context, db postgres.DB, n nodes) (node compact.NodeID, found bool, err error) {
	err = db.QueryRow(ctx, `SELECT t.level, t.idx FROM unnest($1::int[], $2::bigint[], $3::bytea[]) AS t (level, idx, hash)
		LEFT JOIN audit_node n ON n.level = t.level AND n.idx = t.idx
		WHERE n.hash IS DISTINCT FROM t.hash ORDER BY t.level, t.idx LIMIT 1`, n.levels, n.indexes, n.hashes).Scan(&node.Level, &node.Index)
	if errors.Is(err, pgx.ErrNoRows) {
		return node, false, nil
	}
	return node, err == nil, err
}

// nodeHashes reads nodes of the tree, in the order asked for.
func nodeHashes(ctx context.Context, db postgres.DB, ids []compact.NodeID) ([][]byte, error) {
	levels, indexes := make([]int32, len(ids)), make([]int64, len(ids))
	for i, id := range ids {
		levels[i], indexes[i] = int32(id.Level), int64(id.Index)
	}
	rows, _ := db.Query(ctx, `SELECT coalesce(l.hash, n.hash) FROM unnest($1::int[], $2::bigint[]) WITH ORDINALITY AS t (level, idx, place)
		LEFT JOIN audit_leaf l ON t.level = 0 AND l.seq = t.idx
		LEFT JOIN audit_node n ON n.level = t.level AND n.idx = t.idx ORDER BY t.place`, levels, indexes)
	hashes, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	if err != nil {
		return nil, fmt.Errorf("reading nodes of the tree: %w", err)
	}
	for i, hash := range hashes {
		if hash == nil {
			return nil, fmt.Errorf("%w (node %d/%d is missing)", errForked, ids[i].Level, ids[i].Index)
		}
	}
	return hashes, nil
}

func insertCheckpoint(ctx context.Context, db postgres.DB, size uint64, note string, at time.Time) error {
	_, err := db.Exec(ctx, `INSERT INTO audit_checkpoint (size, note, at) VALUES ($1, $2, $3) ON CONFLICT (size) DO NOTHING`, size, note, at)
	return err
}

// checkpoint is a signed tree head.
type checkpoint struct {
	Size int64
	Note string
}

func checkpoints(ctx context.Context, db postgres.DB) ([]checkpoint, error) {
	rows, _ := db.Query(ctx, `SELECT size, note FROM audit_checkpoint ORDER BY size`)
	return pgx.CollectRows(rows, pgx.RowToStructByPos[checkpoint])
}

func latestCheckpoint(ctx context.Context, db postgres.DB) (checkpoint, error) {
	rows, _ := db.Query(ctx, `SELECT size, note FROM audit_checkpoint ORDER BY size DESC LIMIT 1`)
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[checkpoint])
}

// placed is an entry with its place; ID is nil when the entry itself is gone.
type placed struct {
	Seq     int64
	Hash    []byte
	ID      *uuid.UUID
	Event   *Event
	Person  *uuid.UUID
	Actor   *string
	Subject *string
	Details *string
	At      *time.Time
}

func (p placed) record() (record, bool) {
	if p.ID == nil {
		return record{}, false
	}
	return record{ID: *p.ID, Event: *p.Event, Person: p.Person, Actor: *p.Actor, Subject: *p.Subject, Details: *p.Details, At: *p.At}, true
}

func leavesFrom(ctx context.Context, db postgres.DB, from int64, limit int) ([]placed, error) {
	rows, _ := db.Query(ctx, `SELECT l.seq, l.hash, e.id, e.event, e.person, e.actor, e.subject, e.details, e.at
		FROM audit_leaf l LEFT JOIN audit_entry e ON e.id = l.entry WHERE l.seq >= $1 ORDER BY l.seq LIMIT $2`, from, limit)
	return pgx.CollectRows(rows, pgx.RowToStructByPos[placed])
}

func leavesOf(ctx context.Context, db postgres.DB, person uuid.UUID) ([]placed, error) {
	rows, _ := db.Query(ctx, `SELECT l.seq, l.hash, e.id, e.event, e.person, e.actor, e.subject, e.details, e.at
		FROM audit_entry e JOIN audit_leaf l ON l.entry = e.id WHERE e.person = $1 ORDER BY l.seq`, person)
	return pgx.CollectRows(rows, pgx.RowToStructByPos[placed])
}

// strays counts entries that have neither a place nor stand in line: somebody
// took them out of the line.
func strays(ctx context.Context, db postgres.DB) (n int, err error) {
	err = db.QueryRow(ctx, `SELECT count(*) FROM audit_entry e
		WHERE NOT EXISTS (SELECT 1 FROM audit_leaf l WHERE l.entry = e.id) AND NOT EXISTS (SELECT 1 FROM audit_pending p WHERE p.entry = e.id)`).Scan(&n)
	return n, err
}
