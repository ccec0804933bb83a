package audit

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	tlog "github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
)

// Report is what Verify found.
type Report struct {
	Entries     int64    `json:"entries"`     // recomputed
	Checkpoints int      `json:"checkpoints"` // whose signature and root were checked
	Signed      int64    `json:"signed"`      // covered by a good checkpoint
	Pending     int      `json:"pending"`     // not yet in the tree
	Root        string   `json:"root"`        // base64 of the tree's root hash
	Findings    []string `json:"findings"`    // what is wrong, the first bad entry first
}

// OK tells whether nothing is wrong.
func (r Report) OK() bool { return len(r.Findings) == 0 }

func (r *Report) find(format string, args ...any) {
	r.Findings = append(r.Findings, fmt.Sprintf(format, args...))
}

// most bounds how many findings are listed: one is enough to distrust the rest.
const most = 20

// Verify recomputes the tree and checks every signed checkpoint. Entries from
// `from` to `to` (0: the end) are recomputed from their rows; those before only
// from their leaf hashes.
func (l *Log) Verify(ctx context.Context, from, to int64) (Report, error) {
	report := Report{Findings: []string{}}
	if err := l.Ring.Refresh(ctx); err != nil { // another process may sign with a newer key
		return report, err
	}
	heads, err := checkpoints(ctx, l.Pool)
	if err != nil {
		return report, err
	}
	for len(heads) > 0 && heads[0].Size <= 0 {
		report.find("checkpoint %d: there is no such", heads[0].Size)
		heads = heads[1:]
	}
	c := &chain{factory.NewEmptyRange(0), heads}
	for next := int64(0); (to == 0 || next <= to) && len(report.Findings) < most; next = int64(c.tree.End()) {
		rows, err := leavesFrom(ctx, l.Pool, next, batch)
		if err != nil {
			return report, err
		}
		if to != 0 {
			rows = slices.DeleteFunc(rows, func(row placed) bool { return row.Seq > to })
		}
		if len(rows) == 0 {
			break
		}
		whole, err := l.rows(ctx, &report, c, rows, from)
		if err != nil || !whole {
			return report, err
		}
	}
	return l.finish(ctx, report, c, to)
}

// chain is a tree that grows again, and the checkpoints that are still ahead.
type chain struct {
	tree  *compact.Range
	heads []checkpoint
}

// rows recomputes a batch; it is not whole when a place is empty, since nothing
// after it can be placed.
func (l *Log) rows(ctx context.Context, report *Report, c *chain, rows []placed, from int64) (whole bool, err error) {
	var grown nodes
	for _, row := range rows {
		if next := int64(c.tree.End()); row.Seq != next {
			report.find("entry %d is missing", next)
			return false, nil
		}
		report.entry(row, row.Seq >= from)
		if err := c.tree.Append(row.Hash, grown.add); err != nil {
			return false, err
		}
		if len(c.heads) > 0 && uint64(c.heads[0].Size) == c.tree.End() {
			l.head(ctx, report, c.heads[0], c.tree)
			c.heads = c.heads[1:]
		}
	}
	node, found, err := differing(ctx, l.Pool, grown)
	if found {
		report.find("node %d/%d of the tree was changed", node.Level, node.Index)
	}
	return true, err
}

func (r *Report) entry(row placed, recompute bool) {
	r.Entries++
	if !recompute {
		return
	}
	e, there := row.record()
	switch {
	case !there:
		r.find("entry %d was deleted", row.Seq)
	case !bytes.Equal(rfc6962.DefaultHasher.HashLeaf(e.leaf()), row.Hash):
		r.find("entry %d (%s) was changed", row.Seq, e.ID)
	}
}

// head checks one signed checkpoint against the tree.
func (l *Log) head(ctx context.Context, report *Report, c checkpoint, tree *compact.Range) {
	report.Checkpoints++
	root, err := tree.GetRootHash(nil)
	if err != nil {
		report.find("checkpoint %d: %v", c.Size, err)
		return
	}
	signed, err := l.open(ctx, c)
	switch {
	case err != nil:
		report.find("checkpoint %d: %v", c.Size, err)
	case signed.Size != uint64(c.Size) || !bytes.Equal(signed.Hash, root):
		report.find("checkpoint %d: its root is not that of the entries: something before entry %d was changed", c.Size, c.Size)
	default:
		report.Signed = c.Size
	}
}

