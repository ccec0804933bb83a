package keys

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/postgres"
)

// ErrErased says that a person's key is gone, and all that it sealed with it.
var ErrErased = errors.New("keys: there is no key for this person")

// PersonKey seals what belongs to one person.
type PersonKey struct {
	person uuid.UUID
	key    secret
}

// String names the person and shows nothing of the key.
func (k PersonKey) String() string { return "key of " + k.person.String() }

// unnamed stands where a domain key's blob names its key: a blob of a person's
// must not say whose it is to those who find it under a pseudonym.
var unnamed [idBytes]byte

// Seal seals plain for the place that ad names; the person is part of the place.
func (k PersonKey) Seal(plain, ad []byte) ([]byte, error) {
	return sealAs(unnamed, k.key(), plain, k.place(ad))
}

// Open opens what Seal sealed.
func (k PersonKey) Open(sealed, ad []byte) ([]byte, error) {
	id, err := headOf(sealed)
	if err != nil || id != unnamed {
		return nil, ErrSealed
	}
	return openAs(sealed, k.key(), k.place(ad))
}

func (k PersonKey) place(ad []byte) []byte {
	if len(ad) == 0 {
		return nil // which seal refuses
	}
	return append(k.person[:len(k.person):len(k.person)], ad...)
}

func personAD(person uuid.UUID) []byte { return append([]byte("plinth person key\x00"), person[:]...) }

// NewPerson makes the key of a new person.
func (r *Ring) NewPerson(ctx context.Context, tx pgx.Tx, person uuid.UUID) (PersonKey, error) {
	k := PersonKey{person: person, key: keep(random(32))}
	wrapped, err := r.Seal(Identity, k.key(), personAD(person))
	if err != nil {
		return PersonKey{}, err
	}
	if err := insertPerson(ctx, tx, person, wrapped); err != nil {
		return PersonKey{}, fmt.Errorf("storing a person's key: %w", err)
	}
	return k, nil
}

// Person reads a person's key; ErrErased when there is none.
func (r *Ring) Person(ctx context.Context, db postgres.DB, person uuid.UUID) (PersonKey, error) {
	if k, ok := r.people.get(person); ok {
		return k, nil
	}
	wrapped, err := personWrapped(ctx, db, person)
	if errors.Is(err, pgx.ErrNoRows) {
		return PersonKey{}, ErrErased
	}
	if err != nil {
		return PersonKey{}, fmt.Errorf("reading a person's key: %w", err)
	}
	key, err := r.Open(Identity, wrapped, personAD(person))
	if err != nil {
		return PersonKey{}, err
	}
	k := PersonKey{person: person, key: keep(key)}
	r.people.put(k)
	return k, nil
}

// ErasePerson destroys a person's key: nothing that it sealed can be opened any
// more, in backups neither once those of this table have run out. Other processes
// may remember the key for five seconds.
func (r *Ring) ErasePerson(ctx context.Context, tx pgx.Tx, person uuid.UUID) error {
	r.people.drop(person)
	if err := deletePerson(ctx, tx, person); err != nil {
		return fmt.Errorf("erasing a person's key: %w", err)
	}
	return nil
}

// people keeps the keys that were used last, for a short while: another process
// may erase a person, and then this one must forget too.
type people struct {
	mu    sync.Mutex
	kept  map[uuid.UUID]*list.Element
	order list.List // of keptKey, the last used first
}

type keptKey struct {
	PersonKey
	until time.Time
}

const (
	keptFor  = 5 * time.Second
	keptMost = 4096
)

func (p *people) get(person uuid.UUID) (PersonKey, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok := p.kept[person]
	if !ok {
		return PersonKey{}, false
	}
	k := e.Value.(keptKey)
	if time.Now().After(k.until) {
		p.remove(e)
		return PersonKey{}, false
	}
	p.order.MoveToFront(e)
	return k.PersonKey, true
}

func (p *people) put(k PersonKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e, ok := p.kept[k.person]; ok {
		p.remove(e)
	}
	if len(p.kept) >= keptMost {
		p.remove(p.order.Back())
	}
	p.kept[k.person] = p.order.PushFront(keptKey{k, time.Now().Add(keptFor)})
}

func (p *people) drop(person uuid.UUID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e, ok := p.kept[person]; ok {
		p.remove(e)
	}
}

func (p *people) remove(e *list.Element) {
	delete(p.kept, e.Value.(keptKey).person)
	p.order.Remove(e)
}
