package enrol

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/notify"
	"github.com/plinth-id/plinth/registry"
	"github.com/plinth-id/plinth/templates"
)

// assign gives a unique person a number. The registry gives one application one
// number, whatever happens between.
func (o *Office) assign(ctx context.Context, a Application) outcome {
	c, err := o.stored(ctx, a)
	if err != nil {
		return tryAgain{err}
	}
	p, err := parsePerson(c.Person)
	if err != nil {
		return tryAgain{err}
	}
	e, err := galleryOf(ctx, o.Pool, a.ID)
	if err != nil {
		return tryAgain{fmt.Errorf("reading templates: %w", err)}
	}
	n := registry.NewIdentity{Application: a.ID, Fields: p.Fields, Portrait: c.portrait(), Vetting: o.vetting(a, c, p)}
	if n.Templates, err = o.openTemplates(e); err != nil {
		return tryAgain{err}
	}
	return passed{to: Assigned, also: func(ctx context.Context, tx pgx.Tx) error {
		assigned, err := o.Registry.Assign(ctx, tx, n)
		if err != nil {
			return err
		}
		return setPerson(ctx, tx, a.ID, assigned.Person)
	}}
}

// vetting tells how it was found out who this is: which documents were seen, by
// whom, and when the officer sent the application in.
func (o *Office) vetting(a Application, c contents, p person) registry.Vetting {
	v := registry.Vetting{Framework: registry.Framework, Process: "enrolment", Application: a.ID.String(), Officer: a.officer.String(), At: o.Now()}
	if len(a.History) > 0 {
		v.At = a.History[0].At
	}
	for _, d := range c.Documents {
		seen := registry.VettingEvidence{Type: "document", Document: d.Name, Method: "pipp"}
		if field, ok := p.Fields[d.Name].(map[string]any); ok {
			if kind, ok := field["type"].(string); ok && kind != "" {
				seen.Document = kind
			}
			seen.Number, _ = field["refNumber"].(string)
		}
		v.Evidence = append(v.Evidence, seen)
	}
	return v
}

// portrait is the face as a picture, or nil.
func (c contents) portrait() []byte {
	for _, s := range c.Samples {
		if s.Position != biometrics.FullFace {
			continue
		}
		if seen, err := s.picture(); err == nil { // as it was when it was checked
			return seen.Data
		}
	}
	return nil
}

// tell offers what follows from a number, and tells the person that it is there.
// The number itself travels by no mail and no text message.
func (o *Office) tell(ctx context.Context, a Application) outcome {
	person, err := personOf(ctx, o.Pool, a.ID)
	if err != nil {
		return tryAgain{fmt.Errorf("reading who was enrolled: %w", err)}
	}
	i, err := o.Registry.Read(ctx, o.Pool, person)
	if err != nil {
		return tryAgain{err}
	}
	l := languageOf(i)
	n := &notice{to: i, subject: l.Must("notice.ready.subject"), text: l.Must("notice.ready")}
	return passed{to: Notified, event: audit.ApplicationNotified, about: person, also: func(ctx context.Context, tx pgx.Tx) error {
		if o.Offer != nil {
			if err := o.Offer(ctx, tx, person, a.ID); err != nil {
				return fmt.Errorf("offering a credential: %w", err)
			}
		}
		return n.queue(ctx, tx, o.Notify)
	}}
}

// notice is one message to an applicant, by every channel that they named.
type notice struct {
	to            registry.Identity
	subject, text string
}

func (n *notice) queue(ctx context.Context, tx pgx.Tx, send func(context.Context, pgx.Tx, notify.Message) error) error {
	if n == nil {
		return nil
	}
	for _, m := range []notify.Message{
		{Channel: notify.Mail, To: n.to.Email(), Subject: n.subject, Text: n.text},
		{Channel: notify.SMS, To: n.to.Phone(), Text: n.text},
	} {
		if m.To == "" {
			continue
		}
		if err := send(ctx, tx, m); err != nil {
			return err
		}
	}
	return nil
}

// refusal is the notice to somebody whose application ends without a number. A
// packet that cannot be read names nobody who could be told.
func (o *Office) refusal(ctx context.Context, a Application) *notice {
	c, err := o.stored(ctx, a)
	if err != nil {
		slog.WarnContext(ctx, "nobody can be told of a rejection", "application", a.ID, "error", err)
		return nil
	}
	p, err := parsePerson(c.Person)
	// What the schema did not pass may be no address at all.
	if err != nil || o.Registry.Schema.Check(p.Fields) != nil {
		return nil
	}
	i := registry.Identity{Fields: p.Fields}
	l := languageOf(i)
	return &notice{to: i, subject: l.Must("notice.rejected.subject"), text: l.Must("notice.rejected", "Application", a.ID)}
}

// languageOf is the language that a person prefers, or that of their name.
func languageOf(i registry.Identity) templates.Language {
	for _, wish := range append([]string{i.Language()}, i.Languages("fullName")...) {
		for _, l := range templates.Languages() {
			if l.Tag == wish {
				return l
			}
		}
	}
	return templates.Languages()[0]
}
