package auth

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/registry"
)

func TestPasskeyProvesWhoseItIs(t *testing.T) {
	w := newWorld(t)
	a, key := w.withPasskey(t)
	for range 2 {
		w.wait(time.Hour)
		p, err := w.Verify(t.Context(), w.byPasskey(t, key))
		if err != nil || p.Person() != a.Person || !slices.Equal(p.Methods(), []Method{ByPasskey}) || LevelOf(p.Methods()) != Substantial {
			t.Fatalf("got %v, %v; want the person by a passkey, without a number", p.Methods(), err)
		}
	}
	all, err := w.Passkeys(t.Context(), w.Pool, a.Person)
	if err != nil || len(all) != 1 || all[0].Name != "my phone" || !all[0].Used.Equal(w.now()) || !all[0].Created.Equal(w.now().Add(-2*time.Hour)) {
		t.Errorf("got %+v, %v; want one passkey", all, err)
	}
	// With a number it must be the same person.
	x := w.byPasskey(t, key)
	x.Identifier = a.VID.Reveal()
	if p, err := w.Verify(t.Context(), x); p.Person() != a.Person {
		t.Errorf("got %v, want the person by passkey and number", err)
	}
	x = w.byPasskey(t, key)
	x.Identifier = w.person(t).UIN.Reveal()
	p, err := w.Verify(t.Context(), x)
	answered(t, "another's number", p, err, errRefused)

	must(t, w.Ring.Rotate(t.Context(), keys.Lookup))
	if p, err := w.Verify(t.Context(), w.byPasskey(t, key)); p.Zero() {
		t.Errorf("got %v after a rotation, want the passkey found", err)
	}
	must(t, w.DropPasskey(t.Context(), w.logIn(t, a.UIN.Reveal()), all[0].ID))
	p, err = w.Verify(t.Context(), w.byPasskey(t, key))
	answered(t, "dropped", p, err, errRefused)
	for event, want := range map[string]int{"passkey-added": 1, "passkey-dropped": 1} {
		if n := w.count(t, "SELECT count(*) FROM audit_entry WHERE event = $1 AND person = $2 AND subject = $3", event, a.Person, all[0].ID.String()); n != want {
			t.Errorf("%s: got %d entries, want %d", event, n, want)
		}
	}
}

func TestPasskeysAreAskedForAsTheyMustBe(t *testing.T) {
	w := newWorld(t)
	a, key := w.withPasskey(t)
	p := Proof{person: a.Person, methods: []Method{ByPasskey}, at: w.now()}
	options, _, err := w.BeginPasskey(t.Context(), p)
	must(t, err)
	q := read(t, options).Response
	if q.RP.ID != "id.example" || q.Attestation != "none" || q.Selection.ResidentKey != "required" || q.Selection.UserVerification != "required" || len(q.Exclude) != 1 || q.Exclude[0].ID != b64(key.id) {
		t.Errorf("got %s", options)
	}
	if strings.Contains(string(options), a.UIN.Reveal()) || strings.Contains(string(options), a.Person.String()) || len(key.handle) != 32 || q.User.Name != "Ada Example" {
		t.Errorf("got %s, want the name and no number", options)
	}
	options, _, err = w.AskPasskey("a login")
	must(t, err)
	if q := read(t, options).Response; q.RPID != "id.example" || q.UserVerification != "required" || strings.Contains(string(options), "allowCredentials") {
		t.Errorf("got %s, want a question to any passkey", options)
	}
	if n := w.count(t, "SELECT count(*) FROM auth_challenge"); n != 1 {
		t.Errorf("got %d challenges stored, want none for questions", n)
	}
}

