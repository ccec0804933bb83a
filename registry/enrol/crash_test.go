package enrol

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/internal/failpoint"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/registry/place"
)

// childVariable holds the orders of a child process.
const childVariable = "PLINTH_TEST_ENROL_CHILD"

// orders tell a child where to work.
type orders struct {
	URL, Dir, Packets string
	Operator          uuid.UUID
	Judges            []uuid.UUID
}

// child is the life of a process that serves and works: it takes every packet,
// as stations do that got no answer, and works until everybody has an outcome
// and every notice is out.
func child() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	if err := serve(ctx, os.Getenv(childVariable)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func serve(ctx context.Context, given string) error {
	var o orders
	if err := json.Unmarshal([]byte(given), &o); err != nil {
		return err
	}
	pool, err := postgres.Open(ctx, o.URL)
	if err != nil {
		return err
	}
	workers = 2 // each death costs those at work an attempt
	w, err := openWorld(ctx, pool, o.Dir)
	if err != nil {
		return err
	}
	w.Notify = w.sender.Queue
	if err := w.river.Start(ctx); err != nil {
		return err
	}
	go func() { _ = w.log.Run(ctx) }()
	go func() { _ = w.sender.Run(ctx) }()
	if err := w.receiveAll(ctx, o); err != nil {
		return err
	}
	for {
		left, err := w.left(ctx)
		if err != nil || left == 0 {
			return err
		}
		if err := w.none(ctx, Quarantined); err != nil {
			return err
		}
		if err := w.Recover(ctx); err != nil {
			return err
		}
		if err := w.judgeAll(ctx, o.Judges); err != nil {
			return err
		}
		time.Sleep(30 * time.Millisecond)
	}
}

// receiveAll hands every packet in, and says on standard output what came of it.
func (w *world) receiveAll(ctx context.Context, o orders) error {
	files, err := filepath.Glob(filepath.Join(o.Packets, "*"))
	if err != nil {
		return err
	}
	for _, file := range files {
		packet, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		a, err := w.Receive(ctx, packet, o.Operator)
		if err != nil {
			return err
		}
		fmt.Println(filepath.Base(file), a.ID)
	}
	return nil
}

// judgeAll gives the verdict of every judge on every open case, again and again.
func (w *world) judgeAll(ctx context.Context, judges []uuid.UUID) error {
	cases, err := w.Cases(ctx)
	if err != nil {
		return err
	}
	for _, c := range cases {
		for _, judge := range judges {
			if err := w.Adjudicate(ctx, c.ID, place.Officer{ID: judge, Role: place.Adjudicator}, "unique", "The faces differ."); err != nil {
				return err
			}
		}
	}
	return nil
}

// none wants no application in a state that nobody would lead it out of.
func (w *world) none(ctx context.Context, in State) error {
	var n int
	if err := w.Pool.QueryRow(ctx, `SELECT count(*) FROM enrol_application WHERE state = $1`, in).Scan(&n); err != nil || n > 0 {
		return errors.Join(fmt.Errorf("%d applications are %s", n, in), err)
	}
	return nil
}

// left counts the applications without an outcome and the notices not yet out.
func (w *world) left(ctx context.Context) (n int, err error) {
	err = w.Pool.QueryRow(ctx, `SELECT (SELECT count(*) FROM enrol_application WHERE state NOT IN ('notified', 'rejected'))
		+ (SELECT count(*) FROM notify_outbox)`).Scan(&n)
	return n, err
}

// deaths are the points at which a child is killed, in the order of a packet's
// way. The two of a verdict come twice: for the first verdict and the one that
// decides.
var deaths = []string{
	"enrol/receive/after-blob", "enrol/receive/before-commit", "enrol/receive/after-commit",
	"enrol/check/before-commit", "enrol/check/after-commit",
	"enrol/line/before-commit", "enrol/line/after-commit",
	"enrol/dedupe/before-commit", "enrol/dedupe/after-commit",
	"enrol/assign/before-commit", "enrol/assign/after-commit",
	"enrol/notify/before-commit", "enrol/notify/after-commit",
	"enrol/adjudicate/before-commit", "enrol/adjudicate/after-commit",
	"enrol/adjudicate/before-commit", "enrol/adjudicate/after-commit",
	"notify/delivered",
}

func TestEveryFailpointHasItsDeath(t *testing.T) {
	var got []string
	for _, name := range failpoint.Names() {
		if strings.HasPrefix(name, "enrol/") || strings.HasPrefix(name, "notify/") {
			got = append(got, name)
		}
	}
	want := slices.Clone(deaths)
	slices.Sort(want)
	if want = slices.Compact(want); !slices.Equal(got, want) {
		t.Fatalf("got points %v, want %v", got, want)
	}
}

// crowd says whose each packet is.
type crowd map[string]int64

// gather writes packets: every fifth is of somebody who comes again, and one is of
// somebody with the name, birth date and gender of another, and another finger.
func gather(t *testing.T, w *world, dir string, packets int) crowd {
	t.Helper()
	all := make(crowd)
	for n := range packets {
		person := int64(n + 1)
		if n%5 == 4 {
			person--
		}
		a := newApplicant(person, n%4)
		named := person
		if n == packets-3 {
			named = 1
			a.files = fstest.MapFS{"leftThumb.png": {Data: print(person, 0)}}
			a.identity()["dateOfBirth"] = newApplicant(1, 0).identity()["dateOfBirth"]
		}
		a.identity()["fullName"] = []any{map[string]any{"language": "eng", "value": "Person " + strings.Repeat("i", int(named))}}
		name := fmt.Sprintf("%03d", n)
		all[name] = person
		if err := os.WriteFile(filepath.Join(dir, name), w.packet(t, a), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func (c crowd) people() int {
	all := make(map[int64]bool)
	for _, person := range c {
		all[person] = true
	}
	return len(all)
}

func TestADeathAtAnyPointLosesNothing(t *testing.T) {
	w := newWorld(t)
	packets := 10
	if os.Getenv("PLINTH_LONG") != "" {
		packets = 50
	}
	o := orders{URL: w.Pool.Config().ConnString(), Dir: w.dir, Packets: t.TempDir(), Operator: w.station.Officer, Judges: []uuid.UUID{uuid.New(), uuid.New()}}
	c := gather(t, w, o.Packets, packets)
	accepted := make(map[string]uuid.UUID)
	judges := o.Judges
	for _, point := range deaths {
		// The case must be there still when its own deaths come.
		if o.Judges = nil; strings.HasPrefix(point, "enrol/adjudicate") || strings.HasPrefix(point, "notify/") {
			o.Judges = judges
		}
		if !w.live(t, o, point, accepted) {
			t.Fatalf("a child with %s armed was not killed by it", point)
		}
		w.bury(t)
	}
	o.Judges = judges
	if w.live(t, o, "", accepted) {
		t.Fatal("a child was killed without a point")
	}
	if len(accepted) != packets {
		t.Fatalf("got %d packets accepted, want %d", len(accepted), packets)
	}
	w.checkOutcomes(t, c, accepted)
	w.checkNotices(t, c)
	w.checkStores(t, packets)
}

// live runs a child until its end, notes what it accepted, and tells whether it
// was killed.
func (w *world) live(t *testing.T, o orders, point string, accepted map[string]uuid.UUID) bool {
	t.Helper()
	raw, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+string(raw))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if point != "" {
		cmd.Env = append(cmd.Env, failpoint.Variable+"="+point+"=kill")
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	for line := range strings.Lines(stdout.String()) {
		file, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		id, err := uuid.Parse(text)
		if err != nil {
			t.Fatalf("a child said %q: %v", line, err)
		}
		if before, ok := accepted[file]; ok && before != id {
			t.Errorf("packet %s: got application %s, want %s as at first", file, id, before)
		}
		accepted[file] = id
	}
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		if status, ok := ended.Sys().(syscall.WaitStatus); ok && status.Signal() == syscall.SIGKILL {
			return true
		}
	}
	if err != nil {
		t.Fatalf("a child at %q failed: %v\n%s", point, err, stderr.String())
	}
	return false
}

// bury lets time pass as far as it matters: claims of the dead run out by
// themselves after some seconds, and their messages after a minute.
func (w *world) bury(t *testing.T) {
	t.Helper()
	for _, sql := range []string{
		`UPDATE enrol_application SET claimed_until = least(claimed_until, now())`,
		`UPDATE notify_outbox SET due_at = least(due_at, now())`,
	} {
		if _, err := w.Pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
}

// checkOutcomes holds every application to exactly one outcome, and every person
// to exactly one number.
func (w *world) checkOutcomes(t *testing.T, c crowd, accepted map[string]uuid.UUID) {
	t.Helper()
	numbers := make(map[string]int64)
	owners := make(map[int64]int)
	for _, file := range slices.Sorted(maps.Keys(accepted)) {
		a, err := w.Application(t.Context(), accepted[file])
		if err != nil {
			t.Fatal(err)
		}
		ends := 0
		for _, m := range a.History {
			if m.State == Notified || m.State == Rejected {
				ends++
			}
		}
		if ends != 1 {
			t.Errorf("packet %s: got %d outcomes in %+v, want one", file, ends, a.History)
		}
		switch a.State {
		case Rejected:
			if a.Code != "duplicate" {
				t.Errorf("packet %s: got rejected (%s), want a duplicate or a number", file, a.Code)
			}
		case Notified:
			owners[c[file]]++
			i, err := w.Registry.Read(t.Context(), w.Pool, a.person)
			if err != nil {
				t.Fatal(err)
			}
			if other, ok := numbers[i.UIN.Reveal()]; ok {
				t.Errorf("person %d and person %d have the same number", other, c[file])
			}
			numbers[i.UIN.Reveal()] = c[file]
		default:
			t.Errorf("packet %s: got %s, want an outcome", file, a.State)
		}
	}
	for person, n := range owners {
		if n != 1 {
			t.Errorf("person %d has %d numbers", person, n)
		}
	}
	if got, want := w.count(t, `SELECT count(*) FROM registry_identity`), c.people(); got != want || len(owners) != want {
		t.Errorf("got %d identities of %d persons, want %d", got, len(owners), want)
	}
	if got, want := w.count(t, `SELECT count(*) FROM enrol_application`), len(c); got != want {
		t.Errorf("got %d applications, want %d", got, want)
	}
}

// checkNotices wants one notice by each channel for each application.
func (w *world) checkNotices(t *testing.T, c crowd) {
	t.Helper()
	messages, err := w.inbox.Messages(t.Context(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]int)
	for _, m := range messages {
		kind := "rejected"
		if strings.Contains(m.Text, "ready") {
			kind = "ready"
		}
		got[string(m.Channel)+" "+m.To+" "+kind]++
	}
	want := make(map[string]int)
	seen := make(map[int64]bool)
	for _, person := range c {
		kind := "ready"
		if seen[person] {
			kind = "rejected"
		}
		seen[person] = true
		want[fmt.Sprintf("mail p%d@example.org %s", person, kind)]++
		want[fmt.Sprintf("sms +2126000%05d %s", person, kind)]++
	}
	if !maps.Equal(got, want) {
		t.Errorf("got notices %v, want %v", got, want)
	}
}

// checkStores wants the blobs of the packets and no others, a line without gaps,
// and a log that verifies.
func (w *world) checkStores(t *testing.T, packets int) {
	t.Helper()
	keys, err := w.Blob.Keys(t.Context())
	if err != nil || len(keys) != packets {
		t.Errorf("got %d blobs, %v; want %d", len(keys), err, packets)
	}
	for _, key := range keys {
		data, err := w.Blob.Get(t.Context(), key)
		if digest := sha256.Sum256(data); err != nil || key != "packets/"+hex.EncodeToString(digest[:]) {
			t.Errorf("blob %s: got %d bytes, %v; want what its name says", key, len(data), err)
		}
	}
	if got := w.count(t, `SELECT count(*) FROM enrol_gallery WHERE place BETWEEN 1 AND $1`, packets); got != packets {
		t.Errorf("got %d places up to %d, want no gap", got, packets)
	}
	if _, err := w.log.Sequence(t.Context()); err != nil {
		t.Fatal(err)
	}
	report, err := w.log.Verify(t.Context(), 0, 0)
	if err != nil || !report.OK() || report.Pending != 0 || report.Entries == 0 {
		t.Errorf("got %+v, %v; want a log that verifies whole", report, err)
	}
	for event, want := range map[string]int{"packet-received": packets, "case-opened": 1, "verdict-given": 2, "adjudicated": 1} {
		if got := w.count(t, `SELECT count(*) FROM audit_entry WHERE event = $1`, event); got != want {
			t.Errorf("got %d entries of %s, want %d", got, event, want)
		}
	}
	if got, want := w.count(t, `SELECT count(*) FROM audit_entry WHERE event = 'uin-assigned'`), w.count(t, `SELECT count(*) FROM registry_identity`); got != want {
		t.Errorf("got %d entries of numbers, want %d", got, want)
	}
}
