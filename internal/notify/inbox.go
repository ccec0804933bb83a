package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/plinth-id/plinth/internal/keys"
)

// Inbox takes the place of mail and text messages in a demo: whoever looks may
// read them all.
type Inbox struct {
	pool *pgxpool.Pool
	ring *keys.Ring
}

// NewInbox makes an Inbox.
func NewInbox(pool *pgxpool.Pool, ring *keys.Ring) *Inbox { return &Inbox{pool, ring} }

// Deliver keeps a message; delivered twice, it is there once.
func (i *Inbox) Deliver(ctx context.Context, m Message) error {
	plain, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("keeping a message: %w", err)
	}
	sealed, err := i.ring.Seal(keys.Notices, plain, place("inbox", m.ID))
	if err != nil {
		return fmt.Errorf("keeping a message: %w", err)
	}
	return insertInbox(ctx, i.pool, m.ID, sealed, time.Now())
}

// Messages lists the messages, newest first.
func (i *Inbox) Messages(ctx context.Context, limit int) ([]Message, error) {
	rows, err := readInbox(ctx, i.pool, limit)
	if err != nil {
		return nil, fmt.Errorf("reading the inbox: %w", err)
	}
	messages := make([]Message, len(rows))
	for n, row := range rows {
		plain, err := i.ring.Open(keys.Notices, row.Sealed, place("inbox", row.ID))
		if err != nil {
			return nil, fmt.Errorf("reading the inbox: %w", err)
		}
		if err := json.Unmarshal(plain, &messages[n]); err != nil {
			return nil, fmt.Errorf("reading the inbox: %w", err)
		}
		messages[n].ID, messages[n].At = row.ID, row.At
	}
	return messages, nil
}
