package biosdk

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// answering is a service that answers everything with one text.
func answering(t *testing.T, status int, text string) *Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var envelope Request
		if err := json.NewDecoder(r.Body).Decode(&envelope); err != nil || envelope.Version != "1.0" || !json.Valid(envelope.Request) ||
			r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Authorization") != "Bearer s3cret" {
			t.Errorf("got %s %s, %+v, %v", r.Method, r.URL, r.Header, err)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text))
	}))
	t.Cleanup(server.Close)
	c, err := NewClient(server.Client(), server.URL+"/biosdk-service/")
	if err != nil {
		t.Fatal(err)
	}
	c.Secret = "s3cret"
	return c
}

const decided = `[{"galleryIndex":1,"decisions":{"FINGER":{"match":"MATCHED","errors":[],"analyticsInfo":{"score":7.5}}},"analyticsInfo":{}},` +
	`{"galleryIndex":0,"decisions":{"Finger":{"match":"NOT_MATCHED","errors":null,"analyticsInfo":null}}}]`

func TestResultIsReadPlainAndNested(t *testing.T) {
	for _, text := range []string{
		`{"version":"1.0","responsetime":"2024-12-10T20:28:50.990Z","response":` + decided + `,"errors":[]}`,
		`{"version":"1.0","response":{"statusCode":200,"statusMessage":null,"response":` + decided + `},"errors":null}`,
	} {
		got, err := answering(t, 200, text).Match(t.Context(), MatchRequest{Gallery: make(List[Record], 2)})
		if err != nil {
			t.Fatal(err)
		}
		if got[0].Decisions[Finger].Match != NotMatched || got[1].Decisions[Finger].Match != Matched || got[1].Decisions[Finger].Analytics["score"] != "7.5" {
			t.Errorf("got %+v", got)
		}
	}
	info, err := answering(t, 200, `{"version":"1.0","response":{"apiVersion":"0.9","sdkVersion":"x","supportedModalities":["FINGER","FACE"],"supportedMethods":{"MATCH":["FINGER"],"QUALITY_CHECK":["FACE"]},
		"otherInfo":{},"productOwner":{"organization":"a","type":"b"}},"errors":[]}`).Init(t.Context(), nil)
	if err != nil || info.APIVersion != "0.9" || len(info.Modalities) != 2 || info.Methods[Match][0] != Finger || info.ProductOwner.Organization != "a" {
		t.Errorf("got %+v, %v", info, err)
	}
	q, err := answering(t, 200, `{"response":{"statusCode":200,"statusMessage":"OK","response":{"scores":{"FACE":{"score":99.5,"errors":["blurred"],"analyticsInfo":{}}},"analyticsInfo":{}}}}`).CheckQuality(t.Context(), QualityRequest{})
	if err != nil || q.Scores[Face].Score != 99.5 || q.Scores[Face].Errors[0] != "blurred" {
		t.Errorf("got %+v, %v", q, err)
	}
}

func TestStatusIsAnError(t *testing.T) {
	for text, want := range map[string]error{
		`{"response":{"statusCode":401,"response":null}}`:                        ErrInvalidInput,
		`{"response":{"statusCode":402,"response":null}}`:                        ErrMissingInput,
		`{"response":{"statusCode":403,"response":null}}`:                        ErrQualityFailed,
		`{"response":{"statusCode":404,"response":null}}`:                        ErrNotFound,
		`{"response":{"statusCode":405,"response":null}}`:                        ErrMatchFailed,
		`{"response":{"statusCode":406,"response":null}}`:                        ErrPoorData,
		`{"response":{"statusCode":500,"response":null}}`:                        ErrUnknown,
		`{"response":{"statusCode":777,"response":[]}}`:                          ErrUnknown,
		`{"response":"","errors":[{"code":"BIO_SDK_001","message":"a secret"}]}`: ErrRefused,
		`{"response":null,"errors":[{"errorCode":"X"}]}`:                         ErrRefused,
		`{"response":null,"errors":[]}`:                                          ErrAnswer,
		`{"response":{"statusCode":200,"response":null}}`:                        ErrAnswer,
		`{"response":"text"}`:                                                    ErrAnswer,
		`<html>`:                                                                 ErrAnswer,
		``:                                                                       ErrAnswer,
		`{"response":[]}`:                                                        ErrAnswer,
		`{"response":[{"galleryIndex":0},{"galleryIndex":0}]}`:                   ErrAnswer,
		`{"response":[{"galleryIndex":0},{"galleryIndex":2}]}`:                   ErrAnswer,
		`{"response":[{"galleryIndex":-1},{"galleryIndex":0}]}`:                  ErrAnswer,
	} {
		_, err := answering(t, 200, text).Match(t.Context(), MatchRequest{Gallery: make(List[Record], 2)})
		if !errors.Is(err, want) || strings.Contains(err.Error(), "a secret") {
			t.Errorf("%s: got %v, want %v", text, err, want)
		}
	}
	if _, err := answering(t, 404, `{}`).Segment(t.Context(), SegmentRequest{}); !errors.Is(err, ErrAnswer) {
		t.Errorf("not found: got %v", err)
	}
	if _, err := answering(t, 200, `{"response":"`+strings.Repeat("A", mostAnswer)+`"}`).ConvertFormat(t.Context(), ConvertRequest{}); !errors.Is(err, ErrAnswer) {
		t.Errorf("without end: got %v", err)
	}
	for _, address := range []string{"", "sdk", "ftp://sdk.example", "://", "http://"} {
		if _, err := NewClient(http.DefaultClient, address); !errors.Is(err, ErrAddress) {
			t.Errorf("address %q: got %v", address, err)
		}
	}
	if _, err := NewClient(nil, "http://sdk.example"); !errors.Is(err, ErrAddress) {
		t.Errorf("no client: got %v", err)
	}
	for _, s := range statuses {
		if got := StatusOf(s.status.Err()); got != s.status {
			t.Errorf("got %d, want %d", got, s.status)
		}
	}
}
