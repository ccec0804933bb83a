package auth

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// ASVS 6.1.1: whoever guesses from many networks shuts nobody out. The person, in a new
// browser in yet another network, is asked to have it work, and then let in.
func TestASVS_6_1_1_ManyAttackersDoNotShutTheVictimOut(t *testing.T) {
	w := newWorld(t)
	a := w.person(t)
	uin := a.UIN.Reveal()
	must(t, w.SetPIN(t.Context(), w.logIn(t, uin), goodPIN))
	if pressed, err := w.Pressed(t.Context(), w.Pool, Attempt{Identifier: uin, From: home}, ByCode); pressed || err != nil {
		t.Fatalf("got %v, %v; want nothing asked at first", pressed, err)
	}
	w.exhaust(t, uin)
	for n := range 8 {
		for range failuresFromRange + 1 {
			_, _ = w.Verify(t.Context(), Attempt{Identifier: uin, PIN: "830264", Transaction: "an attack", Client: portal, From: rangeOf(n)})
			_, _ = w.SendCode(t.Context(), CodeRequest{Identifier: uin, Transaction: "an attack", Client: portal, From: rangeOf(n)})
		}
	}
	r := visit(uin, uuid.NewString())
	_, err := w.SendCode(t.Context(), r)
	answered(t, "a code without work", Proof{}, err, errWork)
	p, err := w.Verify(t.Context(), Attempt{Identifier: uin, PIN: goodPIN, Transaction: "a login", Client: portal, From: home})
	answered(t, "a PIN without work", p, err, errWork)
	for _, by := range []Method{ByCode, ByPIN} {
		if pressed, err := w.Pressed(t.Context(), w.Pool, Attempt{Identifier: uin, From: home}, by); !pressed || err != nil {
			t.Errorf("%s: got %v, %v; want work asked", by, pressed, err)
		}
	}
	r.Work = "a proof of work"
	if p, err := w.Verify(t.Context(), with(r, w.send(t, r))); err != nil || p.Person() != a.Person {
		t.Errorf("got %v, want the right code to pass", err)
	}
	if p, err := w.Verify(t.Context(), Attempt{Identifier: uin, PIN: goodPIN, Transaction: "a login", Client: portal, From: home, Work: "another"}); err != nil || p.Person() != a.Person {
		t.Errorf("got %v, want the right PIN to pass", err)
	}
}

// One proof of work is good for a few tries and messages, and no more.
func TestWorkBuysAFewTries(t *testing.T) {
	w := newWorld(t)
	uin := w.person(t).UIN.Reveal()
	for range failuresWorked {
		p, err := w.Verify(t.Context(), Attempt{Identifier: uin, Code: "000000", Transaction: "an attack", Client: portal, From: afar, Work: "work"})
		answered(t, "a guess", p, err, errRefused)
	}
	p, err := w.Verify(t.Context(), Attempt{Identifier: uin, Code: "000000", Transaction: "an attack", Client: portal, From: afar, Work: "work"})
	answered(t, "one more", p, err, errWork)
	for range codesWorked {
		w.send(t, CodeRequest{Identifier: uin, Transaction: "an attack", From: afar, Work: "work"})
	}
	_, err = w.SendCode(t.Context(), CodeRequest{Identifier: uin, Transaction: "an attack", From: afar, Work: "work"})
	answered(t, "a code more", Proof{}, err, errWork)
}

// Whatever an attacker pays in work and by however many numbers, what stays the same is
// tried so often a day, and what comes after is answered as what is wrong.
func TestASVS_6_6_3_NoWorkBuysAllPINs(t *testing.T) {
	w := newWorld(t)
	a := w.person(t)
	device := w.Remember(w.logIn(t, a.UIN.Reveal()))
	must(t, w.SetPIN(t.Context(), w.logIn(t, a.UIN.Reveal()), goodPIN))
	numbers := []string{a.UIN.Reveal(), a.VID.Reveal()}
	w.use(t, w.ceiling(a.Person, Attempt{}, string(ByPIN))[0], failuresPerson-1)
	try := func(pin, work, device string) (Proof, error) {
		return w.Verify(t.Context(), Attempt{Identifier: numbers[0], PIN: pin, Transaction: "a login", Client: portal, From: rangeOf(7), Work: work, Device: device})
	}
	if p, err := try(goodPIN, "1", ""); p.Person() != a.Person {
		t.Errorf("got %v, want the last try judged", err)
	}
	p, err := try("830264", "2", "")
	answered(t, "the last wrong one", p, err, errRefused)
	p, err = try(goodPIN, "3", "")
	answered(t, "beyond the ceiling", p, err, errRefused)
	numbers[0] = numbers[1]
	p, err = try(goodPIN, "4", "")
	answered(t, "beyond it by another number", p, err, errRefused)
	if p, err := try(goodPIN, "", device); p.Person() != a.Person {
		t.Errorf("got %v, want the known device let in", err)
	}
	r := visit(numbers[0], uuid.NewString())
	if p, err := w.Verify(t.Context(), with(r, w.send(t, r))); p.Person() != a.Person {
		t.Errorf("got %v, want a code to pass", err)
	}
	w.wait(day)
	if p, err := try(goodPIN, "5", ""); p.Person() != a.Person {
		t.Errorf("got %v, want it over the next day", err)
	}
}

