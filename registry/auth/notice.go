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
	"github.com/plinth-id/plinth/registry"
	"github.com/plinth-id/plinth/templates"
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
	m := d.news(i, notify.Message{Text: l.Must(key, "Client", client(l.BCP47), "At", moment(now)), Subject: l.Must(key + ".subject"), Until: now.Add(noticeLife)})
	if m.To == "" {
		return nil
	}
	return d.Queue(ctx, tx, m)
}

func moment(at time.Time) string { return at.UTC().Format("2006-01-02 15:04 UTC") }

// news directs a message to the better channel that a person has; to nobody when they
// have none.
func (d *Desk) news(i registry.Identity, m notify.Message) notify.Message {
	all := d.everywhere(i, m)
	if len(all) == 0 {
		return notify.Message{}
	}
	return all[0]
}

// everywhere directs a message to every channel that a person has, the better first.
func (d *Desk) everywhere(i registry.Identity, m notify.Message) (all []notify.Message) {
	if i.Phone() != "" && d.Offers(notify.SMS) {
		all = append(all, notify.Message{Channel: notify.SMS, To: i.Phone(), Text: m.Text, Until: m.Until})
	}
	if i.Email() != "" && d.Offers(notify.Mail) {
		m.Channel, m.To = notify.Mail, i.Email()
		all = append(all, m)
	}
	return all
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
// nobody has, and for one that was called too often, the client sees no difference:
// nobody answers.
func (d *Desk) Call(ctx context.Context, tx pgx.Tx, c Call) error {
	who, err := d.claim(ctx, tx, c.Identifier)
	if err != nil {
		return err
	}
	free, err := spend(ctx, tx, d.calls(c), d.Now())
	if err != nil || !free {
		return err
	}
	sends, err := spend(ctx, tx, d.messages(who.person, ""), d.Now())
	if err != nil {
		return err
	}
	i, err := d.Registry.Details(ctx, tx, who.person)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	// Of a number that nobody has as much is made, kept and recorded as of one that
	// somebody has: a message out of date, which is not sent.
	l, entry := templates.Languages()[0], audit.Entry{Event: audit.LoginCalled, Actor: actor(c.Client)}
	if err == nil {
		l, entry.Person = languageOf(i), who.person
	}
	text := l.Must("notice.call", "Client", c.Named(l.BCP47), "Binding", c.Binding, "Address", c.Address)
	m := d.decoy(text)
	if err == nil && sends {
		m = d.news(i, notify.Message{Text: text, Subject: l.Must("notice.call.subject"), Until: c.Until})
	}
	if m.To != "" {
		if err := d.Queue(ctx, tx, m); err != nil {
			return err
		}
	}
	return audit.Append(ctx, tx, entry)
}
