package auth

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/registry"
)

// guess is a wrong code from a range, for a transaction of the attacker's own.
func (w *world) guess(t *testing.T, identifier, from string) (Proof, error) {
	t.Helper()
	return w.Verify(t.Context(), Attempt{Identifier: identifier, Code: "000000", Transaction: "an attack", Client: portal, From: from})
}

// rangeOf is the nth address range of an attacker who has many.
func rangeOf(n int) string { return fmt.Sprintf("198.51.%d.0/24", n) }

// exhaust guesses from as many ranges as it takes, until all of them are refused.
func (w *world) exhaust(t *testing.T, identifier string) (judged int) {
	t.Helper()
	for n := range 8 {
		for range failuresFromRange + 1 {
			if _, err := w.guess(t, identifier, rangeOf(n)); errors.Is(err, errRefused) {
				judged++
			}
		}
	}
	return judged
}

func TestASVS_6_6_3_GuessesAreBounded(t *testing.T) {
	w := newWorld(t)
	a := w.person(t)
	for range failuresFromRange {
		p, err := w.guess(t, a.UIN.Reveal(), afar)
		answered(t, "a guess", p, err, errRefused)
	}
	p, err := w.guess(t, a.UIN.Reveal(), afar)
	answered(t, "a guess too many", p, err, errWork)
	// Another number of the same person tells nothing of the first.
	p, err = w.guess(t, a.VID.Reveal(), afar)
	answered(t, "a guess by the VID", p, err, errRefused)
	p, err = w.guess(t, w.person(t).UIN.Reveal(), afar)
	answered(t, "a guess at somebody else", p, err, errRefused)
	w.wait(time.Hour)
	p, err = w.guess(t, a.UIN.Reveal(), afar)
	answered(t, "a guess an hour later", p, err, errRefused)
}

func TestASVS_6_6_3_GuessesFromEverywhereAreBounded(t *testing.T) {
	w := newWorld(t)
	a := w.person(t)
	if judged := w.exhaust(t, a.UIN.Reveal()); judged != failuresStrangers {
		t.Errorf("got %d guesses judged, want %d", judged, failuresStrangers)
	}
	w.wait(time.Hour)
	if judged := w.exhaust(t, a.UIN.Reveal()); judged != 0 {
		t.Errorf("got %d guesses judged an hour later, want none the same day", judged)
	}
	w.wait(day)
	if judged := w.exhaust(t, a.UIN.Reveal()); judged != failuresStrangers {
		t.Errorf("got %d guesses judged the next day, want %d", judged, failuresStrangers)
	}
}

func TestASVS_6_6_3_GuessesSideBySideAreBounded(t *testing.T) {
	w := newWorld(t)
	a := w.person(t)
	errs := make([]error, 60)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { _, errs[i] = w.guess(t, a.UIN.Reveal(), afar) })
	}
	wg.Wait()
	judged := 0
	for _, err := range errs {
		if errors.Is(err, errRefused) {
			judged++
		} else if !errors.Is(err, errWork) {
			t.Errorf("got %v, want one of the two refusals", err)
		}
	}
	if judged != failuresFromRange {
		t.Errorf("got %d guesses judged, want %d", judged, failuresFromRange)
	}
}

// One guess at each of many people is guessing too.
func TestASVS_6_6_3_OneRangeCannotTryEverybody(t *testing.T) {
	w := newWorld(t)
	judged := 0
	for n := range failuresRange + 5 {
		if _, err := w.guess(t, fmt.Sprintf("nobody %d", n), afar); errors.Is(err, errRefused) {
			judged++
		}
	}
	if judged != failuresRange {
		t.Errorf("got %d guesses judged, want %d", judged, failuresRange)
	}
	a := w.person(t)
	p, err := w.guess(t, a.UIN.Reveal(), afar)
	answered(t, "a guess at somebody else", p, err, errWait)
	for _, b := range w.guesses(a.Person, Attempt{Identifier: a.UIN.Reveal(), From: afar}, "code")[:2] {
		if n := w.count(t, "SELECT coalesce(max(used), 0) FROM auth_limit WHERE key = $1", b.key); n != 0 {
			t.Errorf("got %d spent of a budget of %d, want none for a guess that was not judged", n, b.limit)
		}
	}
	if p := w.logIn(t, a.UIN.Reveal()); p.Person() != a.Person {
		t.Error("want people elsewhere untouched")
	}
}

