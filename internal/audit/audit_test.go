package audit

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/postgres/pgtest"
)

// filled is a log with n entries in the tree.
func filled(t *testing.T, n int) (*Log, *pgxpool.Pool) {
	t.Helper()
	pool := pgtest.Pool(t)
	root, err := keys.FileRoot(filepath.Join(t.TempDir(), "root.key"), "a passphrase for tests")
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keys.Open(t.Context(), pool, root)
	if err != nil {
		t.Fatal(err)
	}
	log, err := New(Config{Pool: pool, Ring: ring, Origin: "test/audit"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := Append(t.Context(), pool, Entry{Event: LoginSucceeded, Subject: fmt.Sprint(i), Details: map[string]string{"b": "2", "a": "<1>"}}); err != nil {
			t.Fatal(err)
		}
		if i%7 == 0 {
			sequence(t, log)
		}
	}
	sequence(t, log)
	return log, pool
}

func sequence(t *testing.T, log *Log) {
	t.Helper()
	if _, err := log.Sequence(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func verified(t *testing.T, log *Log) Report {
	t.Helper()
	report, err := log.Verify(t.Context(), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestUntouchedLogVerifies(t *testing.T) {
	log, _ := filled(t, 25)
	if report := verified(t, log); !report.OK() || report.Entries != 25 || report.Checkpoints != 5 || report.Pending != 0 {
		t.Fatalf("got %+v, want 25 entries, 5 checkpoints and no finding", report)
	}
}

func TestASVS_16_4_2_TheLogIsAppendOnly(t *testing.T) {
	_, pool := filled(t, 3)
	for _, statement := range []string{`UPDATE audit_entry SET actor = 'x'`, `DELETE FROM audit_entry`, `TRUNCATE audit_entry`,
		`UPDATE audit_leaf SET seq = seq + 9`, `DELETE FROM audit_checkpoint`} {
		if _, err := pool.Exec(t.Context(), statement); err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: got %v, want a refusal", statement, err)
		}
	}
}

func TestASVS_16_4_2_TamperingIsFound(t *testing.T) {
	for name, c := range map[string]struct{ statement, want string }{
		"changed":             {`UPDATE audit_entry SET actor = 'officer:nobody' WHERE subject = '4'`, "entry 4 "},
		"moved to another":    {`UPDATE audit_entry SET person = gen_random_uuid() WHERE subject = '7'`, "entry 7 "},
		"deleted":             {`DELETE FROM audit_entry WHERE subject = '5'`, "entry 5 was deleted"},
		"deleted with leaf":   {`DELETE FROM audit_leaf WHERE seq = 6`, "entry 6 is missing"},
		"cut off at the end":  {`DELETE FROM audit_leaf WHERE seq >= 10`, "entry 10 is missing"},
		"leaf changed too":    {`UPDATE audit_leaf SET hash = sha256('x') WHERE seq = 2`, "entry 2 "},
		"checkpoint forged":   {`UPDATE audit_checkpoint SET note = replace(note, 'test/audit', 'test/other')`, "signature is not ours"},
		"taken out of a line": {`INSERT INTO audit_entry (id, event, actor, subject, details, at) VALUES (gen_random_uuid(), 'e', 'a', 's', '{}', now())`, "taken out of the line"},
	} {
		t.Run(name, func(t *testing.T) {
			log, pool := filled(t, 12)
			conn, err := pool.Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			// Who administers the database can switch the triggers off.
			for _, statement := range []string{`SET session_replication_role = replica`, c.statement, `SET session_replication_role = origin`} {
				if _, err := conn.Exec(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
			}
			conn.Release()
			if report := verified(t, log); report.OK() || !strings.Contains(strings.Join(report.Findings, "\n"), c.want) {
				t.Fatalf("got %q, want a finding with %q", report.Findings, c.want)
			}
		})
	}
}

func TestConcurrentEntriesAllGetAPlace(t *testing.T) {
	log, pool := filled(t, 0)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			if err := Append(context.Background(), pool, Entry{Event: CodeSent, Subject: fmt.Sprint(i)}); err != nil {
				t.Error(err)
			}
			if _, err := log.Sequence(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	sequence(t, log)
	if report := verified(t, log); !report.OK() || report.Entries != 50 {
		t.Fatalf("got %+v, want 50 entries and no finding", report)
	}
}

func TestRolledBackWorkLeavesNoEntry(t *testing.T) {
	log, pool := filled(t, 1)
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := Append(t.Context(), tx, Entry{Event: UINAssigned}); err != nil {
		t.Fatal(err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	sequence(t, log)
	if report := verified(t, log); !report.OK() || report.Entries != 1 {
		t.Fatalf("got %+v, want one entry", report)
	}
}

func TestPersonGetsEveryEntryWithAProof(t *testing.T) {
	log, pool := filled(t, 9)
	person := uuid.New()
	for range 3 {
		if err := Append(t.Context(), pool, Entry{Event: ClaimsReleased, Person: person, Actor: "client:x"}); err != nil {
			t.Fatal(err)
		}
	}
	sequence(t, log)
	all, err := log.Of(t.Context(), person)
	if err != nil || len(all) != 3 {
		t.Fatalf("got %d entries, %v; want 3", len(all), err)
	}
	for _, p := range all {
		head, err := log.open(checkpoint{Note: p.Checkpoint})
		if err != nil {
			t.Fatal(err)
		}
		if err := proof.VerifyInclusion(rfc6962.DefaultHasher, p.Index, head.Size, rfc6962.DefaultHasher.HashLeaf(p.Leaf), p.Inclusion, head.Hash); err != nil {
			t.Errorf("entry %d: %v", p.Index, err)
		}
	}
}
