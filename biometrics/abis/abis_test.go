package abis

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/cbeff"
	"github.com/plinth-id/plinth/biometrics/finger"
	"github.com/plinth-id/plinth/biometrics/iso"
	"github.com/plinth-id/plinth/biometrics/synth"
)

// world is an ABIS and a place that shares samples.
type world struct {
	*ABIS
	share  *httptest.Server
	mu     sync.Mutex
	shared map[string][]byte
	events []Event
	file   string
}

var testKey = bytes.Repeat([]byte{7}, keyBytes)

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{shared: make(map[string][]byte), file: filepath.Join(t.TempDir(), "templates")}
	w.share = httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		raw, ok := w.shared[r.URL.Path]
		w.mu.Unlock()
		if !ok {
			http.NotFound(out, r)
			return
		}
		_, _ = out.Write(raw)
	}))
	t.Cleanup(w.share.Close)
	w.open(t)
	return w
}

// open opens the ABIS, as after a start.
func (w *world) open(t *testing.T) {
	t.Helper()
	below, err := url.Parse(w.share.URL + "/share/")
	if err != nil {
		t.Fatal(err)
	}
	w.ABIS, err = Open(Config{File: w.file, Key: testKey, Fetch: DataShare{HTTP: w.share.Client(), Below: []*url.URL{below}}.Fetch, Record: func(e Event) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.events = append(w.events, e)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
}

func (w *world) restart(t *testing.T) {
	t.Helper()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w.open(t)
}

// offer shares a document, and gives its address.
func (w *world) offer(name string, raw []byte) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shared["/share/"+name] = raw
	return w.share.URL + "/share/" + name
}

// document is the CBEFF document of two fingers.
func document(t *testing.T, seed int64, impression int) []byte {
	t.Helper()
	var records []cbeff.Record
	for i, position := range []biometrics.Position{biometrics.RightIndex, biometrics.LeftIndex} {
		img := synth.Print(2*seed+int64(i), impression, 1)
		record, err := iso.WriteImage(iso.Image{Position: position, Codec: iso.PNG, Width: img.Rect.Dx(), Height: img.Rect.Dy(), PPI: 500, Quality: 90, Data: synth.PNG(img)})
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, cbeff.Record{Position: position, Format: cbeff.FingerImage, Level: "Raw", Purpose: "Enroll", Quality: 90, Data: record})
	}
	return written(t, records...)
}

