package enrol

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/registry/place"
)

// Why a case is doubtful.
const (
	similarFingers = "similar-fingers"
	sameData       = "same-data"
	noFingers      = "no-fingers"
	sameImage      = "same-image"
)

// Case is a doubtful application and those who it may be. What other officers
// said is not in it: each judges for themselves.
type Case struct {
	ID          uuid.UUID   `json:"case"`
	Application uuid.UUID   `json:"application"`
	Kind        string      `json:"kind"`
	Opened      time.Time   `json:"opened_at"`
	Given       int         `json:"verdicts_given"`
	Needed      int         `json:"verdicts_needed"` // that agree
	Candidates  []candidate `json:"candidates"`

	decided bool
}

// verdict is what one officer said; a nil DuplicateOf means unique.
type verdict struct {
	Officer     uuid.UUID
	DuplicateOf *uuid.UUID
}

// doubt opens a case and lets the application wait for officers.
func (o *Office) doubt(a Application, doubts []candidate, searched func(context.Context, pgx.Tx) error) outcome {
	kind := noFingers
	if len(doubts) > 0 {
		kind = sameData
		if slices.ContainsFunc(doubts, func(c candidate) bool { return c.Fingers > 0 }) {
			kind = similarFingers
		}
		if slices.ContainsFunc(doubts, func(c candidate) bool { return c.SameImage }) {
			kind = sameImage
		}
	}
	return passed{to: Doubtful, event: audit.ApplicationHeld, also: func(ctx context.Context, tx pgx.Tx) error {
		if err := searched(ctx, tx); err != nil {
			return err
		}
		id := uuid.New()
		if err := insertCase(ctx, tx, Case{ID: id, Application: a.ID, Kind: kind, Opened: o.Now()}); err != nil {
			return err
		}
		for _, c := range doubts {
			if err := insertCandidate(ctx, tx, id, c); err != nil {
				return err
			}
		}
		return audit.Append(ctx, tx, audit.Entry{Event: audit.CaseOpened, Subject: id.String(), Details: map[string]string{"application": a.ID.String(), "kind": kind}})
	}}
}

// Cases lists the cases that wait for a verdict, the oldest first.
func (o *Office) Cases(ctx context.Context) ([]Case, error) {
	all, err := openCases(ctx, o.Pool, 200)
	if err != nil {
		return nil, fmt.Errorf("listing cases: %w", err)
	}
	for i := range all {
		all[i].Needed = o.Verdicts
		if all[i].Candidates, err = readCandidates(ctx, o.Pool, all[i].ID); err != nil {
			return nil, fmt.Errorf("listing cases: %w", err)
		}
	}
	return all, nil
}

var (
	errNoCase    = fault.New(fault.NotFound, "There is no open case with this id. List the cases to see which wait.").Named("case-unknown")
	errVerdict   = fault.New(fault.Invalid, "A verdict is unique, or duplicate:APPLICATION with the application of the same person. Choose one.").Named("verdict-invalid")
	errOwn       = fault.New(fault.Denied, "You took part in this enrolment, so another officer must judge it.").Named("verdict-own")
	errDecided   = fault.New(fault.Conflict, "This case was decided already. List the cases to see which wait.").Named("case-decided")
	errTwice     = fault.New(fault.Conflict, "You have judged this case already. Another officer must judge it too.").Named("verdict-twice")
	errNoJudge   = fault.New(fault.Denied, "Only adjudicators and administrators judge cases. Ask one of them.").Named("role-missing")
	errNoReason  = fault.New(fault.Invalid, "A verdict needs its reason, of at most 2,000 characters. Write what you saw.").Named("verdict-invalid").At("reason", "must have 1 to 2,000 characters")
	errNoMatches = fault.New(fault.Invalid, "The case does not name that application. Choose one of its candidates.").Named("verdict-invalid")
)

const maxReason = 2000

// Adjudicate records what an officer says of a case: "unique", or
// "duplicate:APPLICATION" (the application may be left out when there is only
// one candidate). It decides the case as soon as enough officers say the same. An
// officer who repeats themselves word for word gets the same answer, and changes
// nothing.
func (o *Office) Adjudicate(ctx context.Context, id uuid.UUID, officer place.Officer, says, reason string) error {
	if officer.Role != place.Adjudicator && officer.Role != place.Administrator {
		return errNoJudge
	}
	if reason = strings.TrimSpace(reason); reason == "" || len(reason) > maxReason {
		return errNoReason
	}
	c, err := readCase(ctx, o.Pool, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return errNoCase
	}
	if err != nil {
		return fmt.Errorf("reading a case: %w", err)
	}
	h := heard{opened: id, officer: officer, says: says, reason: reason}
	if done, err := o.repeated(ctx, h); done || err != nil {
		return err
	}
	if c.decided {
		return errDecided
	}
	a, err := readApplication(ctx, o.Pool, c.Application)
	if err != nil {
		return fmt.Errorf("reading a case: %w", err)
	}
	if h.sealed, err = o.Ring.Seal(keys.Identity, []byte(reason), h.at()); err != nil {
		return err
	}
	h.notice = o.refusal(ctx, a)
	a.State = Doubtful // which the guard of the step asks for
	err = o.commit(ctx, a, func(tx pgx.Tx) error { return o.hear(ctx, tx, a, h) })
	// The same verdict may have come twice at once.
	if errors.Is(err, errDecided) || postgres.IsUnique(err, "enrol_verdict_pkey") {
		if done, again := o.repeated(ctx, h); done || again != nil {
			return again
		}
	}
	return err
}

// heard is what an officer says.
type heard struct {
	opened  uuid.UUID
	officer place.Officer
	says    string
	reason  string
	sealed  []byte // the reason
	notice  *notice
}

