package abis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// queues are those of a broker between an ABIS, which serves them, and the test.
func queues(t *testing.T, w *world) (*broker, Queue) {
	t.Helper()
	b := newBroker(t)
	q := Queue{Address: b.address(), User: "u", Password: "p", Requests: "mosip-to-abis", Answers: "abis-to-mosip"}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- q.Serve(ctx, w.ABIS) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return b, q
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what + ": not within half a minute")
		}
	}
}

func TestAClientDrivesAnABISThroughQueues(t *testing.T) {
	w := newWorld(t)
	b, q := queues(t, w)
	c, err := OverQueue(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		reference := fmt.Sprint("p", i)
		if err := c.Insert(t.Context(), reference, w.offer(reference, document(t, 80, i))); err != nil {
			t.Fatal(err)
		}
	}
	if found, err := c.Identify(t.Context(), Request{ReferenceID: "p0"}); err != nil || len(found) != 1 || found[0].ReferenceID != "p1" {
		t.Errorf("got %+v, %v; want the other impression", found, err)
	}
	if err := c.Delete(t.Context(), "nobody"); !errors.Is(err, ReferenceUnknown) {
		t.Errorf("got %v, want it unknown", err)
	}
	until(t, "every message is accepted", func() bool { _, n := b.state(q.Requests); return n == 8 })
	b.drop()
	until(t, "the client sees it", func() bool { return errors.Is(c.Ping(t.Context()), ErrAnswer) })
	if c, err = OverQueue(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	if n, err := c.ReferenceCount(t.Context()); err != nil || n != 2 { // the service has come back
		t.Errorf("got %d, %v after the broker was away", n, err)
	}
}

// A request stands in its queue until its answer stands in the other one.
func TestARequestIsTakenOffWhenItIsAnswered(t *testing.T) {
	w := newWorld(t)
	var full atomic.Bool
	full.Store(true)
	tries := make(chan bool, 100)
	w.Record = func(Event) error {
		tries <- true
		if full.Load() {
			return errors.New("the disk is full")
		}
		return nil
	}
	b, q := queues(t, w)
	l, err := q.connect(t.Context(), q.Answers, q.Requests)
	if err != nil {
		t.Fatal(err)
	}
	ping := `{"id":"mosip.abis.ping","version":"1.1","requestId":"%s","requesttime":"2026-03-29T07:01:24.692Z"}`
	if err := l.to.Send(t.Context(), messageOf(fmt.Appendf(nil, ping, "text"), true), nil); err != nil {
		t.Fatal(err)
	}
	<-tries
	if held, _ := b.state(q.Requests); held != 1 {
		t.Errorf("got %d requests in the queue while none could be recorded, want one", held)
	}
	full.Store(false)
	// A text is answered by a text, and bytes by bytes: MOSIP casts what it gets.
	for _, kind := range []string{"text", "bytes"} {
		if kind == "bytes" {
			if err := l.to.Send(t.Context(), messageOf(fmt.Appendf(nil, ping, kind), false), nil); err != nil {
				t.Fatal(err)
			}
		}
		m, err := l.from.Receive(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		var a Answer
		raw, isText := bodyOf(m)
		if err := json.Unmarshal(raw, &a); err != nil || a.RequestID != kind || a.ReturnValue != Success || isText != (kind == "text") || !m.Header.Durable {
			t.Errorf("%s: got %s, text: %v, %v", kind, raw, isText, err)
		}
		if err := l.from.AcceptMessage(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "both queues are empty", func() bool {
		requests, _ := b.state(q.Requests)
		answers, _ := b.state(q.Answers)
		return requests+answers == 0
	})
	// What is no request is answered too, and does not stay in the way.
	if err := l.to.Send(t.Context(), messageOf([]byte(strings.Repeat("x", 1000)), true), nil); err != nil {
		t.Fatal(err)
	}
	m, err := l.from.Receive(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if raw, _ := bodyOf(m); !strings.Contains(string(raw), `"failureReason":"4"`) {
		t.Errorf("got %s", raw)
	}
}
