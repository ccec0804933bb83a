// Package registry holds who the people are: one identity each, sealed under a
// key of their own, found by keyed hashes of their numbers.
package registry

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/postgres"
)

// Config is what a Registry works with.
type Config struct {
	Pool      *pgxpool.Pool
	Ring      *keys.Ring
	Schema    *Schema // of new identities
	UINDigits int     // length of new numbers, 10 to 12
	// OnChange runs inside the transaction of a change, so that what must follow
	// from it (status bits, notices) cannot be left behind. Nil: nothing follows.
	OnChange func(ctx context.Context, tx pgx.Tx, c Change) error
	Now      func() time.Time // nil means time.Now
}

// Registry is the identity repository.
type Registry struct {
	Config
	names pairwiseNames
}

// New makes a Registry.
func New(c Config) (*Registry, error) {
	if c.Pool == nil || c.Ring == nil || c.Schema == nil {
		return nil, errors.New("registry: Pool, Ring and Schema are needed")
	}
	if c.UINDigits < MinUINDigits || c.UINDigits > MaxUINDigits {
		return nil, fmt.Errorf("registry: numbers have %d to %d digits, not %d", MinUINDigits, MaxUINDigits, c.UINDigits)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Registry{Config: c}, nil
}

// Status is where an identity stands in its life.
type Status string

// The statuses.
const (
	Active      Status = "active"
	Deactivated Status = "deactivated"
	Blocked     Status = "blocked"
)

// Change is what happened to an identity.
type Change struct {
	Person uuid.UUID
	Status Status
	Fields []string // of the identity schema that were corrected; nil: the status changed
}

// errUnknown is the one answer for a number that is not there, is mistyped, or
// may not be used: which of them it is would help who guesses.
var errUnknown = fault.New(fault.NotFound, "There is no identity with this number. Check the number and try again.").Named("identity-unknown")

// Find gives the person whose active UIN or VID this is; fault NotFound
// otherwise.
func (r *Registry) Find(ctx context.Context, db postgres.DB, id string) (uuid.UUID, error) {
	if u, err := ParseUIN(id); err == nil {
		return found(findByUIN(ctx, db, r.Ring.LookupAll("uin", u.digits)))
	}
	if v, err := ParseVID(id); err == nil {
		return found(findByVID(ctx, db, r.Ring.LookupAll("vid", v.digits)))
	}
	return uuid.Nil, errUnknown
}

// Trace gives the person whose UIN or VID this is, whatever became of the identity:
// for officers who look after what was issued to it.
func (r *Registry) Trace(ctx context.Context, db postgres.DB, id string) (uuid.UUID, error) {
	if u, err := ParseUIN(id); err == nil {
		return found(traceUIN(ctx, db, r.Ring.LookupAll("uin", u.digits)))
	}
	return r.Find(ctx, db, id)
}

func found(person uuid.UUID, err error) (uuid.UUID, error) {
	if errors.Is(err, pgx.ErrNoRows) {
		return uuid.Nil, errUnknown
	}
	if err != nil {
		return uuid.Nil, fmt.Errorf("finding a person: %w", err)
	}
	return person, nil
}

// key is a person's key; who was erased is as unknown as who never was.
func (r *Registry) key(ctx context.Context, db postgres.DB, person uuid.UUID) (keys.PersonKey, error) {
	key, err := r.Ring.Person(ctx, db, person)
	if errors.Is(err, keys.ErrErased) {
		return key, errUnknown.Because(err)
	}
	return key, err
}

// SetStatus deactivates, blocks or reactivates an identity.
func (r *Registry) SetStatus(ctx context.Context, tx pgx.Tx, person uuid.UUID, from, to Status) error {
	if from == to || to != Active && to != Deactivated && to != Blocked {
		return fault.New(fault.Invalid, "An identity is made active, deactivated or blocked. Choose one that it is not.")
	}
	done, err := setStatus(ctx, tx, person, from, to, r.Now())
	if err != nil {
		return fmt.Errorf("changing a status: %w", err)
	}
	if !done {
		return fault.New(fault.Conflict, "This identity is not in that state any more. Look at it again.")
	}
	err = audit.Append(ctx, tx, audit.Entry{Event: audit.StatusChanged, Person: person, Details: map[string]string{"from": string(from), "to": string(to)}})
	if err != nil || r.OnChange == nil {
		return err
	}
	return r.OnChange(ctx, tx, Change{Person: person, Status: to})
}

// Active tells whether a person is active, and keeps it so until the transaction
// ends: what is done for them now cannot be overtaken by their deactivation.
func (r *Registry) Active(ctx context.Context, tx pgx.Tx, person uuid.UUID) (bool, error) {
	status, err := heldStatus(ctx, tx, person)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, errUnknown
	}
	if err != nil {
		return false, fmt.Errorf("reading a status: %w", err)
	}
	return status == Active, nil
}

// Status tells how long numbers are, how many there are and how many have been given out.
func (r *Registry) Status(ctx context.Context, db postgres.DB) (digits int, capacity, issued int64, err error) {
	issued, err = countIssued(ctx, db)
	return r.UINDigits, Capacity(r.UINDigits), issued, err
}

// Pairwise is the name by which a sector (a relying party, or several of one
// owner) knows a person: 128 bits and more of a keyed pseudo-random function,
// kept, so that it outlives every key.
func (r *Registry) Pairwise(ctx context.Context, db postgres.DB, sector string, person uuid.UUID) (string, error) {
	row := r.Ring.PRF("pairwise row", []byte(sector), person[:])
	key, err := r.key(ctx, db, person)
	if err != nil {
		return "", err
	}
	if token := r.names.get(row); token != "" {
		return token, nil
	}
	sealed, err := readPairwise(ctx, db, row)
	if errors.Is(err, pgx.ErrNoRows) {
		token := encodePairwise(r.Ring.PRF("pairwise", []byte(sector), person[:]))
		if sealed, err = key.Seal([]byte(token), pairwisePlace(row)); err == nil {
			err = insertPairwise(ctx, db, row, sealed)
		}
		return token, err
	}
	if err != nil {
		return "", fmt.Errorf("reading a pairwise name: %w", err)
	}
	token, err := key.Open(sealed, pairwisePlace(row))
	if err == nil {
		r.names.put(row, string(token))
	}
	return string(token), err
}

// pairwiseNames are those that were read not long ago: they never change.
type pairwiseNames struct {
	mu   sync.Mutex
	kept map[string]string
}

const maxPairwise = 50_000

func (n *pairwiseNames) get(row []byte) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.kept[string(row)]
}

func (n *pairwiseNames) put(row []byte, token string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.kept == nil || len(n.kept) >= maxPairwise {
		n.kept = make(map[string]string)
	}
	n.kept[string(row)] = token
}