func written(t *testing.T, records ...cbeff.Record) []byte {
	t.Helper()
	raw, err := cbeff.Write(records)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// ask sends a request as MOSIP writes it.
func (w *world) ask(t *testing.T, kind, request, reference, more string) Answer {
	t.Helper()
	message := fmt.Sprintf(`{"id":"mosip.abis.%s","version":"1.1","requestId":"%s","requesttime":"2026-03-29T07:01:24.692Z","referenceId":"%s"%s}`, kind, request, reference, more)
	answer, err := w.Serve(t.Context(), []byte(message))
	if err != nil {
		t.Fatal(err)
	}
	if answer.RequestID != request || answer.ID != "mosip.abis."+kind || !isTime(answer.ResponseTime) {
		t.Errorf("%s %s: got %+v, want an answer to it", kind, request, answer)
	}
	return answer
}

func (w *world) insert(t *testing.T, reference string, seed int64, impression int) {
	t.Helper()
	at := w.offer(reference, document(t, seed, impression))
	if a := w.ask(t, "insert", "insert-"+reference, reference, `,"referenceURL":"`+at+`"`); a.ReturnValue != Success {
		t.Fatalf("%s: got failure %s", reference, a.FailureReason)
	}
}

func names(a Answer) (all []string) {
	if a.CandidateList == nil {
		return nil
	}
	for _, c := range a.CandidateList.Candidates {
		all = append(all, c.ReferenceID)
	}
	return all
}

func TestSomebodyIsFoundAmongAll(t *testing.T) {
	w := newWorld(t)
	for i := range int64(4) {
		w.insert(t, fmt.Sprint("person-", i), i+1, 0)
	}
	w.insert(t, "person-2-again", 3, 1) // insert finds no duplicates
	for round := range 2 {              // the second time after a start
		a := w.ask(t, "identify", fmt.Sprint("identify-", round), "person-2-again", `,"referenceURL":"","flags":{"maxResults":"10","targetFPIR":30}`)
		if got := names(a); !slices.Equal(got, []string{"person-2"}) || a.CandidateList.Count != "1" {
			t.Fatalf("got %v, want the same person", got)
		}
		c := a.CandidateList.Candidates[0]
		if len(c.Modalities) != 1 || c.Modalities[0].BiometricType != "FIR" || c.Analytics.InternalScore == "" || c.Analytics.Confidence != "99" {
			t.Errorf("got %+v, want the scores of fingers", c)
		}
		if got := names(w.ask(t, "identify", fmt.Sprint("nobody-", round), "person-0", "")); len(got) != 0 {
			t.Errorf("got %v for somebody who came once", got)
		}
		w.restart(t)
	}
	// Samples of somebody who is not there, and a gallery that is smaller.
	at := w.offer("probe", document(t, 2, 1))
	if got := names(w.ask(t, "identify", "by-url", "", `,"referenceURL":"`+at+`"`)); !slices.Equal(got, []string{"person-1"}) {
		t.Errorf("got %v by samples, want person-1", got)
	}
	among := func(ids string) string { return `,"gallery":{"referenceIds":[` + ids + `]}` }
	if got := names(w.ask(t, "identify", "among", "person-2-again", among(`{"referenceId":"person-0"},{"referenceId":"person-2"}`))); !slices.Equal(got, []string{"person-2"}) {
		t.Errorf("got %v among two", got)
	}
	if got := names(w.ask(t, "identify", "among-others", "person-2-again", among(`{"referenceId":"person-0"}`))); len(got) != 0 {
		t.Errorf("got %v among others", got)
	}
	if a := w.ask(t, "identify", "among-nobody", "person-2", among(`{"referenceId":"stranger"}`)); a.FailureReason != "12" {
		t.Errorf("got %+v with somebody unknown in the gallery", a)
	}
	if a := w.ask(t, "delete", "delete-1", "person-2", ""); a.ReturnValue != Success {
		t.Fatalf("got %+v for a delete", a)
	}
	w.restart(t)
	if got := names(w.ask(t, "identify", "after", "person-2-again", "")); len(got) != 0 {
		t.Errorf("got %v after the other was deleted", got)
	}
	if a := w.ask(t, "referenceCount", "count", "", ""); a.Count != "4" {
		t.Errorf("got %s people, want 4", a.Count)
	}
	if a := w.ask(t, "pendingJobs", "jobs", "", ""); a.JobsCount != "0" {
		t.Errorf("got %s jobs, want none", a.JobsCount)
	}
	if a := w.ask(t, "ping", "ping", "", ""); a.ReturnValue != Success {
		t.Errorf("got %+v, want a sign of life", a)
	}
}

func TestARepeatedRequestHasOneEffect(t *testing.T) {
	w := newWorld(t)
	w.insert(t, "a", 1, 0)
	w.restart(t)
	w.insert(t, "a", 1, 0) // the same request
	if a := w.ask(t, "insert", "another", "a", `,"referenceURL":"`+w.offer("a", nil)+`"`); a.FailureReason != "10" {
		t.Errorf("got %+v for another request, want that the reference exists", a)
	}
	for range 2 {
		if a := w.ask(t, "delete", "delete-a", "a", ""); a.ReturnValue != Success {
			t.Errorf("got %+v", a)
		}
		w.restart(t)
	}
	if a := w.ask(t, "delete", "delete-again", "a", ""); a.FailureReason != "12" {
		t.Errorf("got %+v for another delete, want it unknown", a)
	}
	w.insert(t, "a", 1, 1) // a reference that is free again
	if w.Len() != 1 {
		t.Errorf("got %d people, want one", w.Len())
	}
}

func TestFailuresHaveTheirNumbers(t *testing.T) {
	w := newWorld(t)
	at := func(name string, raw []byte) string { return `,"referenceURL":"` + w.offer(name, raw) + `"` }
	finger := func(data []byte) []byte {
		record, err := iso.WriteImage(iso.Image{Position: biometrics.RightIndex, Codec: iso.PNG, Width: 300, Height: 300, PPI: 500, Quality: 1, Data: data})
		if err != nil {
			t.Fatal(err)
		}
		return written(t, cbeff.Record{Position: biometrics.RightIndex, Format: cbeff.FingerImage, Level: "Raw", Purpose: "Enroll", Quality: 1, Data: record})
	}
	blank := synth.Print(1, 0, 1)
	for i := range blank.Pix {
		blank.Pix[i] = 0xff
	}
	head := `{"id":"mosip.abis.insert","version":"1.1","requestId":"r","requesttime":"2026-03-29T07:01:24.692Z"`
	for what, c := range map[string]struct {
		message string
		want    Failure
	}{
		"no JSON":           {`<insert/>`, BadStructure},
		"a list":            {`[]`, BadStructure},
		"an unknown id":     {`{"id":"mosip.abis.steal","version":"1.1"}`, BadID},
		"no id":             {`{}`, BadID},
		"another version":   {strings.Replace(head, "1.1", "1.0", 1) + `}`, BadVersion},
		"no version":        {strings.Replace(head, `"version":"1.1",`, "", 1) + `}`, BadVersion},
		"a version renamed": {strings.Replace(head, `"version"`, `"versionXXX"`, 1) + `}`, BadStructure},
		"an unknown member": {head + `,"referenceId":"x","newUnknownValue":"x"` + at("good", document(t, 1, 0)) + `}`, BadStructure},
		"a URL renamed":     {head + `,"referenceId":"x","referenceURLXXX":"https://x"}`, NoURL},
		"no request id":     {strings.Replace(head, `"r"`, `" "`, 1) + `}`, NoRequest},
		"no time":           {strings.Replace(head, "2026-03-29T07:01:24.692Z", "", 1) + `}`, NoTime},
		"a time of its own": {strings.Replace(head, "2026-03-29T07:01:24.692Z", "yesterday", 1) + `}`, BadTime},
		"no reference":      {head + `}`, NoReference},
		"no URL":            {head + `,"referenceId":"x"}`, NoURL},
		"nothing there":     {head + `,"referenceId":"x","referenceURL":"` + w.share.URL + `/share/nothing"}`, CannotFetch},
		"another place":     {head + `,"referenceId":"x","referenceURL":"` + w.share.URL + `/secret"}`, CannotFetch},
		"around the corner": {head + `,"referenceId":"x","referenceURL":"` + w.share.URL + `/share/../secret"}`, CannotFetch},
		"around, written":   {head + `,"referenceId":"x","referenceURL":"` + w.share.URL + `/share/%2e%2e/secret"}`, CannotFetch},
		"around, by Tomcat": {head + `,"referenceId":"x","referenceURL":"` + w.share.URL + `/share/..;/secret"}`, CannotFetch},
		"around, backwards": {head + `,"referenceId":"x","referenceURL":"` + w.share.URL + `/share/..%5csecret"}`, CannotFetch},
		"around, twice":     {head + `,"referenceId":"x","referenceURL":"` + w.share.URL + `/share/%252e%252e/secret"}`, CannotFetch},
		"no URL at all":     {head + `,"referenceId":"x","referenceURL":"https:://x/share/y"}`, CannotFetch},
		"another host":      {head + `,"referenceId":"x","referenceURL":"http://169.254.169.254/share/x"}`, CannotFetch},
		"a file":            {head + `,"referenceId":"x","referenceURL":"file:///etc/passwd"}`, CannotFetch},
		"an empty answer":   {head + `,"referenceId":"x"` + at("empty", nil) + `}`, NoData},
		"no sample":         {head + `,"referenceId":"x"` + at("none", written(t, cbeff.Record{Position: biometrics.LeftThumb, Exception: true, Quality: -1})) + `}`, NoData},
		"no bytes":          {head + `,"referenceId":"x"` + at("bytes", written(t, cbeff.Record{Position: biometrics.LeftThumb, Format: cbeff.FingerImage, Quality: -1})) + `}`, NoData},
		"no BIR":            {head + `,"referenceId":"x"` + at("bir", []byte(`<BIR><BIRInfo><Integrity>false</Integrity></BIRInfo></BIR>`)) + `}`, BadCBEFF},
		"a face only":       {head + `,"referenceId":"x"` + at("face", written(t, cbeff.Record{Position: biometrics.FullFace, Format: cbeff.FaceImage, Data: []byte("FAC")})) + `}`, NoData},
		"no CBEFF":          {head + `,"referenceId":"x"` + at("html", []byte("<html></html>")) + `}`, BadCBEFF},
		"no records":        {head + `,"referenceId":"x"` + at("text", written(t, cbeff.Record{Position: biometrics.LeftThumb, Format: cbeff.FingerImage, Level: "Raw", Purpose: "Enroll", Data: []byte("a thumb")})) + `}`, NoData},
		"expired":           {head + `,"referenceId":"x"` + at("expired", []byte(`{"errors":[{"errorCode":"DAT-SER-006","message":"Data share usage expired"}]}`)) + `}`, URLExpired},
		"another error":     {head + `,"referenceId":"x"` + at("missing", []byte(`{"errors":[{"errorCode":"DAT-SER-003"}]}`)) + `}`, CannotFetch},
		"sealed":            {head + `,"referenceId":"x"` + at("sealed", []byte("VkVSX1Iy")) + `}`, NoData},
		"a blank finger":    {head + `,"referenceId":"x"` + at("blank", finger(synth.PNG(blank))) + `}`, PoorQuality},
		"unknown":           {strings.Replace(head, "insert", "delete", 1) + `,"referenceId":"x"}`, ReferenceUnknown},
		"identify unknown":  {strings.Replace(head, "insert", "identify", 1) + `,"referenceId":"x"}`, ReferenceUnknown},
		"identify nobody":   {strings.Replace(head, "insert", "identify", 1) + `}`, NoReference},
	} {
		answer, err := w.Serve(t.Context(), []byte(c.message))
		if err != nil || answer.ReturnValue != Failed || answer.FailureReason != fmt.Sprint(int(c.want)) {
			t.Errorf("%s: got %+v, %v; want failure %d", what, answer, err, c.want)
		}
	}
	if w.Len() != 0 {
		t.Errorf("got %d people of nothing but failures", w.Len())
	}
}

// What an identify asks for was inserted before it, though the insert is under way.
func TestIdentifyWaitsForWhatCameBefore(t *testing.T) {
	w := newWorld(t)
	var arrivals []*Arrival
	for i := range int64(6) {
		at := w.offer(fmt.Sprint(i), document(t, 40+i%3, int(i/3)))
		arrivals = append(arrivals, w.Arrive(fmt.Appendf(nil, `{"id":"mosip.abis.insert","version":"1.1","requestId":"i%d","requesttime":"2026-03-29T07:01:24Z","referenceId":"p%d","referenceURL":"%s"}`, i, i, at)))
	}
	identify := w.Arrive([]byte(`{"id":"mosip.abis.identify","version":"1.1","requestId":"q","requesttime":"2026-03-29T07:01:24Z","referenceId":"p4"}`))
	var all sync.WaitGroup
	all.Go(func() {
		if a, err := identify.Answer(t.Context()); err != nil || !slices.Equal(names(a), []string{"p1"}) {
			t.Errorf("got %v, %v; want the other impression", names(a), err)
		}
	})
	for _, arrival := range slices.Backward(arrivals) {
		all.Go(func() {
			if a, err := arrival.Answer(t.Context()); err != nil || a.ReturnValue != Success {
				t.Errorf("got %+v, %v", a, err)
			}
		})
	}
	all.Wait()
	if n := w.jobs.Load(); n != 0 || len(w.turns) != 0 {
		t.Errorf("got %d jobs and %d turns left, want none", n, len(w.turns))
	}
}

// What comes later is not seen by what came before, however long that takes.
func TestIdentifySeesNobodyWhoCameLater(t *testing.T) {
	w := newWorld(t)
	w.insert(t, "first", 60, 0)
	arrive := func(kind, reference, more string) *Arrival {
		return w.Arrive(fmt.Appendf(nil, `{"id":"mosip.abis.%s","version":"1.1","requestId":"%[1]s-%[2]s","requesttime":"2026-03-29T07:01:24Z","referenceId":"%[2]s"%s}`, kind, reference, more))
	}
	answer := func(arrival *Arrival) Answer {
		a, err := arrival.Answer(t.Context())
		if err != nil {
			t.Error(err)
		}
		return a
	}
	all, unborn := arrive("identify", "first", ""), arrive("identify", "second", "")
	among := arrive("identify", "first", `,"gallery":{"referenceIds":[{"referenceId":"second"}]}`)
	insert := arrive("insert", "second", `,"referenceURL":"`+w.offer("second", document(t, 60, 1))+`"`)
	if jobs := answer(arrive("pendingJobs", "", "")).JobsCount; jobs != "4" {
		t.Errorf("got %s jobs under way, want four, and no waiting for them", jobs)
	}
	if a := answer(insert); a.ReturnValue != Success {
		t.Fatalf("got %+v", a)
	}
	remove := make(chan Answer)
	later := arrive("delete", "first", "")
	go func() { remove <- answer(later) }()
	if a := answer(all); a.ReturnValue != Success || len(names(a)) != 0 {
		t.Errorf("got %+v, want nobody who came later", a)
	}
	for what, arrival := range map[string]*Arrival{"a reference": unborn, "a gallery": among} {
		if a := answer(arrival); a.FailureReason != "12" {
			t.Errorf("%s: got %+v, want it not known yet", what, a)
		}
	}
	if a := <-remove; a.ReturnValue != Success {
		t.Errorf("got %+v for the delete", a)
	}
}

// MOSIP's classes write base64 in the alphabet for addresses, and do not fill it up.
func TestBytesMayBeInEitherAlphabet(t *testing.T) {
	w := newWorld(t)
	w.insert(t, "one", 61, 0)
	raw := regexp.MustCompile(`(?s)<BDB>.*?</BDB>`).ReplaceAllFunc(document(t, 61, 1), func(b []byte) []byte {
		text := strings.TrimSuffix(strings.TrimPrefix(string(b), "<BDB>"), "</BDB>")
		return []byte("<BDB>\n " + strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(text), "=") + "\n</BDB><SB>QQ</SB>")
	})
	a := w.ask(t, "insert", "i", "two", `,"referenceURL":"`+w.offer("two", raw)+`"`)
	if found := names(w.ask(t, "identify", "q", "two", "")); a.ReturnValue != Success || !slices.Equal(found, []string{"one"}) {
		t.Errorf("got %+v, then %v", a, found)
	}
}

