package face

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/iso"
)

// ErrEngine says that an engine did not answer, or not as it must.
var ErrEngine = errors.New("face: the recognition engine did not answer as it must")

const mostAnswer = 8 << 20

// Remote is an engine behind HTTP, in the form of the Bio SDK: POST extract-template
// and match, each with a JSON request in base64 and the answer in JSON.
type Remote struct {
	// Similarity names what the SDK calls the similarity, in the analyticsInfo of a
	// decision. Where it is empty its verdict is taken: 1 for MATCHED, 0 for NOT_MATCHED.
	Similarity string
	Now        func() time.Time // nil means time.Now

	client      *http.Client
	base        *url.URL
	calibration Calibration
}

// NewRemote takes the client that may reach the SDK, the address below which it
// answers, and what was measured of it.
func NewRemote(client *http.Client, address string, c Calibration) (*Remote, error) {
	base, err := url.Parse(address)
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" {
		return nil, fmt.Errorf("%w: its address is no http or https URL", ErrEngine)
	}
	if client == nil {
		return nil, fmt.Errorf("%w: there is no client to reach it", ErrEngine)
	}
	if len(c.points) == 0 {
		return nil, ErrUncalibrated
	}
	return &Remote{client: client, base: base, calibration: c}, nil
}

// What the Bio SDK calls things. A record holds segments; of a segment, info says what
// it is.
type (
	version struct {
		Major int `json:"major"`
		Minor int `json:"minor"`
	}
	registryID struct {
		Organization string `json:"organization"`
		Type         string `json:"type"`
	}
	segmentInfo struct {
		Format       registryID `json:"format"`
		CreationDate time.Time  `json:"creationDate"`
		Type         []string   `json:"type"`
		Subtype      []string   `json:"subtype"`
		Level        string     `json:"level"`
		Purpose      string     `json:"purpose"`
	}
	segment struct {
		Version      version     `json:"version"`
		CBEFFVersion version     `json:"cbeffversion"`
		BDBInfo      segmentInfo `json:"bdbInfo"`
		BDB          []byte      `json:"bdb"` // in base64
	}
	segments struct {
		Version      version   `json:"version"`
		CBEFFVersion version   `json:"cbeffversion"`
		Segments     []segment `json:"segments"`
	}
)

const (
	modality   = "FACE"
	faceFormat = "8" // of CBEFF: a face image
)

// recordOf puts bytes into the SDK's form.
func recordOf(bdb []byte, level string, at time.Time) segments {
	one := version{1, 1}
	return segments{one, one, []segment{{one, one, segmentInfo{
		Format: registryID{"Mosip", faceFormat}, CreationDate: at, Type: []string{modality}, Subtype: []string{}, Level: level, Purpose: "VERIFY",
	}, bdb}}}
}

func (r *Remote) now() time.Time {
	now := r.Now
	if now == nil {
		now = time.Now
	}
	return now().UTC()
}

// Extract sends a face record of the image and returns the template that the SDK makes.
func (r *Remote) Extract(ctx context.Context, img *Image) ([]byte, error) {
	if img == nil || img.pixels == nil {
		return nil, ErrNoFace
	}
	var b bytes.Buffer
	quick := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := quick.Encode(&b, img.pixels); err != nil {
		return nil, fmt.Errorf("face: writing an image: %w", err)
	}
	record, err := iso.WriteImage(iso.Image{Position: biometrics.FullFace, Codec: iso.PNG, Width: img.Width, Height: img.Height, Quality: -1, Data: b.Bytes()})
	if err != nil {
		return nil, fmt.Errorf("face: writing a record: %w", err)
	}
	var answer segments
	err = r.ask(ctx, "extract-template", map[string]any{
		"sample": recordOf(record, "RAW", r.now()), "modalitiesToExtract": []string{modality}, "flags": map[string]string{},
	}, &answer)
	if err != nil {
		return nil, err
	}
	if len(answer.Segments) == 0 || len(answer.Segments[0].BDB) == 0 {
		return nil, fmt.Errorf("%w: its template is empty", ErrEngine)
	}
	return answer.Segments[0].BDB, nil
}

