package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/plinth-id/plinth/internal/failpoint"
	"github.com/plinth-id/plinth/internal/keys"
)

// delivered is the point between deliveries and their mark.
var delivered = failpoint.Name("notify/delivered")

// A gateway that is down stays down for minutes or for days: attempts come soon
// at first and end after four days.
const (
	firstPause = time.Second
	maxPause   = 15 * time.Minute
	keepFor    = 4 * 24 * time.Hour // a message that never went out

	atOnce   = 16               // messages of one round
	patience = 30 * time.Second // with a gateway, for one message
	lease    = time.Minute      // after which a message of a process that fell is anybody's
	rounds   = 2                // side by side, so that a slow gateway does not hold up the other channel
)

// settle is how long after Queue its transaction has ended most often, and nearly always.
var settle = []time.Duration{20 * time.Millisecond, 150 * time.Millisecond}

// Run delivers what is queued until ctx ends. Any number of processes may do so.
func (s *Sender) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for range rounds {
		group.Go(func() error { s.run(ctx); return nil })
	}
	return group.Wait()
}

// run looks a moment after something was queued here, and every second for what was
// queued elsewhere.
func (s *Sender) run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var looks []time.Duration
	for {
		for more := true; more && ctx.Err() == nil; {
			n, err := s.Deliver(ctx)
			if err != nil && ctx.Err() == nil {
				slog.WarnContext(ctx, "delivering messages failed", "error", err)
			}
			more = n == atOnce && err == nil
		}
		var soon <-chan time.Time
		if len(looks) > 0 {
			soon, looks = time.After(looks[0]), looks[1:]
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-soon:
		case <-s.waking:
			looks = settle[1:]
			time.Sleep(settle[0])
		}
	}
}

// Deliver hands over the messages that are due, a round of them, and tells how many
// they were. Between a delivery and its mark we may fall, and then it goes out twice,
// with the same id: better than never.
func (s *Sender) Deliver(ctx context.Context) (int, error) {
	now := s.Now()
	due, err := takeOutbox(ctx, s.Pool, now, now.Add(lease))
	if err != nil || len(due) == 0 {
		return 0, err
	}
	outcomes := make([]error, len(due))
	var all sync.WaitGroup
	for i, q := range due {
		all.Go(func() { outcomes[i] = s.deliverOne(ctx, q) })
	}
	all.Wait()
	failpoint.Hit(delivered)
	// A shutdown must not make a message go out twice.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	var done []uuid.UUID
	for i, q := range due {
		if outcomes[i] == nil {
			done = append(done, q.ID)
			continue
		}
		slog.WarnContext(ctx, "a message was not taken", "message", q.ID, "attempt", q.Attempts, "error", outcomes[i])
		if err := postpone(ctx, s.Pool, q.ID, now.Add(pause(q.Attempts))); err != nil {
			return len(due), err
		}
	}
	return len(due), forget(ctx, s.Pool, done)
}

// pause doubles from attempt to attempt.
func pause(attempts int) time.Duration {
	if n := max(attempts-1, 0); n < 20 {
		return min(maxPause, firstPause<<n)
	}
	return maxPause
}

// deliverOne hands one message over; nil: it need not be tried again.
func (s *Sender) deliverOne(ctx context.Context, q queued) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	m, err := s.open(q)
	if err != nil {
		return err
	}
	if !m.Until.IsZero() && s.Now().After(m.Until) {
		return nil
	}
	deliver := s.deliver(m.Channel)
	if deliver == nil {
		return fmt.Errorf("there is no %s channel any more", m.Channel)
	}
	err = deliver(ctx, m)
	if errors.Is(err, ErrRefused) {
		slog.WarnContext(ctx, "message refused for good", "message", m.ID, "channel", m.Channel)
		return nil
	}
	return err
}

func (s *Sender) open(q queued) (m Message, err error) {
	plain, err := s.Ring.Open(keys.Notices, q.Sealed, place("outbox", q.ID))
	if err != nil {
		return m, err
	}
	if json.Unmarshal(plain, &m) != nil {
		return m, errors.New("a queued message cannot be read") // the cause would quote it
	}
	m.ID = q.ID
	return m, nil
}

// Sweep forgets what could not go out for days.
func (s *Sender) Sweep(ctx context.Context) error {
	lost, err := sweepOutbox(ctx, s.Pool, s.Now().Add(-keepFor))
	if lost > 0 {
		slog.ErrorContext(ctx, "messages were never taken by their gateway", "messages", lost)
	}
	return err
}
