// Package notify sends mail and text messages. A message is queued, sealed, in
// the transaction that it belongs to, and delivered at least once after it.
package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/plinth-id/plinth/internal/failpoint"
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
	Until   time.Time `json:"until,omitzero"` // after which it helps nobody and is not sent, e.g. the end of a code; zero: never
	At      time.Time `json:"-"`              // when the inbox got it
}

// String shows nothing of the message: it may hold a one-time code.
func (m Message) String() string { return "message by " + string(m.Channel) }

// GoString is String.
func (m Message) GoString() string { return m.String() }

// LogValue is String.
func (m Message) LogValue() slog.Value { return slog.StringValue(m.String()) }

// Enqueue puts a job into the line in the transaction that it belongs to.
type Enqueue = func(ctx context.Context, tx pgx.Tx, args river.JobArgs, opts *river.InsertOpts) error

// Deliver hands one message over; an error means: try again later, unless it is
// ErrRefused.
type Deliver func(ctx context.Context, m Message) error

// ErrRefused says that a message will never be taken, however often it is sent:
// there is no such mailbox or number.
var ErrRefused = errors.New("notify: the message was refused for good")

// delivered is the point between a delivery and its mark.
var delivered = failpoint.Name("notify/delivered")

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

// A gateway that is down stays down for minutes or for days: attempts come soon
// at first and end after three days.
const (
	firstPause = time.Second
	maxPause   = 15 * time.Minute
	attempts   = 300
	keepFor    = 4 * 24 * time.Hour // of a message that never went out
)

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

// NextRetry doubles the pause from attempt to attempt.
func (w *worker) NextRetry(j *river.Job[job]) time.Time {
	pause := maxPause
	if n := max(j.Attempt-1, 0); n < 20 {
		pause = min(pause, firstPause<<n)
	}
	return time.Now().Add(pause)
}

// Work delivers one message. Between delivery and its mark we may fall, and then
// it goes out twice, with the same id: better than never.
func (w *worker) Work(ctx context.Context, j *river.Job[job]) error {
	s := w.sender
	m, found, err := s.read(ctx, j.Args.ID)
	if err != nil || !found {
		return err
	}
	if !m.Until.IsZero() && s.Now().After(m.Until) {
		return forget(ctx, s.Pool, m.ID)
	}
	deliver := s.deliver(m.Channel)
	if deliver == nil {
		return fmt.Errorf("there is no %s channel any more", m.Channel)
	}
	err = deliver(ctx, m)
	if errors.Is(err, ErrRefused) {
		slog.WarnContext(ctx, "message refused for good", "message", m.ID, "channel", m.Channel)
		return forget(ctx, s.Pool, m.ID)
	}
	if err != nil {
		return err
	}
	failpoint.Hit(delivered)
	// A shutdown must not make a message go out twice.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return markSent(ctx, s.Pool, m.ID, s.Now())
}

// read opens a queued message; it is not found when it went out already.
func (s *Sender) read(ctx context.Context, id uuid.UUID) (m Message, found bool, err error) {
	sealed, err := readOutbox(ctx, s.Pool, id)
	if err != nil || sealed == nil {
		return m, false, err
	}
	plain, err := s.Ring.Open(keys.Notices, sealed, place("outbox", id))
	if err != nil {
		return m, false, err
	}
	if json.Unmarshal(plain, &m) != nil {
		return m, false, errors.New("a queued message cannot be read") // the cause would quote it
	}
	m.ID = id
	return m, true, nil
}

// Sweep forgets what went out more than a day ago, and what could not go out for
// days.
func (s *Sender) Sweep(ctx context.Context) error {
	lost, err := sweepOutbox(ctx, s.Pool, s.Now().Add(-24*time.Hour), s.Now().Add(-keepFor))
	if lost > 0 {
		slog.ErrorContext(ctx, "messages were never taken by their gateway", "messages", lost)
	}
	return err
}
