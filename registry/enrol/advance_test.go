package enrol

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/registry/place"
)

func encodedJSON(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// lastAttempt makes the next attempt one too many.
func (w *world) lastAttempt(t *testing.T, id uuid.UUID) {
	t.Helper()
	if _, err := w.Pool.Exec(t.Context(), `UPDATE enrol_application SET attempts = $2 WHERE id = $1`, id, maxAttempts); err != nil {
		t.Fatal(err)
	}
}

func TestWhatFailsAgainAndAgainWaitsForAnAdministrator(t *testing.T) {
	w := newWorld(t)
	a := w.receive(t, w.packet(t, newApplicant(1, 0)))
	packet, err := w.Blob.Get(t.Context(), blobKey(a.digest))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Blob.Delete(t.Context(), blobKey(a.digest)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.run(t, a.ID); err == nil {
		t.Fatal("got no error without the packet, want one")
	}
	w.lastAttempt(t, a.ID)
	w.start(t)
	held := w.settled(t, a.ID)
	if held.State != Quarantined || held.Code != "failed-repeatedly" || held.Stage != "quarantine" {
		t.Fatalf("got %+v, want it quarantined", held)
	}
	if err := w.Blob.Put(t.Context(), blobKey(a.digest), packet); err != nil {
		t.Fatal(err)
	}
	for _, role := range []place.Role{place.Operator, place.Adjudicator} {
		if err := w.Resume(t.Context(), a.ID, place.Officer{ID: uuid.New(), Role: role}); !fault.Is(err, fault.Denied) {
			t.Errorf("got %v for an %s, want it refused", err, role)
		}
	}
	administrator := place.Officer{ID: uuid.New(), Role: place.Administrator}
	if err := w.Resume(t.Context(), a.ID, administrator); err != nil {
		t.Fatal(err)
	}
	if got := w.until(t, a.ID, func(a Application) bool { return a.State == Notified }); got.UIN == nil || got.Code != "" {
		t.Errorf("got %+v, want a number and no reason any more", got)
	}
	if err := w.Resume(t.Context(), a.ID, administrator); !fault.Is(err, fault.Conflict) {
		t.Errorf("got %v for a second time, want a conflict", err)
	}
	if err := w.Resume(t.Context(), uuid.New(), administrator); !fault.Is(err, fault.NotFound) {
		t.Errorf("got %v for nobody, want not found", err)
	}
	if n := w.count(t, `SELECT count(*) FROM audit_entry WHERE event = 'application-resumed'`); n != 1 {
		t.Errorf("got %d in the log, want one", n)
	}
}

// A store that is away for a minute is no reason to bother an administrator; one
// that is away for hours is.
func TestFailuresAreForgivenForHours(t *testing.T) {
	for attempt, want := range map[int]bool{maxFailures: false, maxFailures + 1: true} {
		w := newWorld(t)
		a := w.receive(t, w.packet(t, newApplicant(1, 0)))
		if err := (&worker{office: w.Office}).Work(t.Context(), &river.Job[job]{Args: job{a.ID}, JobRow: &rivertype.JobRow{ID: 9, Attempt: attempt}}); err != nil {
			t.Fatal(err)
		}
		if got, err := w.Application(t.Context(), a.ID); err != nil || (got.State == Quarantined) != want {
			t.Errorf("attempt %d: got %s, %v; want quarantined: %v", attempt, got.State, err, want)
		}
	}
}

func TestATwinOfAQuarantinedOneWaits(t *testing.T) {
	w := newWorld(t)
	ahead, behind := w.receive(t, w.packet(t, newApplicant(1, 0))), w.receive(t, w.packet(t, newApplicant(1, 1)))
	w.moveTo(t, ahead.ID, Unique)
	w.moveTo(t, behind.ID, Compared)
	a, err := readApplication(t.Context(), w.Pool, ahead.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.quarantine(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if next, err := w.run(t, behind.ID); err != nil || next != "" {
		t.Fatalf("got %q, %v; want it to wait: the one ahead may yet get a number", next, err)
	}
	if err := w.Resume(t.Context(), ahead.ID, place.Officer{ID: uuid.New(), Role: place.Administrator}); err != nil {
		t.Fatal(err)
	}
	w.start(t)
	if got := w.settled(t, ahead.ID); got.State != Notified {
		t.Errorf("got %s (%s), want a number", got.State, got.Reason)
	}
	if got := w.settled(t, behind.ID); got.Code != "duplicate" {
		t.Errorf("got %s (%s), want a duplicate", got.State, got.Reason)
	}
}

func TestADamagedPacketIsNeverDecidedUpon(t *testing.T) {
	w := newWorld(t)
	a := w.receive(t, w.packet(t, newApplicant(1, 0)))
	other := w.packet(t, newApplicant(2, 0))
	for what, data := range map[string][]byte{"another packet": other, "nothing": nil, "half of it": other[:len(other)/2]} {
		if err := w.Blob.Put(t.Context(), blobKey(a.digest), data); err != nil {
			t.Fatal(err)
		}
		if next, err := w.run(t, a.ID); err == nil || next != "" || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%s: got %q, %v; want it to stay where it is", what, next, err)
		}
	}
	if got, err := w.Application(t.Context(), a.ID); err != nil || got.State != Received {
		t.Errorf("got %s, %v; want it received as before", got.State, err)
	}
}

func TestAClaimIsOnesOwn(t *testing.T) {
	w := newWorld(t)
	a := w.receive(t, w.packet(t, newApplicant(1, 0)))
	mine, err := claim(t.Context(), w.Pool, a.ID, 7)
	if err != nil || mine.attempts != 1 {
		t.Fatalf("got %d attempts, %v; want the first", mine.attempts, err)
	}
	if err := (&worker{office: w.Office}).Work(t.Context(), &river.Job[job]{Args: job{a.ID}, JobRow: &rivertype.JobRow{ID: 8}}); err != nil {
		t.Fatal(err)
	}
	if got, err := w.Application(t.Context(), a.ID); err != nil || got.State != Received {
		t.Fatalf("got %s, %v; want it left to the one who holds it", got.State, err)
	}
	if err := w.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := w.count(t, `SELECT count(*) FROM river_job`); n != 1 {
		t.Errorf("got %d jobs, want no second one while the first is in line", n)
	}
}

func TestOnlyAStopIsNoFailedAttempt(t *testing.T) {
	w := newWorld(t)
	a := w.receive(t, w.packet(t, newApplicant(1, 0)))
	boom := errors.New("boom")
	stopped, stop := context.WithCancel(t.Context())
	stop()
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	for what, test := range map[string]struct {
		ctx context.Context
		own bool // the error is that of the stage, which River counts, and it is waited for
	}{
		"a stop":                     {stopped, false},
		"a stage that took too long": {late, true},
		"an error":                   {t.Context(), true},
	} {
		if _, err := w.Pool.Exec(t.Context(), `UPDATE enrol_application SET attempts = 0, claimed_until = '-infinity'`); err != nil {
			t.Fatal(err)
		}
		mine, err := claim(t.Context(), w.Pool, a.ID, 7)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.giveUp(test.ctx, mine, &river.Job[job]{JobRow: &rivertype.JobRow{ID: 7, Attempt: 1}}, boom); errors.Is(err, boom) != test.own {
			t.Errorf("%s: got %v", what, err)
		}
		if n := w.count(t, `SELECT attempts FROM enrol_application WHERE id = $1`, a.ID); n != 0 {
			t.Errorf("%s: got %d attempts, want none: nobody died", what, n)
		}
		if held := w.count(t, `SELECT count(*) FROM enrol_application WHERE id = $1 AND claimed_until > now()`, a.ID) == 1; held != test.own {
			t.Errorf("%s: got held %v, want %v", what, held, test.own)
		}
	}
}

func TestRecoverFindsWhatLostItsJob(t *testing.T) {
	w := newWorld(t)
	a := w.receive(t, w.packet(t, newApplicant(1, 0)))
	if _, err := w.Pool.Exec(t.Context(), `DELETE FROM river_job`); err != nil {
		t.Fatal(err)
	}
	w.start(t)
	if err := w.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.settled(t, a.ID); got.State != Notified {
		t.Errorf("got %s, want it to go on", got.State)
	}
}

// However many take an application for their own, a stage has one effect.
func TestAStageHasOneEffectWhoeverDoesIt(t *testing.T) {
	w := newWorld(t)
	id := w.receive(t, w.packet(t, newApplicant(1, 0))).ID
	for stage := 1; stage <= len(working); stage++ {
		a, err := readApplication(t.Context(), w.Pool, id)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		var done atomic.Int32
		for range 6 {
			wg.Go(func() {
				switch _, err := w.step(t.Context(), a, 0); {
				case err == nil:
					done.Add(1)
				case !fault.Is(err, fault.Conflict):
					t.Errorf("%s: got %v, want a conflict for all but one", a.State, err)
				}
			})
		}
		wg.Wait()
		if n := done.Load(); n != 1 {
			t.Errorf("%s: got %d who did it, want one", a.State, n)
		}
		before := w.kept(t)
		if _, err := w.step(t.Context(), a, 0); !fault.Is(err, fault.Conflict) {
			t.Errorf("%s: got %v for one who comes late, want a conflict", a.State, err)
		}
		w.unchanged(t, before)
	}
	if a, err := w.Application(t.Context(), id); err != nil || a.State != Notified || len(a.History) != len(working)+1 {
		t.Errorf("got %s after %d moves, %v; want it notified after %d", a.State, len(a.History), err, len(working)+1)
	}
}

// record is a log that workers may write while a test reads.
type record struct {
	mu   sync.Mutex
	said strings.Builder
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.said.Write(p)
}

func (r *record) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.said.String()
}

func TestASVS_16_2_5_TheLogNeverNamesTheApplicant(t *testing.T) {
	var log record
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	t.Cleanup(func() { slog.SetDefault(before) })
	w := newWorld(t)
	w.start(t)
	good := w.enrol(t, newApplicant(1, 0))
	i, err := w.Registry.Read(t.Context(), w.Pool, good.person)
	if err != nil {
		t.Fatal(err)
	}
	c := w.contents(t, newApplicant(2, 0))
	for _, raw := range []string{`{"consent": 2126000123}`, `{"fullName": "Anna Secret", "Anna Secret": "Anna Secret", "process": "NEW", "consent": {"given": true, "text": "x"}}`, `{"identity": Anna Secret`} {
		c.Person = []byte(raw)
		a := w.settled(t, w.receive(t, w.forge(t, w.header(), encoded(t, c))).ID)
		if a.State != Rejected || strings.Contains(a.Reason, "Secret") {
			t.Errorf("got %s (%s), want it rejected, and nothing quoted", a.State, a.Reason)
		}
	}
	lost := w.receive(t, w.packet(t, newApplicant(3, 0)))
	w.lastAttempt(t, lost.ID)
	w.until(t, lost.ID, func(a Application) bool { return a.State != Received })
	for _, secret := range []string{i.UIN.Reveal(), "Person Number", "p1@example.org", "p3@example.org", "2126000", "Secret"} {
		if strings.Contains(log.text(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
	a, err := readApplication(t.Context(), w.Pool, good.ID)
	if err != nil {
		t.Fatal(err)
	}
	_ = w.giveUp(t.Context(), a, &river.Job[job]{JobRow: &rivertype.JobRow{ID: 1, Attempt: 1}}, errors.New("boom"))
	if !strings.Contains(log.text(), "boom") || !strings.Contains(log.text(), good.ID.String()) {
		t.Error("got a log without the failure, want it there under the application's id")
	}
}
