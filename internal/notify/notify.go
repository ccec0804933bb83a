// Package notify sends mail and text messages. A message is queued, sealed, in
// the transaction that it belongs to, and delivered at least once after it.
package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/plinth-id/plinth/internal/keys"
)

// Channel is how a message travels.
type Channel string

// The channels.
const (
	Mail Channel = "mail"
	SMS  Channel = "sms"
)

// Message is one mail or text message.
type Message struct {
	ID      uuid.UUID `json:"-"` // for gateways that drop what they got already
	Channel Channel   `json:"channel"`
	To      string    `json:"to"`
	Subject string    `json:"subject,omitempty"`
	Text    string    `json:"text"`
	At      time.Time `json:"-"` // when the inbox got it
}

// String shows nothing of the message: it may hold a one-time code.
func (m Message) String() string { return "message by " + string(m.Channel) }

// GoString is String.
func (m Message) GoString() string { return m.String() }

// Enqueue puts a job into the line in the transaction that it belongs to.
type Enqueue = func(ctx context.Context, tx pgx.Tx, args river.JobArgs, opts *river.InsertOpts) error

// Deliver hands one message over; an error means: try again later.
type Deliver func(ctx context.Context, m Message) error

// Config is what a Sender works with. A channel without Deliver is not offered.
type Config struct {
	Pool    *pgxpool.Pool
	Ring    *keys.Ring
	Mail    Deliver
	SMS     Deliver
	Enqueue Enqueue
	Now     func() time.Time // nil means time.Now
}

// Sender queues messages and delivers them.
type Sender struct{ Config }

// New makes a Sender.
func New(c Config) (*Sender, error) {
	if c.Pool == nil || c.Ring == nil || c.Enqueue == nil {
		return nil, errors.New("notify: Pool, Ring and Enqueue are needed")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Sender{c}, nil
}

// Offers tells whether messages can be sent by this channel.
func (s *Sender) Offers(c Channel) bool { return s.deliver(c) != nil }

func (s *Sender) deliver(c Channel) Deliver {
	switch c {
	case Mail:
		return s.Mail
	case SMS:
		return s.SMS
	}
	return nil
}

// job delivers one message.
type job struct {
	ID uuid.UUID `json:"id"`
}

// Kind names the job for River.
func (job) Kind() string { return "notify" }

// attempts spread over about a day by River's growing pauses.
const attempts = 12

// Queue seals a message and queues it in tx. A channel that is not offered is
// passed over: the caller chooses among those that are.
func (s *Sender) Queue(ctx context.Context, tx pgx.Tx, m Message) error {
	if !s.Offers(m.Channel) || m.To == "" {
		return nil
	}
	id := uuid.New()
	plain, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("queueing a message: %w", err)
	}
	sealed, err := s.Ring.Seal(keys.Notices, plain, place("outbox", id))
	if err != nil {
		return fmt.Errorf("queueing a message: %w", err)
	}
	if err := insertOutbox(ctx, tx, id, sealed, s.Now()); err != nil {
		return fmt.Errorf("queueing a message: %w", err)
	}
	return s.Enqueue(ctx, tx, job{id}, &river.InsertOpts{MaxAttempts: attempts})
}

// place is what a sealed message is bound to.
func place(table string, id uuid.UUID) []byte {
	return append([]byte("notify "+table+"\x00"), id[:]...)
}

// AddWorkers lets this process deliver.
func (s *Sender) AddWorkers(w *river.Workers) { river.AddWorker(w, &worker{sender: s}) }

type worker struct {
	river.WorkerDefaults[job]
	sender *Sender
}

// Timeout bounds one attempt.
func (*worker) Timeout(*river.Job[job]) time.Duration { return 30 * time.Second }

// Work delivers one message. Between delivery and its mark we may fall, and then
// it goes out twice, with the same id: better than never.
func (w *worker) Work(ctx context.Context, j *river.Job[job]) error {
	s := w.sender
	sealed, err := readOutbox(ctx, s.Pool, j.Args.ID)
	if err != nil || sealed == nil {
		return err // sealed is nil: it has gone out
	}
	plain, err := s.Ring.Open(keys.Notices, sealed, place("outbox", j.Args.ID))
	if err != nil {
		return river.JobCancel(err)
	}
	m := Message{ID: j.Args.ID}
	if err := json.Unmarshal(plain, &m); err != nil {
		return river.JobCancel(errors.New("reading a queued message failed"))
	}
	deliver := s.deliver(m.Channel)
	if deliver == nil {
		return river.JobCancel(fmt.Errorf("there is no %s channel any more", m.Channel))
	}
	if err := deliver(ctx, m); err != nil {
		return err
	}
	return markSent(ctx, s.Pool, j.Args.ID, s.Now())
}

// Sweep forgets what went out more than a day ago.
func (s *Sender) Sweep(ctx context.Context) error {
	return sweepOutbox(ctx, s.Pool, s.Now().Add(-24*time.Hour))
}
