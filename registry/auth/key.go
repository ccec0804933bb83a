package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/notify"
	"github.com/plinth-id/plinth/internal/postgres"
)

// leastToBind is the level of the proof by which a passkey or a wallet is bound to a
// person. What is bound logs in at Substantial ever after, so it must not come from
// less: two kinds of evidence. A look at the body does as well, and a code alone only for
// who has nothing else, neither set up nor enrolled, or nobody could begin: who has
// fingers on record shows one. A deployment that enrols wallets at its centres raises
// this to High.
const leastToBind = Substantial

const (
	mostKeys    = 10 // of each kind, per person
	longestName = 64
)

// mayBind judges whether a proof suffices to bind a key to the person.
func (d *Desk) mayBind(ctx context.Context, db postgres.DB, p Proof) error {
	if err := d.fresh(p); err != nil {
		return err
	}
	weak, err := d.byCodeAlone(ctx, db, p)
	if err != nil {
		return err
	}
	if binds(p.methods) && !weak {
		return nil
	}
	if weak {
		return d.unlessBody(ctx, db, p.person)
	}
	if !slices.Contains(p.methods, ByCode) {
		return errWeakProof
	}
	more, err := hasMore(ctx, db, p.person, d.Now())
	if err != nil {
		return fmt.Errorf("reading what somebody logs in with: %w", err)
	}
	if more {
		return errWeakProof
	}
	return d.unlessBody(ctx, db, p.person)
}

// binds tells methods that suffice to bind a key, whatever else the person has.
func binds(methods []Method) bool {
	return LevelOf(methods) >= leastToBind || slices.ContainsFunc(methods, func(m Method) bool { return slices.Contains(byBody, m) })
}

// byCodeAlone tells a proof of two kinds of which one came out of the other: whoever gets
// somebody's codes can set a PIN with one, and come back with both.
func (d *Desk) byCodeAlone(ctx context.Context, db postgres.DB, p Proof) (bool, error) {
	var others []Method
	for _, m := range p.methods {
		if m != ByPIN && m != ByPassword {
			others = append(others, m)
		}
	}
	if binds(others) || !binds(p.methods) {
		return false, nil
	}
	for _, m := range p.methods {
		if slices.Contains(others, m) {
			continue
		}
		kept, err := d.secretOf(ctx, db, claimed{p.person, true}, m)
		if err != nil || !kept.ByCode {
			return false, err
		}
	}
	return true, nil
}

// unlessBody refuses who has more to show.
func (d *Desk) unlessBody(ctx context.Context, db postgres.DB, person uuid.UUID) error {
	body, err := d.hasBody(ctx, db, person)
	if err == nil && body {
		return errWeakProof
	}
	return err
}

// hasBody tells whether somebody was enrolled with a part of the body by which they can
// log in here.
func (d *Desk) hasBody(ctx context.Context, db postgres.DB, person uuid.UUID) (bool, error) {
	enrolled, err := d.Registry.Templates(ctx, db, person)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	offered := d.Offered()
	for position := range enrolled {
		for _, p := range parts {
			if p.modality == position.Modality() && slices.Contains(offered, p.method) {
				return true, nil
			}
		}
	}
	return false, nil
}

// tellBound tells a person by every channel that something logs in as them from now on:
// whoever has taken over one channel does not have the others.
func (d *Desk) tellBound(ctx context.Context, tx pgx.Tx, person uuid.UUID, kind Method) error {
	i, err := d.Registry.Details(ctx, tx, person)
	if err != nil {
		return err
	}
	l, now := languageOf(i), d.Now()
	text := l.Must("notice.bound", "Device", l.Must("notice.bound."+string(kind)), "At", moment(now), "Address", d.Public.JoinPath(accountPage).String())
	for _, m := range d.everywhere(i, notify.Message{Text: text, Subject: l.Must("notice.bound.subject"), Until: now.Add(noticeLife)}) {
		if err := d.Queue(ctx, tx, m); err != nil {
			return err
		}
	}
	return nil
}

// accountPage is where people see what logs in as them.
const accountPage = "/oidc/account"

// bound is a passkey or the key of a wallet, opened.
type bound struct {
	row  keyRow
	key  keys.PersonKey
	kept any // what its record was read into
}

func keyPlace(kind Method, id uuid.UUID) []byte {
	return append([]byte("auth_key."+string(kind)+"\x00"), id[:]...)
}