// open checks the signature of a checkpoint. One that we do not know may be of a
// key that another process has just begun.
func (l *Log) open(ctx context.Context, c checkpoint) (tlog.Checkpoint, error) {
	var signed tlog.Checkpoint
	n, err := note.Open([]byte(c.Note), l.verifiers())
	if _, unknown := errors.AsType[*note.UnverifiedNoteError](err); unknown && l.Ring.Refresh(ctx) == nil {
		n, err = note.Open([]byte(c.Note), l.verifiers())
	}
	if err != nil {
		return signed, fmt.Errorf("its signature is not ours: %w", err)
	}
	if _, err := signed.Unmarshal([]byte(n.Text)); err != nil {
		return signed, err
	}
	if signed.Origin != l.Origin {
		return signed, errors.New("it is of another log")
	}
	return signed, nil
}

func (l *Log) finish(ctx context.Context, report Report, c *chain, to int64) (Report, error) {
	if to == 0 && len(c.heads) > 0 && len(report.Findings) < most {
		report.find("entry %d is missing: a checkpoint of %d entries was signed", c.tree.End(), c.heads[len(c.heads)-1].Size)
	}
	root, err := c.tree.GetRootHash(nil)
	if err != nil {
		return report, err
	}
	report.Root = base64.StdEncoding.EncodeToString(root)
	lost, err := strays(ctx, l.Pool)
	if err != nil {
		return report, err
	}
	if lost > 0 {
		report.find("%d entries were taken out of the line before they got a place", lost)
	}
	report.Pending, err = l.Pending(ctx)
	return report, err
}

// Proven is an entry with the proof that the signed log holds it.
type Proven struct {
	Entry      Entry     `json:"-"`
	At         time.Time `json:"-"`
	Leaf       []byte    `json:"leaf"`       // what was hashed
	Index      uint64    `json:"index"`      // its place
	Inclusion  [][]byte  `json:"inclusion"`  // RFC 6962 audit path
	Checkpoint string    `json:"checkpoint"` // the signed tree head that the path leads to
}

// Of gives all entries about a person that the latest checkpoint covers, with
// their proofs; each proof was checked.
func (l *Log) Of(ctx context.Context, person uuid.UUID) ([]Proven, error) {
	rows, err := leavesOf(ctx, l.Pool, person)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	last, err := latestCheckpoint(ctx, l.Pool)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the latest checkpoint: %w", err)
	}
	head, err := l.open(ctx, last)
	if err != nil {
		return nil, fmt.Errorf("reading the latest checkpoint: %w", err)
	}
	var all []Proven
	for _, row := range rows {
		if uint64(row.Seq) >= head.Size {
			break
		}
		p, err := l.prove(ctx, row, head)
		if err != nil {
			return nil, fmt.Errorf("proving entry %d: %w", row.Seq, err)
		}
		p.Checkpoint = last.Note
		all = append(all, p)
	}
	return all, nil
}

func (l *Log) prove(ctx context.Context, row placed, head tlog.Checkpoint) (Proven, error) {
	e, there := row.record()
	if !there {
		return Proven{}, errForked
	}
	p := Proven{Entry: Entry{Event: e.Event, Actor: e.Actor, Subject: e.Subject}, At: e.At, Leaf: e.leaf(), Index: uint64(row.Seq)}
	if e.Person != nil {
		p.Entry.Person = *e.Person
	}
	if err := json.Unmarshal([]byte(e.Details), &p.Entry.Details); err != nil {
		return Proven{}, err
	}
	needed, err := proof.Inclusion(p.Index, head.Size)
	if err != nil {
		return Proven{}, err
	}
	hashes, err := nodeHashes(ctx, l.Pool, needed.IDs)
	if err != nil {
		return Proven{}, err
	}
	if p.Inclusion, err = needed.Rehash(hashes, rfc6962.DefaultHasher.HashChildren); err != nil {
		return Proven{}, err
	}
	leaf := rfc6962.DefaultHasher.HashLeaf(p.Leaf)
	if err := proof.VerifyInclusion(rfc6962.DefaultHasher, p.Index, head.Size, leaf, p.Inclusion, head.Hash); err != nil {
		return Proven{}, fmt.Errorf("%w (%v)", errForked, err)
	}
	return p, nil
}