// at is what the sealed reason is bound to.
func (h heard) at() []byte {
	return append(append([]byte("enrol_verdict\x00"), h.opened[:]...), h.officer.ID[:]...)
}

// repeated tells whether the officer has said the same before; to say something
// else is refused.
func (o *Office) repeated(ctx context.Context, h heard) (bool, error) {
	before, sealed, err := verdictOf(ctx, o.Pool, h.opened, h.officer.ID)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading verdicts: %w", err)
	}
	reason, err := o.Ring.Open(keys.Identity, sealed, h.at())
	if err != nil {
		return false, fmt.Errorf("reading verdicts: %w", err)
	}
	of, err := o.parseVerdict(ctx, o.Pool, h.opened, h.says)
	if err != nil {
		return false, err
	}
	if text(of) != text(before.DuplicateOf) || h.reason != string(reason) {
		return false, errTwice
	}
	return true, nil
}

// hear takes one verdict, and decides the case when enough agree.
func (o *Office) hear(ctx context.Context, tx pgx.Tx, a Application, h heard) error {
	// Two verdicts at once must see one another, or neither would decide.
	if err := lockCase(ctx, tx, h.opened); errors.Is(err, pgx.ErrNoRows) {
		return errDecided
	} else if err != nil {
		return fmt.Errorf("reading a case: %w", err)
	}
	if h.officer.ID == a.officer || h.officer.ID == a.submitter {
		return errOwn
	}
	of, err := o.parseVerdict(ctx, tx, h.opened, h.says)
	if err != nil {
		return err
	}
	v := verdict{Officer: h.officer.ID, DuplicateOf: of}
	if err := insertVerdict(ctx, tx, h.opened, v, h.sealed, o.Now()); err != nil {
		return err
	}
	actor := "officer:" + h.officer.ID.String()
	if err := audit.Append(ctx, tx, audit.Entry{Event: audit.VerdictGiven, Actor: actor, Subject: h.opened.String(), Details: map[string]string{"duplicate_of": text(of)}}); err != nil {
		return err
	}
	all, err := readVerdicts(ctx, tx, h.opened)
	if err != nil {
		return fmt.Errorf("reading verdicts: %w", err)
	}
	agreed := 0
	for _, other := range all {
		if text(other.DuplicateOf) == text(of) {
			agreed++
		}
	}
	if agreed < o.Verdicts {
		return nil
	}
	return o.decide(ctx, tx, a, of, h)
}

// decide ends a case: the application goes on to its number, or ends.
func (o *Office) decide(ctx context.Context, tx pgx.Tx, a Application, of *uuid.UUID, h heard) error {
	if err := closeCase(ctx, tx, h.opened, of, o.Now()); err != nil {
		return err
	}
	if err := audit.Append(ctx, tx, audit.Entry{Event: audit.Adjudicated, Actor: "officer:" + h.officer.ID.String(), Subject: h.opened.String(),
		Details: map[string]string{"application": a.ID.String(), "duplicate_of": text(of)}}); err != nil {
		return err
	}
	if of != nil {
		f := duplicate(a, candidate{Application: *of}, func(context.Context, pgx.Tx) error { return nil })
		if err := f.also(ctx, tx); err != nil {
			return err
		}
		return o.reject(ctx, tx, a, f, h.notice)
	}
	if err := o.move(ctx, tx, a, transition{to: Unique}); err != nil {
		return err
	}
	return o.enqueue(ctx, tx, a.ID)
}

// parseVerdict gives nil for unique, and else the application of the same person.
func (o *Office) parseVerdict(ctx context.Context, db postgres.DB, opened uuid.UUID, says string) (*uuid.UUID, error) {
	if says == "unique" {
		return nil, nil
	}
	candidates, err := readCandidates(ctx, db, opened)
	if err != nil {
		return nil, fmt.Errorf("reading candidates: %w", err)
	}
	if says == "duplicate" && len(candidates) == 1 {
		return &candidates[0].Application, nil
	}
	named, ok := strings.CutPrefix(says, "duplicate:")
	of, err := uuid.Parse(named)
	if !ok || err != nil {
		return nil, errVerdict
	}
	if slices.ContainsFunc(candidates, func(c candidate) bool { return c.Application == of }) {
		return &of, nil
	}
	// Nothing was found for somebody without fingers, but an officer may know.
	other, err := readApplication(ctx, db, of)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("reading candidates: %w", err)
	}
	if len(candidates) > 0 || err != nil || other.person == uuid.Nil {
		return nil, errNoMatches
	}
	return &of, nil
}

func text(id *uuid.UUID) string {
	if id == nil {
		return ""
	}
	return id.String()
}

// Resume puts a quarantined application back to work, once its cause is gone.
func (o *Office) Resume(ctx context.Context, id uuid.UUID, officer place.Officer) error {
	if officer.Role != place.Administrator {
		return fault.New(fault.Denied, "Only an administrator resumes an application. Ask one.").Named("role-missing")
	}
	return postgres.InTx(ctx, o.Pool, func(tx pgx.Tx) error {
		a, err := readApplication(ctx, tx, id)
		if errors.Is(err, pgx.ErrNoRows) {
			return errUnknown
		}
		if err != nil {
			return fmt.Errorf("resuming an application: %w", err)
		}
		if a.State != Quarantined {
			return fault.New(fault.Conflict, "This application is not quarantined. Look at it again.").Named("application-moved")
		}
		if err := o.move(ctx, tx, a, transition{to: a.stoppedAt}); err != nil {
			return err
		}
		if err := audit.Append(ctx, tx, audit.Entry{Event: audit.ApplicationResumed, Actor: "officer:" + officer.ID.String(), Subject: id.String()}); err != nil {
			return err
		}
		return o.enqueue(ctx, tx, id)
	})
}
