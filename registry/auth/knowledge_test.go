package auth

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/registry"
)

func knows(identifier string, said map[string]string) Attempt {
	return Attempt{Identifier: identifier, Knowledge: said, Transaction: "a login", Client: portal, From: home}
}

func spoken(pairs ...string) (all []any) {
	for n := 0; n < len(pairs); n += 2 {
		all = append(all, map[string]any{"language": pairs[n], "value": pairs[n+1]})
	}
	return all
}

func TestKnowledgeProvesWhoKnowsEveryField(t *testing.T) {
	w := newWorld(t)
	if got := w.KnowledgeFields(); !slices.Equal(got, []string{"fullName", "dateOfBirth"}) {
		t.Fatalf("got %v asked", got)
	}
	a := w.enrolled(t, registry.NewIdentity{Fields: fields(map[string]any{"fullName": spoken("eng", "Ada Jane O'Example-Smith", "ara", "آدا جين")})})
	for _, c := range []struct {
		name, born string
		fits       bool
	}{
		{"Ada Jane O'Example-Smith", "1984-04-18", true}, {"ada  JANE o’example smith", "18/04/1984", true}, {"OExample Smith, Ada Jane", "18.4.1984", true},
		{"Ａｄａ Jane O'Example-Smith", "04/18/1984", true}, {"آدا جين", "١٩٨٤/٠٤/١٨", true}, {"جين آدا", "19840418", true}, {" Ada Jane O'Example-Smith ", "18 04 1984", true},
		{"Ada Jane OExample Smith", "18041984", true},
		{"Ada O'Example-Smith", "1984-04-18", false}, {"Ada Ada Jane O'Example-Smith", "1984-04-18", false}, {"Ada Jane O'Example-Smith", "1984-04-17", false},
		{"Ada Jane O'Example-Smith", "84-04-18", false}, {"Ada Jane O'Example-Smith", "18 April 1984", false}, {"Ada جين", "1984-04-18", false},
		{"Ada Jane O'Example-Smith", "1984-18-04", false}, {"Ada Jane O'Example-Smith", "x", false}, {strings.Repeat("Ada ", 200), "1984-04-18", false}, {"'", "1984-04-18", false},
	} {
		w.wait(day)
		p, err := w.Verify(t.Context(), knows(a.UIN.Reveal(), map[string]string{"fullName": c.name, "dateOfBirth": c.born, "more": "is passed over"}))
		if c.fits && (err != nil || p.Person() != a.Person || fmt.Sprint(p.Methods()) != "[knowledge]") {
			t.Errorf("%s, %s: got %v, want the person", c.name, c.born, err)
		}
		if !c.fits {
			answered(t, c.name+", "+c.born, p, err, errRefused)
		}
	}
	good := map[string]string{"fullName": "Ada Jane O'Example-Smith", "dateOfBirth": "1984-04-18"}
	p, err := w.Verify(t.Context(), knows(nobodysUIN(t), good))
	answered(t, "nobody", p, err, errRefused)
	for _, said := range []map[string]string{{"fullName": "Ada"}, {"fullName": "Ada", "dateOfBirth": " "}, {"other": "x"}} {
		for _, identifier := range []string{a.UIN.Reveal(), nobodysUIN(t)} {
			if _, err := w.Verify(t.Context(), knows(identifier, said)); !fault.Is(err, fault.Invalid) || fault.Of(err).Code != "knowledge-incomplete" {
				t.Errorf("%v: got %v, want what is missing named", said, err)
			}
		}
	}
	if n := w.count(t, "SELECT count(*) FROM audit_entry WHERE details::text LIKE '%1984%'"); n != 0 {
		t.Error("got what was said in the audit")
	}
}

func TestKnowledgeOfOtherFields(t *testing.T) {
	w := newWorld(t)
	w.Knowledge = []string{"phone", "email", "postalCode"}
	a := w.enrolled(t, registry.NewIdentity{Fields: fields(map[string]any{"postalCode": "AB1 2CD"})})
	for _, c := range []struct {
		phone, email, code string
		fits               bool
	}{
		{"+1 (555) 010-0001", "ADA@example.org", "ab1 2cd", true}, {"15550100001", "ada@example.org", "AB1 2CD", true},
		{"+15550100002", "ada@example.org", "AB1 2CD", false}, {"call +15550100001", "ada@example.org", "AB1 2CD", false}, {"+15550100001", "ada@example.com", "AB1 2CD", false},
	} {
		p, err := w.Verify(t.Context(), knows(a.UIN.Reveal(), map[string]string{"phone": c.phone, "email": c.email, "postalCode": c.code}))
		if p.Zero() == c.fits || !c.fits && !errors.Is(err, errRefused) {
			t.Errorf("%v: got %v", c, err)
		}
	}
	w.Knowledge = []string{"fullName", "middleName"} // which nobody has
	if p, _ := w.Verify(t.Context(), knows(a.UIN.Reveal(), map[string]string{"fullName": "Ada Example", "middleName": "x"})); !p.Zero() {
		t.Error("got somebody proven by a field that is not there")
	}
}

func TestASVS_6_6_3_GuessesAtKnowledgeAreBounded(t *testing.T) {
	w := newWorld(t)
	for _, identifier := range []string{w.person(t).UIN.Reveal(), nobodysUIN(t)} {
		errs := make([]error, 40)
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() {
				_, errs[i] = w.Verify(t.Context(), knows(identifier, map[string]string{"fullName": "Ada Example", "dateOfBirth": fmt.Sprintf("1984-05-%02d", i)}))
			})
		}
		all.Wait()
		judged := 0
		for _, err := range errs {
			if errors.Is(err, errRefused) {
				judged++
			}
		}
		if judged != failuresFromRange {
			t.Errorf("got %d guesses judged, want %d", judged, failuresFromRange)
		}
	}
}

func FuzzDatesAndWords(f *testing.F) {
	for _, s := range []string{"1984-04-18", "18/4/1984", "١٩٨٤/٠٤/١٨", "Ada O'Example", "\xff", "", "𝟙𝟡𝟠𝟜 04 18"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, d := range dates(s) {
			if len(d) != 8 || onlyDigits(d) != d {
				t.Errorf("%q: got date %q", s, d)
			}
		}
		sorted := words(s)
		if again := words(strings.Join(sorted, " ")); !slices.Equal(again, sorted) {
			t.Errorf("%q: got %q, then %q", s, sorted, again)
		}
	})
}