// Each of these is what an attacker could do; each is refused, and audited when it is judged.
func TestPasskeyAnswersThatDoNotFitAreRefused(t *testing.T) {
	w := newWorld(t)
	_, key := w.withPasskey(t)
	_, theirs := w.withPasskey(t)
	for what, spoil := range map[string]func(k *authenticator){
		"another origin":      func(k *authenticator) { k.origin = "https://evil.example" },
		"another port":        func(k *authenticator) { k.origin = "https://id.example" },
		"plain http":          func(k *authenticator) { k.origin = "http://id.example:8443" },
		"another RP":          func(k *authenticator) { k.rp = "evil.example" },
		"another challenge":   func(k *authenticator) { k.forge = b64(bytes.Repeat([]byte{7}, 32)) },
		"no verification":     func(k *authenticator) { k.flags = present },
		"no presence":         func(k *authenticator) { k.flags = verified },
		"another key":         func(k *authenticator) { k.key = theirs.key },
		"another handle":      func(k *authenticator) { k.handle = theirs.handle },
		"no handle":           func(k *authenticator) { k.handle = nil },
		"another's id":        func(k *authenticator) { k.id = theirs.id },
		"an unknown id":       func(k *authenticator) { k.id = bytes.Repeat([]byte{7}, 32) },
		"a counter gone back": func(k *authenticator) { k.counter = 0 },
		"a counter standing":  func(k *authenticator) { k.counter = 99 },
	} {
		key.counter = 100
		if p, err := w.Verify(t.Context(), w.byPasskey(t, key)); p.Zero() {
			t.Fatalf("before %s: got %v, want a login", what, err)
		}
		bad := *key
		if bad.counter > 101 {
			t.Fatal("the counter ran away")
		}
		bad.counter = 200 // so that nothing but what is spoilt is wrong
		spoil(&bad)
		p, err := w.Verify(t.Context(), w.byPasskey(t, &bad))
		answered(t, what, p, err, errRefused)
		// The counter that was stored does not move by what is refused.
		_, err = w.Pool.Exec(t.Context(), "DELETE FROM auth_limit")
		must(t, err)
		w.reset(t, key)
	}
	if n := w.count(t, "SELECT count(*) FROM audit_entry WHERE event = 'login-refused' AND person IS NOT NULL AND details::text LIKE '%cloned%'"); n != 2 {
		t.Errorf("got %d entries of a counter, want two", n)
	}
	for what, change := range map[string]func(x *Attempt){
		"another transaction": func(x *Attempt) { x.Transaction = "another" }, "no state": func(x *Attempt) { x.PasskeyState = nil },
		"a state tampered": func(x *Attempt) { x.PasskeyState[len(x.PasskeyState)-1] ^= 1 }, "no JSON": func(x *Attempt) { x.Passkey = []byte("{") },
		"much": func(x *Attempt) { x.Passkey = append(x.Passkey, bytes.Repeat([]byte(" "), longestAnswers)...) }, "too late": func(*Attempt) { w.wait(challengeLife + time.Second) },
	} {
		x := w.byPasskey(t, key)
		change(&x)
		if p, err := w.Verify(t.Context(), x); !p.Zero() || !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v, want it invalid", what, err)
		}
	}
}

// reset puts the counter that is stored back to nought.
func (w *world) reset(t *testing.T, key *authenticator) {
	t.Helper()
	w.in(t, func(tx pgx.Tx) error {
		var r passkeyRecord
		b, _, err := w.holder(t.Context(), tx, ByPasskey, w.passkeyLookups(key.id), &r)
		if err != nil {
			return err
		}
		r.Credential.Authenticator.SignCount = 0
		return w.used(t.Context(), tx, b)
	})
}

// Authenticators that sync have no counter: nought stays nought.
func TestPasskeyWithoutACounterIsTaken(t *testing.T) {
	w := newWorld(t)
	_, key := w.withPasskey(t)
	for range 3 {
		key.counter = ^uint32(0) // nought after sign
		if p, err := w.Verify(t.Context(), w.byPasskey(t, key)); p.Zero() {
			t.Errorf("got %v, want it taken", err)
		}
	}
}

func TestAPasskeyAnswerPassesOnce(t *testing.T) {
	w := newWorld(t)
	_, key := w.withPasskey(t)
	key.counter = ^uint32(0) // it has none, so only the challenge tells
	x := w.byPasskey(t, key)
	var passed atomic.Int32
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			p, err := w.Verify(t.Context(), x)
			switch {
			case err == nil && !p.Zero():
				passed.Add(1)
			case !errors.Is(err, errRefused) && !errors.Is(err, errWait):
				t.Errorf("got %v, want it refused", err)
			}
		})
	}
	all.Wait()
	if n := passed.Load(); n != 1 {
		t.Errorf("got %d logins by one answer, want one", n)
	}
	// A wrong answer spends its challenge as well.
	bad := *key
	bad.flags = present
	y := w.byPasskey(t, &bad)
	y.From = afar
	p, err := w.Verify(t.Context(), y)
	answered(t, "a wrong answer", p, err, errRefused)
	if n := w.count(t, "SELECT count(*) FROM auth_challenge"); n != 3 {
		t.Errorf("got %d challenges spent, want three: one to register, two to log in", n)
	}
	w.wait(challengeLife + time.Minute)
	must(t, w.Sweep(t.Context()))
	if n := w.count(t, "SELECT count(*) FROM auth_challenge"); n != 0 {
		t.Errorf("got %d challenges kept for ever", n)
	}
}

