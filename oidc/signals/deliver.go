package signals

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/postgres"
)

const (
	pushed    = 50 // events of one stream at a time
	lease     = 10 * time.Minute
	firstWait = time.Second
	mostWait  = 15 * time.Minute
)

// Run pushes events until ctx ends. Any number of processes may do so.
func (t *Transmitter) Run(ctx context.Context) error {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		if err := t.Deliver(ctx); err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, "pushing signals failed", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-t.waking:
			time.Sleep(20 * time.Millisecond) // the transaction that wrote it is about to end
		}
	}
}

// Deliver pushes what waits, in order, stream by stream.
func (t *Transmitter) Deliver(ctx context.Context) error {
	now := t.Now()
	streams, err := takeStreams(ctx, t.Pool, now, now.Add(lease))
	if err != nil {
		return fmt.Errorf("looking for streams: %w", err)
	}
	var failures []error
	for _, st := range streams {
		failures = append(failures, t.deliver(ctx, st))
	}
	return errors.Join(failures...)
}

func (t *Transmitter) deliver(ctx context.Context, st stream) error {
	waiting, err := waitingEvents(ctx, t.Pool, st.ID, pushed)
	if err != nil {
		return err
	}
	for _, q := range waiting {
		if err := t.push(ctx, st, q); err != nil {
			return errors.Join(fmt.Errorf("pushing to client %s: %w", st.Client, err), t.failed(ctx, st))
		}
		if err := doneEvents(ctx, t.Pool, st.ID, []uuid.UUID{q.ID}); err != nil {
			return err
		}
	}
	st.Failing, st.Tries = nil, 0
	return settleStream(ctx, t.Pool, st, t.Now())
}

// failed has a stream wait, and after a day pauses it. That it is paused is the first
// thing that the party hears when it takes its stream up again.
func (t *Transmitter) failed(ctx context.Context, st stream) error {
	now := t.Now()
	if st.Failing == nil {
		st.Failing = &now
	}
	wait := mostWait
	if st.Tries < 10 {
		wait = min(mostWait, firstWait<<st.Tries)
	}
	st.Tries++
	if now.Sub(*st.Failing) < givenUpAfter {
		return settleStream(ctx, t.Pool, st, now.Add(wait))
	}
	st.Status, st.Reason = statusPaused, "Events could not be pushed for a day."
	return postgres.InTx(ctx, t.Pool, func(tx pgx.Tx) error {
		if err := settleStream(ctx, tx, st, now); err != nil {
			return err
		}
		return t.enqueue(ctx, tx, st.ID, t.updated(st))
	})
}

// updated is the event that says what became of a stream (SSF 1.0, 8.1.5).
func (t *Transmitter) updated(st stream) event {
	claims := map[string]any{"status": st.Status}
	if st.Reason != "" {
		claims["reason"] = st.Reason
	}
	return event{Type: streamUpdated, Subject: map[string]any{"format": "opaque", "id": st.ID.String()}, Claims: claims, At: t.Now().Unix()}
}

// push hands one event over (RFC 8935). What a party refuses as wrong would be wrong
// the next time, too: it counts as delivered.
func (t *Transmitter) push(ctx context.Context, st stream, q queued) error {
	signed, err := t.sign(st, q)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, *st.Endpoint, strings.NewReader(signed))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/secevent+jwt")
	r.Header.Set("Accept", "application/json")
	if st.Credential != nil {
		credential, err := t.Ring.Open(keys.Notices, st.Credential, credentialPlace(st.ID))
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", string(credential))
	}
	answer, err := t.HTTP.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusOK, http.StatusAccepted, http.StatusNoContent:
		return nil
	case http.StatusBadRequest:
		var said struct {
			Err string `json:"err"`
		}
		raw, _ := io.ReadAll(io.LimitReader(answer.Body, 4<<10))
		_ = json.Unmarshal(raw, &said)
		slog.WarnContext(ctx, "a party refused a signal", "client", st.Client, "event", q.ID, "error", said.Err)
		return nil
	}
	return fmt.Errorf("it answered %d", answer.StatusCode)
}

func credentialPlace(stream uuid.UUID) []byte {
	return append([]byte("signal credential\x00"), stream[:]...)
}
