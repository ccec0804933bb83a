package abis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/Azure/go-amqp"
)

// Queue is where requests come from and answers go to: two queues of a broker that
// speaks AMQP 1.0. ActiveMQ does, beside its own protocol, and makes JMS messages of
// ours where its connector says transport.transformer=jms.
type Queue struct {
	Address        string // amqp://host:5672 or amqps://…
	User, Password string
	Requests       string // its name, as mosip-to-abis
	Answers        string // its name, as abis-to-mosip
}

const (
	atOnce    = 16 // requests under way
	firstWait = time.Second
	mostWait  = time.Minute
)

// link is a connection to both queues.
type link struct {
	conn *amqp.Conn
	from *amqp.Receiver
	to   *amqp.Sender
}

// connect opens both queues: messages are taken from one and put into the other.
func (q Queue) connect(ctx context.Context, from, to string) (*link, error) {
	options := &amqp.ConnOptions{SASLType: amqp.SASLTypeAnonymous()}
	if q.User != "" {
		options.SASLType = amqp.SASLTypePlain(q.User, q.Password)
	}
	conn, err := amqp.Dial(ctx, q.Address, options)
	if err != nil {
		return nil, fmt.Errorf("abis: reaching the broker: %w", err)
	}
	l := &link{conn: conn}
	session, err := conn.NewSession(ctx, nil)
	if err == nil {
		l.from, err = session.NewReceiver(ctx, from, &amqp.ReceiverOptions{Credit: atOnce})
	}
	if err == nil {
		l.to, err = session.NewSender(ctx, to, nil)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("abis: opening the queues: %w", err), conn.Close())
	}
	return l, nil
}

// Serve answers what comes, until ctx ends. When the broker goes away it is waited for.
// A request is taken off its queue after its answer was put into the other one.
func (q Queue) Serve(ctx context.Context, a *ABIS) error {
	wait := firstWait
	for {
		l, err := q.connect(ctx, q.Requests, q.Answers)
		if err == nil {
			slog.InfoContext(ctx, "abis: the queues are open")
			wait = firstWait
			err = l.serve(ctx, a)
		}
		if ctx.Err() != nil {
			return nil
		}
		slog.WarnContext(ctx, "abis: the broker is away", "error", err, "again_in", wait)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		wait = min(2*wait, mostWait)
	}
}

// serve answers what comes over one connection. Requests get their place in the order
// of the queue; several are answered at once.
func (l *link) serve(ctx context.Context, a *ABIS) error {
	ctx, cancel := context.WithCancel(ctx)
	var working sync.WaitGroup
	defer func() { cancel(); working.Wait(); _ = l.conn.Close() }()
	for {
		m, err := l.from.Receive(ctx, nil)
		if err != nil {
			return err
		}
		body, isText := bodyOf(m)
		arrival := a.Arrive(body)
		working.Go(func() {
			if err := l.answer(ctx, arrival, m, isText); err != nil {
				slog.WarnContext(ctx, "abis: a request goes back into its queue", "error", err)
				cancel() // with the connection, all that was not accepted does
			}
		})
	}
}

func (l *link) answer(ctx context.Context, arrival *Arrival, m *amqp.Message, isText bool) error {
	answer, err := arrival.Answer(ctx)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	if err := l.to.Send(ctx, messageOf(raw, isText), nil); err != nil {
		return err
	}
	return l.from.AcceptMessage(ctx, m)
}

// bodyOf is the body of a message, text or bytes; of any other it is empty.
func bodyOf(m *amqp.Message) (body []byte, isText bool) {
	switch v := m.Value.(type) {
	case string:
		return []byte(v), true
	case []byte:
		return v, false
	}
	for _, part := range m.Data {
		body = append(body, part...)
	}
	return body, false
}

func messageOf(raw []byte, isText bool) *amqp.Message {
	m := &amqp.Message{Header: &amqp.MessageHeader{Durable: true}}
	if isText {
		m.Value = strings.TrimSpace(string(raw))
	} else {
		m.Data = [][]byte{raw}
	}
	return m
}
