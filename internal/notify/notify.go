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

// Deliver hands one message over; an error means: try again later, unless it is
// ErrRefused.
type Deliver func(ctx context.Context, m Message) error

// ErrRefused says that a message will never be taken, however often it is sent:
// there is no such mailbox or number.
var ErrRefused = errors.New("notify: the message was refused for good")

// Config is what a Sender works with. A channel without Deliver is not offered.
type Config struct {
	Pool *pgxpool.Pool
	Ring *keys.Ring
	Mail Deliver
	SMS  Deliver
	Now  func() time.Time // nil means time.Now
}

// Sender queues messages and delivers them.
type Sender struct {
	Config
	waking chan struct{}
}

// New makes a Sender.
func New(c Config) (*Sender, error) {
	if c.Pool == nil || c.Ring == nil {
		return nil, errors.New("notify: Pool and Ring are needed")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Sender{c, make(chan struct{}, 1)}, nil
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
	select {
	case s.waking <- struct{}{}:
	default:
	}
	return nil
}

// place is what a sealed message is bound to.
func place(table string, id uuid.UUID) []byte {
	return append([]byte("notify "+table+"\x00"), id[:]...)
}
