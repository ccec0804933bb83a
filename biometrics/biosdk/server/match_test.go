package server

import (
	"image"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/biosdk"
	"github.com/plinth-id/plinth/biometrics/iris"
	"github.com/plinth-id/plinth/biometrics/synth"
)

// fingerOf is a segment with an impression of a finger of nobody.
func fingerOf(p biometrics.Position, seed, impression int) biosdk.BIR {
	return bir(p, fir(p, print(seed, impression, 1)))
}

// decided is what a service decides of fingers.
func decided(t *testing.T, client *biosdk.Client, sample *biosdk.Record, gallery ...*biosdk.Record) (all []biosdk.Decision) {
	t.Helper()
	r := biosdk.MatchRequest{Sample: sample, Modalities: only(biosdk.Finger)}
	for _, g := range gallery {
		r.Gallery = append(r.Gallery, *g)
	}
	decisions, err := client.Match(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range decisions {
		all = append(all, d.Decisions[biosdk.Finger])
	}
	return all
}

func verdicts(all []biosdk.Decision) (v []biosdk.Verdict) {
	for _, d := range all {
		v = append(v, d.Match)
	}
	return v
}

func scoreOf(t *testing.T, d biosdk.Decision) float64 {
	t.Helper()
	score, err := strconv.ParseFloat(d.Analytics["score"], 64)
	if err != nil {
		t.Fatalf("%v: %v", d, err)
	}
	return score
}

func TestSameFingersMatchAndOthersDoNot(t *testing.T) {
	_, client := serving(t, Config{})
	sample := person(fingerOf(biometrics.LeftIndex, 11, 0), fingerOf(biometrics.RightThumb, 12, 0))
	got := decided(t, client, sample,
		person(fingerOf(biometrics.LeftIndex, 11, 1), fingerOf(biometrics.RightThumb, 12, 1)),
		person(fingerOf(biometrics.LeftIndex, 13, 0), fingerOf(biometrics.RightThumb, 14, 0)),
		person(fingerOf(biometrics.RightThumb, 12, 1)),
		person(fingerOf(biometrics.RightThumb, 11, 1)), // under another name
		person(fingerOf(biometrics.LeftRing, 11, 1)),
		person())
	want := []biosdk.Verdict{biosdk.Matched, biosdk.NotMatched, biosdk.Matched, biosdk.NotMatched, biosdk.NotMatched, biosdk.NotMatched}
	if !slices.Equal(verdicts(got), want) {
		t.Fatalf("got %+v, want %v", got, want)
	}
	if both, one := scoreOf(t, got[0]), scoreOf(t, got[2]); both <= one || got[0].Analytics["compared"] != "2" || got[0].Analytics["threshold"] != "4.00" {
		t.Errorf("two fingers %v, one %v: %v", both, one, got[0].Analytics)
	}
	if len(got[5].Errors) == 0 || len(got[4].Errors) == 0 {
		t.Errorf("nothing was compared, and nothing is said: %+v", got[4:])
	}
}

// Where a name is not known any is compared with any, and pays for the tries.
func TestUnknownFingersAreComparedWithAny(t *testing.T) {
	_, client := serving(t, Config{})
	stored := []biosdk.BIR{fingerOf(biometrics.LeftIndex, 11, 1), fingerOf(biometrics.RightThumb, 12, 1), fingerOf(biometrics.RightIndex, 13, 1), fingerOf(biometrics.LeftThumb, 14, 1)}
	one := fingerOf(biometrics.LeftIndex, 11, 0)
	named := decided(t, client, person(one), person(stored...))
	got := decided(t, client, person(may(one)), person(stored...), person(stored[1:]...), person(stored[0]), person(may(stored[0]), may(stored[1])))
	if want := []biosdk.Verdict{biosdk.Matched, biosdk.NotMatched, biosdk.Matched, biosdk.Matched}; !slices.Equal(verdicts(got), want) {
		t.Fatalf("got %+v, want %v", got, want)
	}
	price := scoreOf(t, named[0]) - scoreOf(t, got[0])
	if price < .59 || price > .62 {
		t.Errorf("four tries cost %v, want log10(4)", price)
	}
	if same := scoreOf(t, got[2]); same != scoreOf(t, named[0]) {
		t.Errorf("one try: got %v, want what a named one has", same)
	}
}

// One finger, sent many times, is one finger: by repetition nothing is proved that one
// impression does not prove.
func TestRepeatedFingerCountsOnce(t *testing.T) {
	_, client := serving(t, Config{Threshold: 100})
	stored := person(fingerOf(biometrics.LeftIndex, 11, 1), fingerOf(biometrics.RightThumb, 12, 1), fingerOf(biometrics.RightIndex, 13, 1))
	one := fingerOf(biometrics.LeftIndex, 11, 0)
	once := scoreOf(t, decided(t, client, person(one), stored)[0])
	thrice := decided(t, client, person(one, one, one), stored)[0]
	if got := scoreOf(t, thrice); got >= once || thrice.Analytics["compared"] != "1" {
		t.Errorf("three times: got %v (%v), once %v", got, thrice.Analytics, once)
	}
	unnamed := scoreOf(t, decided(t, client, person(may(one)), stored)[0])
	copies := decided(t, client, person(may(one), may(one), may(fingerOf(biometrics.LeftIndex, 11, 2))), stored)[0]
	if got := scoreOf(t, copies); got > unnamed+3 || copies.Analytics["compared"] != "1" {
		t.Errorf("three unnamed: got %v (%v), once %v", got, copies.Analytics, unnamed)
	}
}

// Strangers with many fingers do not match because there are many tries.
func TestManyFingersOfStrangersDoNotMatch(t *testing.T) {
	_, client := serving(t, Config{})
	var ours, theirs []biosdk.BIR
	for i := range 4 {
		ours = append(ours, may(fingerOf(biometrics.LeftIndex, 20+i, 0)))
		theirs = append(theirs, may(fingerOf(biometrics.LeftIndex, 30+i, 0)))
	}
	if got := decided(t, client, person(ours...), person(theirs...))[0]; got.Match != biosdk.NotMatched || got.Analytics["compared"] != "4" {
		t.Errorf("got %+v", got)
	}
}

// What is wrong with one record of the gallery is an error of that record alone.
func TestBrokenRecordIsAnErrorByItself(t *testing.T) {
	_, client := serving(t, Config{})
	sample := person(fingerOf(biometrics.LeftIndex, 11, 0))
	good := fingerOf(biometrics.LeftIndex, 11, 1)
	garbage := bir(biometrics.LeftIndex, []byte("FIR\x00020\x00 and no more"))
	blank := bir(biometrics.LeftIndex, fir(biometrics.LeftIndex, image.NewGray(image.Rect(0, 0, 300, 360))))
	toe := good
	info := *good.BDBInfo
	toe.BDBInfo, info.Subtype = &info, biosdk.List[string]{"Left", "Toe"}
	var many biosdk.Record
	for range mostSegments + 1 {
		many.Segments = append(many.Segments, good)
	}
	got := decided(t, client, sample, person(garbage), person(good), person(blank), person(toe), person(garbage, good), &many, person(biosdk.BIR{}))
	want := []biosdk.Verdict{biosdk.Failed, biosdk.Matched, biosdk.Failed, biosdk.Failed, biosdk.Matched, biosdk.Failed, biosdk.NotMatched}
	if !slices.Equal(verdicts(got), want) {
		t.Fatalf("got %+v, want %v", got, want)
	}
	for i, d := range got {
		if (i == 1) != (len(d.Errors) == 0) {
			t.Errorf("record %d: got the errors %q", i, d.Errors)
		}
	}
	if !strings.Contains(got[4].Errors[0], "gallery, Left IndexFinger: ") {
		t.Errorf("got %q", got[4].Errors)
	}
}

func TestThresholdDecides(t *testing.T) {
	sample, stored := person(fingerOf(biometrics.LeftIndex, 11, 0)), person(fingerOf(biometrics.LeftIndex, 11, 1))
	_, usual := serving(t, Config{})
	score := scoreOf(t, decided(t, usual, sample, stored)[0])
	_, below := serving(t, Config{Threshold: biometrics.Score(score - .1)})
	_, above := serving(t, Config{Threshold: biometrics.Score(score + .1)})
	if got := decided(t, below, sample, stored)[0].Match; got != biosdk.Matched {
		t.Errorf("below the score: got %s", got)
	}
	if got := decided(t, above, sample, stored)[0].Match; got != biosdk.NotMatched {
		t.Errorf("above the score: got %s", got)
	}
}

func TestEyesAndFacesAreComparedByTheirOwn(t *testing.T) {
	eyes := func(seed int64, impression int) *biosdk.Record {
		return person(bir(biometrics.LeftEye, iir(biometrics.LeftEye, synth.Eye(seed, impression, 1))), fingerOf(biometrics.LeftIndex, int(seed), impression))
	}
	_, client := serving(t, Config{})
	gallery := biosdk.List[biosdk.Record]{*eyes(41, 1), *eyes(42, 1)}
	got, err := client.Match(t.Context(), biosdk.MatchRequest{Sample: eyes(41, 0), Gallery: gallery})
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range only(biosdk.Iris, biosdk.Finger) {
		if got[0].Decisions[kind].Match != biosdk.Matched || got[1].Decisions[kind].Match != biosdk.NotMatched {
			t.Errorf("%s: got %+v, %+v", kind, got[0].Decisions[kind], got[1].Decisions[kind])
		}
	}
	faces := func(template byte) biosdk.Record { return *person(bir(biometrics.FullFace, []byte{template})) }
	one := faces(7)
	asked := biosdk.MatchRequest{Sample: &one, Gallery: biosdk.List[biosdk.Record]{faces(7), faces(8), *person(bir(biometrics.FullFace, []byte("none")))}}
	decide := func(client *biosdk.Client) (v []biosdk.Verdict) {
		all, err := client.Match(t.Context(), asked)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range all {
			v = append(v, d.Decisions[biosdk.Face].Match)
		}
		return v
	}
	if got, want := decide(client), []biosdk.Verdict{biosdk.Failed, biosdk.Failed, biosdk.Failed}; !slices.Equal(got, want) {
		t.Errorf("without an engine: got %v, want %v", got, want)
	}
	_, client = serving(t, Config{Faces: shades{}})
	if got, want := decide(client), []biosdk.Verdict{biosdk.Matched, biosdk.NotMatched, biosdk.Failed}; !slices.Equal(got, want) {
		t.Errorf("with an engine: got %v, want %v", got, want)
	}
}

// What extract-template gives is what match takes, of another impression.
func TestTemplatesMatchImages(t *testing.T) {
	_, client := serving(t, Config{Faces: shades{}})
	whole := func(impression int) *biosdk.Record {
		return person(fingerOf(biometrics.LeftIndex, 41, impression), bir(biometrics.RightEye, iir(biometrics.RightEye, synth.Eye(41, impression, 1))), bir(biometrics.FullFace, synth.PNG(portrait())))
	}
	made, err := client.ExtractTemplate(t.Context(), biosdk.ExtractRequest{Sample: whole(0)})
	if err != nil || len(made.Segments) != 3 {
		t.Fatalf("got %d templates, %v", len(made.Segments), err)
	}
	for i, want := range []string{"FMR\x00 20\x00", "PIC1", ""} {
		b := made.Segments[i]
		if !strings.HasPrefix(string(b.BDB), want) || b.BDBInfo.Level != biosdk.Processed || len(b.SB) != 0 || b.Others["PAYLOAD"] != "" || b.BDBInfo.Created.IsZero() {
			t.Errorf("%s: got %.8q, %+v, %q", b.Modality(), b.BDB, b.BDBInfo, b.Others)
		}
	}
	fmr := made.Segments[0]
	if fmr.BDBInfo.Format.Type != "2" || fmr.BDBInfo.Format.Organization != "Mosip" || fmr.BDB[24] != 7 || float64(fmr.BDB[26]) != *fmr.BDBInfo.Quality.Score {
		t.Errorf("got %+v, position %d, quality %d", fmr.BDBInfo.Format, fmr.BDB[24], fmr.BDB[26])
	}
	if format := made.Segments[1].BDBInfo.Format; format.Type != "9" || format.Organization != "Plinth" {
		t.Errorf("of an eye: got %+v", format)
	}
	if _, err := iris.ParseCode(made.Segments[1].BDB); err != nil {
		t.Error(err)
	}
	got, err := client.Match(t.Context(), biosdk.MatchRequest{Sample: whole(1), Gallery: biosdk.List[biosdk.Record]{made}})
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range only(biosdk.Finger, biosdk.Iris, biosdk.Face) {
		if got[0].Decisions[kind].Match != biosdk.Matched {
			t.Errorf("%s: got %+v", kind, got[0].Decisions[kind])
		}
	}
	again, err := client.ExtractTemplate(t.Context(), biosdk.ExtractRequest{Sample: &made})
	if err != nil || string(again.Segments[0].BDB[28:]) != string(fmr.BDB[28:]) || string(again.Segments[1].BDB) != string(made.Segments[1].BDB) {
		t.Errorf("templates of templates differ: %v", err)
	}
}
