package face

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/iso"
)

func table() []Measured { return []Measured{{.2, 0}, {.4, 2}, {.6, 4}, {.9, 9}} }

func TestUncalibratedEngineMayNotDecide(t *testing.T) {
	if _, err := NewRemote(http.DefaultClient, "https://sdk.example", Calibration{}); !errors.Is(err, ErrUncalibrated) {
		t.Errorf("an engine without a table: got %v", err)
	}
	for name, c := range map[string]struct {
		points    []Measured
		impostors int
	}{
		"no table":           {nil, 100000},
		"one point":          {table()[:1], 100000},
		"few impostors":      {table(), 500},
		"falling":            {[]Measured{{.2, 3}, {.4, 2}}, 100000},
		"one place twice":    {[]Measured{{.2, 0}, {.2, 2}}, 100000},
		"all the same score": {[]Measured{{.2, 2}, {.4, 2}}, 100000},
		"not a number":       {[]Measured{{math.NaN(), 1}, {.4, 2}}, 100000},
		"infinite":           {[]Measured{{.2, 1}, {.4, biometrics.Score(math.Inf(1))}}, 100000},
		"negative":           {[]Measured{{.2, -1}, {.4, 2}}, 100000},
	} {
		if _, err := NewCalibration(c.points, c.impostors); !errors.Is(err, ErrUncalibrated) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestScoreIsNoMoreThanWasMeasured(t *testing.T) {
	c, err := ParseCalibration([]byte(`{"impostors":10000,"points":[{"similarity":0.2,"score":0},{"similarity":0.4,"score":2},{"similarity":0.6,"score":4},{"similarity":0.9,"score":9}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for similarity, want := range map[float64]biometrics.Score{-1: 0, .1: 0, .3: 1, .5: 3, .75: 4, 1: 4, math.Inf(1): 4} {
		if got := c.Score(similarity); math.Abs(float64(got-want)) > 1e-9 {
			t.Errorf("similarity %v: got %v, want %v", similarity, got, want)
		}
	}
	if got := c.Score(math.NaN()); got != 0 {
		t.Errorf("no number: got %v, want 0", got)
	}
	if got := (Calibration{}).Score(.9); got != 0 {
		t.Errorf("no table: got %v, want 0", got)
	}
}

// sdk is a Bio SDK service of another vendor: its templates are how light a face is.
func sdk(t *testing.T, nested bool) *httptest.Server {
	t.Helper()
	type sample struct {
		Segments []struct{ BDB []int8 } // as a service of MOSIP reads it: signed, and nothing else
	}
	bytesOf := func(s sample) (out []byte) {
		for _, b := range s.Segments[0].BDB {
			out = append(out, byte(b))
		}
		return out
	}
	open := func(r *http.Request, into any) {
		var body struct{ Version, Request string }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || body.Version != "1.0" || r.Method != http.MethodPost {
			t.Errorf("%s %s: version %q, %v", r.Method, r.URL, body.Version, err)
		}
		raw, err := base64.StdEncoding.DecodeString(body.Request)
		if err != nil {
			t.Errorf("the request is not in base64: %v", err)
		}
		if err := json.Unmarshal(raw, into); err != nil {
			t.Errorf("the request: %v", err)
		}
	}
	answer := func(w http.ResponseWriter, result any) {
		if nested {
			result = map[string]any{"statusCode": 200, "statusMessage": "OK", "response": result}
		}
		if err := json.NewEncoder(w).Encode(map[string]any{"version": "1.0", "response": result, "errors": nil}); err != nil {
			t.Error(err)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/sdk/extract-template", func(w http.ResponseWriter, r *http.Request) {
		var request struct {
			Sample              sample
			ModalitiesToExtract []string
		}
		open(r, &request)
		if len(request.ModalitiesToExtract) != 1 || request.ModalitiesToExtract[0] != "FACE" {
			t.Errorf("got modalities %v", request.ModalitiesToExtract)
		}
		faces, err := iso.ReadImages(bytesOf(request.Sample))
		if err != nil || faces[0].Position != biometrics.FullFace {
			t.Errorf("the sample is no face record: %v", err)
		}
		answer(w, map[string]any{"segments": []any{map[string]any{"bdb": fmt.Appendf(nil, "%dx%d", faces[0].Width, faces[0].Height)}}})
	})
	mux.HandleFunc("/sdk/match", func(w http.ResponseWriter, r *http.Request) {
		var request struct {
			Sample  sample
			Gallery []sample
		}
		open(r, &request)
		verdict, similarity := "NOT_MATCHED", .25
		if string(bytesOf(request.Sample)) == string(bytesOf(request.Gallery[0])) {
			verdict, similarity = "MATCHED", .5
		}
		answer(w, []any{map[string]any{"galleryIndex": 0, "decisions": map[string]any{
			"FACE": map[string]any{"match": verdict, "errors": []any{}, "analyticsInfo": map[string]any{"score": fmt.Sprint(similarity)}}}}})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func TestRemoteEngineSpeaksBioSDK(t *testing.T) {
	c, err := NewCalibration(table(), 100000)
	if err != nil {
		t.Fatal(err)
	}
	for _, nested := range []bool{false, true} {
		server := sdk(t, nested)
		remote, err := NewRemote(server.Client(), server.URL+"/sdk", c)
		if err != nil {
			t.Fatal(err)
		}
		remote.Similarity = "score"
		var engine Engine = remote
		small := usual()
		small.w, small.h = 300, 400
		a, err := engine.Extract(t.Context(), FromImage(usual().draw()))
		if err != nil || string(a) != "480x640" {
			t.Fatalf("got the template %q, %v", a, err)
		}
		b, err := engine.Extract(t.Context(), FromImage(small.draw()))
		if err != nil {
			t.Fatal(err)
		}
		same, err := engine.Compare(t.Context(), a, a)
		if err != nil || math.Abs(float64(same-3)) > 1e-9 {
			t.Errorf("one face: got %v, %v; want 3", same, err)
		}
		other, err := engine.Compare(t.Context(), a, b)
		if err != nil || math.Abs(float64(other-.5)) > 1e-9 {
			t.Errorf("two faces: got %v, %v; want .5", other, err)
		}
		if none, err := engine.Compare(t.Context(), nil, nil); none != 0 || err != nil {
			t.Errorf("nothing with nothing: got %v, %v", none, err)
		}
		remote.Similarity = ""
		verdict, err := engine.Compare(t.Context(), a, a)
		if err != nil || verdict != c.Score(1) {
			t.Errorf("by its verdict: got %v, %v", verdict, err)
		}
		remote.Similarity = "nothing of that name"
		if _, err := engine.Compare(t.Context(), a, a); !errors.Is(err, ErrEngine) {
			t.Errorf("no similarity: got %v", err)
		}
	}
}

func TestBrokenSDKIsAnError(t *testing.T) {
	c, err := NewCalibration(table(), 100000)
	if err != nil {
		t.Fatal(err)
	}
	small := usual()
	small.w, small.h = 90, 120
	img := FromImage(small.draw())
	for name, answer := range map[string]string{
		"nothing": "", "no JSON": "<html>", "an error": `{"response":null,"errors":[{"errorCode":"BIOSDK_LIB_EXCEPTION"}]}`,
		"no decision": `{"response":[]}`, "of another modality": `{"response":[{"decisions":{"IRIS":{"match":"MATCHED"}}}]}`,
		"an error of matching": `{"response":[{"decisions":{"FACE":{"match":"ERROR"}}}]}`,
		"a failing code":       `{"response":{"statusCode":405,"response":null}}`,
		"of another record":    `{"response":[{"galleryIndex":3,"decisions":{"FACE":{"match":"MATCHED"}}}]}`,
		"too long":             `{"response":"` + strings.Repeat("A", 64<<20) + `"}`,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(answer)) }))
		remote, err := NewRemote(server.Client(), server.URL, c)
		if err != nil {
			t.Fatal(err)
		}
		if score, err := remote.Compare(t.Context(), []byte("a"), []byte("a")); !errors.Is(err, ErrEngine) || score != 0 {
			t.Errorf("%s: got %v, %v", name, score, err)
		}
		if _, err := remote.Extract(t.Context(), img); !errors.Is(err, ErrEngine) {
			t.Errorf("%s, extracting: got %v", name, err)
		}
		server.Close()
	}
	for _, address := range []string{"", "sdk", "ftp://sdk.example", "://"} {
		if _, err := NewRemote(http.DefaultClient, address, c); !errors.Is(err, ErrEngine) {
			t.Errorf("address %q: got %v", address, err)
		}
	}
}

func FuzzParseCalibration(f *testing.F) {
	f.Add([]byte(`{"impostors":10000,"points":[{"similarity":0.2,"score":0},{"similarity":0.4,"score":2}]}`), .3)
	f.Fuzz(func(t *testing.T, raw []byte, similarity float64) {
		c, err := ParseCalibration(raw)
		if err != nil {
			return
		}
		if s := c.Score(similarity); s < 0 || s > c.Most() || math.IsNaN(float64(s)) {
			t.Fatalf("got %v of at most %v", s, c.Most())
		}
	})
}
