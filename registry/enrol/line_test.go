package enrol

import (
	"bytes"
	"maps"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/finger"
	"github.com/plinth-id/plinth/biometrics/gallery"
	"github.com/plinth-id/plinth/biometrics/iris"
)

// another is a second process on the same database, keys and blobs, with an empty
// gallery.
func (w *world) another(t *testing.T) *world {
	t.Helper()
	o, err := openWorld(t.Context(), w.Pool, w.dir)
	if err != nil {
		t.Fatal(err)
	}
	o.station = w.station
	return o
}

// finish runs one stage after the other until nothing is to be done.
func (w *world) finish(t *testing.T, id uuid.UUID) Application {
	t.Helper()
	for next := Received; next != ""; {
		var err error
		if next, err = w.run(t, id); err != nil {
			t.Fatal(err)
		}
	}
	a, err := w.Application(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAProcessThatStartsLaterKnowsWhoWasEnrolled(t *testing.T) {
	first := newWorld(t)
	anna := first.finish(t, first.receive(t, first.packet(t, newApplicant(1, 0))).ID)
	ben := first.finish(t, first.receive(t, first.packet(t, newApplicant(2, 0))).ID)
	twin := first.finish(t, first.receive(t, first.packet(t, newApplicant(1, 1))).ID)
	if anna.State != Notified || ben.State != Notified || twin.State != Rejected {
		t.Fatalf("got %s, %s and %s, want two numbers and a duplicate", anna.State, ben.State, twin.State)
	}
	later := first.another(t)
	if n := later.Gallery.Len(); n != 0 {
		t.Fatalf("got %d in a new gallery, want none", n)
	}
	again := later.finish(t, later.receive(t, later.packet(t, newApplicant(2, 1))).ID)
	if again.State != Rejected || again.Code != "duplicate" {
		t.Errorf("got %s (%s), want a duplicate of the one whom the first process enrolled", again.State, again.Reason)
	}
	if n := later.Gallery.Len(); n != 2 { // not the twin, whose prints are gone
		t.Errorf("got %d in the gallery, want the two who have a number", n)
	}
	carla := later.finish(t, later.receive(t, later.packet(t, newApplicant(3, 0))).ID)
	if carla.State != Notified {
		t.Errorf("got %s (%s), want a number", carla.State, carla.Reason)
	}
	// And the first one learns of those whom the later one enrolled.
	if back := first.finish(t, first.receive(t, first.packet(t, newApplicant(3, 1))).ID); back.Code != "duplicate" {
		t.Errorf("got %s (%s), want a duplicate", back.State, back.Reason)
	}
}

func TestOneWhoIsRejectedAfterBeingLoadedIsNobodysDuplicate(t *testing.T) {
	w := newWorld(t)
	first := w.receive(t, w.packet(t, newApplicant(1, 0)))
	w.moveTo(t, first.ID, Compared)
	second := w.receive(t, w.packet(t, newApplicant(1, 1)))
	w.moveTo(t, second.ID, Compared)
	if next, err := w.run(t, second.ID); err != nil || next != "" {
		t.Fatalf("got %q, %v; want it to wait, with the first in the gallery", next, err)
	}
	a, err := readApplication(t.Context(), w.Pool, first.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (failed{code: "officer-refused", reason: "Refused."}).settle(t.Context(), w.Office, a); err != nil {
		t.Fatal(err)
	}
	if got := w.finish(t, second.ID); got.State != Notified {
		t.Errorf("got %s (%s), want a number", got.State, got.Reason)
	}
	if n := w.Gallery.Len(); n != 0 {
		t.Errorf("got %d in the gallery, want the rejected one gone from it", n)
	}
}

func TestTwinsAtTwoProcessesGetOneNumber(t *testing.T) {
	first := newWorld(t)
	both := []*world{first, first.another(t)}
	for _, w := range both {
		w.start(t)
	}
	const each = 6
	var packets [2 * each][]byte
	for i := range packets {
		packets[i] = first.packet(t, newApplicant(1+int64(i%2), i%4/2)) // two persons, six times each
	}
	ids := make([]uuid.UUID, len(packets))
	var wg sync.WaitGroup
	for i, packet := range packets {
		wg.Go(func() {
			a, err := both[i/2%2].Receive(t.Context(), packet, first.station.Officer)
			if err != nil {
				t.Error(err)
			}
			ids[i] = a.ID
		})
	}
	wg.Wait()
	numbers := [2]int{}
	for i, id := range ids {
		switch a := first.settled(t, id); {
		case a.State == Notified:
			numbers[i%2]++
		case a.State != Rejected || a.Code != "duplicate":
			t.Errorf("got %s (%s), want a number or a duplicate", a.State, a.Reason)
		}
	}
	if issued := first.count(t, `SELECT count(*) FROM registry_identity`); numbers != [2]int{1, 1} || issued != 2 {
		t.Errorf("got %v numbers and %d identities, want one for each of the two", numbers, issued)
	}
	if n := first.count(t, `SELECT count(*) FROM enrol_gallery WHERE place BETWEEN 1 AND $1`, len(packets)); n != len(packets) {
		t.Errorf("got %d places, want %d without a gap", n, len(packets))
	}
}

func TestAllWhoJoinAtOnceGetAPlace(t *testing.T) {
	w := newWorld(t)
	ids := make([]uuid.UUID, 12)
	for i := range ids {
		ids[i] = w.receive(t, w.packet(t, newApplicant(1+int64(i%3), i%4))).ID
		w.moveTo(t, ids[i], Checked)
	}
	var wg sync.WaitGroup
	for _, id := range ids {
		wg.Go(func() {
			if next, err := w.run(t, id); err != nil || next != Compared {
				t.Errorf("got %q, %v; want a place at the first attempt", next, err)
			}
		})
	}
	wg.Wait()
	if n := w.count(t, `SELECT count(*) FROM enrol_gallery WHERE place BETWEEN 1 AND $1`, len(ids)); n != len(ids) {
		t.Errorf("got %d places, want %d without a gap", n, len(ids))
	}
}

// A row holds eyes beside fingers; rows from before there were eyes open as ever.
func TestSealedFingersAndEyesComeBack(t *testing.T) {
	w := newWorld(t)
	raw := append([]byte("PIC1"), bytes.Repeat([]byte{0x5a}, 2*8*32)...)
	eye, err := iris.ParseCode(raw)
	if err != nil {
		t.Fatal(err)
	}
	print, err := finger.New(300, 300, []finger.Minutia{{X: 10, Y: 20, Kind: finger.Ending, Quality: 50}})
	if err != nil {
		t.Fatal(err)
	}
	fingers := map[biometrics.Position]finger.Template{biometrics.LeftIndex: print}
	for name, p := range map[string]gallery.Person{
		"fingers and eyes": {Fingers: fingers, Eyes: map[biometrics.Position]iris.Code{biometrics.RightEye: eye}},
		"fingers alone":    {Fingers: fingers},
		"eyes alone":       {Eyes: map[biometrics.Position]iris.Code{biometrics.LeftEye: eye}},
	} {
		e := galleryEntry{Ref: uuid.New(), Application: uuid.New()}
		if e.Sealed, err = w.sealPrints(e, p); err != nil {
			t.Fatal(err)
		}
		got, err := w.openPrints(e)
		if err != nil || len(got.Fingers) != len(p.Fingers) || !maps.Equal(got.Eyes, p.Eyes) {
			t.Fatalf("%s: got %d fingers, %d eyes, %v", name, len(got.Fingers), len(got.Eyes), err)
		}
		for position, want := range p.Fingers {
			if !bytes.Equal(got.Fingers[position].Marshal(), want.Marshal()) {
				t.Errorf("%s: got another template of %s", name, position)
			}
		}
	}
}
