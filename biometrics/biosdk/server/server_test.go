package server

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/biosdk"
	"github.com/plinth-id/plinth/biometrics/cbeff"
	"github.com/plinth-id/plinth/biometrics/face"
	"github.com/plinth-id/plinth/biometrics/iso"
	"github.com/plinth-id/plinth/biometrics/synth"
)

// serving runs a service, and gives its address and a client of it.
func serving(t *testing.T, c Config) (string, *biosdk.Client) {
	t.Helper()
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	running := httptest.NewServer(s)
	t.Cleanup(running.Close)
	client, err := biosdk.NewClient(running.Client(), running.URL+Context)
	if err != nil {
		t.Fatal(err)
	}
	client.Secret = c.Secret
	return running.URL, client
}

var (
	drawn   = make(map[[3]int]*image.Gray)
	drawing sync.Mutex
)

// print is an impression of a finger of nobody, drawn once.
func print(seed, impression, level int) *image.Gray {
	drawing.Lock()
	defer drawing.Unlock()
	key := [3]int{seed, impression, level}
	if drawn[key] == nil {
		drawn[key] = synth.Print(int64(seed), impression, level)
	}
	return drawn[key]
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func fir(p biometrics.Position, img *image.Gray) []byte {
	return must(iso.WriteImage(iso.Image{Position: p, Codec: iso.PNG, Width: img.Rect.Dx(), Height: img.Rect.Dy(), PPI: 500, Quality: -1, Data: synth.PNG(img)}))
}

func iir(p biometrics.Position, img *image.Gray) []byte {
	return must(iso.WriteImage(iso.Image{Position: p, Codec: iso.Raw, Width: img.Rect.Dx(), Height: img.Rect.Dy(), Quality: -1, Data: img.Pix}))
}

// bir is a segment.
func bir(p biometrics.Position, data []byte) biosdk.BIR {
	return biosdk.FromCBEFF(cbeff.Record{Position: p, Format: map[biometrics.Modality]int{biometrics.Finger: 7, biometrics.Face: 8, biometrics.Iris: 9}[p.Modality()],
		Level: "Raw", Purpose: "Verify", Quality: -1, Data: data, Signature: []byte("signed"), Others: map[string]string{"PAYLOAD": "{}"}})
}

// may is a segment of which finger or eye is not said.
func may(b biosdk.BIR) biosdk.BIR {
	info := *b.BDBInfo
	info.Subtype = biosdk.List[string]{"UNKNOWN"}
	b.BDBInfo = &info
	return b
}

func person(segments ...biosdk.BIR) *biosdk.Record { return &biosdk.Record{Segments: segments} }

func only(m ...biosdk.Modality) biosdk.List[biosdk.Modality] { return m }

// post sends a request as it is, and gives what came.
func post(t *testing.T, url string, header http.Header, body string) (int, string) {
	t.Helper()
	r := must(http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body)))
	r.Header = header
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	raw := must(io.ReadAll(answer.Body))
	return answer.StatusCode, string(raw)
}

var asJSON = http.Header{"Content-Type": {"application/json;charset=UTF-8"}}

func enveloped(inner string) string {
	return `{"version":"1.0","request":"` + base64.StdEncoding.EncodeToString([]byte(inner)) + `"}`
}

func TestInitSaysWhatIsThere(t *testing.T) {
	_, client := serving(t, Config{Version: "7"})
	info, err := client.Init(t.Context(), biosdk.Info{"format.url.default": "http://sdk.example"})
	if err != nil {
		t.Fatal(err)
	}
	// MOSIP's provider refuses an SDK of another version.
	if info.APIVersion != "0.9" || info.SDKVersion != "7" || info.ProductOwner.Organization != "Plinth" {
		t.Errorf("got %+v", info)
	}
	if fmt.Sprint(info.Methods[biosdk.Match], info.Methods[biosdk.Extract], info.Methods[biosdk.Segment], info.Methods[biosdk.QualityCheck]) != "[FINGER IRIS] [FINGER IRIS] [FINGER] [FINGER IRIS FACE]" {
		t.Errorf("got %v", info.Methods)
	}
	_, client = serving(t, Config{Faces: shades{}})
	if info, err = client.Init(t.Context(), nil); err != nil || len(info.Methods[biosdk.Match]) != 3 {
		t.Errorf("with an engine for faces: got %v, %v", info.Methods, err)
	}
}