func TestAPasskeyIsMadeOnce(t *testing.T) {
	w := newWorld(t)
	a, key := w.person(t), newAuthenticator(t)
	p := w.logIn(t, a.UIN.Reveal())
	options, state, err := w.BeginPasskey(t.Context(), p)
	must(t, err)
	answer := key.make(t, options)
	var made atomic.Int32
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if err := w.FinishPasskey(t.Context(), p, state, answer, "my phone"); err == nil {
				made.Add(1)
			} else if fault.Of(err).Kind == fault.Internal {
				t.Errorf("got %v", err)
			}
		})
	}
	all.Wait()
	if n := made.Load(); n != 1 {
		t.Errorf("got %d passkeys made by one answer, want one", n)
	}
	// The same credential is nobody else's.
	b := w.person(t)
	q := w.logIn(t, b.UIN.Reveal())
	options, state, err = w.BeginPasskey(t.Context(), q)
	must(t, err)
	must(t, w.Ring.Rotate(t.Context(), keys.Lookup))
	if err := w.FinishPasskey(t.Context(), q, state, key.make(t, options), "mine now"); !errors.Is(err, errTaken) {
		t.Errorf("got %v, want it taken", err)
	}
	if err := w.DropPasskey(t.Context(), q, uuid.New()); !fault.Is(err, fault.NotFound) {
		t.Errorf("got %v, want nothing to drop", err)
	}
	mine, err := w.Passkeys(t.Context(), w.Pool, a.Person)
	must(t, err)
	if err := w.DropPasskey(t.Context(), q, mine[0].ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("got %v, want another's passkey out of reach", err)
	}
}

func TestAPasskeyThatIsMadeWrongIsRefused(t *testing.T) {
	w := newWorld(t)
	a, b := w.person(t), w.person(t)
	p := w.logIn(t, a.UIN.Reveal())
	for what, spoil := range map[string]func(k *authenticator){
		"another origin": func(k *authenticator) { k.origin = "https://evil.example" }, "another RP": func(k *authenticator) { k.rp = "evil.example" },
		"another challenge": func(k *authenticator) { k.forge = b64(bytes.Repeat([]byte{7}, 32)) }, "no verification": func(k *authenticator) { k.flags = present },
	} {
		key := newAuthenticator(t)
		spoil(key)
		options, state, err := w.BeginPasskey(t.Context(), p)
		must(t, err)
		if err := w.FinishPasskey(t.Context(), p, state, key.make(t, options), "x"); fault.Of(err).Code != errAnswer.Code {
			t.Errorf("%s: got %v, want it refused", what, err)
		}
	}
	options, state, err := w.BeginPasskey(t.Context(), p)
	must(t, err)
	answer := newAuthenticator(t).make(t, options)
	if err := w.FinishPasskey(t.Context(), w.logIn(t, b.UIN.Reveal()), state, answer, "x"); fault.Of(err).Code != errStale.Code {
		t.Errorf("got %v, want another's state refused", err)
	}
	_, login, err := w.AskPasskey("a login")
	must(t, err)
	if err := w.FinishPasskey(t.Context(), p, login, answer, "x"); fault.Of(err).Code != errStale.Code {
		t.Errorf("got %v, want the state of a login refused", err)
	}
	for _, name := range []string{"", "  ", strings.Repeat("x", 65), "a\nb", "\xff"} {
		if err := w.FinishPasskey(t.Context(), p, state, answer, name); !fault.Is(err, fault.Invalid) || fault.Of(err).Fields[0].Name != "name" {
			t.Errorf("%q: got %v, want the name refused", name, err)
		}
	}
	w.wait(challengeLife + time.Second)
	if err := w.FinishPasskey(t.Context(), w.logIn(t, a.UIN.Reveal()), state, answer, "x"); fault.Of(err).Code != errStale.Code {
		t.Errorf("got %v, want it too late", err)
	}
}

