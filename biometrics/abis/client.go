package abis

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
)

// ErrAnswer says that an ABIS did not answer, or not as it must. Failures that it
// names are of the type Failure.
var ErrAnswer = errors.New("abis: it did not answer as it must")

const mostAnswer = 8 << 20

// Client drives an ABIS, of any maker.
type Client struct {
	Now func() time.Time // nil means time.Now
	ask func(ctx context.Context, request string, message []byte) ([]byte, error)
}

// OverHTTP is a client of an ABIS that answers at an address, as ours does.
func OverHTTP(client *http.Client, address, secret string) *Client {
	return &Client{ask: func(ctx context.Context, _ string, message []byte) ([]byte, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(message))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrAnswer, err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+secret)
		answer, err := client.Do(r)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrAnswer, err)
		}
		defer answer.Body.Close()
		raw, err := io.ReadAll(io.LimitReader(answer.Body, mostAnswer+1))
		if err != nil || len(raw) > mostAnswer || answer.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("%w: status %d", ErrAnswer, answer.StatusCode)
		}
		return raw, nil
	}}
}

// OverQueue is a client of an ABIS behind a broker, until ctx ends. It takes every
// answer of the queue: nobody else may wait there.
func OverQueue(ctx context.Context, q Queue) (*Client, error) {
	l, err := q.connect(ctx, q.Answers, q.Requests)
	if err != nil {
		return nil, err
	}
	w := &waiting{answers: make(map[string]chan []byte)}
	go w.receive(ctx, l)
	return &Client{ask: func(ctx context.Context, request string, message []byte) ([]byte, error) {
		answer := w.expect(request)
		defer w.forget(request)
		if err := l.to.Send(ctx, messageOf(message, true), nil); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrAnswer, err)
		}
		select {
		case raw, ok := <-answer:
			if !ok {
				return nil, fmt.Errorf("%w: the broker went away", ErrAnswer)
			}
			return raw, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}, nil
}

// waiting is who waits for which answer.
type waiting struct {
	mu      sync.Mutex
	closed  bool
	answers map[string]chan []byte
}

func (w *waiting) expect(request string) chan []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	answer := make(chan []byte, 1)
	if w.closed {
		close(answer)
	} else {
		w.answers[request] = answer
	}
	return answer
}

func (w *waiting) forget(request string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.answers, request)
}

func (w *waiting) receive(ctx context.Context, l *link) {
	defer func() {
		_ = l.conn.Close()
		w.mu.Lock()
		defer w.mu.Unlock()
		w.closed = true
		for request, answer := range w.answers {
			close(answer)
			delete(w.answers, request)
		}
	}()
	for {
		m, err := l.from.Receive(ctx, nil)
		if err != nil || l.from.AcceptMessage(ctx, m) != nil {
			return
		}
		raw, _ := bodyOf(m)
		var named struct {
			RequestID string `json:"requestId"`
		}
		if json.Unmarshal(raw, &named) != nil {
			continue
		}
		w.mu.Lock()
		if answer, ok := w.answers[named.RequestID]; ok {
			answer <- raw
			delete(w.answers, named.RequestID)
		}
		w.mu.Unlock()
	}
}

// Insert lets the ABIS take somebody in.
func (c *Client) Insert(ctx context.Context, reference, url string) error {
	_, err := c.do(ctx, Request{ID: Insert, ReferenceID: reference, ReferenceURL: url})
	return err
}

// Identify gives those who are like somebody: r names a reference or a URL, and where
// wanted a gallery and flags.
func (c *Client) Identify(ctx context.Context, r Request) ([]Candidate, error) {
	r.ID = Identify
	answer, err := c.do(ctx, r)
	if err != nil || answer.CandidateList == nil {
		return nil, err
	}
	return answer.CandidateList.Candidates, nil
}

// Delete lets the ABIS forget somebody.
func (c *Client) Delete(ctx context.Context, reference string) error {
	_, err := c.do(ctx, Request{ID: Delete, ReferenceID: reference})
	return err
}

// Ping asks for a sign of life.
func (c *Client) Ping(ctx context.Context) error {
	_, err := c.do(ctx, Request{ID: Ping})
	return err
}

// PendingJobs is how many requests are under way.
func (c *Client) PendingJobs(ctx context.Context) (int, error) {
	answer, err := c.do(ctx, Request{ID: PendingJobs})
	if err != nil {
		return 0, err
	}
	return number(answer.JobsCount)
}

// ReferenceCount is how many people there are.
func (c *Client) ReferenceCount(ctx context.Context) (int, error) {
	answer, err := c.do(ctx, Request{ID: ReferenceCount})
	if err != nil {
		return 0, err
	}
	return number(answer.Count)
}

func number(count text) (int, error) {
	n, err := strconv.Atoi(string(count))
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%w: its count is no number", ErrAnswer)
	}
	return n, nil
}

// do sends a request under an id of its own, unless it has one, and reads the answer.
func (c *Client) do(ctx context.Context, r Request) (theirs, error) {
	now := c.Now
	if now == nil {
		now = time.Now
	}
	r.Version, r.RequestTime = Version, stamp(now())
	if r.RequestID == "" {
		r.RequestID = uuid.NewString()
	}
	message, err := json.Marshal(r)
	if err != nil {
		return theirs{}, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	raw, err := c.ask(ctx, r.RequestID, message)
	if err != nil {
		return theirs{}, err
	}
	var answer theirs
	if err := json.Unmarshal(raw, &answer); err != nil || answer.RequestID != r.RequestID {
		return theirs{}, fmt.Errorf("%w: its answer is to another request, or none", ErrAnswer)
	}
	switch answer.ReturnValue {
	case Success:
		return answer, nil
	case Failed:
		n, err := strconv.Atoi(string(answer.FailureReason))
		if err != nil || n <= 0 {
			n = int(Unexpected)
		}
		return theirs{}, Failure(n)
	}
	return theirs{}, fmt.Errorf("%w: it says neither success nor failure", ErrAnswer)
}

// theirs is an answer as others write it: numbers as texts, or as numbers.
type theirs struct {
	RequestID     string     `json:"requestId"`
	ReturnValue   text       `json:"returnValue"`
	FailureReason text       `json:"failureReason"`
	JobsCount     text       `json:"jobscount"`
	Count         text       `json:"count"`
	CandidateList *theirList `json:"candidateList"`
}

type theirList struct {
	Candidates []Candidate `json:"candidates"`
}

// text is a text or a number.
type text string

// UnmarshalJSON reads either.
func (t *text) UnmarshalJSON(raw []byte) error {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		*t = text(s)
		return nil
	}
	var n json.Number
	if err := json.Unmarshal(raw, &n); err != nil {
		return err
	}
	*t = text(n.String())
	return nil
}