func TestDoorsAreThoseOfMOSIP(t *testing.T) {
	url, _ := serving(t, Config{})
	for _, path := range []string{"", "/", "/biosdk-service", "/biosdk-service/"} {
		answer, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		raw := must(io.ReadAll(answer.Body))
		answer.Body.Close()
		if answer.StatusCode != 200 || !strings.HasPrefix(string(raw), "Service is running... ") {
			t.Errorf("GET %q: got %d, %s", path, answer.StatusCode, raw)
		}
	}
	for path, want := range map[string]int{"/init": 200, "/biosdk-service/init": 200, "/biosdk-service//init": 200, "//init": 200, "/init/": 200,
		"/identify": 404, "/biosdk-service/init/init": 404, "/biosdk-servicex/init": 404, "/": 405} {
		if got, raw := post(t, url+path, asJSON, enveloped(`{"initParams":null}`)); got != want || want == 200 && !strings.Contains(raw, `"apiVersion":"0.9"`) {
			t.Errorf("POST %s: got %d, %s; want %d", path, got, raw, want)
		}
	}
	if got, _ := post(t, url+"/init", http.Header{"Content-Type": {"text/plain"}}, enveloped(`{}`)); got != http.StatusUnsupportedMediaType {
		t.Errorf("what any page can post: got %d", got)
	}
	answer, err := http.Get(url + "/match")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusMethodNotAllowed || answer.Header.Get("Allow") != "POST" {
		t.Errorf("GET /match: got %d", answer.StatusCode)
	}
}