// keep binds a key to somebody. One that another person has is refused.
func (d *Desk) keep(ctx context.Context, tx pgx.Tx, row keyRow, record any, sealer keys.PersonKey) error {
	plain, err := json.Marshal(record)
	if err != nil {
		return err
	}
	if row.Sealed, err = sealer.Seal(plain, keyPlace(row.Kind, row.ID)); err != nil {
		return err
	}
	n, err := countKeys(ctx, tx, row.Person, row.Kind)
	if err != nil {
		return fmt.Errorf("keeping a key: %w", err)
	}
	if n >= mostKeys {
		return fault.New(fault.Conflict, "There are ten already. Remove one that is not used any more.").Named("too-many-keys")
	}
	fresh, err := insertKey(ctx, tx, row)
	if err != nil {
		return fmt.Errorf("keeping a key: %w", err)
	}
	if !fresh {
		return errTaken
	}
	return d.tellBound(ctx, tx, row.Person, row.Kind)
}

// untaken refuses a key that is bound. Insertion finds it under the current lookup key
// alone; this under those before.
func (d *Desk) untaken(ctx context.Context, tx pgx.Tx, kind Method, lookups [][]byte) error {
	_, err := lockKey(ctx, tx, kind, lookups, d.Now())
	if err == nil {
		return errTaken
	}
	if !errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("finding a key: %w", err)
	}
	return nil
}

// errTaken says that a key is bound already, to whomever.
var errTaken = fault.New(fault.Conflict, "This key is bound already. Use another one, or remove it first.").Named("key-taken")

// holder finds whose key this is, and locks it: two logins with it come one after the
// other. A key that nobody has, or somebody who may not log in, is nobody's.
func (d *Desk) holder(ctx context.Context, tx pgx.Tx, kind Method, lookups [][]byte, record any) (bound, claimed, error) {
	var nobody claimed
	copy(nobody.person[:], lookups[0])
	row, err := lockKey(ctx, tx, kind, lookups, d.Now())
	if errors.Is(err, pgx.ErrNoRows) {
		return bound{}, nobody, nil
	}
	if err != nil {
		return bound{}, nobody, fmt.Errorf("finding a key: %w", err)
	}
	active, err := d.Registry.Active(ctx, tx, row.Person)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return bound{}, nobody, err
	}
	key, err := d.Ring.Person(ctx, tx, row.Person)
	if !active || errors.Is(err, keys.ErrErased) {
		return bound{}, nobody, nil
	}
	if err != nil {
		return bound{}, nobody, err
	}
	b := bound{row, key, record}
	return b, claimed{row.Person, true}, b.open()
}

// sameAs holds whose key it is against the number, where one was given as well.
func (d *Desk) sameAs(ctx context.Context, db postgres.DB, who claimed, identifier string) (claimed, error) {
	if identifier == "" {
		return who, nil
	}
	number, err := d.claim(ctx, db, identifier)
	who.exists = who.exists && number == who
	return who, err
}

func (b bound) open() error {
	plain, err := b.key.Open(b.row.Sealed, keyPlace(b.row.Kind, b.row.ID))
	if err == nil {
		err = json.Unmarshal(plain, b.kept)
	}
	if err != nil {
		return fmt.Errorf("reading a key: %w", err)
	}
	return nil
}

// used notes that a key has proven its person now, with what has changed of it.
func (d *Desk) used(ctx context.Context, tx pgx.Tx, b bound) error {
	plain, err := json.Marshal(b.kept)
	if err != nil {
		return err
	}
	sealed, err := b.key.Seal(plain, keyPlace(b.row.Kind, b.row.ID))
	if err != nil {
		return err
	}
	return touchKey(ctx, tx, b.row.ID, sealed, d.Now())
}

// listKeys opens all keys of a kind that a person has, the oldest first.
func listKeys[T any](ctx context.Context, d *Desk, db postgres.DB, of keyRow) (rows []keyRow, records []T, err error) {
	if rows, err = readKeys(ctx, db, of.Person, of.Kind, d.Now()); err != nil {
		return nil, nil, fmt.Errorf("listing keys: %w", err)
	}
	key, err := d.Ring.Person(ctx, db, of.Person)
	if err != nil {
		return nil, nil, err
	}
	records = make([]T, len(rows))
	for n, row := range rows {
		if err := (bound{row, key, &records[n]}).open(); err != nil {
			return nil, nil, err
		}
	}
	return rows, records, nil
}

// dropKey takes a key away from its person.
func (d *Desk) dropKey(ctx context.Context, proof Proof, id uuid.UUID, kind Method, event audit.Event) error {
	if err := d.mayChange(proof); err != nil {
		return err
	}
	return d.changing(ctx, proof, audit.Entry{Event: event, Subject: id.String()}, func(tx pgx.Tx, _ keys.PersonKey) error {
		return found(deleteKey(ctx, tx, proof.person, kind, id))
	})
}

// named is the name that a person gives a key.
func named(name string) (string, error) {
	name = strings.TrimSpace(name)
	if n := utf8.RuneCountInString(name); n < 1 || n > longestName || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return "", fault.New(fault.Invalid, "Give it a name of 1 to 64 characters, by which you know it again.").At("name", "must have 1 to 64 characters")
	}
	return name, nil
}

func timeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
