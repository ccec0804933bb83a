package auth

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/audit"
)

// actor is how the audit log names who asked.
func actor(client string) string {
	if client == "" {
		return "system"
	}
	return "client:" + client
}

func (d *Desk) recordPassed(ctx context.Context, tx pgx.Tx, a Attempt, p Proof) error {
	return audit.Append(ctx, tx, audit.Entry{Event: audit.LoginSucceeded, Person: p.person, Actor: actor(a.Client), Details: map[string]string{"by": string(p.methods[0])}})
}

// recordRefused names the person only when there is one: the log must not become
// a list of numbers that somebody tried.
func (d *Desk) recordRefused(ctx context.Context, tx pgx.Tx, a Attempt, who claimed, why string) error {
	e := audit.Entry{Event: audit.LoginRefused, Actor: actor(a.Client), Details: map[string]string{"by": why}}
	if who.exists {
		e.Person = who.person
	}
	return audit.Append(ctx, tx, e)
}