func TestSecretIsAskedFor(t *testing.T) {
	url, client := serving(t, Config{Secret: "a long secret"})
	if _, err := client.Init(t.Context(), nil); err != nil {
		t.Errorf("with the secret: %v", err)
	}
	for _, authorization := range []string{"", "Bearer", "Bearer ", "Bearer another", "Basic a long secret", "a long secret", "Bearer a long secre"} {
		header := asJSON.Clone()
		header.Set("Authorization", authorization)
		if got, raw := post(t, url+"/init", header, enveloped(`{}`)); got != http.StatusUnauthorized || strings.Contains(raw, "apiVersion") {
			t.Errorf("with %q: got %d", authorization, got)
		}
	}
	_, open := serving(t, Config{})
	open.Secret = "anything"
	if _, err := open.Init(t.Context(), nil); err != nil {
		t.Errorf("a service that asks for none: %v", err)
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	for _, threshold := range []float64{-1, nan(), 1 / zero()} {
		if _, err := New(Config{Threshold: biometrics.Score(threshold)}); !errors.Is(err, ErrConfig) {
			t.Errorf("a threshold of %v: got %v", threshold, err)
		}
	}
}

func zero() float64 { return 0 }

func nan() float64 { return zero() / zero() }

// Whatever comes is answered, and what is wrong is named without being repeated.
func TestBadInputIsAnswered(t *testing.T) {
	url, _ := serving(t, Config{})
	faultOf := func(code string) string { return `"errors":[{"code":"` + code + `"` }
	status := func(code int) string { return fmt.Sprintf(`"response":{"statusCode":%d,`, code) }
	good := string(must(json.Marshal(person(bir(biometrics.LeftIndex, fir(biometrics.LeftIndex, print(1, 0, 1)))))))
	broken := `{"segments":[{"bdbInfo":{"type":["FINGER"],"subtype":["Left","IndexFinger"]},"bdb":[70,73,82,0,48,50,48,0,1,2,3]}]}`
	none := `{"segments":[{"bdbInfo":{"type":["FINGER"],"subtype":["Left","IndexFinger"]},"bdb":null}]}`
	secret := `{"segments":[{"bdbInfo":{"type":["FINGER"],"subtype":["Alice"]},"bdb":[1]}]}`
	many := `{"segments":[` + strings.Repeat(`{},`, mostSegments) + `{}]}`
	for name, c := range map[string]struct{ path, body, want string }{
		"nothing":                  {"/match", ``, faultOf(codeBody)},
		"no JSON":                  {"/match", `<xml/>`, faultOf(codeBody)},
		"a list":                   {"/match", `[]`, faultOf(codeBody)},
		"no base64":                {"/match", `{"version":"1.0","request":"%%%"}`, faultOf(codeBody)},
		"no text":                  {"/match", `{"version":"1.0","request":{}}`, faultOf(codeBody)},
		"no version":               {"/match", `{"request":""}`, faultOf(codeVersion)},
		"another version":          {"/init", `{"version":"2.0","request":"e30="}`, faultOf(codeVersion)},
		"no request":               {"/check-quality", `{"version":"1.0"}`, faultOf(codeBody)},
		"a request that is none":   {"/check-quality", enveloped(`hello`), faultOf(codeBody)},
		"a sample that is a word":  {"/check-quality", enveloped(`{"sample":"x"}`), faultOf(codeBody)},
		"bytes that are none":      {"/check-quality", enveloped(`{"sample":{"segments":[{"bdb":[999]}]}}`), faultOf(codeBody)},
		"nested without end":       {"/check-quality", enveloped(strings.Repeat(`{"sample":`, 20000)), faultOf(codeBody)},
		"too long":                 {"/check-quality", strings.Repeat(" ", mostBody+1), faultOf(codeBody)},
		"too many records":         {"/match", enveloped(`{"sample":` + good + `,"gallery":[` + strings.Repeat(`{},`, biosdk.MostItems) + `{}]}`), faultOf(codeBody)},
		"no sample":                {"/check-quality", enveloped(`{}`), status(402)},
		"an empty sample":          {"/check-quality", enveloped(`{"sample":{"segments":[]}}`), status(402)},
		"null":                     {"/check-quality", enveloped(`null`), status(402)},
		"an empty segment":         {"/check-quality", enveloped(`{"sample":{"segments":[{}]}}`), status(401)},
		"too many segments":        {"/check-quality", enveloped(`{"sample":` + many + `}`), status(401)},
		"another modality":         {"/check-quality", enveloped(`{"sample":` + good + `,"modalitiesToCheck":["IRIS"]}`), status(404)},
		"a broken record":          {"/check-quality", enveloped(`{"sample":` + broken + `}`), status(401)},
		"no data":                  {"/check-quality", enveloped(`{"sample":` + none + `}`), status(404)},
		"no finger":                {"/extract-template", enveloped(`{"sample":` + secret + `}`), status(401)},
		"a broken probe":           {"/match", enveloped(`{"sample":` + broken + `,"gallery":[` + good + `]}`), status(401)},
		"no gallery":               {"/match", enveloped(`{"sample":` + good + `}`), status(402)},
		"an empty gallery":         {"/match", enveloped(`{"sample":` + good + `,"gallery":[]}`), status(402)},
		"no sample to match":       {"/match", enveloped(`{"gallery":[` + good + `]}`), status(402)},
		"no sample to extract":     {"/extract-template", enveloped(`{}`), status(402)},
		"nothing to extract":       {"/extract-template", enveloped(`{"sample":` + broken + `}`), status(401)},
		"no sample to segment":     {"/segment", enveloped(`{}`), status(402)},
		"a face to segment":        {"/segment", enveloped(`{"sample":` + good + `,"modalitiesToSegment":["FACE"]}`), status(401)},
		"no format":                {"/convert-format", enveloped(`{"sample":` + good + `}`), status(402)},
		"an unknown format":        {"/convert-format", enveloped(`{"sample":` + good + `,"sourceFormat":"X","targetFormat":"IMAGE/PNG"}`), status(401)},
		"an unknown target":        {"/convert-format", enveloped(`{"sample":` + good + `,"sourceFormat":"ISO19794_4_2011","targetFormat":"Alice"}`), status(401)},
		"a face out of a finger":   {"/convert-format", enveloped(`{"sample":` + good + `,"sourceFormat":"ISO19794_4_2011","targetFormat":"ISO19794_5_2011/PNG"}`), status(401)},
		"a source that it is not":  {"/convert-format", enveloped(`{"sample":` + good + `,"sourceFormat":"IMAGE/PNG","targetFormat":"IMAGE/JPEG"}`), status(401)},
		"a broken record to write": {"/convert-format", enveloped(`{"sample":` + broken + `,"sourceFormat":"ISO19794_4_2011","targetFormat":"IMAGE/JPEG"}`), status(401)},
		"no eye to convert":        {"/convert-format", enveloped(`{"sample":` + good + `,"sourceFormat":"ISO19794_6_2011","targetFormat":"IMAGE/JPEG"}`), status(404)},
	} {
		code, got := post(t, url+c.path, asJSON, c.body)
		if code != 200 || !strings.Contains(got, c.want) || strings.Contains(got, "Alice") || !strings.Contains(got, `"statusMessage":"`) {
			t.Errorf("%s: got %d, %.300s; want %s", name, code, got, c.want)
		}
	}
}

// portrait is a picture in which a face is seen: a light oval with dark eyes.
func portrait() *image.Gray {
	const w, h = 480, 640
	img := image.NewGray(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			dx, dy := float64(x-w/2)/130, float64(y-h/2)/180
			shade := uint8(200)
			switch r := dx*dx + dy*dy; {
			case r < 1:
				shade = 170
			case y > 480:
				shade = 60
			}
			for _, eye := range []int{w/2 - 55, w/2 + 55} {
				if ex, ey := x-eye, y-(h/2-40); ex*ex/4+ey*ey < 90 {
					shade = 40
				}
			}
			if ex, ey := x-w/2, y-(h/2+90); ex*ex/9+ey*ey < 60 {
				shade = 80
			}
			img.Pix[y*w+x] = shade
		}
	}
	return img
}

