package audit

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	tlog "github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"

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

// tamper does what only who administers the database can: it switches the triggers off.
func tamper(t *testing.T, pool *pgxpool.Pool, statements ...string) {
	t.Helper()
	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	for _, statement := range append(append([]string{`SET session_replication_role = replica`}, statements...), `SET session_replication_role = origin`) {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
}

func TestASVS_16_4_2_TamperingIsFound(t *testing.T) {
	for name, c := range map[string]struct{ statement, want string }{
		"changed":             {`UPDATE audit_entry SET actor = 'officer:nobody' WHERE subject = '4'`, "entry 4 "},
		"another time":        {`UPDATE audit_entry SET at = at - interval '1 microsecond' WHERE subject = '3'`, "entry 3 "},
		"another reason":      {`UPDATE audit_entry SET details = '{}' WHERE subject = '11'`, "entry 11 "},
		"moved to another":    {`UPDATE audit_entry SET person = gen_random_uuid() WHERE subject = '7'`, "entry 7 "},
		"deleted":             {`DELETE FROM audit_entry WHERE subject = '5'`, "entry 5 was deleted"},
		"deleted with leaf":   {`DELETE FROM audit_leaf WHERE seq = 6`, "entry 6 is missing"},
		"two exchanged":       {`UPDATE audit_leaf SET seq = 100 WHERE seq = 1; UPDATE audit_leaf SET seq = 1 WHERE seq = 2; UPDATE audit_leaf SET seq = 2 WHERE seq = 100`, "its root is not"},
		"cut off at the end":  {`DELETE FROM audit_leaf WHERE seq >= 10`, "entry 10 is missing"},
		"leaf changed too":    {`UPDATE audit_leaf SET hash = sha256('x') WHERE seq = 2`, "entry 2 "},
		"node changed":        {`UPDATE audit_node SET hash = sha256('x') WHERE level = 1 AND idx = 1`, "node 1/1 of the tree"},
		"node deleted":        {`DELETE FROM audit_node WHERE level = 2 AND idx = 0`, "node 2/0 of the tree"},
		"checkpoint forged":   {`UPDATE audit_checkpoint SET note = replace(note, 'test/audit', 'test/other')`, "signature is not ours"},
		"checkpoint moved":    {`DELETE FROM audit_checkpoint WHERE size = 1; UPDATE audit_checkpoint SET size = 7 WHERE size = 8`, "its root is not"},
		"checkpoint of none":  {`UPDATE audit_checkpoint SET size = -1 WHERE size = 1`, "checkpoint -1"},
		"taken out of a line": {`INSERT INTO audit_entry (id, event, actor, subject, details, at) VALUES (gen_random_uuid(), 'e', 'a', 's', '{}', now())`, "taken out of the line"},
	} {
		t.Run(name, func(t *testing.T) {
			log, pool := filled(t, 12)
			tamper(t, pool, strings.Split(c.statement, ";")...)
			if report := verified(t, log); report.OK() || !strings.Contains(strings.Join(report.Findings, "\n"), c.want) {
				t.Fatalf("got %q, want a finding with %q", report.Findings, c.want)
			}
		})
	}
}

// Whoever changes the log consistently, leaf and entry, must not get our
// signature under it.
func TestNothingIsSignedOnTopOfAChangedLog(t *testing.T) {
	for name, statement := range map[string]string{
		"a leaf":            `UPDATE audit_leaf SET hash = sha256('x') WHERE seq = 8`,
		"a node":            `UPDATE audit_node SET hash = sha256('x') WHERE level = 3`,
		"a node is missing": `DELETE FROM audit_node WHERE level = 3`,
		"cut off":           `DELETE FROM audit_leaf WHERE seq > 4`,
		"a checkpoint":      `UPDATE audit_checkpoint SET note = replace(note, 'test/audit', 'test/other') WHERE size = 9`,
	} {
		t.Run(name, func(t *testing.T) {
			log, pool := filled(t, 9)
			if err := Append(t.Context(), pool, Entry{Event: CodeSent}); err != nil {
				t.Fatal(err)
			}
			tamper(t, pool, statement)
			if _, err := log.Sequence(t.Context()); !errors.Is(err, errForked) {
				t.Errorf("got %v, want a refusal", err)
			}
			if n, err := log.Pending(t.Context()); err != nil || n != 1 {
				t.Errorf("got %d pending, %v; want the entry to wait", n, err)
			}
		})
	}
}

func TestPlacedEntriesThatWereNotSignedAreSignedNext(t *testing.T) {
	log, pool := filled(t, 9)
	tamper(t, pool, `DELETE FROM audit_checkpoint WHERE size = 9`) // as if we had fallen before the signature
	if report := verified(t, log); !report.OK() || report.Signed != 8 {
		t.Fatalf("got %+v, want 8 entries signed", report)
	}
	sequence(t, log)
	if report := verified(t, log); !report.OK() || report.Signed != 9 {
		t.Fatalf("got %+v, want 9 entries signed", report)
	}
}

func TestCheckpointsOfEveryKeyVerify(t *testing.T) {
	log, pool := filled(t, 3)
	old := log.Ring.Verifiers(keys.Audit)[0]
	if err := log.Ring.Rotate(t.Context(), keys.Audit); err != nil {
		t.Fatal(err)
	}
	if err := Append(t.Context(), pool, Entry{Event: KeyRotated}); err != nil {
		t.Fatal(err)
	}
	sequence(t, log)
	if report := verified(t, log); !report.OK() || report.Entries != 4 || report.Signed != 4 {
		t.Fatalf("got %+v, want 4 signed entries", report)
	}
	// Anyone with the public key can check a checkpoint by the library of the format.
	for size, public := range map[int64]keys.SigningKey{3: old, 4: log.Ring.Verifiers(keys.Audit)[0]} {
		vkey, err := note.NewEd25519VerifierKey("test/audit", public.Public.(ed25519.PublicKey))
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := note.NewVerifier(vkey)
		if err != nil {
			t.Fatal(err)
		}
		var text string
		if err := pool.QueryRow(t.Context(), `SELECT note FROM audit_checkpoint WHERE size = $1`, size).Scan(&text); err != nil {
			t.Fatal(err)
		}
		if _, _, _, err := tlog.ParseCheckpoint([]byte(text), "test/audit", theirs); err != nil {
			t.Errorf("checkpoint %d: %v", size, err)
		}
	}
}

func TestLeafIsWrittenInOneWay(t *testing.T) {
	person := uuid.MustParse("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
	at := time.Date(2026, 3, 4, 5, 6, 7, 890_000, time.FixedZone("", 3600))
	r := record{ID: uuid.Nil, Event: UINAssigned, Person: &person, Actor: "officer:<1>", Subject: "é", Details: `{"a":"b"}`, At: at}
	got, want := string(r.leaf()), `["plinth-audit-1","00000000-0000-0000-0000-000000000000","uin-assigned","6ba7b810-9dad-11d1-80b4-00c04fd430c8",`+
		`"officer:\u003c1\u003e","é","{\"a\":\"b\"}","2026-03-04T04:06:07.000890Z"]`
	if got != want {
		t.Fatalf("got %s, want %s", got, want)
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
		if err := Append(t.Context(), pool, Entry{Event: ClaimsReleased, Person: person, Actor: "client:x", Details: map[string]string{"scope": "openid"}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := Append(t.Context(), pool, Entry{Event: ClaimsReleased, Person: uuid.New(), Actor: "client:x"}); err != nil {
		t.Fatal(err)
	}
	sequence(t, log)
	all, err := log.Of(t.Context(), person)
	if err != nil || len(all) != 3 {
		t.Fatalf("got %d entries, %v; want 3", len(all), err)
	}
	for _, p := range all {
		head, err := log.open(t.Context(), checkpoint{Note: p.Checkpoint})
		if err != nil {
			t.Fatal(err)
		}
		if err := proof.VerifyInclusion(rfc6962.DefaultHasher, p.Index, head.Size, rfc6962.DefaultHasher.HashLeaf(p.Leaf), p.Inclusion, head.Hash); err != nil {
			t.Errorf("entry %d: %v", p.Index, err)
		}
		if p.Entry.Person != person || p.Entry.Event != ClaimsReleased || p.Entry.Details["scope"] != "openid" || p.At.IsZero() {
			t.Errorf("got %+v at %v, want what was appended", p.Entry, p.At)
		}
	}
	tamper(t, pool, `UPDATE audit_entry SET actor = 'client:y' WHERE id = (SELECT entry FROM audit_leaf WHERE seq = 10)`)
	if _, err := log.Of(t.Context(), person); !errors.Is(err, errForked) {
		t.Errorf("after a change: got %v, want a refusal", err)
	}
}

// The goal is a thousand entries a second; here one operation is one entry.
func BenchmarkSequence(b *testing.B) {
	pool := pgtest.Pool(b)
	root, err := keys.FileRoot(filepath.Join(b.TempDir(), "root.key"), "a passphrase for tests")
	if err != nil {
		b.Fatal(err)
	}
	ring, err := keys.Open(b.Context(), pool, root)
	if err != nil {
		b.Fatal(err)
	}
	log, err := New(Config{Pool: pool, Ring: ring, Origin: "test/audit"})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := pool.Exec(b.Context(), `WITH written AS (INSERT INTO audit_entry (id, event, person, actor, subject, details, at)
		SELECT gen_random_uuid(), 'login-succeeded', gen_random_uuid(), 'client:x', 's', '{}', now() FROM generate_series(1, $1) RETURNING id)
		INSERT INTO audit_pending SELECT id FROM written`, b.N); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	if n, err := log.Sequence(b.Context()); err != nil || n != b.N {
		b.Fatalf("got %d, %v; want %d", n, err, b.N)
	}
}
