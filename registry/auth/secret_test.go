package auth

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/registry"
)

const (
	goodPIN      = "729483"
	goodPassword = "grüne Schuhe im Regen"
)

func byPIN(identifier, pin string) Attempt {
	return Attempt{Identifier: identifier, PIN: pin, Transaction: "a login", Client: portal, From: home}
}

func byPassword(identifier, password string) Attempt {
	return Attempt{Identifier: identifier, Password: password, Transaction: "a login", Client: portal, From: home}
}

// withSecrets is somebody with a PIN and a password.
func (w *world) withSecrets(t *testing.T) registry.Assigned {
	t.Helper()
	a := w.person(t)
	p := w.logIn(t, a.UIN.Reveal())
	must(t, w.SetPIN(t.Context(), p, goodPIN))
	must(t, w.SetPassword(t.Context(), p, goodPassword))
	return a
}

func TestPINAndPasswordProveWhoSetThem(t *testing.T) {
	w := newWorld(t)
	a, b := w.withSecrets(t), w.person(t)
	uin := a.UIN.Reveal()
	for what, c := range map[string]struct {
		Attempt
		want Method
	}{"a PIN": {byPIN(uin, goodPIN), ByPIN}, "a PIN with blanks": {byPIN(uin, "729 483"), ByPIN}, "a PIN in other digits": {byPIN(uin, "٧٢٩٤٨٣"), ByPIN},
		"a password": {byPassword(uin, goodPassword), ByPassword}, "a password decomposed": {byPassword(uin, "gru\u0308ne Schuhe im Regen"), ByPassword}} {
		p, err := w.Verify(t.Context(), c.Attempt)
		if err != nil || p.Person() != a.Person || fmt.Sprint(p.Methods()) != fmt.Sprint([]Method{c.want}) {
			t.Errorf("%s: got %v, %v; want the person", what, p.Methods(), err)
		}
	}
	for what, x := range map[string]Attempt{"another PIN": byPIN(uin, "729484"), "the PIN as password": byPassword(uin, goodPIN), "the password as PIN": byPIN(uin, goodPassword),
		"another case": byPassword(uin, strings.ToUpper(goodPassword)), "somebody without": byPIN(b.UIN.Reveal(), goodPIN), "nobody": byPIN(nobodysUIN(t), goodPIN),
		"nobody's password": byPassword(nobodysUIN(t), goodPassword), "much": byPassword(uin, strings.Repeat("x", 100_000))} {
		p, err := w.Verify(t.Context(), x)
		answered(t, what, p, err, errRefused)
	}
	must(t, w.SetPIN(t.Context(), w.logIn(t, uin), "８３０４９１")) // of full width
	p, err := w.Verify(t.Context(), byPIN(uin, goodPIN))
	answered(t, "the PIN before", p, err, errRefused)
	if p, err := w.Verify(t.Context(), byPIN(uin, "830491")); p.Zero() {
		t.Errorf("got %v, want the new PIN taken", err)
	}
	must(t, w.DropSecret(t.Context(), w.logIn(t, uin), ByPIN))
	p, err = w.Verify(t.Context(), byPIN(uin, "830491"))
	answered(t, "the PIN dropped", p, err, errRefused)
	if err := w.DropSecret(t.Context(), w.logIn(t, uin), ByPIN); !fault.Is(err, fault.NotFound) {
		t.Errorf("got %v, want nothing left to drop", err)
	}
	if err := w.DropSecret(t.Context(), w.logIn(t, uin), ByFinger); !fault.Is(err, fault.Invalid) {
		t.Errorf("got %v, want fingers kept", err)
	}
	for event, want := range map[string]int{"secret-set": 3, "secret-dropped": 1} {
		if n := w.count(t, "SELECT count(*) FROM audit_entry WHERE event = $1 AND person = $2 AND actor = 'person'", event, a.Person); n != want {
			t.Errorf("%s: got %d entries, want %d", event, n, want)
		}
	}
}

