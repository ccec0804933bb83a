package keys

import (
	"bytes"
	"container/list"
	"errors"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/internal/postgres/pgtest"
)

func newPerson(t *testing.T, ring *Ring) (PersonKey, uuid.UUID) {
	t.Helper()
	person := uuid.New()
	var key PersonKey
	err := postgres.InTx(t.Context(), ring.pool, func(tx pgx.Tx) (err error) {
		key, err = ring.NewPerson(t.Context(), tx, person)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return key, person
}

func erase(t *testing.T, ring *Ring, person uuid.UUID) {
	t.Helper()
	err := postgres.InTx(t.Context(), ring.pool, func(tx pgx.Tx) error { return ring.ErasePerson(t.Context(), tx, person) })
	if err != nil {
		t.Fatal(err)
	}
}

func TestAPersonsKeyOpensWhatItSealed(t *testing.T) {
	pool, root := pgtest.Pool(t), newRoot(t)
	ring := open(t, pool, root)
	key, person := newPerson(t, ring)
	sealed := must[[]byte](t)(key.Seal([]byte("name"), []byte("identity")))
	if err := ring.Rotate(t.Context(), Identity); err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]*Ring{"here": ring, "again": ring, "elsewhere": open(t, pool, root)} {
		k := must[PersonKey](t)(r.Person(t.Context(), pool, person))
		if plain, err := k.Open(sealed, []byte("identity")); err != nil || string(plain) != "name" {
			t.Errorf("%s: got %q, %v; want it open", name, plain, err)
		}
	}
	if _, err := key.Open(sealed, []byte("portrait")); !errors.Is(err, ErrSealed) {
		t.Errorf("in another place: got %v, want ErrSealed", err)
	}
	if _, err := key.Seal([]byte("name"), nil); err == nil {
		t.Error("sealing for no place: got nil, want an error")
	}
}

func TestSealedDataSaysNotWhoseItIs(t *testing.T) {
	ring := open(t, pgtest.Pool(t), newRoot(t))
	key, person := newPerson(t, ring)
	other, _ := newPerson(t, ring)
	a := must[[]byte](t)(key.Seal([]byte("x"), []byte("place")))
	b := must[[]byte](t)(other.Seal([]byte("x"), []byte("place")))
	if bytes.Contains(a, person[:4]) || !bytes.Equal(a[:header], b[:header]) {
		t.Fatalf("got %x and %x, want nothing of the person in either", a[:header], b[:header])
	}
}

func TestKeysOfTwoPersonsCannotBeSwapped(t *testing.T) {
	pool := pgtest.Pool(t)
	ring := open(t, pool, newRoot(t))
	alice, a := newPerson(t, ring)
	_, b := newPerson(t, ring)
	sealed := must[[]byte](t)(alice.Seal([]byte("alice"), []byte("identity")))
	exec(t, pool, `UPDATE key_person k SET wrapped = o.wrapped FROM key_person o WHERE k.person <> o.person`)
	for _, person := range []uuid.UUID{a, b} {
		if _, err := ring.Person(t.Context(), pool, person); !errors.Is(err, ErrSealed) {
			t.Errorf("got %v, want ErrSealed", err)
		}
	}
	// Not even with a right key: the person is part of the place.
	moved := PersonKey{person: b, key: alice.key}
	if _, err := moved.Open(sealed, []byte("identity")); !errors.Is(err, ErrSealed) {
		t.Errorf("got %v, want ErrSealed", err)
	}
}

func TestAnErasedPersonCannotBeReadAgain(t *testing.T) {
	pool, root := pgtest.Pool(t), newRoot(t)
	ring := open(t, pool, root)
	_, person := newPerson(t, ring)
	kept := must[PersonKey](t)(ring.Person(t.Context(), pool, person)) // in the cache now
	sealed := must[[]byte](t)(kept.Seal([]byte("name"), []byte("identity")))
	erase(t, ring, person)
	for _, r := range []*Ring{ring, open(t, pool, root)} {
		if _, err := r.Person(t.Context(), pool, person); !errors.Is(err, ErrErased) {
			t.Errorf("got %v, want ErrErased", err)
		}
	}
	for _, d := range order {
		if _, err := ring.Open(d, sealed, []byte("identity")); !errors.Is(err, ErrSealed) {
			t.Errorf("%s: got %v, want ErrSealed", d, err)
		}
	}
	// Who enrols again gets another key.
	err := postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		key, err := ring.NewPerson(t.Context(), tx, person)
		if err == nil {
			_, err = key.Open(sealed, []byte("identity"))
		}
		return err
	})
	if !errors.Is(err, ErrSealed) {
		t.Errorf("got %v, want ErrSealed", err)
	}
}

func TestTheKeptKeysAreBounded(t *testing.T) {
	p := people{kept: make(map[uuid.UUID]*list.Element)}
	first := uuid.New()
	p.put(PersonKey{person: first})
	for range keptMost - 1 {
		p.put(PersonKey{person: uuid.New()})
	}
	if _, ok := p.get(first); !ok {
		t.Error("forgotten before there were too many")
	}
	second := uuid.New()
	p.put(PersonKey{person: second})
	p.put(PersonKey{person: second})
	if _, ok := p.get(first); !ok {
		t.Error("the one used last was forgotten before those used earlier")
	}
	if len(p.kept) != keptMost || p.order.Len() != keptMost {
		t.Errorf("got %d and %d kept, want %d", len(p.kept), p.order.Len(), keptMost)
	}
}
