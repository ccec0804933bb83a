package auth

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/notify"
)

// noticeLife is how long news of a login is worth sending.
const noticeLife = 24 * time.Hour

// Tell sends a person news about their account, by the channel that they have:
// the sentence with this key, about a client whose name depends on the language.
func (d *Desk) Tell(ctx context.Context, tx pgx.Tx, person uuid.UUID, key string, client func(lang string) string) error {
	i, err := d.Registry.Read(ctx, tx, person)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	l, now := languageOf(i), d.Now()
	m := notify.Message{Text: l.Must(key, "Client", client(l.BCP47), "At", now.UTC().Format("2006-01-02 15:04 UTC")), Until: now.Add(noticeLife)}
	switch {
	case i.Phone() != "" && d.Offers(notify.SMS):
		m.Channel, m.To = notify.SMS, i.Phone()
	case i.Email() != "" && d.Offers(notify.Mail):
		m.Channel, m.To, m.Subject = notify.Mail, i.Email(), l.Must(key+".subject")
	default:
		return nil
	}
	return d.Queue(ctx, tx, m)
}
