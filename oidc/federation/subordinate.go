package federation

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/oidc/federation/policy"
)

// Subordinate is an entity right below us, and what we state about it. All but Entity
// and Keys may be left out.
type Subordinate struct {
	Entity       string
	Keys         json.RawMessage // the JWK Set it signs its statements with
	Metadata     json.RawMessage // parameters that we set for it
	Policy       json.RawMessage // for it and all below it
	Constraints  json.RawMessage // likewise
	EntityTypes  []string        // what it is, for who lists those below us
	Intermediate bool
}

var errSubordinate = fault.New(fault.Invalid, "This entity cannot be put below us. Correct the fields that are named.").Named("subordinate-invalid")

// AddSubordinate puts an entity below us, or changes what we state about it.
func (f *Federation) AddSubordinate(ctx context.Context, s Subordinate) error {
	if err := f.judgeSubordinate(s); err != nil {
		return err
	}
	s.Metadata, s.Policy, s.Constraints = nullable(s.Metadata), nullable(s.Policy), nullable(s.Constraints)
	if s.EntityTypes == nil {
		s.EntityTypes = []string{}
	}
	return postgres.InTx(ctx, f.Pool, func(tx pgx.Tx) error {
		if err := saveSubordinate(ctx, tx, s, f.Now()); err != nil {
			return err
		}
		return audit.Append(ctx, tx, audit.Entry{Event: audit.SubordinateAdded, Subject: "entity:" + s.Entity})
	})
}

// judgeSubordinate refuses what would make every chain through us invalid.
func (f *Federation) judgeSubordinate(s Subordinate) error {
	problem := errSubordinate
	if !isEntity(s.Entity) || s.Entity == f.issuer {
		problem = problem.At("entity", "must be the https address of another entity, without query and fragment")
	}
	checks := []struct {
		field    string
		raw      json.RawMessage
		required bool
		read     func(json.RawMessage) error
	}{
		{"jwks", s.Keys, true, func(raw json.RawMessage) error { _, err := readKeys(raw); return err }},
		{"metadata", s.Metadata, false, func(raw json.RawMessage) error { _, err := policy.ReadMetadata(raw); return err }},
		{"metadata_policy", s.Policy, false, func(raw json.RawMessage) error { _, err := policy.Read(raw); return err }},
		{"constraints", s.Constraints, false, func(raw json.RawMessage) error { _, err := readConstraints(raw); return err }},
	}
	total := 0
	for _, c := range checks {
		total += len(c.raw)
		if len(c.raw) == 0 && !c.required {
			continue
		}
		err := wellFormed(c.raw)
		if err == nil {
			err = c.read(c.raw)
		}
		if err != nil {
			problem = problem.At(c.field, err.Error())
		}
	}
	if total > maxStatement/2 { // room for the rest, and for base64
		problem = problem.At("metadata_policy", "is too long with the rest: at most 32 KiB in all")
	}
	if slices.Contains(s.EntityTypes, "") {
		problem = problem.At("entity_types", "must not be empty texts")
	}
	if len(problem.Fields) > 0 {
		return problem
	}
	return nil
}

// ListSubordinates lists the entities right below us.
func (f *Federation) ListSubordinates(ctx context.Context) ([]Subordinate, error) {
	return subordinates(ctx, f.Pool)
}

// RemoveSubordinate takes an entity from below us, and ends its registration here. What
// we signed about it holds elsewhere until it expires, a day at most.
func (f *Federation) RemoveSubordinate(ctx context.Context, entity string) error {
	return postgres.InTx(ctx, f.Pool, func(tx pgx.Tx) error {
		removed, err := dropSubordinate(ctx, tx, entity)
		if err != nil {
			return err
		}
		if !removed {
			return errNoEntity
		}
		if err := dropRegistration(ctx, tx, entity); err != nil {
			return err
		}
		return audit.Append(ctx, tx, audit.Entry{Event: audit.SubordinateRemoved, Subject: "entity:" + entity})
	})
}