// ASVS 6.1.1: limits must not be a way to shut somebody out. One attacker in one
// place uses up the budget of that place and no more.
func TestASVS_6_1_1_OneAttackerDoesNotShutTheVictimOut(t *testing.T) {
	w := newWorld(t)
	a := w.person(t)
	for range 3 * failuresStrangers {
		_, _ = w.guess(t, a.UIN.Reveal(), afar)
	}
	for range 3 * codesAllFold * codesStrangers {
		_, _ = w.SendCode(t.Context(), CodeRequest{Identifier: a.UIN.Reveal(), Transaction: "an attack", Client: portal, From: afar})
	}
	if got := len(w.inbox); got != codesStrangers {
		t.Errorf("got %d codes sent, want %d", got, codesStrangers)
	}
	if p := w.logIn(t, a.UIN.Reveal()); p.Person() != a.Person {
		t.Error("want the victim to log in from elsewhere, on a new device")
	}
}

func TestASVS_6_1_1_RememberedDeviceIsNotLockedOut(t *testing.T) {
	w := newWorld(t)
	a := w.person(t)
	device := w.Remember(w.logIn(t, a.UIN.Reveal()))
	if device == "" || len(device) > 512 {
		t.Fatalf("got a token of %d characters, want one", len(device))
	}
	w.exhaust(t, a.UIN.Reveal())
	for n := range 8 {
		for range codesStrangers + 1 {
			_, _ = w.SendCode(t.Context(), CodeRequest{Identifier: a.UIN.Reveal(), Transaction: "an attack", Client: portal, From: rangeOf(n)})
		}
	}
	stranger := visit(a.UIN.Reveal(), "a login of a stranger")
	if _, err := w.SendCode(t.Context(), stranger); !errors.Is(err, errWork) {
		t.Errorf("got %v, want every stranger to work", err)
	}
	// The person, at home and even in the attacker's own range.
	for _, from := range []string{home, rangeOf(0)} {
		r := CodeRequest{Identifier: a.UIN.Reveal(), Transaction: uuid.NewString(), Client: portal, Device: device, From: from}
		p, err := w.Verify(t.Context(), with(r, w.send(t, r)))
		if err != nil || p.Person() != a.Person {
			t.Errorf("got %v, want the person let in on the known device", err)
		}
	}
}

func TestASVS_6_6_3_RememberedDeviceHasABudgetToo(t *testing.T) {
	w := newWorld(t)
	a := w.person(t)
	device := w.Remember(w.logIn(t, a.UIN.Reveal()))
	judged := 0
	for n := range failuresKnown + 5 {
		_, err := w.Verify(t.Context(), Attempt{Identifier: a.UIN.Reveal(), Code: "000000", Transaction: "theft", Device: device, From: rangeOf(n)})
		if errors.Is(err, errRefused) {
			judged++
		}
	}
	if judged != failuresKnown {
		t.Errorf("got %d guesses judged, want %d wherever the device is", judged, failuresKnown)
	}
	sent := 0
	for range codesKnown + 5 {
		if _, err := w.SendCode(t.Context(), CodeRequest{Identifier: a.UIN.Reveal(), Transaction: "theft", Device: device}); err == nil {
			sent++
		}
	}
	if sent != codesKnown {
		t.Errorf("got %d codes, want %d", sent, codesKnown)
	}
	if p := w.logIn(t, a.UIN.Reveal()); p.Zero() {
		t.Error("want other devices untouched")
	}
}

