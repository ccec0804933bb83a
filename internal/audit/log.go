package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	tlog "github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"

	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/postgres"
)

// Config is what a Log works with.
type Config struct {
	Pool   *pgxpool.Pool
	Ring   *keys.Ring
	Origin string           // names the log in its checkpoints, e.g. "id.example.org/audit"
	Now    func() time.Time // nil means time.Now
}

// Log sequences, signs and proves what Append recorded.
type Log struct{ Config }

// New makes a Log.
func New(c Config) (*Log, error) {
	if c.Pool == nil || c.Ring == nil || c.Origin == "" {
		return nil, errors.New("audit: Pool, Ring and Origin are needed")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Log{c}, nil
}

const batch = 2000

// Run sequences until ctx ends. Any number of processes may run it: one leads,
// the others find nothing to do.
func (l *Log) Run(ctx context.Context) error {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := l.Sequence(ctx); err != nil && ctx.Err() == nil {
			slog.ErrorContext(ctx, "sequencing the audit log failed", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Sequence gives every waiting entry its place and signs a checkpoint. It
// returns how many it placed; 0 also when another process leads.
func (l *Log) Sequence(ctx context.Context) (int, error) {
	total := 0
	for {
		n, head, err := l.step(ctx)
		if err != nil || n == 0 {
			return total, err
		}
		total += n
		if err := l.sign(ctx, head); err != nil {
			return total, err
		}
	}
}

var factory = compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}

// step places one batch.
func (l *Log) step(ctx context.Context) (n int, head tlog.Checkpoint, err error) {
	if waiting, err := countPending(ctx, l.Pool); err != nil || waiting == 0 {
		return 0, head, err
	}
	err = postgres.InTx(ctx, l.Pool, func(tx pgx.Tx) error {
		n = 0
		leads, err := lead(ctx, tx)
		if err != nil || !leads {
			return err
		}
		entries, err := take(ctx, tx, batch)
		if err != nil || len(entries) == 0 {
			return err
		}
		n = len(entries)
		head, err = l.place(ctx, tx, entries)
		return err
	})
	if err != nil {
		return 0, head, fmt.Errorf("sequencing: %w", err)
	}
	return n, head, nil
}

func (l *Log) place(ctx context.Context, tx pgx.Tx, entries []record) (tlog.Checkpoint, error) {
	size, err := treeSize(ctx, tx)
	if err != nil {
		return tlog.Checkpoint{}, err
	}
	tree, err := rangeAt(ctx, tx, size)
	if err != nil {
		return tlog.Checkpoint{}, err
	}
	var (
		ids     = make([]uuid.UUID, len(entries))
		hashes  = make([][]byte, len(entries))
		levels  []int32
		indexes []int64
		nodes   [][]byte
	)
	for i, e := range entries {
		ids[i], hashes[i] = e.ID, rfc6962.DefaultHasher.HashLeaf(e.leaf())
		err := tree.Append(hashes[i], func(id compact.NodeID, hash []byte) {
			if id.Level > 0 {
				levels, indexes, nodes = append(levels, int32(id.Level)), append(indexes, int64(id.Index)), append(nodes, hash)
			}
		})
		if err != nil {
			return tlog.Checkpoint{}, err
		}
	}
	if err := insertLeaves(ctx, tx, size, ids, hashes); err != nil {
		return tlog.Checkpoint{}, err
	}
	if err := insertNodes(ctx, tx, levels, indexes, nodes); err != nil {
		return tlog.Checkpoint{}, err
	}
	root, err := tree.GetRootHash(nil)
	return tlog.Checkpoint{Origin: l.Origin, Size: tree.End(), Hash: root}, err
}

// rangeAt rebuilds the compact range of the tree's first leaves.
func rangeAt(ctx context.Context, db postgres.DB, size uint64) (*compact.Range, error) {
	ids := compact.RangeNodes(0, size, nil)
	hashes := make([][]byte, len(ids))
	for i, id := range ids {
		var err error
		if hashes[i], err = nodeHash(ctx, db, id); err != nil {
			return nil, err
		}
	}
	return factory.NewRange(0, size, hashes)
}

// sign signs a tree head and keeps it. Falling between step and here costs
// nothing: the next checkpoint covers these entries too.
func (l *Log) sign(ctx context.Context, head tlog.Checkpoint) error {
	key, err := l.Ring.Signer(keys.Audit)
	if err != nil {
		return err
	}
	signed, err := note.Sign(&note.Note{Text: string(head.Marshal())}, signer{l.Origin, key})
	if err != nil {
		return fmt.Errorf("signing a checkpoint: %w", err)
	}
	if err := insertCheckpoint(ctx, l.Pool, head.Size, string(signed), l.Now()); err != nil {
		return fmt.Errorf("keeping a checkpoint: %w", err)
	}
	return nil
}

// Pending counts the entries that have no place yet.
func (l *Log) Pending(ctx context.Context) (int, error) { return countPending(ctx, l.Pool) }
