package enrol

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/registry/place"
)

// verdicts counts what was said of a case, and what the log knows of it.
func (w *world) verdicts(t *testing.T, opened uuid.UUID) (said, logged int) {
	t.Helper()
	return w.count(t, `SELECT count(*) FROM enrol_verdict WHERE opened = $1`, opened),
		w.count(t, `SELECT count(*) FROM audit_entry WHERE event = 'verdict-given' AND subject = $1`, opened.String())
}

func TestAVerdictSaidAgainHasOneEffect(t *testing.T) {
	w := newWorld(t)
	first, second, c := doubtful(t, w)
	one, other := adjudicator(), adjudicator()
	say := func(o place.Officer, says, reason string) error {
		return w.Adjudicate(t.Context(), c.ID, o, says, reason)
	}
	for range 3 {
		if err := say(one, "duplicate", "The same scar."); err != nil {
			t.Fatalf("got %v, want the same answer each time", err)
		}
	}
	if err := say(one, "duplicate:"+first.ID.String(), " The same scar.\n"); err != nil {
		t.Errorf("got %v for the same in other words, want it taken for the same", err)
	}
	if err := say(one, "unique", "The same scar."); !fault.Is(err, fault.Conflict) {
		t.Errorf("got %v for another verdict, want a conflict", err)
	}
	if err := say(one, "duplicate", "Another reason."); !fault.Is(err, fault.Conflict) {
		t.Errorf("got %v for another reason, want a conflict", err)
	}
	if said, logged := w.verdicts(t, c.ID); said != 1 || logged != 1 {
		t.Errorf("got %d verdicts and %d in the log, want one", said, logged)
	}
	if err := say(other, "duplicate", "The same face."); err != nil {
		t.Fatal(err)
	}
	before := w.kept(t)
	for _, o := range []place.Officer{one, other} {
		reason := map[bool]string{true: "The same scar.", false: "The same face."}[o == one]
		if err := say(o, "duplicate", reason); err != nil {
			t.Errorf("got %v for a verdict said again after the decision, want the same answer", err)
		}
	}
	for _, says := range []string{"unique", "duplicate"} {
		if err := say(adjudicator(), says, "I too have seen it."); !fault.Is(err, fault.Conflict) || fault.Of(err).Code != "case-decided" {
			t.Errorf("got %v for %s after the decision, want a conflict", err, says)
		}
	}
	w.unchanged(t, before)
	if a, err := w.Application(t.Context(), second.ID); err != nil || a.State != Rejected || a.Code != "duplicate" {
		t.Errorf("got %s (%s), %v; want a duplicate", a.State, a.Code, err)
	}
}

func TestVerdictsAtOnceDecideOnce(t *testing.T) {
	w := newWorld(t)
	_, second, c := doubtful(t, w)
	officers := []place.Officer{adjudicator(), adjudicator()}
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			if err := w.Adjudicate(t.Context(), c.ID, officers[i%2], "unique", "The faces differ."); err != nil {
				t.Errorf("got %v, want every repetition answered as the first", err)
			}
		})
	}
	wg.Wait()
	if said, logged := w.verdicts(t, c.ID); said != 2 || logged != 2 {
		t.Errorf("got %d verdicts and %d in the log, want one by each officer", said, logged)
	}
	w.until(t, second.ID, func(a Application) bool { return a.State == Notified })
	if n := w.count(t, `SELECT count(*) FROM audit_entry WHERE event = 'adjudicated'`); n != 1 {
		t.Errorf("got %d decisions, want one", n)
	}
}

func TestManyOfficersAtOnceDecideByTheFirstTwo(t *testing.T) {
	w := newWorld(t)
	_, second, c := doubtful(t, w)
	var wg sync.WaitGroup
	var mu sync.Mutex
	taken := 0
	for range 8 {
		wg.Go(func() {
			err := w.Adjudicate(t.Context(), c.ID, adjudicator(), "unique", "The faces differ.")
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				taken++
			} else if !fault.Is(err, fault.Conflict) {
				t.Errorf("got %v, want a conflict for those who came late", err)
			}
		})
	}
	wg.Wait()
	if taken != w.Verdicts {
		t.Errorf("got %d verdicts taken, want %d", taken, w.Verdicts)
	}
	w.until(t, second.ID, func(a Application) bool { return a.State == Notified })
}

func TestTheReasonOfAVerdictIsSealed(t *testing.T) {
	w := newWorld(t)
	_, _, c := doubtful(t, w)
	const reason = "Anna has a scar above her left eye."
	if err := w.Adjudicate(t.Context(), c.ID, adjudicator(), "unique", reason); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"enrol_verdict", "enrol_case", "audit_entry", "enrol_application"} {
		var all string
		if err := w.Pool.QueryRow(t.Context(), `SELECT coalesce(string_agg(x::text, ' '), '') FROM `+table+` x`).Scan(&all); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(all, "scar") || strings.Contains(all, "73636172") {
			t.Errorf("%s holds the reason in the open", table)
		}
	}
}

func TestACaseTellsNobodyWhatOthersSaid(t *testing.T) {
	w := newWorld(t)
	_, _, c := doubtful(t, w)
	if err := w.Adjudicate(t.Context(), c.ID, adjudicator(), "unique", "The faces differ."); err != nil {
		t.Fatal(err)
	}
	cases, err := w.Cases(t.Context())
	if err != nil || len(cases) != 1 || cases[0].Given != 1 || cases[0].Needed != 2 {
		t.Fatalf("got %+v, %v; want one case with one verdict of two", cases, err)
	}
	if raw := string(encodedJSON(t, cases)); strings.Contains(raw, "unique") || strings.Contains(raw, "differ") {
		t.Errorf("got %s, want nothing of what was said", raw)
	}
}