// What is no token of this person's is worth nothing, and answers like none.
func TestForeignDeviceIsAStranger(t *testing.T) {
	w := newWorld(t)
	a, b := w.person(t), w.person(t)
	mine := w.Remember(w.logIn(t, a.UIN.Reveal()))
	theirs := w.Remember(w.logIn(t, b.UIN.Reveal()))
	raw, err := base64.RawURLEncoding.DecodeString(mine)
	must(t, err)
	raw[len(raw)-1] ^= 1
	proof, err := w.SealProof(w.logIn(t, a.UIN.Reveal()), []byte("a cookie"))
	must(t, err)
	if _, ok := w.known(mine, a.Person); !ok {
		t.Fatal("want the person's own device known")
	}
	for what, device := range map[string]string{"another person's": theirs, "tampered": base64.RawURLEncoding.EncodeToString(raw), "empty": "", "no base64": "!",
		"too long": strings.Repeat("A", 600), "a proof": base64.RawURLEncoding.EncodeToString(proof), "cut": mine[:len(mine)/2]} {
		if _, ok := w.known(device, a.Person); ok {
			t.Errorf("%s: got it known, want a stranger", what)
		}
	}
	w.wait(deviceRemembered + time.Second)
	if _, ok := w.known(mine, a.Person); ok {
		t.Error("got it known after its end")
	}
	if device := w.Remember(Proof{}); device != "" {
		t.Error("got a device of nobody")
	}
}

// A login that passes gives back what it spent: whoever logs in often is not shut out.
func TestPassingCostsNothing(t *testing.T) {
	w := newWorld(t)
	a := w.person(t)
	for n := range 2 * failuresFromRange {
		if n%(codesStrangers-1) == 0 {
			w.wait(day)
		}
		if p := w.logIn(t, a.UIN.Reveal()); p.Zero() {
			t.Fatalf("got no proof at login %d", n)
		}
	}
	if n := w.count(t, "SELECT coalesce(max(used), 0) FROM auth_limit WHERE key = $1", w.guesses(a.Person, Attempt{Identifier: a.UIN.Reveal(), From: home}, "code")[0].key); n != 0 {
		t.Errorf("got %d spent, want none", n)
	}
}

// Wrong codes do not keep a finger from being shown.
func TestEachKindOfEvidenceHasItsBudget(t *testing.T) {
	w := newWorld(t)
	a := w.withFingers(t)
	w.exhaust(t, a.UIN.Reveal())
	p, err := w.Verify(t.Context(), Attempt{Identifier: a.UIN.Reveal(), Finger: print(t, "p01_rightIndex_1"), Transaction: "a login", Client: portal, From: home})
	if err != nil || p.Person() != a.Person {
		t.Errorf("got %v, want the finger accepted", err)
	}
}

func TestASVS_6_3_8_NobodyIsAnsweredLikeSomebody(t *testing.T) {
	w := newWorld(t)
	a, gone, erased := w.withFingers(t), w.person(t), w.withFingers(t)
	w.in(t, func(tx pgx.Tx) error {
		return w.Registry.SetStatus(t.Context(), tx, gone.Person, registry.Active, registry.Deactivated)
	})
	w.in(t, func(tx pgx.Tx) error { return w.Ring.ErasePerson(t.Context(), tx, erased.Person) })
	for what, identifier := range map[string]string{"somebody": a.UIN.Reveal(), "nobody": "2753819640", "a number mistyped": "2753819641", "no number": "ada@example.org",
		"nothing": "", "somebody deactivated": gone.UIN.Reveal(), "somebody erased": erased.UIN.Reveal()} {
		r := visit(identifier, "a login by "+what)
		sent, err := w.SendCode(t.Context(), r)
		if err != nil || !sent.Expires.Equal(w.at.Add(codeLife)) || len(sent.Masked) != 0 {
			t.Errorf("%s: got %v, %v; want what everybody is told", what, sent, err)
		}
		p, err := w.Verify(t.Context(), with(r, "000000"))
		answered(t, what+", a wrong code", p, err, errRefused)
		p, err = w.Verify(t.Context(), Attempt{Identifier: identifier, Finger: print(t, "p02_rightIndex_0"), Transaction: "a login", Client: portal, From: home})
		answered(t, what+", a finger", p, err, errRefused)
		for kind, x := range map[string]Attempt{"an eye": seen(identifier, eye(5, 1), ""), "a PIN": byPIN(identifier, goodPIN), "a password": byPassword(identifier, goodPassword),
			"knowledge": knows(identifier, map[string]string{"fullName": "Nobody", "dateOfBirth": "1984-04-18"})} {
			p, err := w.Verify(t.Context(), x)
			answered(t, what+", "+kind, p, err, errRefused)
		}
	}
	// The same was done for all, and only somebody is sent anything.
	good := 0
	for _, m := range w.inbox {
		if !w.at.After(m.Until) {
			good++
		}
	}
	if n := len(w.inbox); n != 7 || good != 1 {
		t.Errorf("got %d messages, %d of them to be sent; want 7 and one, to somebody", n, good)
	}
	if n := w.count(t, "SELECT count(*) FROM audit_entry WHERE event = 'code-sent'"); n != 7 {
		t.Errorf("got %d entries, want one for each", n)
	}
}

