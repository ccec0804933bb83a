package audit

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"

	"github.com/google/uuid"
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
	heads, err := checkpoints(ctx, l.Pool)
	if err != nil {
		return report, err
	}
	tree := factory.NewEmptyRange(0)
	next := int64(0)
	for (to == 0 || next <= to) && len(report.Findings) < most {
		rows, err := leavesFrom(ctx, l.Pool, next, batch)
		if err != nil {
			return report, err
		}
		if len(rows) == 0 {
			break
		}
		for _, row := range rows {
			if to != 0 && row.Seq > to {
				break
			}
			if row.Seq != next {
				report.find("entry %d is missing", next)
				return report, nil // nothing after it can be placed
			}
			report.entry(row, row.Seq >= from)
			if err := tree.Append(row.Hash, nil); err != nil {
				return report, err
			}
			next++
			if len(heads) > 0 && heads[0].Size == uint64(next) {
				l.head(&report, heads[0], tree)
				heads = heads[1:]
			}
		}
	}
	return l.finish(ctx, report, tree, heads, to)
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
func (l *Log) head(report *Report, c checkpoint, tree *compact.Range) {
	root, err := tree.GetRootHash(nil)
	if err != nil {
		report.find("checkpoint %d: %v", c.Size, err)
		return
	}
	signed, err := l.open(c)
	switch {
	case err != nil:
		report.find("checkpoint %d: %v", c.Size, err)
	case signed.Size != c.Size || !bytes.Equal(signed.Hash, root):
		report.find("checkpoint %d: its root is not that of the entries: something before entry %d was changed", c.Size, c.Size)
	}
	report.Checkpoints++
}

// open checks the signature of a checkpoint.
func (l *Log) open(c checkpoint) (tlog.Checkpoint, error) {
	var signed tlog.Checkpoint
	n, err := note.Open([]byte(c.Note), l.verifiers())
	if err != nil {
		return signed, fmt.Errorf("its signature is not ours: %w", err)
	}
	if _, err := signed.Unmarshal([]byte(n.Text)); err != nil {
		return signed, err
	}
	if signed.Origin != l.Origin {
		return signed, fmt.Errorf("it is of another log")
	}
	return signed, nil
}

func (l *Log) finish(ctx context.Context, report Report, tree *compact.Range, rest []checkpoint, to int64) (Report, error) {
	if to == 0 && len(rest) > 0 && len(report.Findings) < most {
		report.find("entry %d is missing: a checkpoint of %d entries was signed", tree.End(), rest[len(rest)-1].Size)
	}
	root, err := tree.GetRootHash(nil)
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
	Entry      Entry    `json:"-"`
	Leaf       []byte   `json:"leaf"`       // what was hashed
	Index      uint64   `json:"index"`      // its place
	Inclusion  [][]byte `json:"inclusion"`  // RFC 6962 audit path
	Checkpoint string   `json:"checkpoint"` // the signed tree head that the path leads to
}

// Of gives all entries about a person that the latest checkpoint covers, with
// their proofs.
func (l *Log) Of(ctx context.Context, person uuid.UUID) ([]Proven, error) {
	rows, err := leavesOf(ctx, l.Pool, person)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	head, err := latestCheckpoint(ctx, l.Pool)
	if err != nil {
		return nil, fmt.Errorf("reading the latest checkpoint: %w", err)
	}
	var all []Proven
	for _, row := range rows {
		e, _ := row.record()
		if uint64(row.Seq) >= head.Size {
			break
		}
		path, err := l.path(ctx, uint64(row.Seq), head.Size)
		if err != nil {
			return nil, err
		}
		all = append(all, Proven{Entry: Entry{Event: e.Event, Person: person, Actor: e.Actor, Subject: e.Subject}, Leaf: e.leaf(),
			Index: uint64(row.Seq), Inclusion: path, Checkpoint: head.Note})
	}
	return all, nil
}

func (l *Log) path(ctx context.Context, index, size uint64) ([][]byte, error) {
	nodes, err := proof.Inclusion(index, size)
	if err != nil {
		return nil, err
	}
	hashes := make([][]byte, len(nodes.IDs))
	for i, id := range nodes.IDs {
		if hashes[i], err = nodeHash(ctx, l.Pool, id); err != nil {
			return nil, err
		}
	}
	return nodes.Rehash(hashes, rfc6962.DefaultHasher.HashChildren)
}