// Eyes are compared, and prints of which minutiae are given; faces are let be.
func TestEyesAndMinutiaeAreCompared(t *testing.T) {
	w := newWorld(t)
	give := func(reference string, records ...cbeff.Record) {
		t.Helper()
		face := cbeff.Record{Position: biometrics.FullFace, Format: cbeff.FaceImage, Data: []byte("FAC")}
		if a := w.ask(t, "insert", reference, reference, `,"referenceURL":"`+w.offer(reference, written(t, append(records, face)...))+`"`); a.ReturnValue != Success {
			t.Fatalf("%s: got failure %s", reference, a.FailureReason)
		}
	}
	eye := func(seed int64, impression int) cbeff.Record {
		img := synth.Eye(seed, impression, 1)
		raw, err := iso.WriteImage(iso.Image{Position: biometrics.LeftEye, Codec: iso.PNG, Width: img.Rect.Dx(), Height: img.Rect.Dy(), Quality: 90, Data: synth.PNG(img)})
		if err != nil {
			t.Fatal(err)
		}
		return cbeff.Record{Position: biometrics.LeftEye, Format: cbeff.IrisImage, Quality: 90, Data: raw}
	}
	minutiae := func(seed int64, impression int) cbeff.Record {
		img, err := finger.FromImage(synth.Print(seed, impression, 1), 500)
		if err != nil {
			t.Fatal(err)
		}
		print, _, err := finger.Extract(img)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := iso.WriteFMR(print)
		if err != nil {
			t.Fatal(err)
		}
		return cbeff.Record{Position: biometrics.RightThumb, Format: cbeff.FingerMinutiae, Quality: 90, Data: raw}
	}
	give("eye", eye(5, 0))
	give("print", minutiae(6, 0))
	give("both", eye(5, 1), minutiae(6, 1))
	give("other", eye(7, 0), minutiae(8, 0))
	a := w.ask(t, "identify", "q", "both", "")
	found := map[string]string{}
	if a.CandidateList != nil {
		for _, c := range a.CandidateList.Candidates {
			for _, m := range c.Modalities {
				found[c.ReferenceID] += m.BiometricType
			}
		}
	}
	if want := map[string]string{"eye": "IIR", "print": "FIR"}; !maps.Equal(found, want) {
		t.Errorf("got %v, want %v", found, want)
	}
}

