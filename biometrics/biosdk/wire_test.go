package biosdk

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/cbeff"
)

// What a client of MOSIP sends within the envelope: bytes as signed numbers, dates as
// objects, names of enumerations.
const asked = `{"sample":{"version":null,"cbeffversion":null,"birInfo":null,"segments":[{"version":{"major":1,"minor":1},
"cbeffversion":{"major":1,"minor":1},"birInfo":{"creator":null,"index":null,"payload":null,"integrity":false,"creationDate":null,"notValidBefore":null,"notValidAfter":null},
"bdbInfo":{"challengeResponse":null,"index":null,"format":{"organization":"Mosip","type":"7"},"encryption":null,
"creationDate":{"date":{"year":2024,"month":2,"day":29},"time":{"hour":18,"minute":11,"second":55,"nano":338000000}},"notValidBefore":null,"notValidAfter":null,
"type":["FINGER"],"subtype":["Left","IndexFinger"],"level":"RAW","product":null,"captureDevice":null,"featureExtractionAlgorithm":null,
"comparisonAlgorithm":null,"compressionAlgorithm":null,"purpose":"ENROLLVERIFY","quality":{"algorithm":{"organization":"HMAC","type":"SHA-256"},"score":81,"qualityCalculationFailed":null}},
"bdb":[70,73,82,0,-1,-128,127],"sb":[],"birs":null,"sbInfo":{"format":null},"others":{"EXCEPTION":"false"}}],"others":{}},
"modalitiesToCheck":["FINGER"],"flags":{"threshold":"60"}}`

func TestRequestOfMOSIPIsRead(t *testing.T) {
	var r QualityRequest
	if err := json.Unmarshal([]byte(asked), &r); err != nil {
		t.Fatal(err)
	}
	b := r.Sample.Segments[0]
	if want := []byte{'F', 'I', 'R', 0, 255, 128, 127}; !bytes.Equal(b.BDB, want) || b.SB == nil {
		t.Errorf("got the bytes %v, want %v", b.BDB, want)
	}
	if want := time.Date(2024, 2, 29, 18, 11, 55, 338_000_000, time.UTC); !b.BDBInfo.Created.Equal(want) {
		t.Errorf("got %v, want %v", b.BDBInfo.Created, want)
	}
	if p, told := b.Position(); p != biometrics.LeftIndex || !told || b.Modality() != Finger || r.Modalities[0] != Finger || r.Flags["threshold"] != "60" || b.Exception() {
		t.Errorf("got %v, %v of %v", p, told, r)
	}
	if b.BDBInfo.Level != Raw || b.BDBInfo.Purpose != "ENROLLVERIFY" || *b.BDBInfo.Quality.Score != 81 {
		t.Errorf("got %+v", b.BDBInfo)
	}
}

// What is written is what MOSIP's classes read: no other spelling of bytes, dates and
// absent values.
func TestRecordIsWrittenAsMOSIPReadsIt(t *testing.T) {
	var r QualityRequest
	if err := json.Unmarshal([]byte(asked), &r); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var got, want any
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	like := strings.NewReplacer(`"birs":null,`, "", `"creator":null,"index":null`, `"creator":"","index":""`, `"challengeResponse":null,"index":null`, `"challengeResponse":null,"index":""`,
		`"qualityCalculationFailed":null`, `"qualityCalculationFailed":""`).Replace(asked)
	if err := json.Unmarshal([]byte(like), &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %s\nwant %s", raw, like)
	}
}