// decision is the SDK's answer for one record of the gallery.
type decision struct {
	GalleryIndex int `json:"galleryIndex"`
	Decisions    map[string]struct {
		Match         string         `json:"match"`
		Errors        []any          `json:"errors"`
		AnalyticsInfo map[string]any `json:"analyticsInfo"`
	} `json:"decisions"`
}

// Compare lets the SDK compare two templates, and reads what its answer is worth from
// the table.
func (r *Remote) Compare(ctx context.Context, a, b []byte) (biometrics.Score, error) {
	if len(a) == 0 || len(b) == 0 {
		return 0, nil // nothing matches nothing
	}
	now := r.now()
	var answer []decision
	err := r.ask(ctx, "match", map[string]any{
		"sample": recordOf(a, "PROCESSED", now), "gallery": []segments{recordOf(b, "PROCESSED", now)},
		"modalitiesToMatch": []string{modality}, "flags": map[string]string{},
	}, &answer)
	if err != nil {
		return 0, err
	}
	if len(answer) != 1 || answer[0].GalleryIndex != 0 {
		return 0, fmt.Errorf("%w: it decided of %d records, not one", ErrEngine, len(answer))
	}
	for name, d := range answer[0].Decisions {
		if !strings.EqualFold(name, modality) {
			continue
		}
		similarity, err := r.similarity(d.Match, d.AnalyticsInfo)
		if err != nil {
			return 0, err
		}
		return r.calibration.Score(similarity), nil
	}
	return 0, fmt.Errorf("%w: it decided of no face", ErrEngine)
}

// similarity is what the table is read with.
func (r *Remote) similarity(match string, info map[string]any) (float64, error) {
	switch {
	case match != "MATCHED" && match != "NOT_MATCHED":
		return 0, fmt.Errorf("%w: it could not compare", ErrEngine)
	case r.Similarity == "" && match == "MATCHED":
		return 1, nil
	case r.Similarity == "":
		return 0, nil
	}
	switch v := info[r.Similarity].(type) {
	case float64:
		return v, nil
	case string:
		if parsed, err := strconv.ParseFloat(v, 64); err == nil && finite(parsed) {
			return parsed, nil
		}
	}
	return 0, fmt.Errorf("%w: it says nothing of the similarity", ErrEngine)
}

// ask posts one request. Answers may hold the result itself, or one more envelope with
// a code of its own; errors come with the status 200.
func (r *Remote) ask(ctx context.Context, what string, request, result any) error {
	inner, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("face: writing a request: %w", err)
	}
	body, err := json.Marshal(map[string]string{"version": "1.0", "request": base64.StdEncoding.EncodeToString(inner)})
	if err != nil {
		return fmt.Errorf("face: writing a request: %w", err)
	}
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, r.base.JoinPath(what).String(), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("face: writing a request: %w", err)
	}
	post.Header.Set("Content-Type", "application/json")
	answer, err := r.client.Do(post)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrEngine, err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(answer.Body, mostAnswer+1))
	if err != nil || len(raw) > mostAnswer || answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: %s with status %d and %d bytes", ErrEngine, what, answer.StatusCode, len(raw))
	}
	return opened(raw, result)
}

// opened takes the result out of an answer.
func opened(raw []byte, result any) error {
	var outer struct {
		Response json.RawMessage `json:"response"`
		Errors   []struct {
			Code string `json:"errorCode"`
		} `json:"errors"`
	}
	if err := json.Unmarshal(raw, &outer); err != nil {
		return fmt.Errorf("%w: its answer is no JSON", ErrEngine)
	}
	if len(outer.Errors) > 0 {
		return fmt.Errorf("%w: it reports %q", ErrEngine, outer.Errors[0].Code)
	}
	var nested struct {
		Code     int             `json:"statusCode"`
		Response json.RawMessage `json:"response"`
	}
	content := outer.Response
	if json.Unmarshal(content, &nested) == nil && nested.Code != 0 {
		if nested.Code != http.StatusOK {
			return fmt.Errorf("%w: it reports the code %d", ErrEngine, nested.Code)
		}
		content = nested.Response
	}
	if len(content) == 0 || json.Unmarshal(content, result) != nil {
		return fmt.Errorf("%w: its result cannot be read", ErrEngine)
	}
	return nil
}