// shades is an engine for faces: a template is how light the picture is.
type shades struct{}

func (shades) Extract(_ context.Context, img *face.Image) ([]byte, error) {
	sum := 0
	for _, v := range img.Grey() {
		sum += int(v)
	}
	return []byte{byte(sum / len(img.Grey()))}, nil
}

func (shades) Compare(_ context.Context, a, b []byte) (biometrics.Score, error) {
	switch {
	case len(a) != 1 || len(b) != 1:
		return 0, face.ErrBadTemplate
	case bytes.Equal(a, b):
		return 9, nil
	}
	return 0, nil
}

// A panic in an engine is an answer, and the service lives on.
func TestPanicIsAnAnswer(t *testing.T) {
	_, client := serving(t, Config{Faces: broken{}})
	sample := person(bir(biometrics.FullFace, []byte("a template")))
	d, err := client.Match(t.Context(), biosdk.MatchRequest{Sample: sample, Gallery: biosdk.List[biosdk.Record]{*sample}})
	if err != nil || d[0].Decisions[biosdk.Face].Match != biosdk.Failed {
		t.Errorf("got %v, %v; want an error of this record", d, err)
	}
	if _, err := client.ExtractTemplate(t.Context(), biosdk.ExtractRequest{Sample: person(bir(biometrics.FullFace, synth.PNG(portrait())))}); !errors.Is(err, biosdk.ErrUnknown) {
		t.Errorf("got %v, want an unknown error", err)
	}
	if _, err := client.Init(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

type broken struct{}

func (broken) Extract(context.Context, *face.Image) ([]byte, error) { panic("broken") }

func (broken) Compare(context.Context, []byte, []byte) (biometrics.Score, error) { panic("broken") }

func TestManyAreAnsweredAtOnce(t *testing.T) {
	_, client := serving(t, Config{})
	sample := person(bir(biometrics.LeftIndex, fir(biometrics.LeftIndex, print(1, 0, 1))))
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() {
			d, err := client.Match(t.Context(), biosdk.MatchRequest{Sample: sample, Gallery: biosdk.List[biosdk.Record]{*sample}})
			if err != nil || d[0].Decisions[biosdk.Finger].Match != biosdk.Matched {
				t.Errorf("got %v, %v", d, err)
			}
		})
	}
	all.Wait()
}

func FuzzEnvelope(f *testing.F) {
	f.Add([]byte(enveloped(`{"initParams":{"a":"b"}}`)))
	f.Add([]byte(`{"version":"1.0","request":"e30"}`))
	f.Add([]byte(`{"version":1,"request":null}`))
	s, err := New(Config{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, at := range []string{"/init", "/check-quality", "/match", "/segment", "/extract-template", "/convert-format"} {
			r := httptest.NewRequest(http.MethodPost, at, bytes.NewReader(raw))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			var out biosdk.Response
			if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != 200 || out.Response == nil {
				t.Fatalf("%s: got %d, %s, %v", at, w.Code, w.Body, err)
			}
		}
	})
}
