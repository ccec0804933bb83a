package credentials

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/plinth-id/plinth/internal/notify"
	"github.com/plinth-id/plinth/registry"
	"github.com/plinth-id/plinth/registry/auth"
	"github.com/plinth-id/plinth/templates"
)

// Enrolled offers the credential to somebody who has just been given a UIN, and
// sends the offer and its transaction code. It is the Offer of enrol.Config.
func (i *Issuer) Enrolled(ctx context.Context, tx pgx.Tx, person, application uuid.UUID) error {
	return i.send(ctx, tx, person, nil, "enrolment "+application.String())
}

// send offers kinds to a person by message, and the transaction code by another.
func (i *Issuer) send(ctx context.Context, tx pgx.Tx, person uuid.UUID, kinds []string, reason string) error {
	who, err := i.Registry.Details(ctx, tx, person)
	if err != nil {
		return err
	}
	first, second := i.channels(who)
	if first.To == "" {
		return nil // nobody would ever see the offer
	}
	offer, err := i.Offer(ctx, tx, OfferTo{Person: person, TxCode: true, Kinds: kinds, Voucher: auth.Voucher{Reason: reason}})
	if err != nil {
		return err
	}
	l := languageOf(who)
	first.Subject, first.Text = l.Must("offer.notice.subject"), l.Must("offer.notice", "Page", offer.Page)
	second.Subject, second.Text = l.Must("offer.code.subject"), l.Must("offer.code", "Code", offer.TxCode)
	if err := i.Notify(ctx, tx, first); err != nil {
		return err
	}
	return i.Notify(ctx, tx, second)
}

// channels chooses how the offer and its code travel: by two ways when the
// person has two.
func (i *Issuer) channels(who registry.Identity) (first, second notify.Message) {
	mail := notify.Message{Channel: notify.Mail, To: who.Email()}
	sms := notify.Message{Channel: notify.SMS, To: who.Phone()}
	mails, texts := mail.To != "" && i.Offers(notify.Mail), sms.To != "" && i.Offers(notify.SMS)
	switch {
	case mails && texts:
		return mail, sms
	case !mails && !texts:
		return notify.Message{}, notify.Message{}
	case mails:
		return mail, mail
	}
	return sms, sms
}

// languageOf is the language that the person prefers, or that of the name.
func languageOf(who registry.Identity) templates.Language {
	for _, wish := range append([]string{who.Language()}, who.Languages("fullName")...) {
		for _, l := range templates.Languages() {
			if l.Tag == wish {
				return l
			}
		}
	}
	return templates.Languages()[0]
}
