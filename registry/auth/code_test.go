package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/notify"
	"github.com/plinth-id/plinth/registry"
)

func TestDeskNeedsItsParts(t *testing.T) {
	w := newWorld(t)
	for name, spoil := range map[string]func(*Config){
		"no pool": func(c *Config) { c.Pool = nil }, "no ring": func(c *Config) { c.Ring = nil }, "no registry": func(c *Config) { c.Registry = nil },
		"no queue": func(c *Config) { c.Queue = nil }, "no offers": func(c *Config) { c.Offers = nil },
	} {
		c := w.Config
		spoil(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: got nil, want an error", name)
		}
	}
	c := w.Config
	c.Now = nil
	d, err := New(c)
	must(t, err)
	if time.Since(d.Now()) > time.Minute {
		t.Errorf("got %v, want the time of day", d.Now())
	}
}

func TestCodeProvesWhoGotIt(t *testing.T) {
	w := newWorld(t)
	a := w.person(t)
	for _, identifier := range []string{a.UIN.Reveal(), a.VID.Reveal(), a.UIN.Reveal()[:5] + " " + a.UIN.Reveal()[5:]} {
		r := visit(identifier, uuid.NewString())
		code := w.send(t, r)
		p, err := w.Verify(t.Context(), with(r, code[:3]+" "+code[3:]))
		must(t, err)
		if p.Zero() || p.Person() != a.Person || !slices.Equal(p.Methods(), []Method{ByCode}) || !p.At().Equal(w.at) {
			t.Errorf("got %v %v %v, want the person by a code, now", p.Person(), p.Methods(), p.At())
		}
	}
	if got := ACRs(); got[0] != ACRKnowledge || got[len(got)-1] != ACRHigh {
		t.Errorf("got %v, want the weakest first", got)
	}
}

func TestASVS_6_5_1_CodeIsSpentOnce(t *testing.T) {
	w := newWorld(t)
	a := w.person(t)
	r := visit(a.UIN.Reveal(), "a login")
	code := w.send(t, r)
	const many = 100
	proofs, errs := make([]Proof, many), make([]error, many)
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i := range many {
		wg.Go(func() {
			<-begin
			proofs[i], errs[i] = w.Verify(t.Context(), with(r, code))
		})
	}
	close(begin)
	wg.Wait()
	won, refused := 0, 0
	for i, p := range proofs {
		switch {
		case errs[i] == nil && p.Person() == a.Person:
			won++
		case errors.Is(errs[i], errRefused):
			refused++
			answered(t, "a loser", p, errs[i], errRefused)
		default:
			answered(t, "a loser beyond the budget", p, errs[i], errWork)
		}
	}
	if won != 1 || refused != failuresFromRange {
		t.Errorf("got %d proofs and %d refusals, want 1, and %d until the budget is used up", won, refused, failuresFromRange)
	}
	for event, want := range map[string]int{"login-succeeded": 1, "login-refused": many - 1} {
		if n := w.count(t, "SELECT count(*) FROM audit_entry WHERE event = $1 AND person = $2", event, a.Person); n != want {
			t.Errorf("%s: got %d entries, want %d", event, n, want)
		}
	}
}

func TestASVS_6_5_1_SpentCodeStaysSpent(t *testing.T) {
	w := newWorld(t)
	r := visit(w.person(t).UIN.Reveal(), "a login")
	code := w.send(t, r)
	_, err := w.Verify(t.Context(), with(r, code))
	must(t, err)
	p, err := w.Verify(t.Context(), with(r, code))
	answered(t, "the same code", p, err, errRefused)
	must(t, w.Sweep(t.Context()))
	p, err = w.Verify(t.Context(), with(r, code))
	answered(t, "the same code after a sweep", p, err, errRefused)
}

// Six decimal digits are what ASVS names as enough for twenty bits, if all of
// them are drawn.
func TestASVS_6_5_4_CodesAreSixDrawnDigits(t *testing.T) {
	w := newWorld(t)
	seen := make(map[string]bool)
	var digits [codeDigits][10]int
	for range 2000 {
		code, err := w.draw(claimed{uuid.New(), true})
		must(t, err)
		if !inText.MatchString(code) || len(code) != codeDigits {
			t.Fatalf("got %d characters, want %d digits", len(code), codeDigits)
		}
		seen[code] = true
		for i := range code {
			digits[i][code[i]-'0']++
		}
	}
	if len(seen) < 1980 {
		t.Errorf("got %d different codes of 2000, want hardly a pair alike", len(seen))
	}
	for i, counts := range digits {
		for d, n := range counts {
			if n < 120 || n > 280 { // six standard deviations
				t.Errorf("got %d times %d in place %d, want about 200", n, d, i)
			}
		}
	}
}

