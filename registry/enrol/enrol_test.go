package enrol

import (
	"encoding/json"
	"image"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/biometrics/synth"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/registry/place"
)

func TestANewPersonGetsANumber(t *testing.T) {
	w := newWorld(t)
	w.start(t)
	anna := newApplicant(1, 0)
	anna.files["proofOfAddress.pdf"] = &fstest.MapFile{Data: []byte("%PDF-1.7")}
	anna.files["face.png"] = &fstest.MapFile{Data: synth.PNG(image.NewGray(image.Rect(0, 0, 30, 40)))}
	a := w.enrol(t, anna)
	if a.State != Notified || a.UIN == nil || a.Stage != "" {
		t.Fatalf("got %+v, want it notified with a number", a)
	}
	var states []State
	for _, m := range a.History {
		states = append(states, m.State)
	}
	if got, want := len(states), 6; got != want || states[0] != Received || states[5] != Notified {
		t.Errorf("got history %v, want all six states from received to notified", states)
	}
	i, err := w.Registry.Read(t.Context(), w.Pool, a.person)
	if err != nil || i.Name("eng") != "Person NumberB" || len(i.Portrait) == 0 {
		t.Errorf("got name %q, portrait of %d bytes, %v; want what the packet held", i.Name("eng"), len(i.Portrait), err)
	}
	templates, err := w.Registry.Templates(t.Context(), w.Pool, a.person)
	if err != nil || len(templates["rightIndex"]) == 0 {
		t.Errorf("got %d templates, %v; want the right index finger's", len(templates), err)
	}
}

func TestAnAnswerNeverHoldsTheNumberOrTheName(t *testing.T) {
	w := newWorld(t)
	w.start(t)
	a := w.enrol(t, newApplicant(1, 0))
	i, err := w.Registry.Read(t.Context(), w.Pool, a.person)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	said := string(raw)
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.sent) != 2 {
		t.Fatalf("got %d messages, want a mail and a text message", len(w.sent))
	}
	for _, m := range w.sent {
		said += m.Subject + m.Text
	}
	if strings.Contains(said, i.UIN.Reveal()) || strings.Contains(said, "Number") || !strings.Contains(string(raw), `"uin_masked":"`+i.UIN.String()) {
		t.Fatalf("got %s, want the masked number only", said)
	}
}

func TestASecondEnrolmentIsADuplicate(t *testing.T) {
	w := newWorld(t)
	w.start(t)
	first := w.enrol(t, newApplicant(1, 0))
	other := newApplicant(1, 1) // the same finger under another name
	other.identity()["fullName"] = []any{map[string]any{"language": "eng", "value": "Somebody Else"}}
	second := w.enrol(t, other)
	if second.State != Rejected || second.Code != "duplicate" || !strings.Contains(second.Reason, first.ID.String()) {
		t.Fatalf("got %+v, want a duplicate of %s", second, first.ID)
	}
	if n := w.count(t, `SELECT count(*) FROM enrol_gallery WHERE application = $1 AND sealed IS NULL AND removed`, second.ID); n != 1 {
		t.Error("the prints of the rejected application are still in the gallery")
	}
	// The rejected one must not stand in the way of anybody, itself included.
	if third := w.enrol(t, newApplicant(1, 0)); third.Code != "duplicate" || !strings.Contains(third.Reason, first.ID.String()) {
		t.Fatalf("got %+v, want a duplicate of the first, not of the second", third)
	}
}

func TestTwentyEnrolmentsOfOnePersonGiveOneNumber(t *testing.T) {
	w := newWorld(t)
	w.start(t)
	var packets [][]byte
	for i := range 20 {
		packets = append(packets, w.packet(t, newApplicant(1, i%4)))
	}
	ids := make([]uuid.UUID, len(packets))
	var wg sync.WaitGroup
	for i, packet := range packets {
		wg.Go(func() {
			a, err := w.Receive(t.Context(), packet, w.station.Officer)
			if err != nil {
				t.Error(err)
			}
			ids[i] = a.ID
		})
	}
	wg.Wait()
	numbers := 0
	for _, id := range ids {
		switch a := w.settled(t, id); {
		case a.State == Notified:
			numbers++
		case a.State != Rejected || a.Code != "duplicate":
			t.Errorf("got %s (%s), want a number or a duplicate", a.State, a.Reason)
		}
	}
	if issued := w.count(t, `SELECT count(*) FROM registry_identity`); numbers != 1 || issued != 1 {
		t.Fatalf("got %d numbers and %d identities, want one", numbers, issued)
	}
}