func TestEverySpellingIsRead(t *testing.T) {
	for _, spelled := range []string{`[1,-1,0]`, ` [ 1 , 255 ,0 ] `, `"Af8A"`, `"Af8A\n"`} {
		var b Bytes
		if err := json.Unmarshal([]byte(spelled), &b); err != nil || !bytes.Equal(b, []byte{1, 255, 0}) {
			t.Errorf("bytes %s: got %v, %v", spelled, b, err)
		}
	}
	for spelled, want := range map[string]int{`"-_8"`: 2, `"+/8="`: 2, `"+/8"`: 2, `""`: 0, `null`: 0, `[]`: 0, `[ ]`: 0} {
		var b Bytes
		if err := json.Unmarshal([]byte(spelled), &b); err != nil || len(b) != want {
			t.Errorf("bytes %s: got %v, %v", spelled, b, err)
		}
	}
	for _, wrong := range []string{`[256]`, `[-129]`, `[1.5]`, `["a"]`, `[[1]]`, `[1e2]`, `"%%%"`, `{}`, `7`, `true`, `[1000000]`} {
		var b Bytes
		if err := json.Unmarshal([]byte(wrong), &b); err == nil {
			t.Errorf("bytes %s: got %v, want an error", wrong, b)
		}
	}
	at := time.Date(2024, 2, 29, 18, 11, 55, 0, time.UTC)
	for _, spelled := range []string{`"2024-02-29T18:11:55Z"`, `"2024-02-29T20:11:55+02:00"`, `"2024-02-29T18:11:55"`, `"2024-02-29T18:11:55.000Z"`, `1709230315000`,
		`[2024,2,29,18,11,55]`, `[2024,2,29,18,11,55,0]`, `{"date":{"year":2024,"month":2,"day":29},"time":{"hour":18,"minute":11,"second":55,"nano":0}}`} {
		var d Date
		if err := json.Unmarshal([]byte(spelled), &d); err != nil || !d.Equal(at) {
			t.Errorf("date %s: got %v, %v", spelled, d, err)
		}
	}
	for _, none := range []string{`null`, `""`, `"yesterday"`, `{}`, `[]`, `[2024]`, `[2024,13,1]`, `{"date":7}`, `true`, `-1`, `1e99`, `[1,2,3,4,5,6,7,8]`} {
		d := Date{at}
		if err := json.Unmarshal([]byte(none), &d); err != nil || !d.IsZero() {
			t.Errorf("date %s: got %v, %v", none, d, err)
		}
	}
	for spelled, want := range map[string]Modality{"FINGER": Finger, "Finger": Finger, "finger": Finger, "ExceptionPhoto": "EXCEPTION_PHOTO", "EXCEPTION_PHOTO": "EXCEPTION_PHOTO", "HandGeometry": "HAND_GEOMETRY", "DNA": "DNA"} {
		var m Modality
		if err := m.UnmarshalText([]byte(spelled)); err != nil || m != want {
			t.Errorf("modality %s: got %s, %v", spelled, m, err)
		}
	}
	for spelled, want := range map[string]string{`{"a":"1"}`: "1", `{"a":1.5}`: "1.5", `{"a":true}`: "true", `[{"key":"a","value":"1"}]`: "1", `{"a":null}`: "", `null`: ""} {
		var i Info
		if err := json.Unmarshal([]byte(spelled), &i); err != nil || i["a"] != want {
			t.Errorf("words %s: got %v, %v", spelled, i, err)
		}
	}
}

func TestSubtypesNamePlaces(t *testing.T) {
	of := func(kind Modality, words ...string) BIR {
		return BIR{BDBInfo: &BDBInfo{Type: List[Modality]{kind}, Subtype: words}}
	}
	for name, c := range map[string]struct {
		b    BIR
		want biometrics.Position
		told bool
	}{
		"two words":          {of(Finger, "Left", "IndexFinger"), biometrics.LeftIndex, true},
		"one text":           {of(Finger, "Left IndexFinger"), biometrics.LeftIndex, true},
		"turned around":      {of(Finger, "Thumb", "Right"), biometrics.RightThumb, true},
		"small letters":      {of(Finger, "right littlefinger"), biometrics.RightLittle, true},
		"an eye":             {of(Iris, "Left"), biometrics.LeftEye, true},
		"a face":             {of(Face), biometrics.FullFace, true},
		"unknown":            {of(Finger, "UNKNOWN"), "", true},
		"nothing":            {of(Iris), "", true},
		"a hand":             {of(Finger, "Left"), "", false},
		"a finger of an eye": {of(Iris, "Left", "Thumb"), "", false},
		"a toe":              {of(Finger, "Left", "Toe"), "", false},
		"a voice":            {of("VOICE", "Left"), "", false},
		"no type":            {BIR{}, "", false},
		"three words":        {of(Finger, "Left", "Left", "Thumb"), "", false},
	} {
		if got, told := c.b.Position(); got != c.want || told != c.told {
			t.Errorf("%s: got %q, %v; want %q, %v", name, got, told, c.want, c.told)
		}
	}
}