// Limits are the same for nobody, however the number is written.
func TestASVS_6_3_8_NobodyIsLimitedLikeSomebody(t *testing.T) {
	w := newWorld(t)
	for what, identifier := range map[string]string{"somebody": w.person(t).UIN.Reveal(), "somebody by VID": w.person(t).VID.Reveal(), "nobody": nobodysUIN(t)} {
		judged, sent := 0, 0
		for n := range failuresFromRange + 5 {
			written := identifier[:n%9+1] + strings.Repeat(" ", n) + identifier[n%9+1:]
			from := what // a range of their own, so that only the person counts
			if _, err := w.guess(t, written, from); errors.Is(err, errRefused) {
				judged++
			}
			if _, err := w.SendCode(t.Context(), CodeRequest{Identifier: written, Transaction: "a login", From: from}); err == nil {
				sent++
			} else {
				answered(t, what, Proof{}, err, errWork)
			}
		}
		if judged != failuresFromRange || sent != codesStrangers {
			t.Errorf("%s: got %d guesses judged and %d codes, want %d and %d", what, judged, sent, failuresFromRange, codesStrangers)
		}
	}
}

// nobodysUIN is a number that could be somebody's.
func nobodysUIN(t *testing.T) string {
	t.Helper()
	for n := 2_753_819_640; ; n++ {
		if u, err := registry.ParseUIN(fmt.Sprint(n)); err == nil {
			return u.Reveal()
		}
	}
}

// The log must not become a list of numbers that somebody tried.
func TestASVS_16_3_1_LoginsAreLogged(t *testing.T) {
	w := newWorld(t)
	a := w.person(t)
	r := visit(a.UIN.Reveal(), "a login")
	code := w.send(t, r)
	_, _ = w.Verify(t.Context(), with(r, other(code)))
	_, _ = w.Verify(t.Context(), with(visit(nobodysUIN(t), "a login"), "000000"))
	_, err := w.Verify(t.Context(), with(r, code))
	must(t, err)
	for _, c := range []struct {
		want int
		sql  string
		args []any
	}{
		{1, "SELECT count(*) FROM audit_entry WHERE event = 'code-sent' AND person = $1 AND actor = $2", []any{a.Person, "client:" + portal}},
		{1, "SELECT count(*) FROM audit_entry WHERE event = 'login-refused' AND person = $1 AND actor = $2", []any{a.Person, "client:" + portal}},
		{1, "SELECT count(*) FROM audit_entry WHERE event = 'login-refused' AND person IS NULL", nil},
		{1, "SELECT count(*) FROM audit_entry WHERE event = 'login-succeeded' AND person = $1 AND details::text LIKE '%code%'", []any{a.Person}},
	} {
		if n := w.count(t, c.sql, c.args...); n != c.want {
			t.Errorf("%s: got %d, want %d", c.sql, n, c.want)
		}
	}
}
