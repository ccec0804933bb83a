package auth

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/notify"
	"github.com/plinth-id/plinth/internal/postgres"
)

// noticeLife is how long news of a login is worth sending.
const noticeLife = 24 * time.Hour

// Tell sends a person news about their account, by the channel that they have:
// the sentence with this key, about a client whose name depends on the language.
func (d *Desk) Tell(ctx context.Context, tx pgx.Tx, person uuid.UUID, key string, client func(lang string) string) error {
	i, err := d.Registry.Details(ctx, tx, person)
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

// Whose is the person who has a number; for a number that nobody has, somebody who
// never passes.
func (d *Desk) Whose(ctx context.Context, db postgres.DB, identifier string) (uuid.UUID, error) {
	who, err := d.claim(ctx, db, identifier)
	return who.person, err
}

// Call is a client that asks a person, who is elsewhere, to log in.
type Call struct {
	Identifier, Client, From string
	Named                    func(lang string) string // the client
	Address, Binding         string
	Until                    time.Time
}

// Call sends a person the address at which they can answer. For a number that
// nobody has it does the same, and sends nothing.
func (d *Desk) Call(ctx context.Context, tx pgx.Tx, c Call) error {
	who, err := d.claim(ctx, tx, c.Identifier)
	if err != nil {
		return err
	}
	free, err := spend(ctx, tx, d.codes(who.person, "", c.From), d.Now())
	if err != nil {
		return err
	}
	if !free || !who.exists {
		return nil // the client sees no difference: nobody answers
	}
	i, err := d.Registry.Details(ctx, tx, who.person)
	if err != nil {
		return err
	}
	l := languageOf(i)
	text := l.Must("notice.call", "Client", c.Named(l.BCP47), "Binding", c.Binding, "Address", c.Address)
	m := notify.Message{Text: text, Until: c.Until}
	switch {
	case i.Phone() != "" && d.Offers(notify.SMS):
		m.Channel, m.To = notify.SMS, i.Phone()
	case i.Email() != "" && d.Offers(notify.Mail):
		m.Channel, m.To, m.Subject = notify.Mail, i.Email(), l.Must("notice.call.subject")
	default:
		return nil
	}
	if err := d.Queue(ctx, tx, m); err != nil {
		return err
	}
	return audit.Append(ctx, tx, audit.Entry{Event: audit.LoginCalled, Person: who.person, Actor: actor(c.Client)})
}
