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
	if found.Generation != t.generation {
		return stay{}, nil // a cookie from before the person was proven again
	}
	proof, err := p.Desk.Stayed(found.Sealed, t.id[:])
	if err != nil {
		return stay{}, nil // it has lasted long enough
	}
	return stay{id: t.id.String(), proof: proof}, nil
}

// settleIn keeps somebody logged in who was just proven, and gives the session. One who
// was logged in already and is the same person stays in theirs.
func (p *Provider) settleIn(ctx context.Context, tx pgx.Tx, m permission) (ticket, error) {
	proof := m.decision.Proof
	if id, err := uuid.Parse(m.visit.Session); err == nil {
		old, err := liveSession(ctx, tx, id, p.Now())
		switch {
		case errors.Is(err, pgx.ErrNoRows):
		case err != nil:
			return ticket{}, fmt.Errorf("looking up a session: %w", err)
		case old.Person != proof.Person():
			// Another person: what the first one left here ends now, lest the second be taken for the first.
			if _, err := p.endSession(ctx, tx, id, "another-person"); err != nil {
				return ticket{}, err
			}
		case p.unchanged(old, proof) && slices.Contains(old.Clients, m.asked.Client):
			return sessionTicket(id, old.Generation), nil
		case p.unchanged(old, proof):
			return sessionTicket(id, old.Generation), joinSession(ctx, tx, id, m.asked.Client)
		default:
			return p.writeSession(ctx, tx, id, m)
		}
	}
	return p.writeSession(ctx, tx, uuid.New(), m)
}

func sessionTicket(id uuid.UUID, generation uint32) ticket {
	return ticket{kind: sessionKind, id: id, generation: generation}
}

// unchanged tells whether a session says of its person what a proof says.
func (p *Provider) unchanged(s session, proof auth.Proof) bool {
	kept, err := p.Desk.Stayed(s.Sealed, s.ID[:])
	return err == nil && kept.At().Equal(proof.At()) && slices.Equal(kept.Methods(), proof.Methods())
}

func (p *Provider) writeSession(ctx context.Context, tx pgx.Tx, id uuid.UUID, m permission) (ticket, error) {
	proof := m.decision.Proof
	sealed, err := p.Desk.Stay(proof, id[:])
	if err != nil {
		return ticket{}, err
	}
	// The row outlives the session, so that a late logout still finds whom to tell.
	until := proof.At().Add(auth.SessionLife)
	generation, err := insertSession(ctx, tx, session{ID: id, Person: proof.Person(), Sealed: sealed, Clients: []string{m.asked.Client}}, until)
	if err != nil {
		return ticket{}, fmt.Errorf("keeping a session: %w", err)
	}
	return sessionTicket(id, generation), nil
}