func TestAGalleryNamesEverybodyOnce(t *testing.T) {
	w := newWorld(t)
	w.insert(t, "a", 62, 0)
	w.insert(t, "b", 62, 1)
	a := w.ask(t, "identify", "q", "a", `,"gallery":{"referenceIds":[{"referenceId":"b"},{"referenceId":""},{"referenceId":"b"},{"referenceId":"a"}]}`)
	if !slices.Equal(names(a), []string{"b"}) || a.CandidateList.Count != "1" {
		t.Errorf("got %v, want one candidate once, and not the probe", names(a))
	}
}

func TestOneReferenceIsInsertedOnce(t *testing.T) {
	w := newWorld(t)
	at := w.offer("x", document(t, 50, 0))
	var all sync.WaitGroup
	counts := make(chan string, 10)
	for i := range 10 {
		all.Go(func() {
			counts <- w.ask(t, "insert", fmt.Sprint("r", i), "x", `,"referenceURL":"`+at+`"`).ReturnValue
		})
	}
	all.Wait()
	close(counts)
	taken := 0
	for value := range counts {
		if value == Success {
			taken++
		}
	}
	if taken != 1 || w.Len() != 1 {
		t.Errorf("got %d inserts taken and %d people, want one", taken, w.Len())
	}
}

// What is kept tells nobody who was asked about.
func TestNothingIsReadableAtRest(t *testing.T) {
	w := newWorld(t)
	w.ask(t, "insert", "request-1", "reference-of-somebody", `,"referenceURL":"`+w.offer("x", document(t, 60, 0))+`"`)
	raw, err := os.ReadFile(w.file)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(raw, []byte("reference-of-somebody")) || bytes.Contains(raw, []byte("PFT")) {
		t.Error("the file holds a reference or a template in the clear")
	}
	said, err := json.Marshal(w.events)
	if err != nil || bytes.Contains(said, []byte("somebody")) || len(w.events) != 1 || len(w.events[0].Reference) != 32 {
		t.Errorf("got %s, %v; want one event with a hash", said, err)
	}
}