// What may set a PIN: a fresh proof in two ways, or by what cannot be overheard.
func TestASecretIsNotSetByASecret(t *testing.T) {
	w := newWorld(t)
	a := w.withSecrets(t)
	proof := func(methods ...Method) Proof { return Proof{person: a.Person, methods: methods, at: w.now()} }
	for _, p := range []Proof{proof(ByCode), proof(ByFinger), proof(ByIris), proof(ByFace), proof(ByPasskey), proof(ByWallet), proof(ByPIN, ByCode)} {
		if err := w.SetPIN(t.Context(), p, goodPIN); err != nil {
			t.Errorf("%v: got %v, want it set", p.Methods(), err)
		}
	}
	old, kept := proof(ByCode), proof(ByCode)
	old.at, kept.at, kept.session = w.now().Add(-proofLife-time.Second), w.now().Add(-proofLife-time.Second), true
	for what, c := range map[string]struct {
		Proof
		want error
	}{"a PIN": {proof(ByPIN), errWeakProof}, "a password": {proof(ByPassword), errWeakProof}, "knowledge": {proof(ByKnowledge), errWeakProof}, "two that are known": {proof(ByPIN, ByKnowledge), errWeakProof},
		"none": {Proof{}, errNoProof}, "an old one": {old, errNoProof}, "an old session": {kept, errNoProof}} {
		for does, err := range map[string]error{"PIN": w.SetPIN(t.Context(), c.Proof, goodPIN), "password": w.SetPassword(t.Context(), c.Proof, goodPassword), "drop": w.DropSecret(t.Context(), c.Proof, ByPIN)} {
			if !errors.Is(err, c.want) {
				t.Errorf("%s, %s: got %v, want %v", what, does, err, c.want)
			}
		}
	}
	p := proof(ByCode)
	w.in(t, func(tx pgx.Tx) error {
		return w.Registry.SetStatus(t.Context(), tx, a.Person, registry.Active, registry.Blocked)
	})
	if err := w.SetPIN(t.Context(), p, goodPIN); !errors.Is(err, errGone) {
		t.Errorf("got %v, want somebody blocked refused", err)
	}
}

func TestWeakSecretsAreRefused(t *testing.T) {
	w := newWorld(t)
	a := w.enrolled(t, registry.NewIdentity{Fields: fields(map[string]any{"fullName": []any{
		map[string]any{"language": "eng", "value": "Wilhelmina O'Example"}, map[string]any{"language": "fra", "value": "Guillemette Exemple"}}})})
	p := w.logIn(t, a.UIN.Reveal())
	for _, pin := range []string{"", "12345", "123456789", "72948x", "-1-2-3", "000000", "123456", "654321", "890123", "111111", "1212121", "123123", "56785678", "112233", "147258",
		"198456", "841984", "180484", "041884", "840418", "18041984", "19840418", "550100", a.UIN.Reveal()[2:9]} {
		if err := w.SetPIN(t.Context(), p, pin); !fault.Is(err, fault.Invalid) || fault.Of(err).Code != "pin-weak" {
			t.Errorf("%q: got %v, want it refused", pin, err)
		}
	}
	for _, password := range []string{"", "elevenchars", strings.Repeat("a", 12), strings.Repeat("ab", 10), "abcabcabcabca", "12345678901234", "passwordpassword", "Password1234", "password!!!!",
		"Qwertyuiop123!", "           x", strings.Repeat("ü", 129), "Wilhelmina1984", "guillemette-exemple", "WilhelminaExample7!", a.UIN.Reveal() + "ab", "ada@EXAMPLE!1", "\xff\xfe\xfd\xfc\xff\xfe\xfd\xfc\xff\xfe\xfd\xfc"} {
		if err := w.SetPassword(t.Context(), p, password); !fault.Is(err, fault.Invalid) || fault.Of(err).Code != "password-weak" {
			t.Errorf("%q: got %v, want it refused", password, err)
		}
	}
	for _, password := range []string{"wrong horse, no staple", "aaaaaaaaaaab", "x" + strings.Repeat("üß", 63) + "y", "Wilhelmina rides at dawn", "密码密码十二个字符的确很长", "blank   blank   end"} {
		if err := w.SetPassword(t.Context(), p, password); err != nil {
			t.Errorf("%q: got %v, want it taken", password, err)
		}
	}
	if n := w.count(t, "SELECT count(*) FROM audit_entry WHERE event = 'secret-set'"); n != 6 {
		t.Errorf("got %d entries, want one for each that was taken", n)
	}
}