func TestASVS_6_5_5_CodeExpires(t *testing.T) {
	w := newWorld(t)
	r := visit(w.person(t).UIN.Reveal(), "a login")
	sent, err := w.SendCode(t.Context(), r)
	must(t, err)
	code := inText.FindString(w.inbox[0].Text)
	if life := sent.Expires.Sub(w.at); life != codeLife || life > 10*time.Minute {
		t.Errorf("got %v, want %v", life, codeLife)
	}
	w.wait(codeLife)
	p, err := w.Verify(t.Context(), with(r, code))
	answered(t, "a code at its end", p, err, errRefused)
	r.Transaction = "another login"
	code = w.send(t, r)
	w.wait(codeLife - time.Second)
	if _, err := w.Verify(t.Context(), with(r, code)); err != nil {
		t.Errorf("got %v, want a code good until its end", err)
	}
}

func TestASVS_6_6_2_CodeIsGoodForItsTransactionOnly(t *testing.T) {
	w := newWorld(t)
	a, b := w.person(t), w.person(t)
	r := visit(a.UIN.Reveal(), "a login")
	code := w.send(t, r)
	for what, spoil := range map[string]func(*Attempt){
		"another transaction": func(x *Attempt) { x.Transaction = "another login" },
		"another client":      func(x *Attempt) { x.Client = "b-portal" },
		"another person":      func(x *Attempt) { x.Identifier = b.UIN.Reveal() },
		"the parts shifted":   func(x *Attempt) { x.Client, x.Transaction = x.Client[:3], x.Client[3:]+x.Transaction },
		"nobody":              func(x *Attempt) { x.Identifier = "2753819640" },
	} {
		x := with(r, code)
		spoil(&x)
		p, err := w.Verify(t.Context(), x)
		answered(t, what, p, err, errRefused)
	}
	if _, err := w.Verify(t.Context(), with(r, code)); err != nil {
		t.Errorf("got %v, want it good for its own still", err)
	}
}

func TestASVS_6_6_3_CodeIsDeadAfterFiveGuesses(t *testing.T) {
	w := newWorld(t)
	r := visit(w.person(t).UIN.Reveal(), "a login")
	code := w.send(t, r)
	for range codeTries {
		p, err := w.Verify(t.Context(), with(r, other(code)))
		answered(t, "a guess", p, err, errRefused)
	}
	p, err := w.Verify(t.Context(), with(r, code))
	answered(t, "the right code after five wrong ones", p, err, errRefused)
	// The person asks for another one.
	if _, err := w.Verify(t.Context(), with(r, w.send(t, r))); err != nil {
		t.Errorf("got %v, want the new code good", err)
	}
}

// If every code that was sent stayed good, one guess would be compared with many.
func TestASVS_6_6_3_OnlyTheLastCodeOfATransactionIsGood(t *testing.T) {
	w := newWorld(t)
	a := w.person(t)
	r, elsewhere := visit(a.UIN.Reveal(), "a login"), visit(a.UIN.Reveal(), "a login elsewhere")
	first, kept, second := w.send(t, r), w.send(t, elsewhere), w.send(t, r)
	for second == first { // once in a million times
		second = w.send(t, r)
	}
	p, err := w.Verify(t.Context(), with(r, first))
	answered(t, "the code before the last", p, err, errRefused)
	if _, err := w.Verify(t.Context(), with(r, second)); err != nil {
		t.Errorf("got %v, want the last one good", err)
	}
	if _, err := w.Verify(t.Context(), with(elsewhere, kept)); err != nil {
		t.Errorf("got %v, want the code of another transaction untouched", err)
	}
}

func TestCodeGoesByTheBetterChannel(t *testing.T) {
	w := newWorld(t)
	send := func(changes map[string]any, without ...notify.Channel) []notify.Message {
		t.Helper()
		w.inbox, w.without = nil, map[notify.Channel]bool{}
		for _, c := range without {
			w.without[c] = true
		}
		a := w.enrolled(t, registry.NewIdentity{Fields: fields(changes)})
		sent, err := w.SendCode(t.Context(), visit(a.UIN.Reveal(), "a login"))
		if err != nil || len(sent.Masked) != 0 || !sent.Expires.Equal(w.at.Add(codeLife)) {
			t.Errorf("got %v, %v; want what anybody is told", sent, err)
		}
		return w.inbox
	}
	for _, c := range []struct {
		changes map[string]any
		without []notify.Channel
		channel notify.Channel
		to      string
	}{
		{nil, nil, notify.SMS, "+15550100001"},
		{map[string]any{"phone": nil}, nil, notify.Mail, "ada@example.org"},
		{nil, []notify.Channel{notify.SMS}, notify.Mail, "ada@example.org"},
		{map[string]any{"email": nil}, []notify.Channel{notify.Mail}, notify.SMS, "+15550100001"},
	} {
		got := send(c.changes, c.without...)
		if len(got) != 1 || got[0].Channel != c.channel || got[0].To != c.to || (got[0].Subject != "") != (c.channel == notify.Mail) {
			t.Errorf("got %d messages, want one by %s", len(got), c.channel)
		}
	}
	for _, changes := range []map[string]any{{"phone": nil, "email": nil}, {"email": nil}} {
		if got := send(changes, notify.SMS); len(got) != 0 {
			t.Errorf("got %d messages to somebody without a channel, want none", len(got))
		}
	}
}

