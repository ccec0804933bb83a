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
		if !who.exists {
			return nil
		}
		return d.dispatch(ctx, tx, who.person, code, r.Client)
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

// dispatch queues the message by the better channel that the person has.
func (d *Desk) dispatch(ctx context.Context, tx pgx.Tx, person uuid.UUID, code, client string) error {
	i, err := d.Registry.Read(ctx, tx, person)
	if fault.Is(err, fault.NotFound) {
		return nil // erased since: as somebody who never was
	}
	if err != nil {
		return err
	}
	m := d.message(i, code)
	if m.To == "" {
		// The answer must not tell; whoever helps the person must be able to see it.
		slog.WarnContext(ctx, "no channel for a one-time code", "person", person)
	} else if err := d.Queue(ctx, tx, m); err != nil {
		return err
	}
	return audit.Append(ctx, tx, audit.Entry{Event: audit.CodeSent, Person: person, Actor: actor(client), Details: map[string]string{"channel": string(m.Channel)}})
}

func (d *Desk) message(i registry.Identity, code string) notify.Message {
	l := languageOf(i)
	text := l.Must("notice.code", "Code", code, "Minutes", int(codeLife.Minutes()))
	if i.Phone() != "" && d.Offers(notify.SMS) {
		return notify.Message{Channel: notify.SMS, To: i.Phone(), Text: text}
	}
	if i.Email() != "" && d.Offers(notify.Mail) {
		return notify.Message{Channel: notify.Mail, To: i.Email(), Subject: l.Must("notice.code.subject"), Text: text}
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
	return factor{acr: ACRCode, amr: []string{"otp"}, fits: func(ctx context.Context, tx pgx.Tx, who claimed) (bool, error) {
		in := transaction(a.Client, a.Transaction)
		spent, err := spendCode(ctx, tx, in, who.person, d.mac(who.person, code), d.Now())
		if err != nil {
			return false, fmt.Errorf("spending a code: %w", err)
		}
		if !spent {
			if err := countTry(ctx, tx, in, who.person); err != nil {
				return false, fmt.Errorf("counting a try: %w", err)
			}
		}
		return spent, nil
	}}
}

// Sweep forgets codes and budgets that have expired.
func (d *Desk) Sweep(ctx context.Context) error {
	return errors.Join(sweepCodes(ctx, d.Pool, d.Now().Add(-time.Hour)), sweepLimits(ctx, d.Pool, d.Now()))
}
