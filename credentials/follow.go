package credentials

import (
	"context"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/plinth-id/plinth/credentials/kind"
	"github.com/plinth-id/plinth/credentials/status"
	"github.com/plinth-id/plinth/registry"
)

// Changed follows a change of an identity, in the transaction of the change: what was
// issued to somebody whose identity is deactivated is revoked, what shows a fact that
// was corrected too, and offered anew; while an identity is blocked, its credentials
// are suspended. It is the OnChange of registry.Config.
func (i *Issuer) Changed(ctx context.Context, tx pgx.Tx, c registry.Change) error {
	switch {
	case c.Status == registry.Deactivated:
		return i.RevokeAll(ctx, tx, c.Person, "identity "+string(c.Status))
	case c.Status == registry.Blocked:
		return i.suspendAll(ctx, tx, c.Person)
	case len(c.Fields) > 0:
		return i.corrected(ctx, tx, c)
	}
	return i.resumeAll(ctx, tx, c.Person)
}

// suspendAll suspends what a person has. What cannot be suspended is revoked: a
// blocked identity must not be shown.
func (i *Issuer) suspendAll(ctx context.Context, tx pgx.Tx, person uuid.UUID) error {
	lines, said, err := i.standing(ctx, tx, person)
	if err != nil {
		return err
	}
	s := sentence{person: person, actor: "system", reason: "identity " + string(registry.Blocked), owner: byRegistry}
	var suspend, revoke []line
	for n, l := range lines {
		switch d := i.issuedAs(l); {
		case d != nil && !slices.Contains(d.Status, kind.Suspension):
			revoke = append(revoke, l)
		case said[n] == status.Valid:
			suspend = append(suspend, l)
		}
	}
	s.to = status.Suspended
	if err := i.apply(ctx, tx, suspend, s); err != nil {
		return err
	}
	s.to = status.Revoked
	return i.apply(ctx, tx, revoke, s)
}

// resumeAll lifts the suspensions that a block brought, and no officer's.
func (i *Issuer) resumeAll(ctx context.Context, tx pgx.Tx, person uuid.UUID) error {
	lines, said, err := i.standing(ctx, tx, person)
	if err != nil {
		return err
	}
	var resume []line
	for n, l := range lines {
		if said[n] == status.Suspended && l.Suspended != nil && *l.Suspended == byRegistry {
			resume = append(resume, l)
		}
	}
	return i.apply(ctx, tx, resume, sentence{person: person, to: status.Valid, actor: "system", reason: "identity " + string(registry.Active)})
}

// corrected revokes what shows a fact that was corrected, and offers it anew.
func (i *Issuer) corrected(ctx context.Context, tx pgx.Tx, c registry.Change) error {
	lines, _, err := i.standing(ctx, tx, c.Person)
	if err != nil {
		return err
	}
	var wrong []line
	var again []string
	for _, l := range lines {
		d := i.issuedAs(l)
		if d != nil && !slices.ContainsFunc(d.Fields(), func(f string) bool { return slices.Contains(c.Fields, f) }) {
			continue
		}
		wrong = append(wrong, l)
		if _, ok := i.kind(l.Configuration); ok && !slices.Contains(again, l.Configuration) {
			again = append(again, l.Configuration)
		}
	}
	err = i.apply(ctx, tx, wrong, sentence{person: c.Person, to: status.Revoked, actor: "system", reason: "identity corrected"})
	if err != nil || len(again) == 0 {
		return err
	}
	return i.send(ctx, tx, c.Person, again, "identity corrected")
}

// issuedAs is the definition that a credential was issued by; nil when it is not
// known to this process yet, and then nothing may be concluded from it.
func (i *Issuer) issuedAs(l line) *kind.Definition {
	for _, v := range *i.known.Load() {
		if v.Version != l.Version {
			continue
		}
		for _, format := range v.Definition.In() {
			if v.Definition.Configuration(format) == l.Configuration {
				return v.Definition
			}
		}
	}
	return nil
}
