package server

import (
	"bytes"
	"encoding/csv"
	"errors"
	"image"
	_ "image/jpeg"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/biosdk"
	"github.com/plinth-id/plinth/biometrics/finger"
	"github.com/plinth-id/plinth/biometrics/iso"
	"github.com/plinth-id/plinth/biometrics/synth"
)

func TestQualityIsTheMeanOfTheSamples(t *testing.T) {
	_, client := serving(t, Config{})
	good, poor := print(11, 0, 1), print(12, 0, 3)
	value := func(img *image.Gray) float64 {
		_, q, err := finger.Extract(must(finger.FromImage(img, 500)))
		if err != nil {
			t.Fatal(err)
		}
		return float64(q.Value)
	}
	blank := image.NewGray(image.Rect(0, 0, 300, 360))
	q, err := client.CheckQuality(t.Context(), biosdk.QualityRequest{Sample: person(bir(biometrics.LeftIndex, fir(biometrics.LeftIndex, good)), bir(biometrics.LeftRing, fir(biometrics.LeftRing, poor)),
		bir(biometrics.LeftThumb, fir(biometrics.LeftThumb, blank)), bir(biometrics.LeftLittle, []byte("garbage")),
		bir(biometrics.LeftEye, iir(biometrics.LeftEye, synth.Eye(41, 0, 1))), bir(biometrics.FullFace, synth.PNG(portrait())), bir(biometrics.FullFace, synth.PNG(blank)))})
	if err != nil {
		t.Fatal(err)
	}
	fingers := q.Scores[biosdk.Finger]
	if want := (value(good) + value(poor)) / 4; math.Abs(fingers.Score-want) > .06 {
		t.Errorf("got %v, want the mean %v", fingers.Score, want)
	}
	if !slices.ContainsFunc(fingers.Errors, func(e string) bool { return strings.HasPrefix(e, "Left Thumb: ") }) ||
		!slices.ContainsFunc(fingers.Errors, func(e string) bool { return strings.HasPrefix(e, "Left LittleFinger: ") }) || fingers.Analytics["Left Thumb"] != "0" || fingers.Analytics["algorithm"] != "Plinth" {
		t.Errorf("got %+v", fingers)
	}
	if eye := q.Scores[biosdk.Iris].Score; eye < 30 || eye > 100 {
		t.Errorf("an eye: got %v", q.Scores[biosdk.Iris])
	}
	if face := q.Scores[biosdk.Face]; face.Score < 1 || face.Analytics["FACE 2"] != "0" || !slices.Contains(face.Errors, "FACE: no face") {
		t.Errorf("faces: got %+v", face)
	}
	template := bir(biometrics.LeftIndex, must(iso.WriteFMR(printOf(t, good))))
	if _, err := client.CheckQuality(t.Context(), biosdk.QualityRequest{Sample: person(template)}); !errors.Is(err, biosdk.ErrQualityFailed) {
		t.Errorf("a template: got %v", err)
	}
}

func printOf(t *testing.T, img *image.Gray) finger.Template {
	t.Helper()
	print, _, err := finger.Extract(must(finger.FromImage(img, 500)))
	if err != nil {
		t.Fatal(err)
	}
	return print
}