func TestSampleGoesToCBEFFAndBack(t *testing.T) {
	for _, want := range []cbeff.Record{
		{Position: biometrics.RightRing, Format: cbeff.FingerImage, Level: "Raw", Purpose: "EnrollVerify", Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Quality: 77,
			Algorithm: "HMAC/SHA-256", Data: []byte("data"), Signature: []byte("signed"), Others: map[string]string{"PAYLOAD": "{}"}},
		{Position: biometrics.LeftEye, Format: cbeff.IrisImage, Level: "Processed", Purpose: "Verify", Quality: -1, Data: []byte("eye"), Others: map[string]string{}},
		{Position: biometrics.FullFace, Format: cbeff.FaceImage, Quality: -1, Exception: true, Others: map[string]string{"EXCEPTION": "true"}},
	} {
		raw, err := json.Marshal(FromCBEFF(want))
		if err != nil {
			t.Fatal(err)
		}
		var b BIR
		if err := json.Unmarshal(raw, &b); err != nil {
			t.Fatal(err)
		}
		if got := b.CBEFF(); !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
	}
}

func TestListsAreBounded(t *testing.T) {
	many := "[" + strings.Repeat("{},", MostItems) + "{}]"
	var r MatchRequest
	if err := json.Unmarshal([]byte(`{"gallery":`+many+`}`), &r); !errors.Is(err, errTooMany) {
		t.Errorf("a gallery of %d: got %v", MostItems+1, err)
	}
	if err := json.Unmarshal([]byte(`{"sample":{"segments":`+many+`}}`), &r); !errors.Is(err, errTooMany) {
		t.Errorf("%d segments: got %v", MostItems+1, err)
	}
	if err := json.Unmarshal([]byte(`{"gallery":`+strings.Replace(many, "{},", "", 1)+`}`), &r); err != nil || len(r.Gallery) != MostItems {
		t.Errorf("a gallery of %d: got %d, %v", MostItems, len(r.Gallery), err)
	}
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte(asked))
	f.Add([]byte(`{"sample":{"segments":[{"bdbInfo":{"type":["Face"],"creationDate":[2024,1,1,1,1]},"bdb":"AAAA","others":[{"key":"a","value":1}]}]},"gallery":[{},null]}`))
	f.Add([]byte(`{"sample":null,"gallery":[null],"modalitiesToMatch":[null,"x"],"flags":[]}`))
	f.Add([]byte(`{"sourceParams":{"dpi":500},"initParams":null}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, r := range []any{&QualityRequest{}, &MatchRequest{}, &ConvertRequest{}, &InitRequest{}} {
			if json.Unmarshal(raw, r) != nil {
				continue
			}
			again, err := json.Marshal(r)
			if err != nil {
				t.Fatalf("what was read cannot be written: %v", err)
			}
			if err := json.Unmarshal(again, r); err != nil {
				t.Fatalf("what was written cannot be read: %v", err)
			}
			if m, ok := r.(*MatchRequest); ok && m.Sample != nil {
				for _, b := range m.Sample.Segments {
					b.Position()
					b.CBEFF()
				}
			}
		}
	})
}
