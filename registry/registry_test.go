package registry

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
)

func TestRegistryNeedsItsParts(t *testing.T) {
	w := newWorld(t)
	for name, spoil := range map[string]func(*Config){
		"no pool": func(c *Config) { c.Pool = nil }, "no ring": func(c *Config) { c.Ring = nil }, "no schema": func(c *Config) { c.Schema = nil },
		"too few digits": func(c *Config) { c.UINDigits = MinUINDigits - 1 }, "too many digits": func(c *Config) { c.UINDigits = MaxUINDigits + 1 },
	} {
		c := w.Config
		spoil(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: got nil, want an error", name)
		}
	}
	c := w.Config
	c.Now = nil
	r, err := New(c)
	must(t, err)
	if at := r.Now(); time.Since(at) > time.Minute {
		t.Errorf("got %v, want the time of day", at)
	}
}

func TestNumbersAreFoundAsPeopleWriteThem(t *testing.T) {
	w := newWorld(t)
	a := w.assign(t, applicant(t))
	u, v := a.UIN.Reveal(), a.VID.Reveal()
	for _, id := range []string{u, v, u[:5] + " " + u[5:], " " + u[:3] + "-" + u[3:] + " ", v[:4] + " " + v[4:8] + "\u00a0" + v[8:12] + "\u202f" + v[12:]} {
		if person, err := w.Find(t.Context(), w.Pool, id); err != nil || person != a.Person {
			t.Errorf("got %v, %v; want the person", person, err)
		}
	}
}

// ASVS 6.3.8: whether a number exists shows in no answer.
func TestASVS_6_3_8_WhatCannotBeFoundHasOneAnswer(t *testing.T) {
	w := newWorld(t)
	free, err := drawUIN(10)
	must(t, err)
	freeVID, err := drawVID()
	must(t, err)
	deactivated, blocked, erased := w.assign(t, applicant(t)), w.assign(t, applicant(t)), w.assign(t, applicant(t))
	must(t, w.set(t, deactivated.Person, Active, Deactivated))
	must(t, w.set(t, blocked.Person, Active, Blocked))
	must(t, w.set(t, erased.Person, Active, Deactivated))
	must(t, w.in(t, func(tx pgx.Tx) error { return w.Ring.ErasePerson(t.Context(), tx, erased.Person) }))
	mistyped := blocked.UIN.Reveal()[:9] + string('0'+(blocked.UIN.Reveal()[9]-'0'+1)%10)
	for what, id := range map[string]string{
		"free UIN": free.Reveal(), "free VID": freeVID.Reveal(), "mistyped UIN": mistyped, "empty": "", "words": "Ada Lovelace", "very long": strings.Repeat("2", 10_000),
		"deactivated by UIN": deactivated.UIN.Reveal(), "deactivated by VID": deactivated.VID.Reveal(),
		"blocked by UIN": blocked.UIN.Reveal(), "blocked by VID": blocked.VID.Reveal(),
		"erased by UIN": erased.UIN.Reveal(), "erased by VID": erased.VID.Reveal(),
		"SQL": "' OR '1'='1", "NUL": "27538\x0019640", "no UTF-8": "\xff\xfe",
	} {
		person, err := w.Find(t.Context(), w.Pool, id)
		isUnknown(t, what, err)
		if person != uuid.Nil {
			t.Errorf("%s: got a person", what)
		}
	}
	_, err = w.Read(t.Context(), w.Pool, uuid.New())
	isUnknown(t, "Read of nobody", err)
	_, err = w.Claims(t.Context(), w.Pool, deactivated.Person, ClaimNames(), nil)
	isUnknown(t, "Claims of somebody deactivated", err)
}

func TestLifeCycle(t *testing.T) {
	w := newWorld(t)
	a := w.assign(t, applicant(t))
	at := Active
	for _, to := range []Status{Deactivated, Active, Blocked, Active, Blocked, Deactivated, Blocked, Active} {
		w.wait(time.Hour)
		must(t, w.set(t, a.Person, at, to))
		i, err := w.Read(t.Context(), w.Pool, a.Person)
		must(t, err)
		if i.Status != to || w.now().Sub(i.Updated) > time.Minute {
			t.Errorf("got %s of %v, want %s of now", i.Status, i.Updated, to)
		}
		if last := w.changes[len(w.changes)-1]; last.Person != a.Person || last.Status != to || last.Fields != nil {
			t.Errorf("got %v, want what follows told of %s", last, to)
		}
		if _, err := w.Find(t.Context(), w.Pool, a.UIN.Reveal()); (err == nil) != (to == Active) {
			t.Errorf("%s: got %v; want only the active found", to, err)
		}
		at = to
	}
	if n := w.count(t, "SELECT count(*) FROM audit_entry WHERE event = 'status-changed' AND person = $1", a.Person); n != 8 {
		t.Errorf("got %d entries, want one for each change", n)
	}
}