func TestThoseWhoWaitForARejectedOneGoOn(t *testing.T) {
	w := newWorld(t)
	ahead, behind := w.receive(t, w.packet(t, newApplicant(1, 0))), w.receive(t, w.packet(t, newApplicant(1, 1)))
	w.moveTo(t, ahead.ID, Compared)
	w.moveTo(t, behind.ID, Compared)
	if next, err := w.run(t, behind.ID); err != nil || next != "" {
		t.Fatalf("got %q, %v; want it to wait", next, err)
	}
	if a, err := w.Application(t.Context(), behind.ID); err != nil || a.WaitsFor == nil || *a.WaitsFor != ahead.ID {
		t.Fatalf("got %+v, %v; want it to wait for %s", a, err, ahead.ID)
	}
	// The one ahead is found wanting for a reason of its own.
	a, err := readApplication(t.Context(), w.Pool, ahead.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (failed{code: "officer-refused", reason: "Refused."}).settle(t.Context(), w.Office, a); err != nil {
		t.Fatal(err)
	}
	w.start(t)
	if got := w.settled(t, behind.ID); got.State != Notified {
		t.Fatalf("got %s (%s), want a number, since the one ahead has none", got.State, got.Reason)
	}
}

func TestNobodyPassesAGapInTheLine(t *testing.T) {
	w := newWorld(t)
	first, second := w.receive(t, w.packet(t, newApplicant(1, 0))), w.receive(t, w.packet(t, newApplicant(1, 1)))
	w.moveTo(t, first.ID, Compared)
	w.moveTo(t, second.ID, Compared)
	if _, err := w.Pool.Exec(t.Context(), `DELETE FROM enrol_gallery WHERE application = $1`, first.ID); err != nil {
		t.Fatal(err)
	}
	if next, err := w.run(t, second.ID); err == nil || !strings.Contains(err.Error(), "place 1 is missing") {
		t.Fatalf("got %q, %v; want it stopped by the gap", next, err)
	}
}

func TestDataDoNotMakeADuplicateWhereFingersDiffer(t *testing.T) {
	w := newWorld(t)
	w.start(t)
	w.enrol(t, newApplicant(1, 0))
	namesake := newApplicant(1, 0)
	namesake.files = fstest.MapFS{"rightIndex.png": {Data: print(2, 0)}}
	if a := w.enrol(t, namesake); a.State != Notified {
		t.Fatalf("got %s (%s), want a number: the fingers tell them apart", a.State, a.Reason)
	}
}

// doubtful is an application with the same data as one that has a number, and no
// finger in common with it.
func doubtful(t *testing.T, w *world) (first, second Application, opened Case) {
	t.Helper()
	w.start(t)
	first = w.enrol(t, newApplicant(1, 0))
	namesake := newApplicant(1, 0)
	namesake.identity()["fullName"] = []any{map[string]any{"language": "eng", "value": "numberb  PERSON"}}
	namesake.files = fstest.MapFS{"leftThumb.png": {Data: print(2, 0)}}
	second = w.enrol(t, namesake)
	cases, err := w.Cases(t.Context())
	if err != nil || len(cases) != 1 {
		t.Fatalf("got %d cases, %v; want one for %s (%s)", len(cases), err, second.ID, second.State)
	}
	return first, second, cases[0]
}

func adjudicator() place.Officer { return place.Officer{ID: uuid.New(), Role: place.Adjudicator} }

func TestADoubtfulCaseTakesTwoOfficers(t *testing.T) {
	w := newWorld(t)
	first, second, c := doubtful(t, w)
	if second.State != Doubtful || c.Kind != sameData || len(c.Candidates) != 1 || c.Candidates[0].Application != first.ID || !c.Candidates[0].SameData {
		t.Fatalf("got %s and %+v, want a case that names %s for its data", second.State, c, first.ID)
	}
	one, other := adjudicator(), adjudicator()
	say := func(o place.Officer, says string) error {
		return w.Adjudicate(t.Context(), c.ID, o, says, "The faces differ.")
	}
	if err := say(one, "unique"); err != nil {
		t.Fatal(err)
	}
	if a, _ := w.Application(t.Context(), second.ID); a.State != Doubtful {
		t.Fatalf("got %s after one verdict, want it to wait for the second", a.State)
	}
	if err := say(other, "unique"); err != nil {
		t.Fatal(err)
	}
	if a := w.until(t, second.ID, func(a Application) bool { return a.State == Notified }); a.UIN == nil {
		t.Error("there is no number")
	}
	if err := say(adjudicator(), "unique"); !fault.Is(err, fault.Conflict) {
		t.Errorf("got %v for a verdict on a decided case, want a conflict", err)
	}
}

func TestOfficersWhoDisagreeNeedAThird(t *testing.T) {
	w := newWorld(t)
	first, second, c := doubtful(t, w)
	for i, says := range []string{"unique", "duplicate:" + first.ID.String(), "duplicate"} {
		if a, _ := w.Application(t.Context(), second.ID); a.State != Doubtful {
			t.Fatalf("got %s after %d verdicts, want doubtful", a.State, i)
		}
		if err := w.Adjudicate(t.Context(), c.ID, adjudicator(), says, "So it seems."); err != nil {
			t.Fatal(err)
		}
	}
	if a, _ := w.Application(t.Context(), second.ID); a.State != Rejected || a.Code != "duplicate" {
		t.Fatalf("got %s (%s), want a duplicate by two against one", a.State, a.Code)
	}
}

func TestWhoMayJudgeACase(t *testing.T) {
	w := newWorld(t)
	_, second, c := doubtful(t, w)
	for name, test := range map[string]struct {
		officer      place.Officer
		says, reason string
		want         fault.Kind
	}{
		"an operator":                {place.Officer{ID: uuid.New(), Role: place.Operator}, "unique", "x", fault.Denied},
		"the officer who enrolled":   {place.Officer{ID: w.station.Officer, Role: place.Administrator}, "unique", "x", fault.Denied},
		"somebody without a reason":  {adjudicator(), "unique", " ", fault.Invalid},
		"somebody who says nonsense": {adjudicator(), "perhaps", "x", fault.Invalid},
		"somebody who names another": {adjudicator(), "duplicate:" + uuid.NewString(), "x", fault.Invalid},
	} {
		if err := w.Adjudicate(t.Context(), c.ID, test.officer, test.says, test.reason); !fault.Is(err, test.want) {
			t.Errorf("%s: got %v, want %s", name, err, test.want)
		}
	}
	if err := w.Adjudicate(t.Context(), uuid.New(), adjudicator(), "unique", "x"); !fault.Is(err, fault.NotFound) {
		t.Errorf("got %v for a case that is not there, want not found", err)
	}
	if a, _ := w.Application(t.Context(), second.ID); a.State != Doubtful {
		t.Errorf("got %s, want it doubtful as before", a.State)
	}
}

func TestSomebodyWithoutFingersWaitsForOfficers(t *testing.T) {
	w := newWorld(t)
	w.start(t)
	a := newApplicant(1, 0)
	a.files = nil
	var exceptions []any
	for _, position := range w.Registry.Schema.Biometrics() {
		exceptions = append(exceptions, map[string]any{"position": position, "kind": "permanent", "reason": "An accident."})
	}
	a.person["exceptions"] = exceptions
	if got := w.enrol(t, a); got.State != Doubtful {
		t.Fatalf("got %s (%s), want doubtful", got.State, got.Reason)
	}
	cases, err := w.Cases(t.Context())
	if err != nil || len(cases) != 1 || cases[0].Kind != noFingers {
		t.Fatalf("got %+v, %v; want a case for want of fingers", cases, err)
	}
}