// What is bound logs in ever after, so it asks for more than a login does.
func TestAKeyIsBoundByAStrongLoginOnly(t *testing.T) {
	w := newWorld(t)
	plain, secured := w.person(t), w.withSecrets(t)
	proof := func(a registry.Assigned, methods ...Method) Proof {
		return Proof{person: a.Person, methods: methods, at: w.now()}
	}
	old := proof(plain, ByFinger)
	old.at = w.now().Add(-proofLife - time.Second)
	for what, c := range map[string]struct {
		Proof
		want error
	}{
		"a code, of who has nothing else": {proof(plain, ByCode), nil}, "a code, of who has more": {proof(secured, ByCode), errWeakProof}, "a code and a PIN": {proof(secured, ByCode, ByPIN), nil},
		"a finger": {proof(secured, ByFinger), nil}, "a face": {proof(secured, ByFace), nil}, "a passkey": {proof(secured, ByPasskey), nil}, "a PIN": {proof(secured, ByPIN), errWeakProof},
		"knowledge": {proof(plain, ByKnowledge), errWeakProof}, "none": {Proof{}, errNoProof}, "an old one": {old, errNoProof},
	} {
		if _, _, err := w.BeginPasskey(t.Context(), c.Proof); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: got %v, want %v", what, err, c.want)
		}
		if err := w.FinishPasskey(t.Context(), c.Proof, nil, nil, "x"); c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s, at the end: got %v, want %v", what, err, c.want)
		}
	}
	p := proof(plain, ByCode)
	for n := range mostKeys + 1 {
		strong := proof(plain, ByFinger)
		options, state, err := w.BeginPasskey(t.Context(), strong)
		must(t, err)
		err = w.FinishPasskey(t.Context(), strong, state, newAuthenticator(t).make(t, options), fmt.Sprint("key ", n))
		if (err == nil) != (n < mostKeys) {
			t.Errorf("key %d: got %v", n, err)
		}
	}
	if _, _, err := w.BeginPasskey(t.Context(), p); !errors.Is(err, errWeakProof) {
		t.Errorf("got %v, want a code too little by now", err)
	}
}

func TestPasskeysOfPeopleGoneAreRefused(t *testing.T) {
	w := newWorld(t)
	a, key := w.withPasskey(t)
	b, theirs := w.withPasskey(t)
	w.in(t, func(tx pgx.Tx) error {
		return w.Registry.SetStatus(t.Context(), tx, a.Person, registry.Active, registry.Blocked)
	})
	w.in(t, func(tx pgx.Tx) error { return w.Ring.ErasePerson(t.Context(), tx, b.Person) })
	for what, k := range map[string]*authenticator{"blocked": key, "erased": theirs, "never was": newAuthenticator(t)} {
		k.handle = bytes.Clone(theirs.handle)
		p, err := w.Verify(t.Context(), w.byPasskey(t, k))
		answered(t, what, p, err, errRefused)
	}
}

func TestPasskeysNeedANameToBeReachedBy(t *testing.T) {
	w := newWorld(t)
	a := w.person(t)
	for _, where := range []*url.URL{nil, {Scheme: "http", Host: "192.0.2.7:8080"}, {Scheme: "https", Host: "[2001:db8::1]"}} {
		c := w.Config
		c.Public = where
		d, err := New(c)
		must(t, err)
		if slices.Contains(d.Offered(), ByPasskey) {
			t.Errorf("%v: got passkeys on offer", where)
		}
		_, _, begun := d.BeginPasskey(t.Context(), w.logIn(t, a.UIN.Reveal()))
		_, _, asked := d.AskPasskey("a login")
		_, judged := d.Verify(t.Context(), Attempt{Passkey: []byte("{}"), Transaction: "a login"})
		for _, err := range []error{begun, asked, judged, d.FinishPasskey(t.Context(), Proof{}, nil, nil, "x")} {
			if !fault.Is(err, fault.Invalid) || fault.Of(err).Code != "passkey-not-offered" {
				t.Errorf("%v: got %v, want it said that they are not offered", where, err)
			}
		}
	}
	local, err := New(Config{Pool: w.Pool, Ring: w.Ring, Registry: w.Registry, Queue: w.queue, Offers: w.Offers, Public: &url.URL{Scheme: "http", Host: "localhost:8080"}})
	if err != nil || !slices.Contains(local.Offered(), ByPasskey) {
		t.Errorf("got %v, want passkeys on one's own machine", err)
	}
}

func TestPasskeysAreKeptNowhereInTheClear(t *testing.T) {
	w := newWorld(t)
	a, key := w.withPasskey(t)
	if p, err := w.Verify(t.Context(), w.byPasskey(t, key)); p.Zero() {
		t.Fatal(err)
	}
	point, err := key.key.PublicKey.Bytes()
	must(t, err)
	all := strings.Join(append(dump(t, w.Pool, "auth_"), dump(t, w.Pool, "audit_")...), "\n")
	for what, secret := range map[string][]byte{"id": key.id, "public key": point[1:33], "handle": key.handle} {
		if strings.Contains(all, fmt.Sprintf("%x", secret)) || strings.Contains(all, b64(secret)) {
			t.Errorf("got the %s in the database", what)
		}
	}
	if strings.Contains(all, "my phone") || strings.Contains(all, a.UIN.Reveal()) {
		t.Error("got the name or the number in the database")
	}
}
