package enrol

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres"
)

// job moves one application as far as it goes. The row alone says where it
// stands; the job may be lost, doubled or late.
type job struct {
	Application uuid.UUID `json:"application"`
}

// Kind names the job for River.
func (job) Kind() string { return jobKind }

const (
	jobKind = "enrol_advance"
	// A worker that is silent for so long is taken for dead.
	lease = 10 * time.Second
	// An application over which so many processes died waits for a person: it may be
	// what killed them.
	maxAttempts = 6
	// So does one that failed so often, which is after some hours: a store that is
	// away for a while is no reason to bother anybody.
	maxFailures = 30
	// River counts too, but a process that dies tells it nothing; so we count in
	// the row, and River's count must not end first.
	riverAttempts = 100
)

func (o *Office) enqueue(ctx context.Context, tx pgx.Tx, application uuid.UUID) error {
	return o.Enqueue(ctx, tx, job{application}, &river.InsertOpts{MaxAttempts: riverAttempts})
}

// AddWorkers lets this process work on applications.
func (o *Office) AddWorkers(w *river.Workers) { river.AddWorker(w, &worker{office: o}) }

type worker struct {
	river.WorkerDefaults[job]
	office *Office
}

// Timeout bounds one run; it ends with the next state that nobody waits for.
func (*worker) Timeout(*river.Job[job]) time.Duration { return 10 * time.Minute }

// NextRetry is after 1, 2, 4 … 512 seconds, then every ten minutes.
func (w *worker) NextRetry(j *river.Job[job]) time.Time { return w.office.Now().Add(pause(j.Attempt)) }

func pause(attempt int) time.Duration {
	return min(time.Second<<min(max(attempt-1, 0), 10), 10*time.Minute)
}

// Work moves one application as far as it goes.
func (w *worker) Work(ctx context.Context, j *river.Job[job]) error {
	o := w.office
	a, err := claim(ctx, o.Pool, j.Args.Application, j.ID)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // at its end, waiting, or in other hands
	}
	if err != nil {
		return fmt.Errorf("claiming an application: %w", err)
	}
	if a.attempts > maxAttempts || j.Attempt > maxFailures {
		return o.quarantine(ctx, a)
	}
	for a.State != "" {
		next, err := o.step(ctx, a, j.ID)
		if fault.Is(err, fault.Conflict) {
			slog.InfoContext(ctx, "application moved by someone else", "application", a.ID)
			return nil
		}
		if err != nil {
			return o.giveUp(ctx, a, j, err)
		}
		a.State, a.attempts = next, 1
	}
	return nil
}

// step runs the stage of the state that the application is in, and gives the
// next in which there is something to do.
func (o *Office) step(ctx context.Context, a Application, by int64) (next State, err error) {
	stop := o.heartbeat(ctx, a.ID, by)
	defer stop()
	return o.stage(ctx, a).settle(ctx, o, a)
}

// giveUp leaves an application to the next attempt.
func (o *Office) giveUp(ctx context.Context, a Application, j *river.Job[job], err error) error {
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	// We are told to stop, which is no failed attempt; a stage that took all of its
	// time is one, or it would begin anew for ever.
	if errors.Is(ctx.Err(), context.Canceled) {
		err = river.JobSnooze(0)
		if lost := release(last, o.Pool, a.ID, j.ID); lost != nil {
			slog.WarnContext(ctx, "giving a claim back failed", "application", a.ID, "error", lost)
		}
		return err
	}
	slog.WarnContext(ctx, "a stage failed", "application", a.ID, "stage", stages[a.State], "attempt", j.Attempt, "error", err)
	if lost := postpone(last, o.Pool, a.ID, j.ID, pause(j.Attempt)+lease); lost != nil {
		slog.WarnContext(ctx, "keeping a claim failed", "application", a.ID, "error", lost)
	}
	return fmt.Errorf("stage %s: %w", stages[a.State], err)
}

// heartbeat keeps the claim until stop is called. A claim only spares double
// work: what a stage writes names the state that it leaves.
func (o *Office) heartbeat(ctx context.Context, id uuid.UUID, by int64) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(lease / 3)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if err := extend(ctx, o.Pool, id, by, lease); err != nil && ctx.Err() == nil {
					slog.WarnContext(ctx, "keeping a claim failed", "application", id, "error", err)
				}
			}
		}
	}()
	return func() { cancel(); <-done }
}

// stage does the work of a state, outside of any transaction.
func (o *Office) stage(ctx context.Context, a Application) outcome {
	switch a.State {
	case Received:
		return o.check(ctx, a)
	case Checked:
		return o.join(ctx, a)
	case Compared:
		return o.dedupe(ctx, a)
	case Unique:
		return o.assign(ctx, a)
	case Assigned:
		return o.tell(ctx, a)
	}
	return tryAgain{fmt.Errorf("nothing is to be done in state %s", a.State)}
}

// quarantine lays an application aside for a person, since something in it or in
// us fails again and again.
func (o *Office) quarantine(ctx context.Context, a Application) error {
	const reason = "Processing failed several times. An administrator must look at the log and then resume the application."
	slog.ErrorContext(ctx, "application quarantined", "application", a.ID, "stage", stages[a.State])
	return postgres.InTx(ctx, o.Pool, func(tx pgx.Tx) error {
		if err := o.move(ctx, tx, a, transition{to: Quarantined, code: "failed-repeatedly", reason: reason}); err != nil {
			return err
		}
		return audit.Append(ctx, tx, audit.Entry{Event: audit.ApplicationHeld, Subject: a.ID.String(), Details: map[string]string{"stage": stages[a.State], "reason": "failed-repeatedly"}})
	})
}

// Recover puts applications back to work whose worker died or whose job was
// lost. It is called at the start and every few seconds.
func (o *Office) Recover(ctx context.Context) error {
	err := postgres.InTx(ctx, o.Pool, func(tx pgx.Tx) error {
		lost, err := abandoned(ctx, tx, 500)
		if err != nil {
			return err
		}
		for _, id := range lost {
			if err := o.enqueue(ctx, tx, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("recovering applications: %w", err)
	}
	return nil
}