// What cannot be made a template is left out, and named; of nothing nothing is made.
func TestUselessSamplesAreLeftOut(t *testing.T) {
	_, client := serving(t, Config{})
	blank := bir(biometrics.LeftThumb, fir(biometrics.LeftThumb, image.NewGray(image.Rect(0, 0, 300, 360))))
	missing := bir(biometrics.LeftRing, nil)
	missing.Others["EXCEPTION"] = "true"
	made, err := client.ExtractTemplate(t.Context(), biosdk.ExtractRequest{Sample: person(missing, blank, fingerOf(biometrics.LeftIndex, 11, 0)), Modalities: only(biosdk.Finger)})
	if err != nil || len(made.Segments) != 1 {
		t.Errorf("got %d templates, %v", len(made.Segments), err)
	}
	for name, c := range map[string]struct {
		b    biosdk.BIR
		want error
	}{"a blank": {blank, biosdk.ErrPoorData}, "a missing finger": {missing, biosdk.ErrNotFound}, "a face": {bir(biometrics.FullFace, synth.PNG(portrait())), biosdk.ErrNotFound}} {
		if _, err := client.ExtractTemplate(t.Context(), biosdk.ExtractRequest{Sample: person(c.b)}); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

// slapOf is a record of fingers laid on a scanner together.
func slapOf(position byte, codes ...int) []byte {
	img := synth.GrowHand(40, codes...).Slap(synth.Laid{Fingers: codes, Level: 1})
	record := fir("", img)
	record[16+4+9+5+1] = position
	return record
}

func TestSlapBecomesFingers(t *testing.T) {
	_, client := serving(t, Config{})
	raw := slapOf(13, 2, 3, 4, 5)
	eye := bir(biometrics.LeftEye, []byte("an eye"))
	out, err := client.Segment(t.Context(), biosdk.SegmentRequest{Sample: person(may(bir(biometrics.RightIndex, raw)), eye), Modalities: only(biosdk.Finger)})
	if err != nil {
		t.Fatal(err)
	}
	want := []biometrics.Position{biometrics.RightIndex, biometrics.RightMiddle, biometrics.RightRing, biometrics.RightLittle, biometrics.LeftEye}
	if len(out.Segments) != len(want) {
		t.Fatalf("got %d segments, want %d", len(out.Segments), len(want))
	}
	for i, b := range out.Segments {
		if p, _ := b.Position(); p != want[i] {
			t.Errorf("segment %d: got %s, want %s", i, p, want[i])
		}
		if i == 4 {
			continue
		}
		images, err := iso.ReadImages(b.BDB)
		if err != nil || images[0].Position != want[i] || len(b.SB) != 0 || b.BDBInfo.Format.Type != "7" {
			t.Errorf("segment %d: got %v, %v", i, images, err)
		}
	}
	// The fingers are those of the hand.
	single := synth.Print(synth.FingerOf(40, 2), 1, 1)
	if got := decided(t, client, person(out.Segments[0]), person(bir(biometrics.RightIndex, fir(biometrics.RightIndex, single))))[0]; got.Match != biosdk.Matched {
		t.Errorf("got %+v", got)
	}
	// A hand of three is one only if that is declared.
	three := may(bir(biometrics.RightIndex, slapOf(13, 2, 3, 4)))
	if _, err := client.Segment(t.Context(), biosdk.SegmentRequest{Sample: person(three)}); !errors.Is(err, biosdk.ErrPoorData) {
		t.Errorf("three fingers: got %v", err)
	}
	missing := bir(biometrics.RightLittle, nil)
	missing.Others["EXCEPTION"] = "true"
	if out, err := client.Segment(t.Context(), biosdk.SegmentRequest{Sample: person(three, missing)}); err != nil || len(out.Segments) != 4 {
		t.Errorf("three fingers, one declared missing: got %d segments, %v", len(out.Segments), err)
	}
	// A finger by itself stays what it is.
	one := fingerOf(biometrics.LeftIndex, 11, 0)
	if out, err := client.Segment(t.Context(), biosdk.SegmentRequest{Sample: person(one)}); err != nil || len(out.Segments) != 1 || !bytes.Equal(out.Segments[0].BDB, one.BDB) || len(out.Segments[0].SB) == 0 {
		t.Errorf("one finger: got %v", err)
	}
}

func TestHandIsToldByItsPositionOrItsName(t *testing.T) {
	of := func(position byte, subtype ...string) biosdk.BIR {
		record := fir("", image.NewGray(image.Rect(0, 0, 300, 360)))
		record[35] = position
		b := bir(biometrics.LeftIndex, record)
		b.BDBInfo.Subtype = subtype
		return b
	}
	for name, c := range map[string]struct {
		b    biosdk.BIR
		want string
	}{
		"right four": {of(13), "right"}, "left four": {of(14), "left"}, "thumbs": {of(15), "thumbs"}, "a finger": {of(7), ""}, "a finger of a hand": {of(7, "Left"), ""},
		"left by name": {of(0, "Left"), "left"}, "right by name": {of(0, "Right"), "right"}, "unknown": {of(0, "UNKNOWN"), ""}, "no record": {biosdk.BIR{}, ""},
	} {
		if got, ok := handOf(c.b); string(got) != c.want || ok != (c.want != "") {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestFormatsAreConverted(t *testing.T) {
	_, client := serving(t, Config{})
	print := print(11, 0, 1)
	eye := synth.Eye(41, 0, 1)
	finger := bir(biometrics.LeftIndex, fir(biometrics.LeftIndex, print))
	iris := bir(biometrics.LeftEye, iir(biometrics.LeftEye, eye))
	photo := portrait()
	face := bir(biometrics.FullFace, must(iso.WriteImage(iso.Image{Position: biometrics.FullFace, Codec: iso.PNG, Width: 480, Height: 640, Quality: -1, Data: synth.PNG(photo)})))
	sample := person(finger, iris, face)
	for _, c := range []struct {
		from, to string
		at       int // of the segment that changes
		begins   string
		exact    bool
	}{
		{"ISO19794_4_2011", "IMAGE/PNG", 0, "\x89PNG", true},
		{"ISO19794_4_2011", "IMAGE/JPEG", 0, "\xff\xd8\xff", false},
		{"ISO19794_4_2011", "IMAGE/WSQ", 0, "\xff\xa0", false},
		{"ISO19794_4_2011", "ISO19794_4_2011/WSQ", 0, "FIR\x00020\x00", false},
		{"iso19794_4_2011", "iso19794_4_2011/jpeg", 0, "FIR\x00020\x00", false},
		{"ISO19794_4_2011", "ISO19794_2_2005", 0, "FMR\x00 20\x00", false},
		{"ISO19794_5_2011", "IMAGE/JPEG", 2, "\xff\xd8\xff", false},
		{"ISO19794_5_2011", "ISO19794_5_2011/JPEG", 2, "FAC\x00030\x00", false},
		{"ISO19794_6_2011", "IMAGE/PNG", 1, "\x89PNG", true},
		{"ISO19794_6_2011", "ISO19794_6_2011/PNG", 1, "IIR\x00020\x00", true},
	} {
		out, err := client.ConvertFormat(t.Context(), biosdk.ConvertRequest{Sample: sample, SourceFormat: c.from, TargetFormat: c.to})
		if err != nil || len(out.Segments) != 3 {
			t.Errorf("%s to %s: got %d segments, %v", c.from, c.to, len(out.Segments), err)
			continue
		}
		for i, b := range out.Segments {
			if i != c.at && (!bytes.Equal(b.BDB, sample.Segments[i].BDB) || len(b.SB) == 0) {
				t.Errorf("%s to %s: segment %d has changed", c.from, c.to, i)
			}
		}
		b := out.Segments[c.at]
		if !strings.HasPrefix(string(b.BDB), c.begins) || len(b.SB) != 0 {
			t.Errorf("%s to %s: got %.12q", c.from, c.to, b.BDB)
		}
		if strings.HasPrefix(c.to, "IMAGE/") && b.Modality() != biosdk.Face {
			pixels := backAgain(t, client, b, c.to)
			if c.exact && !bytes.Equal(pixels, map[int]*image.Gray{0: print, 1: eye}[c.at].Pix) {
				t.Errorf("%s and back: other pixels", c.to)
			}
		}
	}
	if _, err := client.ConvertFormat(t.Context(), biosdk.ConvertRequest{Sample: sample, SourceFormat: "ISO19794_5_2011", TargetFormat: "IMAGE/WSQ"}); !errors.Is(err, biosdk.ErrInvalidInput) {
		t.Errorf("a face as WSQ: got %v", err)
	}
	if _, err := client.ConvertFormat(t.Context(), biosdk.ConvertRequest{Sample: person(may(iris)), SourceFormat: "ISO19794_6_2011", TargetFormat: "IMAGE/PNG"}); err != nil {
		t.Errorf("an eye, left or right: %v", err)
	}
}

// backAgain brings a bare image into a record, and gives the pixels that it holds.
func backAgain(t *testing.T, client *biosdk.Client, b biosdk.BIR, from string) []uint8 {
	t.Helper()
	p, _ := b.Position()
	to := map[biometrics.Modality]string{biometrics.Finger: "ISO19794_4_2011/PNG", biometrics.Iris: "ISO19794_6_2011/PNG"}[p.Modality()]
	out, err := client.ConvertFormat(t.Context(), biosdk.ConvertRequest{Sample: person(b), SourceFormat: from, TargetFormat: to, SourceParams: biosdk.Info{"dpi": "500"}})
	if err != nil {
		t.Fatalf("%s back: %v", from, err)
	}
	images, err := iso.ReadImages(out.Segments[0].BDB)
	if err != nil || images[0].Position != p || p.Modality() == biometrics.Finger && images[0].PPI != 500 {
		t.Fatalf("%s back: got %v, %v", from, images, err)
	}
	pixels, _, err := image.Decode(bytes.NewReader(images[0].Data))
	if err != nil {
		t.Fatal(err)
	}
	return pixels.(*image.Gray).Pix
}

// Records of devices of MOSIP: what was enrolled is recognised in an authentication.
func TestRecordsInTheFieldAreServed(t *testing.T) {
	dir := os.Getenv("TESTDATA_DIR")
	if dir == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("TESTDATA_DIR is not set")
		}
		t.Skip("skipped: real image records (TESTDATA_DIR is not set)")
	}
	dir = filepath.Join(dir, "biometrics", "formats")
	index := must(os.Open(filepath.Join(dir, "index.csv")))
	defer index.Close()
	rows := must(csv.NewReader(index).ReadAll())
	_, client := serving(t, Config{})
	stored := &biosdk.Record{}
	for _, p := range []biometrics.Position{biometrics.LeftIndex, biometrics.LeftMiddle, biometrics.RightIndex, biometrics.RightThumb, biometrics.LeftEye, biometrics.RightEye} {
		words := strings.Fields(strings.TrimSuffix(strings.Join(biosdk.SubtypeOf(p), " "), "Finger"))
		if len(words) == 1 {
			words = append(words, "Iris")
		}
		stored.Segments = append(stored.Segments, bir(p, must(os.ReadFile(filepath.Join(dir, "registration", strings.Join(words, "_")+".iso")))))
	}
	for _, row := range rows[1:] {
		if row[0] != "auth/Left_Index.iso" && row[0] != "auth/Left_Index_wsq.iso" && row[0] != "auth/Left_Iris.iso" {
			continue
		}
		kind, raw := biosdk.Finger, must(os.ReadFile(filepath.Join(dir, row[0])))
		b := bir(biometrics.LeftIndex, raw)
		if row[1] == "IIR" {
			kind, b = biosdk.Iris, may(bir(biometrics.LeftEye, raw)) // the device mistakes left for right
		}
		q, err := client.CheckQuality(t.Context(), biosdk.QualityRequest{Sample: person(b), Modalities: only(kind)})
		if err != nil {
			t.Errorf("%s: %v", row[0], err)
			continue
		}
		d, err := client.Match(t.Context(), biosdk.MatchRequest{Sample: person(b), Gallery: biosdk.List[biosdk.Record]{*stored}, Modalities: only(kind)})
		if err != nil {
			t.Errorf("%s: %v", row[0], err)
			continue
		}
		if d[0].Decisions[kind].Match != biosdk.Matched || q.Scores[kind].Score < 50 {
			t.Errorf("%s: got %+v, quality %+v", row[0], d[0].Decisions[kind], q.Scores[kind])
		}
		for _, to := range []string{"IMAGE/JPEG", "IMAGE/PNG"} {
			from := map[biosdk.Modality]string{biosdk.Finger: "ISO19794_4_2011", biosdk.Iris: "ISO19794_6_2011"}[kind]
			if _, err := client.ConvertFormat(t.Context(), biosdk.ConvertRequest{Sample: person(b), SourceFormat: from, TargetFormat: to}); err != nil {
				t.Errorf("%s to %s: %v", row[0], to, err)
			}
		}
	}
}
