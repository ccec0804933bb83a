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
	var told *fault.Fault
	err := postgres.InTx(ctx, d.Pool, func(tx pgx.Tx) error {
		who, err := d.claim(ctx, tx, r.Identifier)
		if err != nil {
			return err
		}
		if told, err = d.take(ctx, tx, d.codes(who.person, r)); err != nil || told != nil {
			return err
		}
		sends, err := spend(ctx, tx, d.messages(who.person, r.Device), d.Now())
		if err != nil {
			return err
		}
		code, err := d.draw(who)
		if err != nil {
			return err
		}
		kept := d.mac(who.person, code)
		if !sends {
			kept = d.mac(who.person, rand.Text()) // nobody reads it, so nobody may guess it
		}
		in := transaction(r.Client, r.Transaction)
		// A guess must be compared with one code, not with all that were sent.
		if err := dropCodes(ctx, tx, in, who.person); err != nil {
			return fmt.Errorf("keeping a code: %w", err)
		}
		if err := insertCode(ctx, tx, uuid.New(), in, who.person, kept, sent.Expires); err != nil {
			return fmt.Errorf("keeping a code: %w", err)
		}
		return d.dispatch(ctx, tx, who, dispatch{code, r.Client, sends})
	})
	if err != nil {
		return sent, err
	}
	if told != nil {
		return sent, told
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

// dispatch is a code on its way to a person, for a client.
type dispatch struct {
	code, client string
	sends        bool // false: too many were sent
}

// dispatch queues the message by the better channel that the person has. For
// nobody, or somebody erased since, it does the same work with a message that is
// out of date and is not sent: the time that an answer takes must not tell who
// there is.
func (d *Desk) dispatch(ctx context.Context, tx pgx.Tx, who claimed, of dispatch) error {
	i, err := d.Registry.Details(ctx, tx, who.person)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	entry := audit.Entry{Event: audit.CodeSent, Actor: actor(of.client)}
	var m notify.Message
	switch {
	case err != nil:
		m = d.decoy(codeText(templates.Languages()[0], of.code))
		entry.Details = map[string]string{"channel": "none: nobody has this number"}
	case !of.sends:
		m = d.decoy(codeText(languageOf(i), of.code))
		entry.Person, entry.Details = who.person, map[string]string{"channel": "none: too many were sent"}
	default:
		m = d.message(i, of.code)
		entry.Person, entry.Details = who.person, map[string]string{"channel": string(m.Channel)}
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
func (d *Desk) decoy(text string) notify.Message {
	channel := notify.SMS
	if !d.Offers(channel) {
		channel = notify.Mail
	}
	return notify.Message{Channel: channel, To: "+00000000000", Text: text, Until: d.Now().Add(-codeLife)}
}

func codeText(l templates.Language, code string) string {
	return l.Must("notice.code", "Code", code, "Minutes", int(codeLife.Minutes()))
}

func (d *Desk) message(i registry.Identity, code string) notify.Message {
	l := languageOf(i)
	text, until := codeText(l, code), d.Now().Add(codeLife)
	return d.news(i, notify.Message{Text: text, Subject: l.Must("notice.code.subject"), Until: until})
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
