// Package enrol takes an application from its sealed packet to an identity
// number: checked, placed in one line with all others, compared with everyone
// who stands before it, decided, and assigned. Whatever stops a process, every
// packet that was accepted reaches exactly one outcome, and no person two numbers.
package enrol

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/plinth-id/plinth/biometrics/evidence"
	"github.com/plinth-id/plinth/biometrics/gallery"
	"github.com/plinth-id/plinth/internal/blob"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/notify"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/registry"
	"github.com/plinth-id/plinth/registry/place"
)

// Config is what an Office works with.
type Config struct {
	Pool     *pgxpool.Pool
	Ring     *keys.Ring
	Blob     blob.Store
	Registry *registry.Registry
	Stations func(ctx context.Context, db postgres.DB, id uuid.UUID) (place.Station, error)
	Gallery  *gallery.Gallery // of this process, empty at first
	Policy   evidence.Policy  // what is asked of samples; the zero one asks for nothing
	Enqueue  func(ctx context.Context, tx pgx.Tx, args river.JobArgs, opts *river.InsertOpts) error
	Notify   func(ctx context.Context, tx pgx.Tx, m notify.Message) error
	// Offer runs in the transaction that ends an enrolment. Nil: nothing is offered.
	Offer    func(ctx context.Context, tx pgx.Tx, person, application uuid.UUID) error
	Verdicts int              // officers who must agree on a doubtful case; 0 means 2
	Now      func() time.Time // nil means time.Now
}

// Office runs enrolments.
type Office struct {
	Config
	line    line
	opening chan struct{} // as long as the queue of those who open a packet at once
}

// New makes an Office.
func New(c Config) (*Office, error) {
	if c.Pool == nil || c.Ring == nil || c.Blob == nil || c.Registry == nil || c.Stations == nil || c.Gallery == nil || c.Enqueue == nil || c.Notify == nil {
		return nil, errors.New("enrol: all but Offer, Verdicts and Now are needed")
	}
	if c.Verdicts == 0 {
		c.Verdicts = 2
	}
	if c.Verdicts < 1 || c.Verdicts > 3 {
		return nil, errors.New("enrol: one to three officers decide a case")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Office{Config: c, opening: make(chan struct{}, max(2, runtime.GOMAXPROCS(0)))}, nil
}

// State is where an application stands.
type State string

// The states, in the order of a life without trouble; Rejected and Notified are
// the ends, Doubtful and Quarantined wait for a person.
const (
	Received    State = "received"
	Checked     State = "checked"  // data, consent and images are good
	Compared    State = "compared" // in line; being compared with all before it
	Unique      State = "unique"
	Assigned    State = "assigned" // has a number
	Notified    State = "notified" // and has been told
	Doubtful    State = "doubtful"
	Rejected    State = "rejected"
	Quarantined State = "quarantined"
)

// stages name what happens to an application in each state.
var stages = map[State]string{Received: "check", Checked: "line", Compared: "dedupe", Unique: "assign",
	Assigned: "notify", Doubtful: "adjudicate", Quarantined: "quarantine"}

// working are the states in which we, and nobody else, have something to do.
var working = []State{Received, Checked, Compared, Unique, Assigned}

// Application is one application, with nothing of the person in it.
type Application struct {
	ID       uuid.UUID     `json:"application"`
	Process  string        `json:"process"`
	State    State         `json:"state"`
	Stage    string        `json:"stage"` // what happens next; empty: nothing
	Code     string        `json:"reason_code,omitempty"`
	Reason   string        `json:"reason,omitempty"`
	WaitsFor *uuid.UUID    `json:"waits_for,omitempty"` // an application that must be decided first
	UIN      *registry.UIN `json:"uin_masked,omitempty"`
	Samples  []Shot        `json:"samples,omitempty"` // once they were checked
	History  []Move        `json:"history,omitempty"`

	digest    []byte
	packet    uuid.UUID
	officer   uuid.UUID
	submitter uuid.UUID
	stoppedAt State
	person    uuid.UUID
	attempts  int
	shots     []byte
}

// Move is one step that an application has made.
type Move struct {
	State  State     `json:"state"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
}

var errUnknown = fault.New(fault.NotFound, "There is no application with this id. Check the id that you got when the packet was sent.").Named("application-unknown")

// Application tells how an application stands.
func (o *Office) Application(ctx context.Context, id uuid.UUID) (Application, error) {
	a, err := readApplication(ctx, o.Pool, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return a, errUnknown
	}
	if err != nil {
		return a, fmt.Errorf("reading an application: %w", err)
	}
	if a.History, err = readMoves(ctx, o.Pool, id); err != nil {
		return a, fmt.Errorf("reading an application: %w", err)
	}
	k, err := o.openShots(a)
	if err != nil {
		return a, err
	}
	a.Samples = k.Shots
	if a.person == uuid.Nil {
		return a, nil
	}
	i, err := o.Registry.Read(ctx, o.Pool, a.person)
	if fault.Is(err, fault.NotFound) {
		return a, nil // erased since
	}
	if err != nil {
		return a, err
	}
	a.UIN = &i.UIN
	return a, nil
}