// For nobody the hash is made too, by a salt that stays: the work is the same.
func TestNobodyCostsAHashToo(t *testing.T) {
	w := newWorld(t)
	nobody, err := w.claim(t.Context(), w.Pool, nobodysUIN(t))
	must(t, err)
	somebody, err := w.claim(t.Context(), w.Pool, w.withSecrets(t).UIN.Reveal())
	must(t, err)
	first, err := w.secretOf(t.Context(), w.Pool, nobody, ByPIN)
	must(t, err)
	again, err := w.secretOf(t.Context(), w.Pool, nobody, ByPIN)
	must(t, err)
	real, err := w.secretOf(t.Context(), w.Pool, somebody, ByPIN)
	must(t, err)
	if string(first.Salt) != string(again.Salt) || len(first.Salt) != len(real.Salt) || first.Memory != real.Memory || first.Passes != real.Passes || first.Hash != nil || len(real.Hash) != hashBytes {
		t.Error("want the same work for nobody, and no hash that could fit")
	}
}

func TestASVS_6_6_3_GuessesAtPINsSideBySideAreBounded(t *testing.T) {
	w := newWorld(t)
	a := w.withSecrets(t)
	for _, identifier := range []string{a.UIN.Reveal(), nobodysUIN(t)} {
		errs := make([]error, 40)
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() { _, errs[i] = w.Verify(t.Context(), byPIN(identifier, fmt.Sprintf("84%04d", i))) })
		}
		all.Wait()
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
	// Other evidence has a budget of its own.
	if p := w.logIn(t, a.UIN.Reveal()); p.Zero() {
		t.Error("want a code accepted")
	}
}

// A PIN that is changed while it is judged counts no more.
func TestASecretIsJudgedAsItStandsAtTheEnd(t *testing.T) {
	w := newWorld(t)
	a := w.withSecrets(t)
	f, err := w.factor(t.Context(), byPIN(a.UIN.Reveal(), goodPIN), ByPIN)
	must(t, err)
	must(t, w.SetPIN(t.Context(), w.logIn(t, a.UIN.Reveal()), "830491"))
	w.in(t, func(tx pgx.Tx) error {
		why, err := f.unfit(t.Context(), tx, claimed{a.Person, true})
		if why == "" {
			t.Error("got the PIN before taken")
		}
		return err
	})
}

func TestSecretsAreKeptNowhereInTheClear(t *testing.T) {
	w := newWorld(t)
	a := w.withSecrets(t)
	who := claimed{a.Person, true}
	kept, err := w.secretOf(t.Context(), w.Pool, who, ByPIN)
	must(t, err)
	_, err = w.Verify(t.Context(), byPIN(a.UIN.Reveal(), "729484"))
	if !errors.Is(err, errRefused) {
		t.Fatal(err)
	}
	all := strings.Join(append(dump(t, w.Pool, "auth_"), dump(t, w.Pool, "audit_")...), "\n")
	for what, secret := range map[string]string{"PIN": goodPIN, "wrong PIN": "729484", "password": goodPassword, "hash": fmt.Sprintf("%x", kept.Hash), "salt": fmt.Sprintf("%x", kept.Salt), "number": a.UIN.Reveal()} {
		if strings.Contains(all, secret) {
			t.Errorf("got the %s in the database", what)
		}
	}
	// A row moved to somebody else opens nothing, nor does one of somebody erased.
	b := w.person(t)
	_, err = w.Pool.Exec(t.Context(), "UPDATE auth_secret SET person = $1 WHERE kind = 'pin'", b.Person)
	must(t, err)
	if p, err := w.Verify(t.Context(), byPIN(b.UIN.Reveal(), goodPIN)); !p.Zero() || !errors.Is(err, keys.ErrSealed) {
		t.Errorf("got %v, want a row that was moved refused", err)
	}
	w.in(t, func(tx pgx.Tx) error { return w.Ring.ErasePerson(t.Context(), tx, a.Person) })
	p, err := w.Verify(t.Context(), byPassword(a.UIN.Reveal(), goodPassword))
	answered(t, "somebody erased", p, err, errRefused)
	if err := w.SetPIN(t.Context(), Proof{person: uuid.New(), methods: []Method{ByCode}, at: w.now()}, goodPIN); err == nil {
		t.Error("got a PIN of nobody")
	}
}
