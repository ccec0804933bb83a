package oidc

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/registry/auth"
)

const sessionKind = "session"

// stay is a browser in which somebody is logged in here.
type stay struct {
	id    string // empty: nobody
	proof auth.Proof
}

// stay looks who is logged in, in the browser that asks.
func (p *Provider) stay(c *gin.Context) (stay, error) {
	t, ok := p.read(sessionKind, p.flow.Session(c.Request))
	if !ok {
		return stay{}, nil
	}
	found, err := liveSession(c, p.Pool, t.id, p.Now())
	if errors.Is(err, pgx.ErrNoRows) {
		return stay{}, nil
	}
	if err != nil {
		return stay{}, fmt.Errorf("looking up a session: %w", err)
	}
	proof, err := p.Desk.Stayed(found.Sealed, t.id[:])
	if err != nil {
		return stay{}, nil // it has lasted long enough
	}
	return stay{id: t.id.String(), proof: proof}, nil
}

// settleIn keeps somebody logged in who was just proven, and gives the id of the
// session. One who was logged in already and is the same person stays in theirs.
func (p *Provider) settleIn(ctx context.Context, tx pgx.Tx, m permission) (id uuid.UUID, err error) {
	proof := m.decision.Proof
	if id, err = uuid.Parse(m.visit.Session); err == nil {
		old, err := liveSession(ctx, tx, id, p.Now())
		switch {
		case errors.Is(err, pgx.ErrNoRows):
		case err != nil:
			return id, fmt.Errorf("looking up a session: %w", err)
		case old.Person != proof.Person():
			// Another person: what the first one left here ends now, lest the second be taken for the first.
			if _, err := p.endSession(ctx, tx, id, "another-person"); err != nil {
				return id, err
			}
		case p.unchanged(old, proof) && slices.Contains(old.Clients, m.asked.Client):
			return id, nil
		case p.unchanged(old, proof):
			return id, joinSession(ctx, tx, id, m.asked.Client)
		default:
			return id, p.writeSession(ctx, tx, id, m)
		}
	}
	id = uuid.New()
	return id, p.writeSession(ctx, tx, id, m)
}

// unchanged tells whether a session says of its person what a proof says.
func (p *Provider) unchanged(s session, proof auth.Proof) bool {
	kept, err := p.Desk.Stayed(s.Sealed, s.ID[:])
	return err == nil && kept.At().Equal(proof.At()) && slices.Equal(kept.Methods(), proof.Methods())
}

func (p *Provider) writeSession(ctx context.Context, tx pgx.Tx, id uuid.UUID, m permission) error {
	proof := m.decision.Proof
	sealed, err := p.Desk.Stay(proof, id[:])
	if err != nil {
		return err
	}
	// The row outlives the session, so that a late logout still finds whom to tell.
	until := proof.At().Add(auth.SessionLife)
	if err := insertSession(ctx, tx, session{ID: id, Person: proof.Person(), Sealed: sealed, Clients: []string{m.asked.Client}}, until); err != nil {
		return fmt.Errorf("keeping a session: %w", err)
	}
	return nil
}
