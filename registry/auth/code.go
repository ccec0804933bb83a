package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
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

const (
	codeDigits = 6
	codeLife   = 5 * time.Minute
	codeTries  = 5 // per code; then it is dead
	demoCode   = "111111"
)

// SendCode sends a one-time code to the person's phone, or else mail address.
// For a number that nobody has it does the same work and answers the same.
func (d *Desk) SendCode(ctx context.Context, r CodeRequest) (Sent, error) {
	sent := Sent{Expires: d.Now().Add(codeLife)}
	if r.Transaction == "" {
		return sent, errors.New("auth: a code needs a transaction")
	}
	limited := false
	err := postgres.InTx(ctx, d.Pool, func(tx pgx.Tx) error {
		limited = false
		who, err := d.claim(ctx, tx, r.Identifier)
		if err != nil {
			return err
		}
		free, err := spend(ctx, tx, d.codes(who.person, r.Device, r.From), d.Now())
		if err != nil {
			return err
		}
		if limited = !free; limited {
			return nil
		}
		code, err := d.draw(who)
		if err != nil {
			return err
		}
		in := transaction(r.Client, r.Transaction)
		// A guess must be compared with one code, not with all that were sent.
		if err := dropCodes(ctx, tx, in, who.person); err != nil {
			return fmt.Errorf("keeping a code: %w", err)
		}
		if err := insertCode(ctx, tx, uuid.New(), in, who.person, d.mac(who.person, code), sent.Expires); err != nil {
			return fmt.Errorf("keeping a code: %w", err)
		}
		return d.dispatch(ctx, tx, who, code, r.Client)
	})
	if err != nil {
		return sent, err
	}
	if limited {
		return sent, errWait
	}
	return sent, nil
}

// draw draws a code. One for nobody is always random, in a demo too.
func (d *Desk) draw(who claimed) (string, error) {
	if d.Demo && who.exists {
		return demoCode, nil
	}
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		return "", fmt.Errorf("drawing a code: %w", err)
	}
	return fmt.Sprintf("%0*d", codeDigits, n), nil
}

// mac is how a code is kept. A million codes are tried quickly, so what guards
// them is that the key is not in the database (ASVS 6.5.2 asks for a slow hash
// where it would be).
func (d *Desk) mac(person uuid.UUID, code string) []byte {
	return d.Ring.PRF("auth code", person[:], []byte(code))
}

// dispatch queues the message by the better channel that the person has. For
// nobody, or somebody erased since, it does the same work with a message that is
// out of date and is not sent: the time that an answer takes must not tell who
// there is.
func (d *Desk) dispatch(ctx context.Context, tx pgx.Tx, who claimed, code, client string) error {
	i, err := d.Registry.Details(ctx, tx, who.person)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	entry := audit.Entry{Event: audit.CodeSent, Actor: actor(client)}
	var m notify.Message
	if err == nil {
		m = d.message(i, code)
		entry.Person, entry.Details = who.person, map[string]string{"channel": string(m.Channel)}
	} else {
		m = d.decoy(code)
		entry.Details = map[string]string{"channel": "none: nobody has this number"}
	}
	if m.To == "" {
		// The answer must not tell; whoever helps the person must be able to see it.
		slog.WarnContext(ctx, "no channel for a one-time code", "person", who.person)
	} else if err := d.Queue(ctx, tx, m); err != nil {
		return err
	}
	return audit.Append(ctx, tx, entry)
}

// decoy is a message to nobody, which was out of date before it was written.
func (d *Desk) decoy(code string) notify.Message {
	channel := notify.SMS
	if !d.Offers(channel) {
		channel = notify.Mail
	}
	text := templates.Languages()[0].Must("notice.code", "Code", code, "Minutes", int(codeLife.Minutes()))
	return notify.Message{Channel: channel, To: "+00000000000", Text: text, Until: d.Now().Add(-codeLife)}
}

func (d *Desk) message(i registry.Identity, code string) notify.Message {
	l := languageOf(i)
	text, until := l.Must("notice.code", "Code", code, "Minutes", int(codeLife.Minutes())), d.Now().Add(codeLife)
	if i.Phone() != "" && d.Offers(notify.SMS) {
		return notify.Message{Channel: notify.SMS, To: i.Phone(), Text: text, Until: until}
	}
	if i.Email() != "" && d.Offers(notify.Mail) {
		return notify.Message{Channel: notify.Mail, To: i.Email(), Subject: l.Must("notice.code.subject"), Text: text, Until: until}
	}
	return notify.Message{}
}

func languageOf(i registry.Identity) templates.Language {
	for _, l := range templates.Languages() {
		if l.Tag == i.Language() {
			return l
		}
	}
	return templates.Languages()[0]
}

// codeFits spends a code: one guarded statement, so that it fits once.
func (d *Desk) codeFits(a Attempt) factor {
	code := strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' {
			return -1
		}
		return r
	}, a.Code)
	return factor{unfit: func(ctx context.Context, tx pgx.Tx, who claimed) (string, error) {
		in := transaction(a.Client, a.Transaction)
		spent, err := spendCode(ctx, tx, in, who.person, d.mac(who.person, code), d.Now())
		if err != nil {
			return "", fmt.Errorf("spending a code: %w", err)
		}
		if spent {
			return "", nil
		}
		if err := countTry(ctx, tx, in, who.person); err != nil {
			return "", fmt.Errorf("counting a try: %w", err)
		}
		return string(ByCode), nil
	}}
}

// Sweep forgets codes, budgets, images, challenges, keys and proofs of work that have expired.
func (d *Desk) Sweep(ctx context.Context) error {
	now := d.Now()
	return errors.Join(sweepCodes(ctx, d.Pool, now.Add(-time.Hour)), sweepLimits(ctx, d.Pool, now), sweepImages(ctx, d.Pool, now),
		sweepChallenges(ctx, d.Pool, now), sweepKeys(ctx, d.Pool, now), sweepWork(ctx, d.Pool, now))
}