// A person is not buried in messages. The answer tells nobody, and the code that was not
// sent is no code at all.
func TestMessagesToAPersonAreBounded(t *testing.T) {
	w := newWorld(t)
	w.Demo = true // whose codes are known
	a := w.person(t)
	w.use(t, w.messages(a.Person, "")[0], codesPersonFold*codesStrangers)
	r := visit(a.UIN.Reveal(), "a login")
	if sent, err := w.SendCode(t.Context(), r); err != nil || !sent.Expires.Equal(w.at.Add(codeLife)) {
		t.Fatalf("got %v, %v; want what everybody is told", sent, err)
	}
	if len(w.inbox) != 1 || w.inbox[0].To == "+15550100001" || w.inbox[0].Until.After(w.at) {
		t.Errorf("got %v, want a decoy", w.inbox)
	}
	p, err := w.Verify(t.Context(), with(r, demoCode))
	answered(t, "the code that was not sent", p, err, errRefused)
}

// Two numbers of one person cannot be told from two numbers of two: what a stranger has
// used up of one says nothing of the other, and nothing of what nobody has.
func TestNumbersOfOnePersonCannotBeLinked(t *testing.T) {
	w := newWorld(t)
	a, b := w.person(t), w.person(t)
	uin := a.UIN.Reveal()
	w.exhaust(t, uin)
	for n := range 8 {
		for range codesStrangers + 1 {
			_, _ = w.SendCode(t.Context(), CodeRequest{Identifier: uin, Transaction: "an attack", Client: portal, From: rangeOf(n)})
		}
	}
	for what, number := range map[string]string{"another number of theirs": a.VID.Reveal(), "somebody else's": b.VID.Reveal(), "nobody's": nobodysUIN(t)} {
		for _, from := range []string{home, rangeOf(0)} {
			if pressed, err := w.Pressed(t.Context(), w.Pool, Attempt{Identifier: number, From: from}, ByCode); pressed || err != nil {
				t.Errorf("%s: got %v, %v; want no work asked", what, pressed, err)
			}
			if _, err := w.SendCode(t.Context(), CodeRequest{Identifier: number, Transaction: "a look", Client: portal, From: from}); err != nil {
				t.Errorf("%s: got %v, want a code on its way", what, err)
			}
			p, err := w.guess(t, number, from)
			answered(t, what, p, err, errRefused)
		}
	}
}

func TestCodesPerDayAreTheDeploymentsToSet(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		demo bool
		set  int
		want int
	}{{false, 0, codesStrangers}, {true, 0, codesDemo}, {false, 25, 25}, {true, 3, 3}} {
		config := w.Config
		config.Demo, config.CodesPerDay = c.demo, c.set
		d, err := New(config)
		must(t, err)
		if d.CodesPerDay != c.want {
			t.Errorf("%v, %d: got %d a day, want %d", c.demo, c.set, d.CodesPerDay, c.want)
		}
	}
	config := w.Config
	config.CodesPerDay = 12
	d, err := New(config)
	must(t, err)
	a, sent := w.person(t), 0
	for n := range 20 {
		_, err := d.SendCode(t.Context(), visit(a.UIN.Reveal(), fmt.Sprint(n)))
		if err == nil {
			sent++
		} else if !errors.Is(err, errWork) {
			t.Fatal(err)
		}
	}
	if sent != 12 {
		t.Errorf("got %d codes, want 12", sent)
	}
}

// Whether somebody has the number that a client calls shows in nothing that is done.
func TestACallToNobodyIsTheSameWork(t *testing.T) {
	w := newWorld(t)
	a, erased := w.person(t), w.person(t)
	w.in(t, func(tx pgx.Tx) error { return w.Ring.ErasePerson(t.Context(), tx, erased.Person) })
	for n, number := range []string{a.UIN.Reveal(), nobodysUIN(t), erased.UIN.Reveal()} {
		w.in(t, func(tx pgx.Tx) error {
			return w.Call(t.Context(), tx, Call{Identifier: number, Client: portal, From: home, Named: func(string) string { return "A portal" },
				Address: "https://id.example/x", Binding: "W4SCT", Until: w.now().Add(time.Minute)})
		})
		if len(w.inbox) != n+1 || w.count(t, "SELECT count(*) FROM audit_entry WHERE event = 'login-called'") != n+1 {
			t.Fatalf("%d: got %d messages, want one for each call, and an entry", n, len(w.inbox))
		}
		if real := w.inbox[n].Until.After(w.now()) && w.inbox[n].To == "+15550100001"; real != (n == 0) {
			t.Errorf("%d: got %v sent, want it for somebody only", n, real)
		}
	}
}

// RFC 8628 section 5.1.
func TestTriesOfARangeAreBounded(t *testing.T) {
	w := newWorld(t)
	for n := range triesRange {
		if err := w.MayTry(t.Context(), w.Pool, afar); err != nil {
			t.Fatalf("%d: %v", n, err)
		}
		must(t, w.Missed(t.Context(), afar))
	}
	if err := w.MayTry(t.Context(), w.Pool, afar); !errors.Is(err, errWait) {
		t.Errorf("got %v, want the range to wait", err)
	}
	if err := w.MayTry(t.Context(), w.Pool, home); err != nil {
		t.Errorf("got %v, want others untouched", err)
	}
}
