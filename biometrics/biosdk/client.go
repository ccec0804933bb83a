package biosdk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// Why a service was of no use, besides the errors of a status.
var (
	ErrAddress = errors.New("biosdk: the address of the service is no http or https URL")
	ErrAnswer  = errors.New("biosdk: the service did not answer as it must")
	ErrRefused = errors.New("biosdk: the service refused the request")
)

// mostAnswer bounds an answer: a record of a person, as numbers.
const mostAnswer = 64 << 20

// Client asks a service.
type Client struct {
	Secret string // sent as a bearer token where there is one

	http *http.Client
	base *url.URL
}

// NewClient takes the client that may reach the service, and the address below which
// it answers, such as http://sdk.example:9099/biosdk-service.
func NewClient(client *http.Client, address string) (*Client, error) {
	base, err := url.Parse(address)
	if err != nil || client == nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" {
		return nil, ErrAddress
	}
	return &Client{http: client, base: base}, nil
}

// Init asks what the service is and can do.
func (c *Client) Init(ctx context.Context, params Info) (SDKInfo, error) {
	return ask[SDKInfo](ctx, c, "init", InitRequest{params})
}

// CheckQuality judges samples.
func (c *Client) CheckQuality(ctx context.Context, r QualityRequest) (Qualities, error) {
	return ask[Qualities](ctx, c, "check-quality", r)
}

// Match compares a sample with each record of a gallery: there is one decision for
// each, in their order.
func (c *Client) Match(ctx context.Context, r MatchRequest) ([]MatchDecision, error) {
	decisions, err := ask[List[MatchDecision]](ctx, c, "match", r)
	if err != nil {
		return nil, err
	}
	if len(decisions) != len(r.Gallery) {
		return nil, fmt.Errorf("%w: it decided of %d records, not %d", ErrAnswer, len(decisions), len(r.Gallery))
	}
	inOrder := make([]MatchDecision, len(decisions))
	seen := make([]bool, len(decisions))
	for _, d := range decisions {
		if d.GalleryIndex < 0 || d.GalleryIndex >= len(decisions) || seen[d.GalleryIndex] {
			return nil, fmt.Errorf("%w: it decided of another record", ErrAnswer)
		}
		inOrder[d.GalleryIndex], seen[d.GalleryIndex] = d, true
	}
	return inOrder, nil
}

// ExtractTemplate makes templates of samples.
func (c *Client) ExtractTemplate(ctx context.Context, r ExtractRequest) (Record, error) {
	return ask[Record](ctx, c, "extract-template", r)
}

// Segment takes images of several fingers apart.
func (c *Client) Segment(ctx context.Context, r SegmentRequest) (Record, error) {
	return ask[Record](ctx, c, "segment", r)
}

// ConvertFormat writes samples in another format.
func (c *Client) ConvertFormat(ctx context.Context, r ConvertRequest) (Record, error) {
	return ask[Record](ctx, c, "convert-format", r)
}

// ask posts one request.
func ask[T any](ctx context.Context, c *Client, what string, request any) (T, error) {
	var none T
	inner, err := json.Marshal(request)
	if err != nil {
		return none, fmt.Errorf("biosdk: writing a request: %w", err)
	}
	body, err := json.Marshal(Request{SpecVersion, inner})
	if err != nil {
		return none, fmt.Errorf("biosdk: writing a request: %w", err)
	}
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base.JoinPath(what).String(), bytes.NewReader(body))
	if err != nil {
		return none, fmt.Errorf("biosdk: writing a request: %w", err)
	}
	post.Header.Set("Content-Type", "application/json")
	if c.Secret != "" {
		post.Header.Set("Authorization", "Bearer "+c.Secret)
	}
	answer, err := c.http.Do(post)
	if err != nil {
		return none, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(answer.Body, mostAnswer+1))
	if err != nil || len(raw) > mostAnswer || answer.StatusCode != http.StatusOK {
		return none, fmt.Errorf("%w: %s with status %d and %d bytes", ErrAnswer, what, answer.StatusCode, len(raw))
	}
	return opened[T](raw)
}

// opened takes the result out of an answer: it stands there by itself, or in one more
// envelope with a status of its own.
func opened[T any](raw []byte) (result T, err error) {
	var outer struct {
		Response json.RawMessage `json:"response"`
		Errors   List[struct {
			Code      Text `json:"code"`
			ErrorCode Text `json:"errorCode"`
		}] `json:"errors"`
	}
	if err := json.Unmarshal(raw, &outer); err != nil {
		return result, fmt.Errorf("%w: it is no JSON", ErrAnswer)
	}
	if len(outer.Errors) > 0 {
		return result, fmt.Errorf("%w: %.60q", ErrRefused, outer.Errors[0].Code+outer.Errors[0].ErrorCode)
	}
	var nested struct {
		Status   Status          `json:"statusCode"`
		Response json.RawMessage `json:"response"`
	}
	content := outer.Response
	if json.Unmarshal(content, &nested) == nil && nested.Status != 0 {
		if err := nested.Status.Err(); err != nil {
			return result, fmt.Errorf("biosdk: the service reports %d: %w", nested.Status, err)
		}
		content = nested.Response
	}
	if len(content) == 0 || isNull(content) || json.Unmarshal(content, &result) != nil {
		return result, fmt.Errorf("%w: its result cannot be read", ErrAnswer)
	}
	return result, nil
}