func TestCodeIsSentInTheLanguageThatThePersonPrefers(t *testing.T) {
	w := newWorld(t)
	texts := make(map[string]bool)
	for _, language := range []string{"eng", "fra", "ara", "swa"} {
		a := w.enrolled(t, registry.NewIdentity{Fields: fields(map[string]any{"preferredLang": language})})
		code := w.send(t, visit(a.UIN.Reveal(), "a login"))
		texts[strings.ReplaceAll(w.inbox[len(w.inbox)-1].Text, code, "")] = true
	}
	if len(texts) != 3 {
		t.Errorf("got %d different texts, want three, and the first language for one that we do not speak", len(texts))
	}
}

func TestDemoCodeIsForPeopleWhoExist(t *testing.T) {
	w := newWorld(t)
	w.Demo = true
	r := visit(w.person(t).UIN.Reveal(), "a login")
	if code := w.send(t, r); code != demoCode {
		t.Errorf("got another code than that of the demo")
	}
	if _, err := w.Verify(t.Context(), with(r, demoCode)); err != nil {
		t.Errorf("got %v, want it good", err)
	}
	r = visit("2753819640", "a login")
	_, err := w.SendCode(t.Context(), r)
	must(t, err)
	p, err := w.Verify(t.Context(), with(r, demoCode))
	answered(t, "the code of the demo for nobody", p, err, errRefused)
}

func TestCodeNeedsATransaction(t *testing.T) {
	w := newWorld(t)
	if _, err := w.SendCode(t.Context(), CodeRequest{Identifier: w.person(t).UIN.Reveal()}); err == nil || len(w.inbox) != 0 {
		t.Errorf("got %v and %d messages, want an error and none", err, len(w.inbox))
	}
}

// A code that cannot be sent is not kept, and costs nothing.
func TestCodeIsSentAndKeptTogether(t *testing.T) {
	w := newWorld(t)
	a := w.person(t)
	w.Queue = func(context.Context, pgx.Tx, notify.Message) error { return fmt.Errorf("the line is full") }
	if _, err := w.SendCode(t.Context(), visit(a.UIN.Reveal(), "a login")); err == nil {
		t.Error("got nil, want the error")
	}
	for _, table := range []string{"auth_code", "auth_limit"} {
		if n := w.count(t, "SELECT count(*) FROM "+table); n != 0 {
			t.Errorf("%s: got %d rows, want none", table, n)
		}
	}
}

func TestASVS_16_2_5_CodesAndNumbersAreKeptNowhereInTheClear(t *testing.T) {
	w := newWorld(t)
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	t.Cleanup(func() { slog.SetDefault(before) })
	a := w.person(t)
	r := visit(a.UIN.Reveal(), "a login")
	code := w.send(t, r)
	_, err := w.Verify(t.Context(), with(r, other(code)))
	for text := err.Error(); strings.Contains(text, code) || strings.Contains(text, a.UIN.Reveal()); text = "" {
		t.Errorf("got %s, want neither code nor number in it", text)
	}
	_, err = w.Verify(t.Context(), with(r, code))
	must(t, err)
	b := w.enrolled(t, registry.NewIdentity{Fields: fields(map[string]any{"phone": nil, "email": nil})})
	_, err = w.SendCode(t.Context(), visit(b.VID.Reveal(), "a login"))
	must(t, err)
	texts := append(dump(t, w.Pool, "auth_"), dump(t, w.Pool, "audit_")...)
	if len(texts) < 5 || !strings.Contains(log.String(), b.Person.String()) {
		t.Errorf("got %d rows and the log %q, want what was done in them", len(texts), log.String())
	}
	for _, text := range append(texts, log.String()) {
		for _, s := range []string{a.UIN.Reveal(), a.VID.Reveal(), b.VID.Reveal(), "+15550100001", "ada@example.org", `"` + code + `"`, "," + code + ","} {
			if strings.Contains(text, s) {
				t.Errorf("got %q in %s, want it nowhere", s, text)
			}
		}
	}
}

func TestSweepForgetsWhatHasExpired(t *testing.T) {
	w := newWorld(t)
	a := w.person(t)
	r := visit(a.UIN.Reveal(), "a login")
	code := w.send(t, r)
	must(t, w.Sweep(t.Context()))
	if n := w.count(t, "SELECT count(*) FROM auth_code"); n != 1 {
		t.Errorf("got %d codes, want the fresh one kept", n)
	}
	if _, err := w.Verify(t.Context(), with(r, other(code))); !fault.Is(err, fault.Denied) {
		t.Errorf("got %v, want it refused", err)
	}
	w.wait(codeLife + time.Hour + time.Second)
	must(t, w.Sweep(t.Context()))
	if n := w.count(t, "SELECT count(*) FROM auth_code"); n != 0 {
		t.Errorf("got %d codes, want none", n)
	}
	if n := w.count(t, "SELECT count(*) FROM auth_limit"); n == 0 {
		t.Error("got no budgets, want those of the day kept")
	}
	w.wait(day)
	must(t, w.Sweep(t.Context()))
	if n := w.count(t, "SELECT count(*) FROM auth_limit"); n != 0 {
		t.Errorf("got %d budgets, want none", n)
	}
}