func TestStatusIsNotChangedFromWhatItIsNot(t *testing.T) {
	w := newWorld(t)
	a := w.assign(t, applicant(t))
	for _, c := range []struct {
		person   uuid.UUID
		from, to Status
		kind     fault.Kind
	}{
		{a.Person, Deactivated, Active, fault.Conflict},
		{a.Person, Blocked, Active, fault.Conflict},
		{a.Person, Blocked, Deactivated, fault.Conflict},
		{uuid.New(), Active, Deactivated, fault.Conflict},
		{a.Person, Active, Active, fault.Invalid},
		{a.Person, Active, "erased", fault.Invalid},
		{a.Person, Active, "", fault.Invalid},
	} {
		if err := w.set(t, c.person, c.from, c.to); !fault.Is(err, c.kind) {
			t.Errorf("%s to %q: got %v, want %v", c.from, c.to, err, c.kind)
		}
	}
	i, err := w.Read(t.Context(), w.Pool, a.Person)
	if err != nil || i.Status != Active || len(w.changes) != 0 {
		t.Errorf("got %s and %d changes, %v; want nothing changed", i.Status, len(w.changes), err)
	}
}

func TestOneOfManyChangesWins(t *testing.T) {
	w := newWorld(t)
	a := w.assign(t, applicant(t))
	errs := make([]error, 10)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = w.set(t, a.Person, Active, Deactivated) })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if !fault.Is(err, fault.Conflict) {
			t.Errorf("got %v, want a conflict", err)
		}
	}
	if won != 1 || len(w.changes) != 1 {
		t.Errorf("got %d changes and %d told, want 1 of each", won, len(w.changes))
	}
}

func TestWhatFollowsFromAChangeRollsItBack(t *testing.T) {
	w := newWorld(t)
	a := w.assign(t, applicant(t))
	w.refuse = errors.New("the list is full")
	if err := w.set(t, a.Person, Active, Deactivated); !errors.Is(err, w.refuse) {
		t.Errorf("got %v, want the error of what follows", err)
	}
	i, err := w.Read(t.Context(), w.Pool, a.Person)
	if err != nil || i.Status != Active {
		t.Errorf("got %s, %v; want it active still", i.Status, err)
	}
	if n := w.count(t, "SELECT count(*) FROM audit_entry WHERE event = 'status-changed'"); n != 0 {
		t.Errorf("got %d entries, want none", n)
	}
}

func TestStatusChangesWithoutAnythingFollowing(t *testing.T) {
	w := newWorld(t)
	a := w.assign(t, applicant(t))
	w.OnChange = nil
	if err := w.set(t, a.Person, Active, Blocked); err != nil {
		t.Errorf("got %v, want it changed", err)
	}
}

func TestPairwiseNameIsStableAndNotLinkable(t *testing.T) {
	w := newWorld(t)
	a, b := w.assign(t, applicant(t)), w.assign(t, applicant(t))
	name := func(sector string, person uuid.UUID) string {
		t.Helper()
		s, err := w.Pairwise(t.Context(), w.Pool, sector, person)
		must(t, err)
		return s
	}
	first := name("portal.example", a.Person)
	if len(first) != 32 {
		t.Errorf("got %d characters, want 192 bits in 32", len(first))
	}
	seen := map[string]bool{}
	for _, s := range []string{first, name("bank.example", a.Person), name("portal.example", b.Person), name("bank.example", b.Person), name("", a.Person)} {
		seen[s] = true
	}
	if len(seen) != 5 {
		t.Errorf("got %d different names, want 5", len(seen))
	}
	for _, d := range []keys.Domain{keys.Lookup, keys.Identity, keys.Sessions} {
		must(t, w.Ring.Rotate(t.Context(), d))
	}
	must(t, w.set(t, a.Person, Active, Blocked))
	must(t, w.set(t, a.Person, Blocked, Active))
	if again := name("portal.example", a.Person); again != first {
		t.Errorf("got %s, want %s after every rotation", again, first)
	}
	// Another deployment has another key, so it gives the same person another name.
	other := newWorld(t)
	must(t, other.in(t, func(tx pgx.Tx) error { _, err := other.Ring.NewPerson(t.Context(), tx, a.Person); return err }))
	if s, err := other.Pairwise(t.Context(), other.Pool, "portal.example", a.Person); err != nil || s == first {
		t.Errorf("got %s, %v; want another name there", s, err)
	}
	_, err := w.Pairwise(t.Context(), w.Pool, "portal.example", uuid.New())
	isUnknown(t, "the name of nobody", err)
}

func TestPairwiseRowsDoNotSayWhose(t *testing.T) {
	w := newWorld(t)
	a := w.assign(t, applicant(t))
	for _, sector := range []string{"portal.example", "bank.example"} {
		_, err := w.Pairwise(t.Context(), w.Pool, sector, a.Person)
		must(t, err)
	}
	rows, err := w.Pool.Query(t.Context(), "SELECT x::text FROM registry_pairwise x")
	must(t, err)
	texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	must(t, err)
	id := strings.ReplaceAll(a.Person.String(), "-", "")
	for _, text := range texts {
		if strings.Contains(text, id) || strings.Contains(text, a.Person.String()) {
			t.Errorf("got %s, want nothing of the person in it", text)
		}
	}
	if len(texts) != 2 {
		t.Errorf("got %d rows, want 2", len(texts))
	}
}

func TestPairwiseNameIsOneWhenManyAskFirst(t *testing.T) {
	w := newWorld(t)
	a := w.assign(t, applicant(t))
	names := make([]string, 20)
	var wg sync.WaitGroup
	for i := range names {
		wg.Go(func() {
			var err error
			if names[i], err = w.Pairwise(t.Context(), w.Pool, "portal.example", a.Person); err != nil {
				t.Errorf("got %v, want a name", err)
			}
		})
	}
	wg.Wait()
	for _, name := range names {
		if name != names[0] {
			t.Errorf("got %s, want %s", name, names[0])
		}
	}
}
