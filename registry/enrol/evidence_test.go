package enrol

import (
	"bytes"
	"encoding/pem"
	"image"
	"image/jpeg"
	"image/png"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/cbeff"
	"github.com/plinth-id/plinth/biometrics/evidence"
	"github.com/plinth-id/plinth/biometrics/sbi"
	"github.com/plinth-id/plinth/biometrics/sbi/simulator"
	"github.com/plinth-id/plinth/internal/fault"
)

// captures are what a simulated device signs of a finger, and the policy that believes
// it for a trial.
func captures(t *testing.T, seed int64) (cbeff.Record, evidence.Policy) {
	t.Helper()
	keys, err := simulator.Own(t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	device, err := simulator.New(simulator.Config{Pictures: fstest.MapFS{"rightIndex.png": {Data: print(seed, 0)}},
		Kinds: []string{sbi.Finger}, Level: sbi.L0, Purpose: sbi.Registration, Env: sbi.Developer, Identity: keys})
	if err != nil {
		t.Fatal(err)
	}
	listening := httptest.NewServer(device)
	t.Cleanup(listening.Close)
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: keys.Chain[len(keys.Chain)-1].Raw})
	policy, err := evidence.Parse([]byte(`{"trust": {"providers": "ca.pem"}, "enrolment": {"finger": {"device": "L0", "trial": true}}}`), fstest.MapFS{"ca.pem": {Data: certificate}})
	if err != nil {
		t.Fatal(err)
	}
	act := sbi.Act{HTTP: listening.Client(), Trust: policy.Trust(evidence.Enrolment, biometrics.Finger), Timeout: 10 * time.Second}
	all, err := act.Register(t.Context(), sbi.Device{Base: listening.URL}, sbi.Developer, sbi.Ask{Type: sbi.Finger, Count: 1, DeviceID: "1", DeviceSubID: 2,
		BioSubType: []string{"Right IndexFinger"}, Exception: []string{"Right MiddleFinger", "Right RingFinger", "Right LittleFinger"}})
	if err != nil {
		t.Fatal(err)
	}
	record, err := all[0].Record()
	if err != nil {
		t.Fatal(err)
	}
	return record, policy
}

func (a applicant) with(t *testing.T, records ...cbeff.Record) applicant {
	t.Helper()
	bundle, err := cbeff.Write(records)
	if err != nil {
		t.Fatal(err)
	}
	a.files = fstest.MapFS{bundleFile: {Data: bundle}, ".device": {Data: []byte("what a simulator keeps there")}}
	return a
}

func TestADeviceVouchesForWhatIsEnrolled(t *testing.T) {
	w := newWorld(t)
	w.start(t)
	record, policy := captures(t, 51)
	w.Policy = policy
	if got := w.enrol(t, newApplicant(50, 0)); got.Code != "sample-unproven" || !strings.Contains(got.Reason, "rightIndex.png: must be signed by a capture device") {
		t.Errorf("no device: got %s %s: %s", got.State, got.Code, got.Reason)
	}
	changed := record
	changed.Data = bytes.Clone(record.Data)
	changed.Data[len(changed.Data)-20] ^= 1
	if got := w.enrol(t, newApplicant(51, 0).with(t, changed)); got.Code != "sample-unproven" || !strings.Contains(got.Reason, "is not what its device has signed") {
		t.Errorf("changed: got %s %s: %s", got.State, got.Code, got.Reason)
	}
	got := w.enrol(t, newApplicant(51, 0).with(t, record))
	if got.State != Notified || len(got.Samples) != 1 {
		t.Fatalf("got %s: %s with %d samples, want a number", got.State, got.Reason, len(got.Samples))
	}
	if s := got.Samples[0]; s.Device == nil || s.Device.Provider != sbi.Simulator || s.Device.Level != sbi.L0 || s.Quality < leastQuality || s.Position != "rightIndex" {
		t.Errorf("got %+v, want what the device has signed", s)
	}
	if n := w.count(t, "SELECT count(*) FROM enrol_application WHERE position('SIMULATOR'::bytea in shots) > 0"); n != 0 {
		t.Error("what is known of samples lies open in the database")
	}
	// A packet that was long under way is judged by when the station closed it.
	w.station.Created = time.Now().Add(9 * time.Hour)
	if late := w.enrol(t, newApplicant(52, 0).with(t, record)); late.Code != "sample-unproven" || !strings.Contains(late.Reason, "captured too long before") {
		t.Errorf("late: got %s %s: %s", late.State, late.Code, late.Reason)
	}
}

func TestSignaturesOfAPacketHaveTheirForm(t *testing.T) {
	w := newWorld(t)
	record, _ := captures(t, 51)
	good := w.contents(t, newApplicant(51, 0).with(t, record))
	if len(good.Signed) != 1 || good.Samples[0].Format != isoRecord {
		t.Fatalf("got %d signatures, want one of a record", len(good.Signed))
	}
	for what, x := range map[string]struct {
		change func(c *contents)
		want   *fault.Fault
	}{
		"of nothing":    {func(c *contents) { c.Samples = nil }, errUnopened},
		"of a picture":  {func(c *contents) { c.Samples[0].Format = "png" }, errUnopened},
		"twice":         {func(c *contents) { c.Signed = append(c.Signed, c.Signed[0]) }, errUnopened},
		"empty":         {func(c *contents) { c.Signed[0].Signature = nil }, errUnopened},
		"without bound": {func(c *contents) { c.Signed[0].Payload = make([]byte, maxWords+1) }, errTooLarge},
	} {
		c := good
		c.Samples, c.Signed = slices.Clone(good.Samples), slices.Clone(good.Signed)
		x.change(&c)
		w.refused(t, what, w.forge(t, w.header(), encoded(t, c)), x.want)
	}
}

