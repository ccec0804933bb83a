package keys

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres"
)

// Rotate begins a new current key, the next one when there is one; what the old
// one sealed or signed stays good.
func (r *Ring) Rotate(ctx context.Context, d Domain) error {
	if d == Pseudonym {
		return fault.New(fault.Conflict, "The pseudonym key cannot be rotated: every pairwise identifier would change.")
	}
	if algorithms[d] == "" {
		return fault.New(fault.Invalid, fmt.Sprintf("There is no key domain %q. List the keys to see which there are.", d))
	}
	err := postgres.InTx(ctx, r.pool, func(tx pgx.Tx) error {
		if err := lock(ctx, tx); err != nil {
			return err
		}
		return r.turn(ctx, tx, d)
	})
	if err != nil {
		return fmt.Errorf("rotating the %s key: %w", d, err)
	}
	return r.Refresh(ctx)
}

func (r *Ring) turn(ctx context.Context, tx pgx.Tx, d Domain) error {
	if err := retire(ctx, tx, d); err != nil {
		return err
	}
	if promoted, err := promote(ctx, tx, d); err != nil || promoted {
		return err
	}
	return r.add(ctx, tx, d, current)
}

// Schedule is how the keys of a domain follow one another.
type Schedule struct {
	Every time.Duration // a key signs this long
	Ahead time.Duration // and is published this long before it signs
}

// Maintain brings the keys of a domain up to its schedule, and tells whether the
// current key changed. Any number of processes may do so at once.
func (r *Ring) Maintain(ctx context.Context, d Domain, s Schedule) (turned bool, err error) {
	now, changed := time.Now(), false
	err = postgres.InTx(ctx, r.pool, func(tx pgx.Tx) error {
		turned, changed = false, false
		of, _, err := schedule(ctx, tx, d)
		if err != nil || of == nil || now.Sub(*of) < s.Every-s.Ahead {
			return err // the everyday case: nothing is due, and nobody waits for a lock
		}
		if err := lock(ctx, tx); err != nil {
			return err
		}
		of, after, err := schedule(ctx, tx, d)
		if err != nil || of == nil {
			return err
		}
		switch {
		case after == nil && now.Sub(*of) >= s.Every-s.Ahead:
			changed = true
			return r.add(ctx, tx, d, next)
		case after != nil && now.Sub(*of) >= s.Every && now.Sub(*after) >= s.Ahead:
			changed, turned = true, true
			return r.turn(ctx, tx, d)
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("maintaining the %s keys: %w", d, err)
	}
	if !changed {
		return false, nil
	}
	return turned, r.Refresh(ctx)
}
