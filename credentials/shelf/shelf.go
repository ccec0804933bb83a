// Package shelf keeps the kinds of credentials in versions. A version is drafted,
// rehearsed, put to use and one day retired; one that was in use is never changed, so
// that it can always be told what a credential of it meant.
package shelf

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/plinth-id/plinth/credentials/kind"
	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres"
)

// State is where a version stands.
type State string

// The states, in their order.
const (
	Draft   State = "draft"
	DryRun  State = "dry-run" // rehearsed, and nothing stood against it
	Active  State = "active"
	Retired State = "retired"
)

// Version is a kind as it was, is or will be.
type Version struct {
	Name       string           `json:"id"`
	Version    int              `json:"version"` // 0: built in
	State      State            `json:"state"`
	By         string           `json:"made_by"`
	Created    time.Time        `json:"created,omitzero"`
	Tried      *time.Time       `json:"tried,omitempty"`
	Activated  *time.Time       `json:"activated,omitempty"`
	Retired    *time.Time       `json:"retired,omitempty"`
	Definition *kind.Definition `json:"-"`
	Document   string           `json:"-"` // the definition as it was given
}

// Shelf is the table of kinds.
type Shelf struct {
	Pool *pgxpool.Pool
	Now  func() time.Time
}

var (
	errNone  = fault.New(fault.NotFound, "There is no such kind of credential, or no such version of it. List them to see which there are.").Named("unknown-kind")
	errMoved = fault.New(fault.Conflict, "This version is not in a state for that. It is drafted, rehearsed, activated and retired, in this order.").Named("kind-state")
)

// Add drafts a version of a kind.
func (s *Shelf) Add(ctx context.Context, document []byte, by string) (Version, error) {
	d, err := kind.Parse(document)
	if err != nil {
		return Version{}, fault.New(fault.Invalid, "This kind of credential cannot be used.").Named("kind-invalid").At("definition", reason(err)).Because(err)
	}
	v := Version{Name: d.Name, State: Draft, By: by, Created: s.Now(), Definition: d, Document: string(document)}
	err = postgres.InTx(ctx, s.Pool, func(tx pgx.Tx) (err error) {
		if err := lock(ctx, tx, d.Name); err != nil {
			return err
		}
		if v.Version, err = insert(ctx, tx, v); err != nil {
			return err
		}
		return changed(ctx, tx, v, by)
	})
	return v, err
}

// reason is what is wrong with a definition, which its author may read.
func reason(err error) string {
	var inner interface{ Unwrap() []error }
	if errors.As(err, &inner) {
		if all := inner.Unwrap(); len(all) > 1 {
			return all[1].Error()
		}
	}
	return err.Error()
}

// Rehearsed records that nothing stood against a version.
func (s *Shelf) Rehearsed(ctx context.Context, name string, version int, by string) error {
	return postgres.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
		done, err := rehearsed(ctx, tx, name, version, s.Now())
		if err != nil || !done {
			return otherwise(err, errMoved)
		}
		return changed(ctx, tx, Version{Name: name, Version: version, State: DryRun}, by)
	})
}

// Activate puts a version to use that was rehearsed, in the place of the one before.
func (s *Shelf) Activate(ctx context.Context, name string, version int, by string) error {
	return postgres.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
		if err := lock(ctx, tx, name); err != nil {
			return err
		}
		if _, err := retire(ctx, tx, name, s.Now()); err != nil {
			return err
		}
		done, err := activate(ctx, tx, name, version, s.Now())
		if err != nil || !done {
			return otherwise(err, errMoved)
		}
		return changed(ctx, tx, Version{Name: name, Version: version, State: Active}, by)
	})
}

// Retire takes a kind out of use. What was issued stays as it is.
func (s *Shelf) Retire(ctx context.Context, name, by string) error {
	return postgres.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
		if err := lock(ctx, tx, name); err != nil {
			return err
		}
		version, err := retire(ctx, tx, name, s.Now())
		if err != nil {
			return err
		}
		if version == 0 {
			if version, err = s.retireBuiltin(ctx, tx, name, by); err != nil {
				return err
			}
		}
		return changed(ctx, tx, Version{Name: name, Version: version, State: Retired}, by)
	})
}

// retireBuiltin writes a built-in kind down as retired: so it stays.
func (s *Shelf) retireBuiltin(ctx context.Context, tx pgx.Tx, name, by string) (int, error) {
	document := kind.BuiltinDocument(name)
	used, err := everActive(ctx, tx, name)
	if err != nil || used || document == nil {
		return 0, otherwise(err, errNone)
	}
	now := s.Now()
	return insert(ctx, tx, Version{Name: name, State: Retired, By: by, Created: now, Retired: &now, Document: string(document)})
}

func otherwise(err, or error) error {
	if err != nil {
		return err
	}
	return or
}

func changed(ctx context.Context, tx pgx.Tx, v Version, by string) error {
	return audit.Append(ctx, tx, audit.Entry{Event: audit.CredentialKindChanged, Actor: by, Subject: v.Name,
		Details: map[string]string{"version": fmt.Sprint(v.Version), "state": string(v.State)}})
}

// All lists every version, the newest of each kind first; the built-in ones last. A
// built-in kind is active as long as no version of its name ever was.
func (s *Shelf) All(ctx context.Context) ([]Version, error) {
	all, err := list(ctx, s.Pool)
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	for n := range all {
		v := &all[n]
		used[v.Name] = used[v.Name] || v.State == Active || v.State == Retired
		if v.Definition, err = kind.Parse([]byte(v.Document)); err != nil {
			return nil, fmt.Errorf("reading version %d of the kind %s: %w", v.Version, v.Name, err)
		}
	}
	for _, v := range Builtin() {
		if used[v.Name] {
			v.State = Retired
		}
		all = append(all, v)
	}
	return all, nil
}

// Builtin are the versions that are part of the program, all active.
func Builtin() (all []Version) {
	for _, d := range kind.Builtin() {
		all = append(all, Version{Name: d.Name, State: Active, By: "built in", Definition: d, Document: string(kind.BuiltinDocument(d.Name))})
	}
	return all
}

// Get finds a version; of version -1 the newest.
func (s *Shelf) Get(ctx context.Context, name string, version int) (Version, error) {
	all, err := s.All(ctx)
	if err != nil {
		return Version{}, err
	}
	for _, v := range all {
		if v.Name == name && (v.Version == version || version < 0) {
			return v, nil
		}
	}
	return Version{}, errNone
}