// faced is somebody of their own with a portrait.
func faced(seed int64, portrait []byte) applicant {
	a := newApplicant(seed, 0)
	a.files["face.png"] = &fstest.MapFile{Data: portrait}
	return a
}

func TestAnImageOfSomebodyElseCallsOfficers(t *testing.T) {
	w := newWorld(t)
	w.start(t)
	portrait := picture(200, 260, photograph)
	first := w.enrol(t, faced(53, portrait))
	if first.State != Notified || len(first.Samples) != 2 || len(first.Samples[0].Reasons) == 0 {
		t.Fatalf("got %s with %+v, want a number, and a note that this is no face", first.State, first.Samples)
	}
	second := w.enrol(t, faced(54, portrait))
	cases, err := w.Cases(t.Context())
	if err != nil || second.State != Doubtful || len(cases) != 1 || cases[0].Kind != sameImage || len(cases[0].Candidates) != 1 || !cases[0].Candidates[0].SameImage ||
		cases[0].Candidates[0].Application != first.ID {
		t.Fatalf("got %s, %+v, %v; want a case by the same image", second.State, cases, err)
	}
	// In a demonstration the same images are shown again and again.
	w.Policy = evidence.Trial()
	if third := w.enrol(t, faced(55, portrait)); third.State != Notified {
		t.Errorf("got %s: %s in a trial, want a number", third.State, third.Reason)
	}
}

func TestAnImageInTwoPacketsAtOncePassesOnce(t *testing.T) {
	w := newWorld(t)
	portrait := picture(200, 260, photograph)
	var all []uuid.UUID
	for seed := int64(20); seed < 26; seed++ {
		all = append(all, w.receive(t, w.packet(t, faced(seed, portrait))).ID)
	}
	w.start(t)
	states := make(map[State]int)
	for _, id := range all {
		// While the first of the doubtful ones is undecided, others wait for it.
		a := w.until(t, id, func(a Application) bool { return a.State == Notified || a.State == Doubtful || a.WaitsFor != nil })
		if a.State == Compared {
			a.State = Doubtful
		}
		states[a.State]++
	}
	if states[Notified] != 1 || states[Doubtful] != len(all)-1 {
		t.Errorf("got %v, want one through", states)
	}
}

func TestWhoWasRejectedComesAgainWithTheSameImages(t *testing.T) {
	w := newWorld(t)
	w.start(t)
	a := newApplicant(56, 0)
	a.files["leftIndex.png"] = &fstest.MapFile{Data: picture(388, 374, blank)}
	if got := w.enrol(t, a); got.Code != "sample-unusable" {
		t.Fatalf("got %s %s, want the blank finger refused", got.State, got.Code)
	}
	delete(a.files, "leftIndex.png")
	if got := w.enrol(t, a); got.State != Notified {
		t.Errorf("got %s: %s, want a number", got.State, got.Reason)
	}
	// Also after the images had their place in line.
	record, _ := captures(t, 57)
	b := newApplicant(57, 0).with(t, record)
	id := w.receive(t, w.packet(t, b)).ID
	w.settled(t, id)
	if n := w.count(t, "SELECT count(*) FROM enrol_gallery WHERE images <> '{}'"); n != 2 {
		t.Errorf("got %d with images, want both", n)
	}
	if err := removeFromGallery(t.Context(), w.Pool, id); err != nil {
		t.Fatal(err)
	}
	if n := w.count(t, "SELECT count(*) FROM enrol_gallery WHERE images <> '{}'"); n != 1 {
		t.Errorf("got %d with images, want one forgotten", n)
	}
}

// The audit tells an image that was used again from a finger that was there again.
func TestACopyOfAFingerIsMarked(t *testing.T) {
	w := newWorld(t)
	w.start(t)
	if got := w.enrol(t, newApplicant(58, 0)); got.State != Notified {
		t.Fatalf("got %s: %s", got.State, got.Reason)
	}
	img, err := png.Decode(bytes.NewReader(print(58, 0)))
	if err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	if err := jpeg.Encode(&again, img.(*image.Gray), &jpeg.Options{Quality: 85}); err != nil {
		t.Fatal(err)
	}
	copied, honest := newApplicant(59, 0), newApplicant(60, 0)
	copied.files = fstest.MapFS{"leftThumb.jpg": {Data: again.Bytes()}}
	honest.files = fstest.MapFS{"rightIndex.png": {Data: print(58, 1)}}
	for what, c := range map[string]struct {
		applicant
		marked int
	}{"a copy": {copied, 1}, "the finger": {honest, 0}} {
		got := w.enrol(t, c.applicant)
		if got.Code != "duplicate" {
			t.Errorf("%s: got %s %s, want a duplicate", what, got.State, got.Code)
		}
		if n := w.count(t, "SELECT count(*) FROM audit_entry WHERE subject = $1 AND event = 'application-rejected' AND details::text LIKE '%same_image%'", got.ID.String()); n != c.marked {
			t.Errorf("%s: got %d marks, want %d", what, n, c.marked)
		}
	}
}

func TestAQuarterOfAFileIsNoRecord(t *testing.T) {
	w := newWorld(t)
	record, _ := captures(t, 51)
	a := newApplicant(51, 0)
	a.files = fstest.MapFS{"rightIndex.iso": {Data: record.Data[:len(record.Data)/4]}}
	if _, err := Build(a.dir(t), w.station); err == nil || !strings.Contains(err.Error(), "An image cannot be used") {
		t.Errorf("got %v, want it refused", err)
	}
	a.files = fstest.MapFS{"rightIndex.iso": {Data: record.Data}}
	if c := w.contents(t, a); len(c.Samples) != 1 || c.Samples[0].Format != isoRecord {
		t.Errorf("got %+v, want the record", c.Samples)
	}
}