// Where a request cannot be recorded it is not answered.
func TestNoAnswerWithoutARecord(t *testing.T) {
	w := newWorld(t)
	w.Record = func(Event) error { return errors.New("the disk is full") }
	if a, err := w.Serve(t.Context(), []byte(`{"id":"mosip.abis.ping","version":"1.1","requestId":"r","requesttime":"2026-03-29T07:01:24.692Z"}`)); err == nil {
		t.Errorf("got %+v, want nothing answered", a)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.Record = func(Event) error { return nil }
	if _, err := w.Serve(ctx, []byte(`{}`)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v of a context that has ended", err)
	}
}

// FuzzDocuments looks for samples that break their reader.
func FuzzDocuments(f *testing.F) {
	f.Add([]byte(`<BIR><BIR><BDBInfo><Format><Type>7</Type></Format><Type>Finger</Type><Subtype>Left Thumb</Subtype></BDBInfo><BDB>RklSADAyMAA_-</BDB><SB> Q</SB></BIR></BIR>`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		person, failure := templatesOf(raw)
		if failure != 0 && failures[failure] == "" || (failure == 0) == person.Empty() {
			t.Errorf("got failure %d, nobody: %v", failure, person.Empty())
		}
	})
}

func FuzzRequests(f *testing.F) {
	f.Add([]byte(`{"id":"mosip.abis.identify","version":"1.1","requestId":"r","requesttime":"2026-03-29T07:01:24.692Z","referenceId":"x","flags":{"maxResults":"10","targetFPIR":30},"gallery":{"referenceIds":[{"referenceId":"y"}]}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, failure := parseRequest(raw)
		if failure != 0 && failures[failure] == "" {
			t.Errorf("got failure %d, which has no meaning", failure)
		}
		if n := r.most(); n < 1 || n > mostResults {
			t.Errorf("got %d results", n)
		}
		if rate := r.fpir(usualFPIR); !(rate > 0 && rate < 1) {
			t.Errorf("got the rate %v", rate)
		}
		if all := r.among(); slices.Contains(all, "") {
			t.Errorf("got the gallery %q", all)
		}
		_ = shown(r.RequestID)
	})
}
