package enrol

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/failpoint"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres"
)

// outcome is what came of a stage: passed, failed, onHold or tryAgain. Each
// settles itself, in one transaction, and gives the state in which work can go
// on at once; empty: somebody else, or nobody, goes on.
type outcome interface {
	settle(ctx context.Context, o *Office, a Application) (next State, err error)
}

// passed moves the application on; also runs in the same transaction.
type passed struct {
	to    State
	event audit.Event // empty: also has recorded one
	about uuid.UUID   // whom the event is about, once that is known
	also  func(ctx context.Context, tx pgx.Tx) error
}

// failed ends the application.
type failed struct {
	code   string
	reason string
	notes  map[string]string // for the audit
	also   func(ctx context.Context, tx pgx.Tx) error
}

// onHold leaves the application where it is until another one is decided.
type onHold struct {
	waitsFor uuid.UUID
	also     func(ctx context.Context, tx pgx.Tx) error
}

// tryAgain says that the stage could not do its work.
type tryAgain struct{ err error }

// refused makes a failure of what a stage found wrong, and tryAgain of the rest.
func refused(err error) outcome {
	f := fault.Of(err)
	if f.Kind != fault.Invalid {
		return tryAgain{err}
	}
	reason := f.Sentence
	for _, field := range f.Fields {
		if len(reason) > longestReason {
			break
		}
		name := field.Name
		if !fieldForm.MatchString(name) {
			name = "(a name that is not shown)" // a reason is kept in the open, and somebody's data may be where a name should be
		}
		reason += " " + name + ": " + field.Rule + "."
	}
	return failed{code: f.Code, reason: presentable(reason)}
}

// fieldForm is what fields, images and documents are called.
var fieldForm = regexp.MustCompile(`^(UIN|[a-z][A-Za-z0-9_.\-/]{0,63})$`)

// longestReason bounds a reason: a packet may name thousands of unknown fields.
const longestReason = 2000

// presentable is a text that a database can keep and a screen can show, whatever
// names of fields a packet brought.
func presentable(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return '?'
		}
		return r
	}, text)
	if len(text) <= longestReason {
		return text
	}
	end := longestReason
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}

// points are the failpoints around the commit of each stage.
var points = func() map[State][2]string {
	all := make(map[State][2]string)
	for _, s := range append(slices.Clone(working), Doubtful) {
		all[s] = [2]string{failpoint.Name("enrol/" + stages[s] + "/before-commit"), failpoint.Name("enrol/" + stages[s] + "/after-commit")}
	}
	return all
}()

// commit runs do in a transaction between the two failpoints of the stage.
func (o *Office) commit(ctx context.Context, a Application, do func(tx pgx.Tx) error) error {
	err := postgres.InTx(ctx, o.Pool, func(tx pgx.Tx) error {
		if err := do(tx); err != nil {
			return err
		}
		failpoint.Hit(points[a.State][0])
		return nil
	})
	if err == nil {
		failpoint.Hit(points[a.State][1])
	}
	return err
}

func (p passed) settle(ctx context.Context, o *Office, a Application) (State, error) {
	err := o.commit(ctx, a, func(tx pgx.Tx) error {
		if err := o.move(ctx, tx, a, transition{to: p.to}); err != nil {
			return err
		}
		if p.also != nil {
			if err := p.also(ctx, tx); err != nil {
				return err
			}
		}
		if p.event == "" {
			return nil
		}
		return audit.Append(ctx, tx, audit.Entry{Event: p.event, Person: p.about, Subject: a.ID.String()})
	})
	if !slices.Contains(working, p.to) {
		return "", err
	}
	return p.to, err
}

func (f failed) settle(ctx context.Context, o *Office, a Application) (State, error) {
	notice := o.refusal(ctx, a)
	return "", o.commit(ctx, a, func(tx pgx.Tx) error {
		if f.also != nil {
			if err := f.also(ctx, tx); err != nil {
				return err
			}
		}
		return o.reject(ctx, tx, a, f, notice)
	})
}

func (h onHold) settle(ctx context.Context, o *Office, a Application) (next State, err error) {
	err = o.commit(ctx, a, func(tx pgx.Tx) error {
		undecided, err := lockUndecided(ctx, tx, h.waitsFor)
		if err != nil {
			return err
		}
		if err := h.also(ctx, tx); err != nil {
			return err
		}
		if next = ""; !undecided { // decided since we looked: compare once more
			next = a.State
			return nil
		}
		if err := hold(ctx, tx, a, h.waitsFor); err != nil {
			return err
		}
		return audit.Append(ctx, tx, audit.Entry{Event: audit.ApplicationHeld, Subject: a.ID.String(), Details: map[string]string{"waits_for": h.waitsFor.String()}})
	})
	return next, err
}

func (t tryAgain) settle(context.Context, *Office, Application) (State, error) { return "", t.err }

// transition is one step of an application.
type transition struct {
	to           State
	code, reason string
}

// move makes a step, and wakes those who waited for it.
func (o *Office) move(ctx context.Context, tx pgx.Tx, a Application, t transition) error {
	if err := advance(ctx, tx, a, t, o.Now()); err != nil {
		return err
	}
	if t.to != Assigned && t.to != Rejected {
		return nil
	}
	woken, err := wake(ctx, tx, a.ID)
	if err != nil {
		return err
	}
	for _, id := range woken {
		if err := o.enqueue(ctx, tx, id); err != nil {
			return err
		}
	}
	return nil
}

// reject ends an application: its prints leave the gallery, the person is told.
func (o *Office) reject(ctx context.Context, tx pgx.Tx, a Application, f failed, notice *notice) error {
	if err := o.move(ctx, tx, a, transition{to: Rejected, code: f.code, reason: f.reason}); err != nil {
		return err
	}
	if err := removeFromGallery(ctx, tx, a.ID); err != nil {
		return err
	}
	if err := notice.queue(ctx, tx, o.Notify); err != nil {
		return err
	}
	details := map[string]string{"stage": stages[a.State], "reason": f.code}
	for key, value := range f.notes {
		details[key] = value
	}
	return audit.Append(ctx, tx, audit.Entry{Event: audit.ApplicationRejected, Subject: a.ID.String(), Details: details})
}
