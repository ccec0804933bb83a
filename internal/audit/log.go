package audit

import (
	"bytes"
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
	for total := 0; ; {
		n, err := l.step(ctx)
		total += n
		if err != nil || n < batch {
			return total, err
		}
	}
}

// step places one batch. Falling between its commit and the signature costs
// nothing: the next step signs what is placed and not signed.
func (l *Log) step(ctx context.Context) (n int, err error) {
	if work, err := hasWork(ctx, l.Pool); err != nil || !work {
		return 0, err
	}
	var head tlog.Checkpoint
	err = postgres.InTx(ctx, l.Pool, func(tx pgx.Tx) error {
		n, head = 0, tlog.Checkpoint{}
		leads, err := lead(ctx, tx)
		if err != nil || !leads {
			return err
		}
		entries, err := take(ctx, tx, batch)
		if err != nil {
			return err
		}
		n = len(entries)
		head, err = l.place(ctx, tx, entries)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("sequencing: %w", err)
	}
	if head.Size == 0 {
		return n, nil
	}
	return n, l.sign(ctx, head)
}

// growth is what a batch adds to the tree.
type growth struct {
	entries []uuid.UUID
	leaves  [][]byte
	nodes
}

// nodes are inner nodes of the tree, side by side as SQL takes them.
type nodes struct {
	levels  []int32
	indexes []int64
	hashes  [][]byte
}

func (n *nodes) add(id compact.NodeID, hash []byte) {
	if id.Level > 0 {
		n.levels, n.indexes, n.hashes = append(n.levels, int32(id.Level)), append(n.indexes, int64(id.Index)), append(n.hashes, hash)
	}
}

var factory = compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}

func (l *Log) place(ctx context.Context, tx pgx.Tx, entries []record) (tlog.Checkpoint, error) {
	var head tlog.Checkpoint
	size, err := treeSize(ctx, tx)
	if err != nil {
		return head, err
	}
	if err := l.continues(ctx, tx, size); err != nil {
		return head, err
	}
	tree, err := rangeAt(ctx, tx, size)
	if err != nil {
		return head, err
	}
	var g growth
	for _, e := range entries {
		hash := rfc6962.DefaultHasher.HashLeaf(e.leaf())
		g.entries, g.leaves = append(g.entries, e.ID), append(g.leaves, hash)
		if err := tree.Append(hash, g.add); err != nil {
			return head, err
		}
	}
	if err := insertLeaves(ctx, tx, size, g); err != nil {
		return head, err
	}
	if err := insertNodes(ctx, tx, g.nodes); err != nil {
		return head, err
	}
	root, err := tree.GetRootHash(nil)
	return tlog.Checkpoint{Origin: l.Origin, Size: tree.End(), Hash: root}, err
}

// errForked says that the tree is not the one that we signed. Signing on top of
// it would lend our name to what somebody made of the log.
var errForked = errors.New("the audit log is not the one that was signed; run: plinth audit verify")

// continues tells whether the tree still begins with what was signed last.
func (l *Log) continues(ctx context.Context, tx pgx.Tx, size uint64) error {
	last, err := latestCheckpoint(ctx, tx)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the latest checkpoint: %w", err)
	}
	signed, err := l.open(ctx, last)
	if err != nil {
		return fmt.Errorf("%w (checkpoint %d: %v)", errForked, last.Size, err)
	}
	if signed.Size > size {
		return fmt.Errorf("%w (%d entries were signed, %d are there)", errForked, signed.Size, size)
	}
	tree, err := rangeAt(ctx, tx, signed.Size)
	if err != nil {
		return err
	}
	root, err := tree.GetRootHash(nil)
	if err != nil {
		return err
	}
	if !bytes.Equal(root, signed.Hash) {
		return fmt.Errorf("%w (something before entry %d was changed)", errForked, signed.Size)
	}
	return nil
}

// rangeAt rebuilds the compact range of the tree's first leaves.
func rangeAt(ctx context.Context, db postgres.DB, size uint64) (*compact.Range, error) {
	hashes, err := nodeHashes(ctx, db, compact.RangeNodes(0, size, nil))
	if err != nil {
		return nil, err
	}
	return factory.NewRange(0, size, hashes)
}

// sign signs a tree head and keeps it.
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
