package auth

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
)

// use writes a budget as so often used.
func (w *world) use(t *testing.T, b budget, often int) {
	t.Helper()
	_, err := w.Pool.Exec(t.Context(), "INSERT INTO auth_limit (key, used, until) VALUES ($1, $2, $3) ON CONFLICT (key) DO UPDATE SET used = $2", b.key, often, w.now().Add(b.window))
	must(t, err)
}

func TestARogueRelyingPartyIsBounded(t *testing.T) {
	w := newWorld(t)
	a := w.person(t)
	uin := a.UIN.Reveal()
	device := w.Remember(w.logIn(t, uin))
	b := w.party(a.Person, Attempt{Identifier: uin, Client: portal})[0]
	if b.limit*partyShards != failuresParty {
		t.Fatalf("got shards of %d, want them to make %d", b.limit, failuresParty)
	}
	_, err := w.guess(t, uin, afar)
	if n := w.count(t, "SELECT used FROM auth_limit WHERE key = $1", b.key); n != 1 || !errors.Is(err, errRefused) {
		t.Errorf("got %d spent by a failure, want one", n)
	}
	w.logIn(t, uin)
	if n := w.count(t, "SELECT used FROM auth_limit WHERE key = $1", b.key); n != 1 {
		t.Errorf("got %d spent, want none by a login that passes", n)
	}
	w.use(t, b, b.limit-1)
	_, err = w.guess(t, uin, rangeOf(3))
	if !errors.Is(err, errRefused) {
		t.Errorf("got %v, want the last guess judged", err)
	}
	for what, x := range map[string]Attempt{"a code": {Code: "000000"}, "a PIN": {PIN: goodPIN}} {
		x.Identifier, x.Transaction, x.Client, x.From = uin, "an attack", portal, rangeOf(4)
		p, err := w.Verify(t.Context(), x)
		answered(t, what, p, err, errWork)
	}
	// Nobody is kept from logging in who works for it, from a known device, nor from another relying party.
	r := CodeRequest{Identifier: uin, Transaction: uuid.NewString(), Client: portal, From: rangeOf(5), Work: "work"}
	if p, err := w.Verify(t.Context(), with(r, w.send(t, r))); p.Zero() {
		t.Errorf("got %v, want whoever works let in", err)
	}
	r = CodeRequest{Identifier: uin, Transaction: uuid.NewString(), Client: portal, Device: device, From: rangeOf(4)}
	if p, err := w.Verify(t.Context(), with(r, w.send(t, r))); p.Zero() {
		t.Errorf("got %v, want the known device let in", err)
	}
	r = CodeRequest{Identifier: uin, Transaction: uuid.NewString(), Client: "another", From: home}
	if p, err := w.Verify(t.Context(), with(r, w.send(t, r))); p.Zero() {
		t.Errorf("got %v, want another relying party untouched", err)
	}
	_, err = w.Verify(t.Context(), Attempt{Identifier: uin, Code: "000000", Transaction: "theft", Client: portal, Device: device, From: afar})
	if n := w.count(t, "SELECT used FROM auth_limit WHERE key = $1", b.key); n != b.limit || !errors.Is(err, errRefused) {
		t.Errorf("got %d spent, %v; want a known device to spend nothing of the party's", n, err)
	}
	w.wait(time.Hour)
	if p := w.logIn(t, uin); p.Zero() {
		t.Error("want it over after an hour")
	}
}

func TestARangeThatFailsMuchIsStrained(t *testing.T) {
	w := newWorld(t)
	strained := func(from string) bool {
		t.Helper()
		is, err := w.Strained(t.Context(), w.Pool, from)
		must(t, err)
		return is
	}
	for n := range failuresRange/2 - 1 {
		_, _ = w.guess(t, fmt.Sprint("nobody ", n), afar)
	}
	if strained(afar) {
		t.Error("got it strained too early")
	}
	_, _ = w.guess(t, "one more", afar)
	if !strained(afar) || strained(home) {
		t.Error("want this range strained, and no other")
	}
	w.wait(time.Hour)
	if strained(afar) {
		t.Error("got it strained an hour later")
	}
	w.use(t, w.budget(codesRange, time.Hour, "codes of range", home), codesRange/2)
	if !strained(home) {
		t.Error("want a range strained that has codes sent")
	}
	w.use(t, w.budget(failuresRange, time.Hour, "failures of range", string(ByWallet), afar), failuresRange/2)
	if !strained(afar) {
		t.Error("want every kind of evidence to count")
	}
}
